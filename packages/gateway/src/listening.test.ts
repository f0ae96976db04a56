import { expect } from "chai";
import { gatewayError } from "./errors.ts";

describe("an error of the gateway", () => {
  it("says what to do next", () => {
    const error = gatewayError("KITH_GATEWAY_LISTEN", "127.0.0.1:6379 is taken.");
    expect(error.code).equal("KITH_GATEWAY_LISTEN");
    expect(error.message).match(/is taken.*another port/s);
  });
});

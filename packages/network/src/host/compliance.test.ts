import { networkCompliance } from "../compliance/index.ts";
import { Addresses, realHarness } from "./network-kit.test.ts";

describe("on sockets", () => {
  const addresses = new Addresses();
  before(() => addresses.bind(100));
  after(() => addresses.close());
  networkCompliance("WebSocketNetwork", () => realHarness(addresses));
});

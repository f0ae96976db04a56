/** The component: its socket, its bounds, and what becomes of clients when it ends. */

import { KithError } from "@kith/core";
import { expect } from "chai";
import type { RedisGatewayInit } from "./gateway.ts";
import { Client, closeAll, gatewayOnMemory } from "./kit.test.ts";

describe("the Redis port", () => {
  afterEach(closeAll);

  it("serves a client, tells where, and hangs up when it stops", async () => {
    const served = await gatewayOnMemory();
    const client = await Client.to(served.port);
    expect(await client.ask("SET", "a", "1")).equal("+OK");
    expect(await client.ask("INCR", "a")).equal(":2");
    expect(await client.ask("GET", "a")).equal("$1 2");
    await served.close();
    await client.closed;
  });

  it("faults where its port is taken", async () => {
    const served = await gatewayOnMemory();
    expect(await codeOf({ port: served.port })).equal("KITH_GATEWAY_LISTEN");
  });

  it("does not listen for everybody without a password", async () => {
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "example.org"])
      expect(await codeOf({ host })).equal("KITH_GATEWAY_PASSWORD");
    expect(await codeOf({ port: 65_536 })).equal("KITH_GATEWAY_ARGUMENT");
    expect(await codeOf({ limits: { clientsMax: 0 } })).equal("KITH_GATEWAY_ARGUMENT");
  });
});

async function codeOf(init: Partial<RedisGatewayInit>): Promise<string> {
  const failed: unknown = await gatewayOnMemory(init).catch((cause: unknown) => cause);
  if (!(failed instanceof KithError)) throw new Error("It listens.");
  return failed.code;
}

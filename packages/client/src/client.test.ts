/** The client on a store: simulated, where members crash under it, and on sockets. */

import { expect } from "chai";
import type { Client } from "./client.ts";
import { clientCases } from "./cases.test.ts";
import { connect } from "./connect.ts";
import { ClientError } from "./errors.ts";
import { errorOf } from "./errors.test.ts";
import { type RealStore, realStore, simStore } from "./store-kit.test.ts";

describe("a client in a simulation", () => {
  for (const [index, { name, run }] of clientCases.entries())
    it(name, async () => {
      const { client, during } = simStore(index + 1);
      await during(run(client));
    });

  it("goes on while each member crashes in turn, and counts each increment once", async () => {
    const { world, client, during } = simStore(7);
    let unknown = 0;
    let done = 0;
    const count = async (): Promise<void> => {
      for (let n = 0; n < 30; n++)
        try {
          await client.increment("n");
          done++;
        } catch (error) {
          if (!(error instanceof ClientError)) throw error;
          if (error.outcome === "unknown") unknown++;
        }
    };
    const counting = Promise.all([count(), count(), count()]);
    for (const index of [0, 1, 2]) {
      await during(client.get("n"));
      world.node(index).crash();
      await during(client.put("p", `without ${index}`, { within: 20_000 }));
      world.node(index).start();
    }
    await during(counting);
    const sum = Number(await during(client.get("n")));
    expect(done).greaterThan(60);
    expect(sum).within(done, done + unknown);
  });
});

describe("a client on sockets", function () {
  this.timeout(120_000);
  let store: RealStore;
  let client: Client;
  before(async () => {
    store = await realStore();
    client = await connect({ peers: store.peers, log: () => undefined });
  });
  after(async () => {
    await client.close();
    await store.close();
  });

  for (const { name, run } of clientCases) it(name, () => run(client));

  it("finds the store by any one address that answers", async () => {
    const [, second = ""] = store.peers;
    const other = await connect({ peers: ["127.0.0.1:1", second], log: () => undefined });
    const up: string[] = [];
    other.events.on("up", (peer) => up.push(peer));
    await other.put("other", "here");
    expect(await client.get("other")).equal("here");
    expect(store.peers).include.members(up);
    await other.close();
  });

  it("says where no peer answers, and why", async () => {
    const peers = ["127.0.0.1:1"];
    const error = await errorOf(connect({ peers, within: 300, log: () => undefined }));
    expect([error.code, error.outcome]).deep.equal(["KITH_CLIENT_UNREACHABLE", "not-done"]);
    expect(error.message).match(/127\.0\.0\.1:1: refused/);
    const signal = AbortSignal.abort();
    const given = await errorOf(connect({ peers, signal, log: () => undefined }));
    expect(given.code).equal("KITH_CLIENT_ABORTED");
    expect((await errorOf(connect({ peers: [] }))).code).equal("KITH_CLIENT_ARGUMENT");
  });

  it("goes on where a member is gone, and where it comes back", async () => {
    await store.stop(0);
    await client.put("gone", "yes", { within: 60_000 });
    await store.start(0);
    await store.stop(1);
    expect(await client.get("gone", { within: 60_000 })).equal("yes");
    await store.start(1);
    await client.put("gone", "no", { within: 60_000 });
  });
});

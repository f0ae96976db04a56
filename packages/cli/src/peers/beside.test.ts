/** Servers beside peers: what becomes of them when they fail, or their peer does; and of the process when its last peer has. */

import { run, type System, Timeout } from "@kith/core";
import { AskTraffic, RedisGateway } from "@kith/gateway";
import { Caretaker } from "@kith/store";
import { bindAddress, real } from "@kith/node";
import { spreadIds } from "@kith/peer";
import { expect } from "chai";
import { Redis } from "ioredis";
import { launch } from "./launch.ts";
import { PeerProcess, type Place } from "./peer-process.ts";

/** A process whose peers a test can take away, and bring back. */
class Process extends PeerProcess {
  /** Those that come back as soon as they have gone. */
  readonly returning = new Set<number>();

  take(peerId: number): void {
    this.enter(() => this.remove(peerId));
  }

  protected override ended(peerId: number, reason: string): void {
    super.ended(peerId, reason);
    if (this.returning.has(peerId)) this.enter(() => this.add(peerId));
  }
}

/** Fails whenever its traffic is asked for. */
class Frail extends RedisGateway {
  constructor(init: ConstructorParameters<typeof RedisGateway>[0]) {
    super(init);
    this.listener.on(AskTraffic, () => {
      throw new Error("too heavy");
    });
  }
}

/** Fails at its next timeout. */
class Broken extends Caretaker {
  constructor() {
    super();
    this.timer.on(Timeout, () => {
      throw new Error("out of order");
    });
  }
}

describe("servers beside peers", function () {
  this.timeout(120_000);
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });

  async function placeOf(): Promise<Place> {
    const { host, port, close } = await bindAddress();
    close();
    return { host, port };
  }

  async function start(count: number, limit = 2) {
    const peers = spreadIds(1, count);
    const places = { redis: new Array<Place>(), http: new Array<Place>() };
    for (const _ of peers) {
      places.redis.push(await placeOf());
      places.http.push(await placeOf());
    }
    const create = { peers: count, groups: 2, replicas: count };
    const init = { peers, create, ...places, restarts: { limit, backoff: 10 } };
    const world = real({ listen: await placeOf(), log: () => undefined });
    const system: System<Process> = await run(Process, init, world);
    system.done.catch(() => undefined);
    closers.push(() => system.stop());
    await new Promise<void>((resolve) =>
      system.instance.listen({
        state: ({ phase }) => phase === "ready" && resolve(),
        failed: () => undefined,
        up: () => undefined,
        ended: () => undefined,
      }),
    );
    return { system, peers, ...places };
  }

  function clientOf(place: Place | undefined): Redis {
    const options = { maxRetriesPerRequest: 0, retryStrategy: () => null };
    const client = new Redis(place?.port ?? 0, "127.0.0.1", options);
    client.on("error", () => undefined);
    closers.push(() => client.disconnect());
    return client;
  }

  it("end with their peer: nobody would answer their clients", async () => {
    const { system, peers, redis, http } = await start(3);
    const [client, other] = [clientOf(redis[0]), clientOf(redis[1])];
    expect(await client.set("a", "1")).equal("OK");
    const closed = new Promise((resolve) => client.once("close", resolve));
    system.instance.take(peers[0] ?? 0);
    await closed;
    const gone: unknown = await fetch(`http://127.0.0.1:${http[0]?.port}/keys/a`).catch(
      (cause: unknown) => cause,
    );
    expect(gone).instanceOf(TypeError);
    expect(await other.get("a")).equal("1");
  });

  it("come back with their peer, at the ports that they had, however soon", async () => {
    const { system, peers, redis, http } = await start(3);
    const [back = 0] = peers;
    const other = clientOf(redis[1]);
    system.instance.returning.add(back);
    for (const round of ["1", "2", "3"]) {
      const client = clientOf(redis[0]);
      expect(await client.set("a", round)).equal("OK");
      const closed = new Promise((resolve) => client.once("close", resolve));
      system.instance.take(back);
      await closed;
      expect(await other.get("a")).equal(round);
      await until(
        async () =>
          (await clientOf(redis[0])
            .get("a")
            .catch(() => null)) === round,
      );
      await until(async () => (await fetch(`http://127.0.0.1:${http[0]?.port}/ready`)).ok);
    }
  });

  it("begin anew where they fail, and nothing else does", async () => {
    const { system, peers, redis, http } = await start(1);
    expect(await clientOf(redis[0]).set("a", "1")).equal("OK");
    await system.swap(`/Process-1/Redis-${peers[0]}`, Frail, { ...(redis[0] ?? { port: 0 }) });
    const client = clientOf(redis[0]);
    expect(await client.get("a")).equal("1");
    const closed = new Promise((resolve) => client.once("close", resolve));
    const metrics = await fetch(`http://127.0.0.1:${http[0]?.port}/metrics`);
    expect(metrics.status).equal(200);
    const told = await metrics.text();
    expect(told).match(/# TYPE kith_redis_commands_total counter\nkith_redis_commands_total \d+\n/);
    expect(told).match(/# TYPE kith_redis_clients gauge\nkith_redis_clients \d+\n/);
    await closed;
    await until(
      async () =>
        (await clientOf(redis[0])
          .get("a")
          .catch(() => null)) === "1",
    );
    expect((await fetch(`http://127.0.0.1:${http[0]?.port}/ready`)).status).equal(200);
  });

  it("leave with the process when its last peer has failed, which says why", async () => {
    const { system, peers } = await start(1, 0);
    let failed = "";
    system.done.catch((cause: unknown) => {
      failed = String(cause);
    });
    const path = `/Process-1/Peer-${peers[0]}/Store/Member/caretaker`;
    // What begins anew is as it was: it has to be broken again.
    await until(async () => {
      if (failed === "") await system.swap(path, Broken).catch(() => undefined);
      return failed !== "";
    });
    expect(failed).contains("No peer of this process is left").contains("out of order");
  });

  it("end the process, in order, when its last peer was taken out", async () => {
    const { host, port } = await placeOf();
    const { system, peers } = await launch({
      ...{ listen: { host, port }, data: null, count: 1, join: [], create: { peers: 1 } },
      ...{ redis: [{ host, port: 0 }], http: [], log: () => undefined },
    });
    closers.push(() => system.stop());
    const [only] = peers;
    if (only === undefined) throw new Error("There is no peer.");
    system.enter(() => system.instance.remove(only));
    await system.done;
  });
});

async function until(look: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 50_000;
  while (!(await look())) {
    if (performance.now() > end) throw new Error("It did not come within 50 s.");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Clients that others have written, on a store of three members: any of its ports serves any key. */

import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { expect } from "chai";
import { Redis } from "ioredis";
import { createClient, WatchError } from "redis";
import { type Cluster, cluster } from "./cluster-kit.test.ts";

const has = (program: string): boolean => spawnSync(program, ["--version"]).status === 0;
const start = promisify(execFile);

describe("clients of Redis", function () {
  this.timeout(120_000);
  let served: Cluster;
  before(async () => {
    served = await cluster();
  });
  after(() => served.close());
  const port = (index: number): number => served.ports[index] ?? 0;
  const url = (index: number): string => `redis://127.0.0.1:${port(index)}`;

  describe("ioredis", () => {
    const open: Redis[] = [];
    const client = (index: number): Redis => {
      const redis = new Redis(port(index), "127.0.0.1", { maxRetriesPerRequest: 0 });
      open.push(redis);
      return redis;
    };
    afterEach(() => {
      for (const redis of open.splice(0)) redis.disconnect();
    });

    it("writes at one member and reads at another", async () => {
      const [one, two] = [client(0), client(1)];
      expect(await one.set("greeting", "hello", "EX", 1000)).equal("OK");
      expect(await two.get("greeting")).equal("hello");
      expect(await two.ttl("greeting")).within(900, 1000);
      expect(await one.mget("greeting", "nothing")).deep.equal(["hello", null]);
      expect(await two.getBuffer("greeting")).deep.equal(Buffer.from("hello"));
      expect(await two.del("greeting", "nothing")).equal(1);
      const failed: unknown = await one.call("NO-SUCH", "a").catch((cause: unknown) => cause);
      expect(String(failed)).match(/unknown command 'NO-SUCH'/);
    });

    it("counts everywhere, each once", async () => {
      const clients = [client(0), client(1), client(2)];
      const counts = await Promise.all(
        Array.from({ length: 150 }, (_, n) => (clients[n % 3] ?? client(0)).incr("count")),
      );
      expect(counts.toSorted((a, b) => a - b)).deep.equal(counts.map((_, n) => n + 1));
      expect(await clients[0]?.get("count")).equal("150");
    });

    it("pipelines, and has replies in the order of commands", async () => {
      const pipeline = client(2).pipeline();
      for (let i = 0; i < 200; i++) pipeline.set(`p${i}`, i).incr(`p${i}`).get(`p${i}`);
      const replies = await pipeline.exec();
      const expected = Array.from({ length: 200 }, (_, i) => [
        [null, "OK"],
        [null, i + 1],
        [null, `${i + 1}`],
      ]).flat();
      expect(replies).deep.equal(expected);
    });

    it("runs transactions over keys of all groups", async () => {
      const [one, two] = [client(0), client(1)];
      const keys = Array.from({ length: 12 }, (_, i) => `t${i}`);
      await one.mset(Object.fromEntries(keys.map((key) => [key, "10"])));
      const multi = one.multi();
      for (const key of keys) multi.decrby(key, 3);
      multi.mget(...keys);
      const replies = (await multi.exec()) ?? [];
      expect(replies.at(-1)).deep.equal([null, keys.map(() => "7")]);
      expect(await two.mget(...keys)).deep.equal(keys.map(() => "7"));
      // One of three transactions on a key that is watched gets through.
      const tries = [0, 1, 2].map(async (index) => {
        const own = client(index);
        await own.watch("t0", "t5");
        const before = Number(await own.get("t0"));
        await own.get("nothing");
        return await own
          .multi()
          .set("t0", before + 1)
          .set("t5", before + 1)
          .exec();
      });
      const done = (await Promise.all(tries)).filter((result) => result !== null);
      expect(done.length).within(1, 3);
      expect(await two.mget("t0", "t5")).deep.equal([`${7 + done.length}`, `${7 + done.length}`]);
    });

    it("goes through all keys", async () => {
      const own = client(1);
      await own.flushall();
      const keys = Array.from({ length: 120 }, (_, i) => `scan:${i}`);
      await own.mset(Object.fromEntries(keys.map((key) => [key, "x"])));
      await own.set("other", "x");
      const met: string[] = [];
      for await (const page of own.scanStream({ match: "scan:*", count: 7 }))
        met.push(...(page as string[]));
      expect(met.toSorted()).deep.equal(keys.toSorted());
      expect(await own.dbsize()).equal(121);
      expect(await client(0).randomkey()).match(/^(scan:\d+|other)$/);
      expect((await client(2).keys("*[0-4]5")).toSorted()).deep.equal(
        keys.filter((key) => /[0-4]5$/.test(key)).toSorted(),
      );
    });
  });

  describe("node-redis", () => {
    for (const RESP of [2, 3] as const)
      it(`does all that it can with RESP${RESP}`, async () => {
        const client = createClient({ url: url(RESP % 3), RESP });
        client.on("error", () => undefined);
        await client.connect();
        try {
          await client.del(["n", "f"]);
          expect(await client.set("n", "1", { expiration: { type: "EX", value: 1000 } })).equal(
            "OK",
          );
          expect(await client.incrBy("n", 4)).equal(5);
          expect(await client.incrByFloat("f", 0.5)).equal("0.5");
          expect(await client.mGet(["n", "nothing"])).deep.equal(["5", null]);
          expect(await client.multi().get("n").incr("n").exec()).deep.equal(["5", 6]);
          await client.watch("n");
          await client.set("n", "changed");
          const failed: unknown = await client
            .multi()
            .set("n", "1")
            .exec()
            .catch((cause: unknown) => cause);
          expect(failed).instanceOf(WatchError);
          const met = new Set<string>();
          for await (const keys of client.scanIterator({ COUNT: 5 }))
            for (const key of keys) met.add(key);
          expect(met.has("n")).equal(true);
          expect(await client.configGet("databases")).deep.include({ databases: "1" });
          expect(await client.info("server")).match(/redis_version/);
        } finally {
          client.destroy();
        }
      });
  });

  describe("the tools of Redis", () => {
    if (!has("redis-cli") || !has("redis-benchmark")) {
      it("are not used: they are missing here (Debian's package redis-tools)", () => {});
      return;
    }

    it("redis-cli writes at one member and reads at another", async () => {
      const cli = async (index: number, ...words: string[]): Promise<string> =>
        (await start("redis-cli", ["-p", `${port(index)}`, ...words])).stdout.trim();
      expect(await cli(0, "set", "cli", "hello world")).equal("OK");
      expect(await cli(1, "get", "cli")).equal("hello world");
      expect(await cli(2, "-3", "config", "get", "databases")).match(/^databases\s1$/);
      expect(await cli(2, "append", "cli", "!")).equal("12");
      expect(await cli(0, "--scan", "--pattern", "cli*")).equal("cli");
      expect(await cli(0, "command", "count")).match(/^\d+$/);
    });

    for (const pipelined of [1, 16])
      it(`redis-benchmark runs to its end, 50 clients, ${pipelined} commands at a time`, async () => {
        const tests = "ping_inline,ping_mbulk,set,get,incr,mset";
        const { stdout, stderr } = await start("redis-benchmark", [
          ...["-p", `${port(1)}`, "-c", "50", "-n", "200", "-P", `${pipelined}`, "-t", tests],
          ...["--csv"],
        ]);
        expect(stderr).equal("");
        const lines = stdout.trim().split("\n").slice(1);
        expect(lines.map((line) => line.split(",")[0])).deep.equal([
          ...['"PING_INLINE"', '"PING_MBULK"', '"SET"', '"GET"', '"INCR"', '"MSET (10 keys)"'],
        ]);
      });
  });

  describe("when a member ends", () => {
    it("its own clients are hung up on, and no others", async () => {
      const [stays, goes] = [new Redis(port(0), "127.0.0.1"), new Redis(port(2), "127.0.0.1")];
      goes.on("error", () => undefined);
      try {
        await goes.set("kept", "1");
        const gone = new Promise((resolve) => goes.once("close", resolve));
        await served.stop(2);
        await gone;
        expect(await stays.incr("kept")).equal(2);
      } finally {
        stays.disconnect();
        goes.disconnect();
      }
    });
  });
});

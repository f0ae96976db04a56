/** The parts of the benchmark that need no cluster. */

import { createServer } from "node:net";
import { groupsAtGenesis } from "@kith/peer";
import { covers, positionOf } from "@kith/store";
import { expect } from "chai";
import { type Figures, figuresText } from "./figures.ts";
import { installSize } from "./install-size.ts";
import { load, type LoadOptions, median, type Talker } from "./load.ts";
import { cpuMsOf, residentMbOf } from "./processes.ts";
import { command, RedisConnection, replyEnd } from "./redis-connection.ts";
import { keyCount, pairOf, redisTalker, workloads } from "./workloads.ts";

const never = (): boolean => false;
const exec = "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n$2\r\nab\r\n";

/** A server that answers whatever it is sent with the next of some texts, a byte at a time. */
async function serving(
  texts: string[],
  body: (port: number, heard: string[]) => Promise<void>,
): Promise<void> {
  const heard: string[] = [];
  const server = createServer((socket) => {
    socket.on("data", (chunk) => {
      heard.push(chunk.toString());
      const text = texts.shift();
      if (text === undefined) socket.destroy();
      else for (const byte of text) socket.write(byte);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  try {
    await body(typeof address === "object" ? (address?.port ?? 0) : 0, heard);
  } finally {
    server.close();
  }
}

function workloadNamed(name: string) {
  const found = workloads.find((one) => one.name.startsWith(name));
  if (found === undefined) throw new Error(`There is no ${name}.`);
  return found;
}

describe("replies of a Redis port", () => {
  it("end where they end, however they are cut", () => {
    const bytes = Buffer.from(exec);
    let ends = 0;
    for (let at = 0; at < bytes.length; ends++) {
      const end = replyEnd(bytes, at);
      for (let cut = at; cut < end; cut++)
        expect(replyEnd(bytes.subarray(0, cut), at), `${at} ${cut}`).equal(-1);
      at = end;
    }
    expect(ends).equal(4);
    for (const nil of ["$-1\r\n", "*-1\r\n", "*0\r\n", "$0\r\n\r\n", "_\r\n"])
      expect(replyEnd(Buffer.from(nil), 0), nil).equal(nil.length);
    expect(command("SET", "k", "ä").toString()).equal("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nä\r\n");
  });

  it("are counted: errors, and an EXEC that was not done", async () => {
    const texts = [exec, "-BUSY x\r\n:1\r\n-ERR y\r\n", "+OK\r\n*-1\r\n", "$-1\r\n:1\r\n"];
    await serving(texts, async (port) => {
      const connection = await RedisConnection.open(port);
      const ask = (count: number) => connection.ask(Buffer.from("x"), count);
      expect(await ask(4)).deep.equal({ errors: 0, error: "", isNil: false });
      expect(await ask(3)).deep.equal({ errors: 2, error: "BUSY x", isNil: false });
      expect(await ask(2)).deep.equal({ errors: 0, error: "", isNil: true });
      expect(await ask(2)).deep.equal({ errors: 0, error: "", isNil: false });
      const gone: unknown = await ask(1).catch((cause: unknown) => cause);
      expect(String(gone)).match(/has ended the connection/);
      const again: unknown = await ask(1).catch((cause: unknown) => cause);
      expect(String(again)).match(/has ended the connection/);
    });
  });
});

describe("what clients do", () => {
  it("begins a transaction again that others were faster than, and not one that failed", async () => {
    const read = "+OK\r\n$1\r\na\r\n$-1\r\n";
    const texts = [
      read,
      "+OK\r\n+Q\r\n+Q\r\n*-1\r\n",
      read,
      exec,
      read,
      "+O\r\n+Q\r\n+Q\r\n-NO\r\n",
    ];
    await serving(texts, async (port, heard) => {
      const talker = redisTalker(await RedisConnection.open(port), workloadNamed("WATCH, read"));
      expect(await talker.step(1, never)).deep.equal({ done: 1, errors: 0, again: 1, error: "" });
      expect(heard).length(4);
      expect(heard[0])
        .match(/WATCH[^]*GET[^]*GET/)
        .and.equal(heard[2]);
      expect(await talker.step(2, never)).deep.equal({ done: 0, errors: 1, again: 0, error: "NO" });
      talker.close();
    });
  });

  it("sends several at a time, and each of them counts", async () => {
    const texts = [":1\r\n".repeat(15) + "-BUSY\r\n"];
    await serving(texts, async (port, heard) => {
      const talker = redisTalker(await RedisConnection.open(port), workloadNamed("INCR, 16"));
      expect(await talker.step(0, never)).deep.equal({
        done: 15,
        errors: 1,
        again: 0,
        error: "BUSY",
      });
      expect(heard.join("").match(/INCR/g)).length(16);
      talker.close();
    });
  });

  it("has transactions over two keys in different groups, as a new cluster divides them", () => {
    const peer = { peerId: 1, host: "h", port: 1, incarnation: 1 };
    const groups = groupsAtGenesis(8, [peer], { replicas: 1, ordered: false });
    const groupOf = (key: string) =>
      groups.find(({ descriptor }) => covers(descriptor, positionOf(key, false)))?.descriptor.gid;
    for (let n = 0; n < keyCount; n += 7) {
      const [a, b] = pairOf(n);
      expect(groupOf(a), `${a} ${b}`).not.equal(groupOf(b));
    }
  });
});

describe("load", () => {
  const options: LoadOptions = {
    ...{ clients: 3, pipelined: 2, seconds: 600, warmUpMs: 1e9, operations: 20 },
    cpuMs: () => null,
    signal: new AbortController().signal,
  };
  const talkers = (step: Talker["step"]) => {
    let open = 0;
    return {
      left: () => open,
      open: async (): Promise<Talker> => {
        open++;
        await Promise.resolve();
        return { step, close: () => open-- };
      },
    };
  };

  it("counts what was done, what failed and what was begun again", async () => {
    const numbers: number[] = [];
    const all = talkers(async (n) => {
      numbers.push(n);
      await Promise.resolve();
      return n === 4
        ? { done: 1, errors: 1, again: 0, error: "no" }
        : { done: 2, errors: 0, again: 1, error: "" };
    });
    const cpu = [100, 119];
    const result = await load(all.open, { ...options, cpuMs: () => cpu.shift() ?? null });
    expect(result).deep.include({ done: 19, errors: 1, again: 9, error: "no", cpuMicros: 1000 });
    expect(result.p99Ms).least(result.p50Ms);
    expect(numbers).deep.equal([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
    expect(all.left()).equal(0);
  });

  it("ends where it is stopped, and where a connection ends", async () => {
    const abort = new AbortController();
    const all = talkers(() => {
      abort.abort(new Error("stopped"));
      return Promise.resolve({ done: 2, errors: 0, again: 0, error: "" });
    });
    const stopped: unknown = await load(all.open, { ...options, signal: abort.signal }).catch(
      (cause: unknown) => cause,
    );
    expect(String(stopped)).equal("Error: stopped");
    const broken = talkers(() => Promise.reject(new Error("gone")));
    const gone: unknown = await load(broken.open, options).catch((cause: unknown) => cause);
    expect(String(gone)).equal("Error: gone");
    expect([all.left(), broken.left()]).deep.equal([0, 0]);
  });

  it("has a middle", () => {
    expect([median([3, 1, 2]), median([4, 1]), median([])]).deep.equal([2, 2.5, NaN]);
  });
});

describe("figures", () => {
  it("are a page, with the ratio of each round to the first server", () => {
    const one = { p50Ms: 1, p99Ms: 2, cpuMicros: null, done: 10, errors: 0, again: 0, error: "" };
    const figures: Figures = {
      about: { kith: "commit abc", machine: "M", medium: "ext4", peers: [] },
      options: {
        seconds: 2,
        warmUpSeconds: 20,
        rounds: 3,
        clients: 50,
        operations: null,
        keys: 10_000,
      },
      load: [
        {
          server: "redis",
          what: "GET",
          rounds: [1000, 3000, 2000].map((perSecond) => ({ ...one, perSecond })),
          before: [],
        },
        {
          server: "kith",
          what: "GET",
          rounds: [500, 300, 1000].map((perSecond) => ({
            ...one,
            ...{ perSecond, cpuMicros: 7, again: 1, errors: 1, error: "BUSY" },
          })),
          before: [20, 40, 30].map((cpuMicros) => ({ ...one, perSecond: 1, cpuMicros })),
        },
      ],
      idle: [{ server: "kith", members: 5, cpuPercent: null, mb: 60.4, afterMb: 99.6 }],
      kills: [
        {
          ...{ server: "kith", kills: 5, keys: 9 },
          ...{ everyMedianMs: 700, everyMaxMs: 900, keyMedianMs: 0.5 },
        },
      ],
      install: { packages: 20, own: 15, mb: 12.34, ownMb: 1.26 },
      missing: ["etcd"],
    };
    const text = figuresText(figures);
    expect(text).match(/etcd is not installed here/);
    expect(text).match(/after every server alike has done all of it for 20 seconds/);
    const cold = figuresText({ ...figures, options: { ...figures.options, warmUpSeconds: 0 } });
    expect(cold).match(/of servers that have just started/);
    expect(text).match(/\| GET +\| redis +\| 2,000 +\| 1\.000 /);
    expect(text).match(
      /\| GET +\| kith +\| 500 +\| 0\.500 +\| 1\.00 +\| 2\.00 +\| 7 +\| 30 +\| 10\.0 +\| 3 +\|/,
    );
    expect(text).match(/- GET, kith: BUSY/);
    expect(text).match(/\| kith +\| – +\| 60 +\| 100 +\|/);
    expect(text).match(/\| kith +\| 5 +\| 9 +\| 700 +\| 900 +\| 0\.5 +\|/);
    expect(text).match(/20 packages of 12\.3 MB, of which 15 of 1\.3 MB/);
    expect(text).match(/Made by .* at commit abc, on M, with no other server\./);
  });

  it("are of what would be installed, and of processes", () => {
    const { packages, own, mb, ownMb } = installSize();
    expect(own).greaterThan(10).lessThan(packages);
    expect(ownMb).greaterThan(0.1).lessThan(mb);
    expect(cpuMsOf([process.pid, 2 ** 30])).equal(null);
    expect(residentMbOf([2 ** 30])).equal(null);
    if (process.platform !== "linux") return;
    expect(cpuMsOf([process.pid])).greaterThan(0);
    expect(residentMbOf([process.pid])).greaterThan(10);
  });
});

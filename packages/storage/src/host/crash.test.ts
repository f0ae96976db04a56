import { expect } from "chai";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { Tables } from "../index.ts";
import { codeOf, draws, reopened, temporary } from "./disk-kit.test.ts";
import { batch, bundled, place } from "./durable-writer.test.ts";

/** How often a process is killed; more of it with KITH_STORAGE_KILLS. */
const kills = Number(process.env["KITH_STORAGE_KILLS"] ?? 10);

/** What n batches leave. */
function afterBatches(count: number): Tables {
  const tables = new Tables();
  for (let n = 1; n <= count; n++) {
    const problem = tables.check(place, batch(n));
    if (problem !== null) throw new Error(problem.detail);
    tables.apply(place, batch(n));
  }
  return tables;
}

/** How many batches are in a directory; all of them as a whole, and nothing else. */
async function prefixIn(directory: string): Promise<number> {
  return reopened(directory, ({ contents }) => {
    const value = contents.value(place, Buffer.from("last"));
    if ("code" in value) throw new Error(value.detail);
    const count = value.value === null ? 0 : Number(Buffer.from(value.value).toString());
    const wanted = afterBatches(count);
    expect(contents.names()).to.deep.equal(wanted.names());
    for (const namespace of wanted.names()) {
      expect(contents.scan({ namespace })).to.deep.equal(wanted.scan({ namespace }));
      const log = { namespace, from: 1 };
      expect(contents.records(log)).to.deep.equal(wanted.records(log));
    }
    return count;
  });
}

/** The numbers that a writer has said, and how it ended. */
function acknowledged(child: ChildProcess, killAfter: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (part: Buffer) => {
      text += part.toString();
      if (text.split("\n").length > killAfter) child.kill("SIGKILL");
    });
    child.on("error", reject);
    child.on("close", () => resolve(text.split("\n").slice(0, -1).map(Number)));
  });
}

describe("a process that is killed while it writes", () => {
  let script = "";
  before(async () => {
    script = await bundled(temporary());
  });

  it(`leaves all that it acknowledged, ${kills} times`, async function () {
    this.timeout(60_000 + kills * 5000);
    const directory = temporary();
    const draw = draws(4);
    let least = 0;
    let total = 0;
    for (let round = 0; round < kills; round++) {
      const child = spawn(process.execPath, [script, "write", directory, "8"], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const said = await acknowledged(child, 1 + draw(1500));
      expect(child.signalCode).to.equal("SIGKILL");
      total += said.length;
      least = Math.max(least, ...said);
      const found = await prefixIn(directory);
      expect(found, `round ${round}`).to.be.at.least(least);
      least = found;
    }
    expect(total).to.be.above(kills);
  });

  it("holds its directory against others, until it is gone", async () => {
    const directory = temporary();
    const child = spawn(process.execPath, [script, "write", directory, "8"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const ended = new Promise((resolve) => child.on("close", resolve));
    try {
      const refused = await prefixIn(directory).catch(codeOf);
      expect(refused).to.equal("KITH_STORAGE_LOCKED");
    } finally {
      child.kill("SIGKILL");
    }
    child.stdout.resume();
    await ended;
    expect(await prefixIn(directory)).to.be.above(0);
  });

  it("is told when a file may not grow, and has what was acknowledged", async () => {
    const directory = temporary();
    // The shell's units are KiB; the signal that the kernel sends would end the process.
    const command = `trap '' XFSZ; ulimit -f 120; exec "$0" "$@"`;
    const child = spawn(
      "bash",
      ["-c", command, process.execPath, script, "write", directory, "8"],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const said = await new Promise<string[]>((resolve) => {
      let text = "";
      child.stdout.on("data", (part: Buffer) => {
        text += part.toString();
        if (/KITH/.test(text)) child.kill("SIGKILL");
      });
      child.on("close", () => resolve(text.split("\n").slice(0, -1)));
    });
    expect(said.find((line) => line.startsWith("KITH"))).to.equal("KITH_STORAGE_FULL");
    const numbers = said.map(Number).filter((n) => !Number.isNaN(n));
    expect(numbers.length).to.be.above(0);
    expect(await prefixIn(directory)).to.be.at.least(Math.max(...numbers));
  });
});

describe("the system calls of a storage", () => {
  before(function () {
    if (spawnSync("strace", ["-V"]).error !== undefined) {
      console.log("      left out: strace is missing (Debian's package strace)");
      this.skip();
    }
  });

  for (const [what, mode] of [
    ["sync between each write and what is acknowledged", "honest"],
    ["show a storage that does not sync", "lying"],
  ] as const) {
    it(what, async () => {
      const directory = temporary();
      const trace = join(temporary(), "trace");
      const script = await bundled(temporary());
      const calls = "trace=openat,close,write,pwrite64,pwritev,fdatasync,fsync,unlink,rename";
      const child = spawn(
        "strace",
        [
          "-f",
          "-y",
          "-s",
          "16",
          "-e",
          calls,
          "-o",
          trace,
          process.execPath,
          script,
          "write",
          directory,
          "1",
          mode,
        ],
        { stdio: ["ignore", "pipe", "inherit"], detached: true },
      );
      let text = "";
      await new Promise<void>((resolve) => {
        child.stdout.on("data", (part: Buffer) => {
          text += part.toString();
          // The tracer ends with what it traces.
          if (text.split("\n").length > 1200 && child.pid !== undefined)
            process.kill(-child.pid, "SIGKILL");
        });
        child.on("close", () => resolve());
      });
      const { unsynced, acknowledged, removed } = judge(
        fs.readFileSync(trace, "latin1"),
        directory,
      );
      expect(acknowledged).to.be.above(500);
      if (mode === "lying") expect(unsynced.length).to.be.above(acknowledged / 2);
      else {
        expect(unsynced.slice(0, 3)).to.deep.equal([]);
        expect(removed, "segments that were removed").to.be.above(0);
      }
    });
  }
});

/** What a trace shows. */
interface Judged {
  /** Calls before which something was not synced that should be. */
  readonly unsynced: readonly string[];
  readonly acknowledged: number;
  readonly removed: number;
}

/** Reads a trace: which writes to files of the directory were on the disk when something depended on it. */
function judge(trace: string, directory: string): Judged {
  const dirty = new Map<string, number>();
  const syncing = new Map<string, { readonly path: string; readonly upTo: number }>();
  const unsynced: string[] = [];
  let acknowledged = 0;
  let removed = 0;
  let clock = 0;
  const landed = (path: string, upTo: number): void => {
    if ((dirty.get(path) ?? Infinity) <= upTo) dirty.delete(path);
  };
  const check = (line: string, of: RegExp): void => {
    for (const path of dirty.keys()) if (of.test(path)) unsynced.push(`${line} (${path})`);
  };
  for (const line of trace.split("\n")) {
    clock++;
    const found = /^(\d+) +(?:(\w+)\((?:\d+<([^>]*)>)?|<\.\.\. (\w+) resumed>)/.exec(line);
    if (found === null) continue;
    const [, thread = "", call, path = "", resumed] = found;
    const unfinished = line.includes("<unfinished");
    if (call === "fdatasync" || call === "fsync") {
      if (unfinished) syncing.set(thread, { path, upTo: clock });
      else if (line.endsWith("= 0")) landed(path, clock);
    } else if (resumed === "fdatasync" || resumed === "fsync") {
      const begun = syncing.get(thread);
      if (begun !== undefined && line.endsWith("= 0")) landed(begun.path, begun.upTo);
    } else if (
      (call === "pwrite64" || call === "write" || call === "pwritev") &&
      path.startsWith(directory)
    ) {
      // Zeros make room; lmdb's heads are written by a descriptor that syncs.
      if (!/, "(\\0){16}"/.test(line) && !isMeta(line)) dirty.set(path, clock);
    } else if (call === "write" && /\(1</.test(line)) {
      acknowledged++;
      check(line, /journal-\d+$/);
    } else if (call === "unlink" && /journal-\d+"/.test(line)) {
      removed++;
      check(line, /tables$/);
    }
  }
  return { unsynced, acknowledged, removed };
}

/** Whether a write is that of one of lmdb's two heads. */
function isMeta(line: string): boolean {
  const found = /, (\d+), (\d+)(?:\)| <unf)/.exec(line);
  return /\/tables>/.test(line) && found !== null && Number(found[2]) < 8192;
}

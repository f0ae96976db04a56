/** Signals end a process of its own, so that these tests run one for each case. */

import { expect } from "chai";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("signals-program.test.ts", import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
}

describe("a process that stops on signals", () => {
  let directory: string;
  let child: ChildProcess | null = null;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kith-signals-"));
  });
  afterEach(() => {
    child?.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  });

  /** Runs the program; `act` is told each line that it prints. */
  function ended(mode: string, act: (line: string, process: ChildProcess) => void): Promise<Ended> {
    const started = spawn(
      process.execPath,
      ["--import", "tsx", "--conditions", "source", program, mode, directory],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    child = started;
    let out = "";
    let rest = "";
    const take = (chunk: Buffer): void => {
      out += chunk.toString();
      rest += chunk.toString();
      for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
        const line = rest.slice(0, end);
        rest = rest.slice(end + 1);
        act(line, started);
      }
    };
    started.stdout.on("data", take);
    started.stderr.on("data", take);
    return new Promise((resolve) => {
      started.on("close", (code, signal) => resolve({ code, signal, out }));
    });
  }

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`${signal}: everything is stopped and let go, and it ends by itself with code 0`, async () => {
      const end = await ended("clean", (line, process) => {
        if (line === "started") process.kill(signal);
      });
      expect(end.out).to.match(/stopping[^]*stopped/);
      expect(end).to.include({ code: 0, signal: null });
    });
  }

  it("a second signal ends a stop that hangs", async () => {
    const end = await ended("hanging", (line, process) => {
      if (line === "started" || line === "hangs") process.kill("SIGTERM");
    });
    expect(end.out).to.match(/SIGTERM again/);
    expect(end).to.include({ code: null, signal: "SIGTERM" });
  });

  it("a second one that comes with the first is the same", async () => {
    const end = await ended("together", (line, process) => {
      if (line === "started" || line === "hangs") process.kill("SIGTERM");
    });
    expect(end.out).to.match(/hangs[^]*Not stopped within 300 ms/);
    expect(end.out).not.to.match(/again/);
  });

  it("the deadline ends a stop that hangs", async () => {
    const end = await ended("late", (line, process) => {
      if (line === "started") process.kill("SIGINT");
    });
    expect(end.out).to.match(/Not stopped within 50 ms/);
    expect(end).to.include({ code: null, signal: "SIGINT" });
  });

  it("a system that stops by itself lets go of the signals", async () => {
    const end = await ended("itself", () => undefined);
    expect(end.out).to.match(/listeners: 0/);
    expect(end).to.include({ code: 0, signal: null });
  });
});

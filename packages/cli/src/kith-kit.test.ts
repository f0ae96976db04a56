/** Runs the `kith` command as a process, from one bundled file so that it starts at once, and waits for what it says. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { bindAddress } from "@kith/node";
import { type Bundle, bundled } from "@kith/testing/bundling";

/** Makes the command one file. */
export function bundleKith(): Promise<Bundle> {
  return bundled(fileURLToPath(new URL("main.ts", import.meta.url)));
}

/** A command that runs. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  out = "";
  error = "";
  #looks = new Set<() => void>();

  constructor(command: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, command, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", ...environment },
    });
    this.child.stdout?.on("data", (chunk: Buffer) => {
      this.out += chunk.toString();
      this.#look();
    });
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.error += chunk.toString();
      this.#look();
    });
    this.ended = once(this.child, "close").then(([code]) => {
      this.#look();
      return code;
    });
  }

  /** Waits for something in what it has printed. */
  async says(pattern: RegExp, withinMs = 60_000): Promise<RegExpExecArray> {
    const found = (): RegExpExecArray | null => pattern.exec(this.out) ?? pattern.exec(this.error);
    const end = performance.now() + withinMs;
    for (;;) {
      const match = found();
      if (match !== null) return match;
      const { exitCode, signalCode } = this.child;
      if (exitCode !== null || signalCode !== null || performance.now() > end)
        throw new Error(`It has not said ${pattern}, but:\n${this.out}\n${this.error}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 200);
        this.#looks.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Ends it in order. @returns its exit code */
  async stop(): Promise<number | null> {
    this.child.kill("SIGINT");
    return await this.ended;
  }

  #look(): void {
    const looks = this.#looks;
    this.#looks = new Set();
    for (const look of looks) look();
  }
}

/** The first of so many ports in a row that are free, away from those that the system draws. */
export async function portsInRow(count: number, host = "127.0.0.1"): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const first = 20_000 + Math.floor(Math.random() * 10_000);
    const bound = await Promise.all(
      Array.from({ length: count }, (_, i) => bindAddress(host, first + i).catch(() => null)),
    );
    for (const one of bound) one?.close();
    if (bound.every((one) => one !== null)) return first;
  }
  throw new Error("There are no free ports.");
}

/** Waits until something is there. */
export async function until<T>(
  look: () => T | null | Promise<T | null>,
  withinMs = 60_000,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== null) return seen;
    if (performance.now() > end) throw new Error(`It did not come within ${withinMs} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

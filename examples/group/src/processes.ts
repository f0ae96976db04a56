/**
 * Three members in processes of their own, on loopback, each with a directory: started, killed with -9, started again
 * on what they have written, stopped and continued. Whoever has started them ends them.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { PeerRef } from "@kith/network";
import { bindAddress } from "@kith/node";

/** What may be said of the processes. */
export interface ProcessesInit {
  /** What stands before the command of each of them: a tracer, say. */
  readonly before?: (index: number) => readonly string[];
  /** More arguments of Node, before the program. */
  readonly node?: readonly string[];
  /** The program, as JavaScript; default that of this example. */
  readonly program?: string;
  /** More arguments of the program, in each life. */
  readonly more?: (members: readonly PeerRef[]) => readonly string[];
  /** Told what a process prints, a line at a time. */
  readonly line?: (index: number, line: string) => void;
}

const ownName = import.meta.url.endsWith(".ts") ? "main.ts" : "main.js";

/** What Node needs to run this example: from its sources, where this is one of them. */
const ownArguments = import.meta.url.endsWith(".ts")
  ? ["--import", "tsx", "--conditions", "source"]
  : [];

/** Three processes. Made by `startProcesses`. */
export class Processes {
  readonly directory = mkdtempSync(join(tmpdir(), "kith-group-"));
  readonly members: readonly PeerRef[];
  /** How often each was started. */
  readonly lives = [0, 0, 0];
  readonly #init: ProcessesInit;
  readonly #children = new Map<number, ChildProcess>();
  readonly #up = new Set<number>();
  #closing = false;

  constructor(members: readonly PeerRef[], init: ProcessesInit) {
    this.members = members;
    this.#init = init;
  }

  /** The process of a member. */
  child(index: number): ChildProcess | undefined {
    return this.#children.get(index);
  }

  /** Whether a member that was started has said that it is up. */
  isUp(index: number): boolean {
    return this.#up.has(index);
  }

  /** Starts a member; in its first life it founds the group with the others. */
  start(index: number): void {
    const { before, node = [], program, more, line } = this.#init;
    const life = (this.lives[index] ?? 0) + 1;
    this.lives[index] = life;
    const { host = "", port = 0 } = this.members[index] ?? {};
    const founders = this.members.map((one) => `${one.peerId}@${one.host}:${one.port}`).join(",");
    const [command = "", ...args] = [
      ...(before?.(index) ?? []),
      process.execPath,
      ...(program === undefined ? ownArguments : []),
      ...node,
      program ?? fileURLToPath(new URL(ownName, import.meta.url)),
      ...["--attached", "--id", `${index + 1}`, "--listen", `${host}:${port}`],
      ...["--data", join(this.directory, `${index + 1}`)],
      ...(life === 1 ? ["--found", founders] : []),
      ...(more?.(this.members) ?? []),
    ];
    // It ends when its standard input does, so that nobody outlives us.
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#children.set(index, child);
    this.#up.delete(index);
    createInterface(child.stdout).on("line", (text) => {
      if (text.startsWith("up")) this.#up.add(index);
      line?.(index, text);
    });
    child.on("exit", (code, signal) => {
      if (this.#closing || signal !== null || this.#children.get(index) !== child) return;
      console.error(`member ${index + 1} has ended by itself, with ${code}`);
    });
  }

  /** Kills a member with -9, and waits until it is gone. */
  async kill(index: number): Promise<void> {
    const child = this.#children.get(index);
    if (child === undefined) return;
    this.#children.delete(index);
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  /** Lets a member end in order, and waits until it has. */
  async stop(index: number): Promise<void> {
    const child = this.#children.get(index);
    if (child === undefined) return;
    this.#children.delete(index);
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.stdin?.end();
    await once(child, "exit");
  }

  /** Lets a member stand still. */
  pause(index: number): void {
    this.#children.get(index)?.kill("SIGSTOP");
  }

  /** Lets it go on. */
  resume(index: number): void {
    this.#children.get(index)?.kill("SIGCONT");
  }

  /** Ends them all, and removes what they have written. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all([...this.#children.keys()].map((index) => this.kill(index)));
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Starts three members on ports of loopback that are free. */
export async function startProcesses(init: ProcessesInit = {}): Promise<Processes> {
  const bound = await Promise.all([1, 2, 3].map(() => bindAddress()));
  const members = bound.map(({ host, port }, i) => ({
    peerId: i + 1,
    host,
    port,
    incarnation: 1,
  }));
  for (const one of bound) one.close();
  const processes = new Processes(members, init);
  for (const index of [0, 1, 2]) processes.start(index);
  return processes;
}

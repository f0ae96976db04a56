/**
 * Three durable processes of Kith, and three of etcd, driven by one process of clients over loopback, each client waiting
 * for each of its answers; both write values of 100 bytes to one of 10,000 keys, below the same directory.
 *
 * Kith's commands are deeds in sessions, done exactly once; etcd's puts are not. Its clients share one connection to
 * the leader, as Kith's do.
 */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { run, type System } from "@kith/core";
import { type Processes, startProcesses, User } from "@kith/example-group";
import { real } from "@kith/node";
import { EtcdClient, EtcdCluster } from "@kith/cli/etcd";

/**
 * What a client does: an increment adds to one number, an update reads a value and writes one that depends on it, a transfer
 * moves something from one account to another. The last three are done again where somebody else was faster.
 */
export type Kind = "put" | "get" | "increment" | "update" | "transfer";

/** A cluster that can be asked. */
export interface Target {
  /** Does one thing. @param n which one it is, of all */
  ask(kind: Kind, n: number): Promise<boolean>;
  /** The CPU time of the members, in ns. */
  cpuNs(): number;
  /** How many flushes they have done, all together. */
  flushes(): Promise<number>;
  /** Kills the leader with -9. @returns what starts it again, and waits until it answers */
  killLeader(): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** A value of usual size. */
export const value = new Uint8Array(100).fill(120);
const ticksPerSecond = 100;
const accountCount = 1000;

/** The accounts of a transfer, never the same twice. */
export function accountsOf(n: number): readonly [from: string, to: string] {
  const from = (n * 7919) % accountCount;
  return [
    `account-${from}`,
    `account-${(from + 1 + ((n * 31) % (accountCount - 1))) % accountCount}`,
  ];
}

/** The key that is asked for. */
export function keyOf(n: number): string {
  return `key-${(n * 7919) % 10_000}`;
}

/** Flushes of processes that have `flushes.ts` before their program: how they are started, and how many there were. */
export class FlushCounter {
  readonly node: readonly string[];
  readonly #counted = new Map<number, (flushes: number) => void>();

  constructor() {
    const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
    this.node = ["--import", fileURLToPath(new URL(`flushes.${suffix}`, import.meta.url))];
  }

  /** Takes a line that a process has printed. */
  line(index: number, line: string): void {
    const found = /^flushes (\d+)$/.exec(line);
    if (found !== null) this.#counted.get(index)?.(Number(found[1]));
  }

  /** How many there were, all together. */
  async all(processes: Processes): Promise<number> {
    const all = [0, 1, 2].map(
      (index) =>
        new Promise<number>((resolve) => {
          this.#counted.set(index, resolve);
          processes.child(index)?.kill("SIGUSR2");
        }),
    );
    return (await Promise.all(all)).reduce((sum, one) => sum + one, 0);
  }
}

/** The CPU time of three processes, in ns. */
export function cpuOfAll(processes: Processes): number {
  return [0, 1, 2].reduce((sum, index) => sum + cpuOf(processes.child(index)?.pid), 0);
}

/** The CPU time of a process, in ns; 0 where it is gone. Only of Linux. */
function cpuOf(pid: number | undefined): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return ((Number(fields[11]) + Number(fields[12])) * 1e9) / ticksPerSecond;
  } catch {
    return 0;
  }
}

/** Three processes of Kith. */
export async function kith(): Promise<Target> {
  const counter = new FlushCounter();
  const processes = await startProcesses({
    node: counter.node,
    line: (index, line) => counter.line(index, line),
  });
  const world = real({ log: () => undefined });
  const system: System<User> = await run(User, { members: processes.members }, world);
  const user = system.instance;
  const target = new KithTarget(processes, user, counter, () => system.stop());
  await target.ask("put", 0);
  return target;
}

class KithTarget implements Target {
  readonly #processes: Processes;
  readonly #user: User;
  readonly #counter: FlushCounter;
  readonly #stop: () => Promise<void>;

  constructor(processes: Processes, user: User, counter: FlushCounter, stop: () => Promise<void>) {
    this.#processes = processes;
    this.#user = user;
    this.#counter = counter;
    this.#stop = stop;
  }

  async ask(kind: Kind, n: number): Promise<boolean> {
    if (kind !== "put" && kind !== "get") throw new Error(`a group has no ${kind}`);
    const key = keyOf(n);
    const { outcome } =
      kind === "put"
        ? await this.#user.do({ op: "write", key, value })
        : await this.#user.look(key);
    return outcome === "done";
  }

  cpuNs(): number {
    return cpuOfAll(this.#processes);
  }

  flushes(): Promise<number> {
    return this.#counter.all(this.#processes);
  }

  async killLeader(): Promise<() => Promise<void>> {
    const leader = this.#user.target - 1;
    await this.#processes.kill(leader);
    return async () => {
      this.#processes.start(leader);
      while (!this.#processes.isUp(leader)) await later(5);
    };
  }

  async close(): Promise<void> {
    await this.#stop();
    await this.#processes.close();
  }
}

/** Three processes of etcd. */
export async function etcd(): Promise<Target> {
  const cluster = new EtcdCluster();
  await cluster.start();
  const target = new EtcdTarget(cluster);
  await target.find();
  return target;
}

class EtcdTarget implements Target {
  readonly #cluster: EtcdCluster;
  #leader = 0;
  #client: EtcdClient | null = null;

  constructor(cluster: EtcdCluster) {
    this.#cluster = cluster;
  }

  /** Finds the leader, and connects to it. */
  async find(): Promise<void> {
    this.#client?.close();
    this.#leader = await this.#cluster.leader();
    this.#client = new EtcdClient(this.#cluster.ports[this.#leader] ?? 0);
  }

  async ask(kind: Kind, n: number): Promise<boolean> {
    const done = await this.#done(kind, n);
    if (!done) await this.find();
    return done;
  }

  async #done(kind: Kind, n: number): Promise<boolean> {
    const client = this.#client;
    if (client === null) return false;
    const key = Buffer.from(keyOf(n), "latin1");
    if (kind === "put") return new Promise((resolve) => client.put(key, value, resolve));
    if (kind === "get") return new Promise((resolve) => client.get(key, resolve));
    const keys = kind === "transfer" ? accountsOf(n) : [keyOf(n)];
    for (;;) {
      const read = await Promise.all(keys.map((name) => client.read(Buffer.from(name, "latin1"))));
      const swaps = read.flatMap((one, i) => {
        if (one === null) return [];
        const step = kind === "transfer" && i === 0 ? -1 : 1;
        const next = Buffer.from(String(Number(Buffer.from(one.value).toString()) + step));
        return [{ key: one.key, revision: one.revision, value: kind === "update" ? value : next }];
      });
      if (swaps.length < read.length) return false;
      const swapped = await client.swap(swaps);
      if (swapped !== false) return swapped === true;
    }
  }

  cpuNs(): number {
    return this.#cluster.processes.reduce((sum, { pid }) => sum + cpuOf(pid), 0);
  }

  async flushes(): Promise<number> {
    let sum = 0;
    for (const port of this.#cluster.ports) {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      const found = text.matchAll(
        /^etcd_disk_(?:wal_fsync|backend_commit)_duration_seconds_count (\d+)/gm,
      );
      for (const [, count] of found) sum += Number(count);
    }
    return sum;
  }

  async killLeader(): Promise<() => Promise<void>> {
    const index = this.#leader;
    await this.#cluster.kill(index);
    return async () => {
      this.#cluster.begin(index);
      while (!(await this.#cluster.answers(index))) await later(5);
    };
  }

  close(): Promise<void> {
    this.#client?.close();
    return this.#cluster.close();
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

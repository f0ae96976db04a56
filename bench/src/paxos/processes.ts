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
import { EtcdClient, EtcdCluster } from "./etcd.ts";

/** What a client does. */
export type Kind = "put" | "get";

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

const value = new Uint8Array(100).fill(120);
const ticksPerSecond = 100;

function keyOf(n: number): string {
  return `key-${(n * 7919) % 10_000}`;
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
  const counted = new Map<number, (flushes: number) => void>();
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const preload = fileURLToPath(new URL(`flushes.${suffix}`, import.meta.url));
  const processes = await startProcesses({
    node: ["--import", preload],
    line: (index, line) => {
      const found = /^flushes (\d+)$/.exec(line);
      if (found !== null) counted.get(index)?.(Number(found[1]));
    },
  });
  const world = real({ log: () => undefined });
  const system: System<User> = await run(User, { members: processes.members }, world);
  const user = system.instance;
  const target = new KithTarget(processes, user, counted, () => system.stop());
  await target.ask("put", 0);
  return target;
}

class KithTarget implements Target {
  readonly #processes: Processes;
  readonly #user: User;
  readonly #counted: Map<number, (flushes: number) => void>;
  readonly #stop: () => Promise<void>;

  constructor(
    processes: Processes,
    user: User,
    counted: Map<number, (flushes: number) => void>,
    stop: () => Promise<void>,
  ) {
    this.#processes = processes;
    this.#user = user;
    this.#counted = counted;
    this.#stop = stop;
  }

  async ask(kind: Kind, n: number): Promise<boolean> {
    const key = keyOf(n);
    const { outcome } =
      kind === "put"
        ? await this.#user.do({ op: "write", key, value })
        : await this.#user.look(key);
    return outcome === "done";
  }

  cpuNs(): number {
    return [0, 1, 2].reduce((sum, index) => sum + cpuOf(this.#processes.child(index)?.pid), 0);
  }

  async flushes(): Promise<number> {
    const all = [0, 1, 2].map(
      (index) =>
        new Promise<number>((resolve) => {
          this.#counted.set(index, resolve);
          this.#processes.child(index)?.kill("SIGUSR2");
        }),
    );
    return (await Promise.all(all)).reduce((sum, one) => sum + one, 0);
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
    const key = Buffer.from(keyOf(n), "latin1");
    const done = await new Promise<boolean>((resolve) => {
      if (kind === "put") this.#client?.put(key, value, resolve);
      else this.#client?.get(key, resolve);
    });
    if (!done) await this.find();
    return done;
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

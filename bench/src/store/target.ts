/** The store in three durable processes, driven by clients of this process; see `paxos/processes.ts` for etcd beside it. */

import { run, type System } from "@kith/core";
import type { Processes } from "@kith/example-group";
import { startStore, StoreUser } from "@kith/example-store";
import { real } from "@kith/node";
import { bytesText, textBytes } from "@kith/paxos";
import {
  Aborted,
  Applied,
  Apply,
  Commit,
  Committed,
  Entries,
  Get,
  Got,
  Put,
  Read,
  Written,
} from "@kith/store";
import {
  accountsOf,
  cpuOfAll,
  FlushCounter,
  keyOf,
  type Kind,
  type Target,
  value,
} from "../paxos/processes.ts";

const within = 30_000;

/** Starts them. */
export async function store(): Promise<Target> {
  const counter = new FlushCounter();
  const processes = await startStore({
    node: counter.node,
    line: (index, line) => counter.line(index, line),
  });
  const world = real({ log: () => undefined });
  const system = await run(StoreUser, { members: processes.members }, world);
  const target = new StoreTarget(processes, system, counter);
  while (!(await target.ask("put", 0)));
  return target;
}

class StoreTarget implements Target {
  readonly #processes: Processes;
  readonly #system: System<StoreUser>;
  readonly #user: StoreUser;
  readonly #counter: FlushCounter;

  constructor(processes: Processes, system: System<StoreUser>, counter: FlushCounter) {
    this.#processes = processes;
    this.#system = system;
    this.#user = system.instance;
    this.#counter = counter;
  }

  async ask(kind: Kind, n: number): Promise<boolean> {
    const user = this.#user;
    const key = keyOf(n);
    if (kind === "put") return (await user.ask(new Put({ key, value, within }))) instanceof Written;
    if (kind === "get") return (await user.ask(new Get({ key, within }))) instanceof Got;
    if (kind === "increment") {
      const updates = [{ kind: "add", key: `n-${key}`, delta: 1n } as const];
      return (await user.ask(new Apply({ updates, within }))) instanceof Applied;
    }
    const keys = kind === "transfer" ? accountsOf(n) : [`u-${key}`];
    for (let attempt = 0; ; attempt++) {
      const seen = await user.ask(new Read({ keys, apart: true, attempt, within }));
      if (!(seen instanceof Entries)) return false;
      const reads = seen.entries.map((one) => ({ key: one.key, version: one.version }));
      const writes = seen.entries.map((one, i) => {
        const step = kind === "transfer" && i === 0 ? -1 : 1;
        const before = one.value === null ? 0 : Number(bytesText(one.value));
        const next = kind === "update" ? value : textBytes(String(before + step));
        return { key: one.key, write: { kind: "put", value: next, expiry: "never" } } as const;
      });
      const answer = await user.ask(new Commit({ reads, writes, within }));
      if (!(answer instanceof Aborted)) return answer instanceof Committed;
    }
  }

  cpuNs(): number {
    return cpuOfAll(this.#processes);
  }

  flushes(): Promise<number> {
    return this.#counter.all(this.#processes);
  }

  killLeader(): Promise<() => Promise<void>> {
    throw new Error("groups of a store have leaders of their own");
  }

  async close(): Promise<void> {
    await this.#system.stop();
    await this.#processes.close();
  }
}

/**
 * Commands and linearizable reads of a replicated group with three voters, for 1, 10, 50 and 200 proposers that
 * wait for each of theirs: in one process, in memory and on the disk; in three durable processes, beside etcd. What it takes
 * to go on without the leader; and what 500 groups cost in which nothing happens.
 */

import type { Case } from "../harness.ts";
import { Times } from "../times.ts";
import { etcdVersion } from "@kith/cli/etcd";
import { flushesHere } from "./flushes.ts";
import { type Cluster, cluster } from "./group.ts";
import { etcd, type Kind, kith, type Target } from "./processes.ts";

function groupCase(
  kind: "command" | "query",
  place: "memory" | "disk",
  proposers: number,
  count: number,
  leases = false,
): Case {
  let group: Cluster | null = null;
  let flushes = 0;
  const times = new Times();
  return {
    unit: kind,
    count,
    rounds: 3,
    prepare: async () => {
      group = await cluster(place, { leases });
    },
    run: async (total) => {
      const counts = times.begin();
      const begin = performance.now();
      const before = flushesHere();
      await group?.run(kind, total, proposers, counts ? times.all : []);
      if (!counts) return;
      times.wallMs += performance.now() - begin;
      flushes += flushesHere() - before;
    },
    facts: () => {
      group?.close();
      return {
        ...times.facts(kind === "command" ? "commands/s" : "queries/s"),
        ...(place === "disk" ? { "flushes/s": Math.round((flushes / times.wallMs) * 1000) } : {}),
      };
    },
  };
}

/** One operation is a second in which nothing happens. */
function idleCase(groups: number): Case {
  let idle: Cluster | null = null;
  let messages = 0;
  let seconds = 0;
  return {
    unit: "second",
    count: 2,
    rounds: 2,
    prepare: async () => {
      idle = await cluster("memory", { idleGroups: groups });
      // Until all are quiet.
      await later(8000);
    },
    run: async (count) => {
      const before = idle?.messages ?? 0;
      await later(count * 1000);
      messages += (idle?.messages ?? 0) - before;
      seconds += count;
    },
    facts: () => {
      idle?.close();
      return { "messages/s": Math.round(messages / seconds) };
    },
  };
}

function suite(place: "memory" | "disk"): Readonly<Record<string, Case>> {
  const cases: Record<string, Case> = {};
  for (const [proposers, count] of sizes) {
    cases[`commands, ${proposers} proposers`] = groupCase("command", place, proposers, count);
    cases[`reads, ${proposers} readers`] = groupCase("query", place, proposers, count);
    cases[`reads under a lease, ${proposers} readers`] = groupCase(
      "query",
      place,
      proposers,
      count,
      true,
    );
  }
  return cases;
}

/** How many clients, and how much they do together: one of them as much as it takes until the code it runs is compiled. */
export const sizes = [
  [1, 1500],
  [10, 2000],
  [50, 5000],
  [200, 10_000],
] as const;

/** Clients of three processes, each of which waits for each of its answers. */
export function processCase(
  make: () => Promise<Target>,
  kind: Kind,
  clients: number,
  count: number,
): Case {
  let target: Target | null = null;
  let flushesPerSecond = 0;
  let membersNs = 0;
  let number = 0;
  const times = new Times();
  return {
    unit: kind,
    count,
    rounds: 3,
    prepare: async () => {
      target = await make();
    },
    others: () => target?.cpuNs() ?? 0,
    run: async (total) => {
      if (target === null) return;
      const counts = times.begin();
      const one = target;
      const flushes = await one.flushes();
      const cpu = one.cpuNs();
      const begin = performance.now();
      let left = total;
      const client = async (): Promise<void> => {
        while (left-- > 0) {
          const asked = performance.now();
          if (!(await one.ask(kind, number++))) throw new Error("an operation failed");
          if (counts) times.all.push(performance.now() - asked);
        }
      };
      await Promise.all(Array.from({ length: clients }, client));
      const wallMs = performance.now() - begin;
      if (!counts) return;
      times.wallMs += wallMs;
      membersNs += one.cpuNs() - cpu;
      flushesPerSecond = Math.round((((await one.flushes()) - flushes) / 3 / wallMs) * 1000);
    },
    facts: () => {
      void target?.close();
      return {
        ...times.facts(`${kind}s/s`),
        "members' CPU µs": Math.round(membersNs / times.all.length / 1000),
        "flushes/s of a member": flushesPerSecond,
      };
    },
  };
}

/** One operation is a kill -9 of the leader; it is over when a client's next command is acknowledged. */
function failoverCase(make: () => Promise<Target>): Case {
  let target: Target | null = null;
  const gaps: number[] = [];
  return {
    unit: "kill",
    count: 5,
    cold: true,
    prepare: async () => {
      target = await make();
    },
    run: async (count) => {
      for (let i = 0; i < count; i++) {
        const again = await target?.killLeader();
        const begin = performance.now();
        while (!(await target?.ask("put", i))) await later(1);
        gaps.push(performance.now() - begin);
        await again?.();
        // Until it is a voter like the others.
        await later(2000);
      }
    },
    facts: () => {
      void target?.close();
      gaps.sort((a, b) => a - b);
      return {
        "median ms": Math.round(gaps[gaps.length >> 1] ?? NaN),
        "longest ms": Math.round(gaps.at(-1) ?? NaN),
      };
    },
  };
}

/** Says that there is nothing to compare with. */
export const missing: Readonly<Record<string, Case>> = {
  "etcd is missing here (Debian's etcd-server): nothing to compare with": {
    unit: "nothing",
    count: 1,
    run: () => undefined,
  },
};

function processSuite(kind: Kind): Readonly<Record<string, Case>> {
  const cases: Record<string, Case> = etcdVersion() === null ? { ...missing } : {};
  for (const [clients, count] of sizes) {
    if (etcdVersion() !== null)
      cases[`etcd: ${kind}s, ${clients} clients`] = processCase(etcd, kind, clients, count);
    cases[`Kith: ${kind}s, ${clients} clients`] = processCase(kith, kind, clients, count);
  }
  return cases;
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The suites of consensus. */
export const paxosSuites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  "consensus-memory": suite("memory"),
  "consensus-disk": suite("disk"),
  "consensus-puts": processSuite("put"),
  "consensus-gets": processSuite("get"),
  "consensus-failover": {
    ...(etcdVersion() === null ? missing : { "etcd: kill -9 of the leader": failoverCase(etcd) }),
    "Kith: kill -9 of the leader": failoverCase(kith),
  },
  "consensus-idle": { "500 idle groups, three members": idleCase(500) },
};

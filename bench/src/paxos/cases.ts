/**
 * Commands and linearizable reads of a replicated group with three voters, for 1, 10, 50 and 200 proposers that
 * wait for each of theirs; in memory and on the disk, in one process. And what 500 groups cost in which nothing happens.
 */

import type { Case } from "../harness.ts";
import { type Cluster, cluster } from "./group.ts";

function groupCase(
  kind: "command" | "query",
  place: "memory" | "disk",
  proposers: number,
  count: number,
): Case {
  let group: Cluster | null = null;
  let wallMs = 0;
  let done = 0;
  return {
    unit: kind,
    count,
    rounds: 3,
    prepare: async () => {
      group = await cluster(place);
    },
    run: async (times) => {
      const begin = performance.now();
      await group?.run(kind, times, proposers);
      wallMs += performance.now() - begin;
      done += times;
    },
    facts: () => {
      group?.close();
      const sorted = [...(group?.latencies ?? [])].sort((a, b) => a - b);
      const at = (part: number): number =>
        Math.round((sorted[Math.floor(sorted.length * part)] ?? NaN) * 1000);
      return {
        [kind === "command" ? "commands/s" : "queries/s"]: Math.round((done / wallMs) * 1000),
        "p50 µs": at(0.5),
        "p99 µs": at(0.99),
      };
    },
  };
}

/** One operation is a second in which nothing happens. */
function idleCase(groups: number): Case {
  let idle: Cluster | null = null;
  return {
    unit: "second",
    count: 2,
    rounds: 2,
    prepare: async () => {
      idle = await cluster("memory", groups);
      // Until all are quiet.
      await new Promise((resolve) => setTimeout(resolve, 6000));
    },
    run: (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000)),
    facts: () => {
      idle?.close();
      return {};
    },
  };
}

function suite(place: "memory" | "disk"): Readonly<Record<string, Case>> {
  const cases: Record<string, Case> = {};
  for (const [proposers, count] of [
    [1, 300],
    [10, 2000],
    [50, 5000],
    [200, 10_000],
  ] as const) {
    cases[`commands, ${proposers} proposers`] = groupCase("command", place, proposers, count);
    cases[`reads, ${proposers} readers`] = groupCase("query", place, proposers, count);
  }
  return cases;
}

/** The suites of consensus. */
export const paxosSuites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  "consensus-memory": suite("memory"),
  "consensus-disk": suite("disk"),
  "consensus-idle": { "500 idle groups, three members": idleCase(500) },
};

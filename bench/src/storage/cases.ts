/**
 * Durable batches and log appends beside bare lmdb with the same batches, for 1, 10 and 100 users that
 * wait for each of theirs. What counts here is the wall time: it is made of flushes.
 */

import type { Case } from "../harness.ts";
import { bareLmdb, durableStorage, type Kind, type Store } from "./users.ts";

function storeCase(count: number, make: () => Promise<Store>): Case {
  let store: Store | null = null;
  let wallMs = 0;
  let batches = 0;
  return {
    unit: "batch",
    count,
    rounds: 3,
    prepare: async () => {
      store = await make();
    },
    run: async (times) => {
      const begin = performance.now();
      await store?.run(times);
      wallMs += performance.now() - begin;
      batches += times;
    },
    facts: () => {
      const sorted = [...(store?.latencies ?? [])].sort((a, b) => a - b);
      const at = (part: number): number =>
        Math.round((sorted[Math.floor(sorted.length * part)] ?? NaN) * 1000);
      const flushes = store?.flushes() ?? NaN;
      return {
        "batches/s": Math.round((batches / wallMs) * 1000),
        "p50 µs": at(0.5),
        "p99 µs": at(0.99),
        ...(Number.isNaN(flushes) ? {} : { flushes, batches }),
      };
    },
  };
}

function suite(writers: number, count: number): Readonly<Record<string, Case>> {
  const cases: Record<string, Case> = {};
  const both: readonly (readonly [Kind, string, number])[] = [
    ["put", "100 B values", 100],
    ["append", "100 B records", 100],
    ["append", "4 KiB records", 4096],
  ];
  for (const [kind, what, bytes] of both) {
    const bare = (overlapping: boolean) => async () => bareLmdb(kind, writers, bytes, overlapping);
    cases[`bare lmdb, ${what}`] = storeCase(count, bare(false));
    cases[`bare lmdb, overlapping sync, ${what}`] = storeCase(count, bare(true));
    cases[`Kith, ${what}`] = storeCase(count, () => durableStorage(kind, writers, bytes));
  }
  return cases;
}

/** The suites of storage. */
export const storageSuites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  storage: suite(1, 300),
  "storage-10": suite(10, 2000),
  "storage-100": suite(100, 10_000),
};

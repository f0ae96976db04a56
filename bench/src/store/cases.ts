/**
 * The store in three durable processes beside etcd, for 1, 10, 50 and 200 clients that wait for each of theirs; and what a
 * million keys take. And four members in one process, in memory, where CPU time is all that counts (`inside.ts`).
 *
 * etcd has no transaction that reads: its increments, updates and transfers read first and write if nothing was written
 * since, and so do the store's updates and transfers, whose keys lie in four groups. The store's increments are one command.
 */

import type { Case } from "../harness.ts";
import { missing, processCase, sizes } from "../paxos/cases.ts";
import { etcdVersion } from "@kith/cli/etcd";
import { etcd, type Kind } from "../paxos/processes.ts";
import { insideCase } from "./inside.ts";
import { keysCase } from "./keys.ts";
import { store } from "./target.ts";

function suite(kind: Kind): Readonly<Record<string, Case>> {
  const cases: Record<string, Case> = etcdVersion() === null ? { ...missing } : {};
  for (const [clients, count] of sizes) {
    if (etcdVersion() !== null)
      cases[`etcd: ${kind}s, ${clients} clients`] = processCase(etcd, kind, clients, count);
    cases[`Kith's store: ${kind}s, ${clients} clients`] = processCase(store, kind, clients, count);
  }
  return cases;
}

/** What Scalaris takes of CPU time, in µs, as design.md has it: not of this run. */
function scalaris(least: number, most: number): Readonly<Record<string, number>> {
  return { "Scalaris' CPU µs, least": least, most };
}

/** The suites of the store. */
export const storeSuites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  "store-puts": suite("put"),
  "store-gets": suite("get"),
  "store-increments": suite("increment"),
  "store-updates": suite("update"),
  "store-transfers": suite("transfer"),
  "store-inside": {
    "reads, 50 clients": insideCase("read", 50, 20_000, { beside: scalaris(41, 66) }),
    "reads under leases, 50 clients": insideCase("read", 50, 20_000, { leases: true }),
    "puts, 50 clients": insideCase("put", 50, 10_000),
    "increments, 50 clients": insideCase("increment", 50, 10_000),
    "read-modify-write transactions, 50 clients": insideCase("update", 50, 5000, {
      beside: scalaris(440, 685),
    }),
    "2-key transfers, 50 clients": insideCase("transfer", 50, 3000, {
      beside: scalaris(900, 1330),
    }),
    "read-only transactions of 2 keys, 50 clients": insideCase("look", 50, 5000),
    "reads, 1 client": insideCase("read", 1, 1000),
    "read-modify-write transactions, 1 client": insideCase("update", 1, 500),
    "2-key transfers, 1 client": insideCase("transfer", 1, 500),
  },
  "store-hot": {
    "increments of one key, 50 clients": insideCase("increment", 50, 10_000, { hot: true }),
    "read-modify-write transactions on one key, 50 clients": insideCase("update", 50, 1000, {
      hot: true,
      beside: { "Scalaris' transactions/s, least": 49, most: 121 },
    }),
  },
  "store-keys": {
    "100,000 keys": keysCase(100_000),
    "1,000,000 keys": keysCase(1_000_000),
  },
};

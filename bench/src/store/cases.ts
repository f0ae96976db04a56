/**
 * The store in three durable processes beside etcd, for 1, 10, 50 and 200 clients that wait for each of theirs; and what a
 * million keys take.
 *
 * etcd has no transaction that reads: its increments, updates and transfers read first and write if nothing was written
 * since, and so do the store's updates and transfers, whose keys lie in four groups. The store's increments are one command.
 */

import type { Case } from "../harness.ts";
import { missing, processCase, sizes } from "../paxos/cases.ts";
import { etcdVersion } from "../paxos/etcd.ts";
import { etcd, type Kind } from "../paxos/processes.ts";
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

/** The suites of the store. */
export const storeSuites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  "store-puts": suite("put"),
  "store-gets": suite("get"),
  "store-increments": suite("increment"),
  "store-updates": suite("update"),
  "store-transfers": suite("transfer"),
  "store-keys": {
    "100,000 keys": keysCase(100_000),
    "1,000,000 keys": keysCase(1_000_000),
  },
};

/**
 * Long forks: two reads that disagree about which of two independent writes came first. Parallel snapshot isolation
 * allows that, snapshot isolation and serializability do not.
 *
 * Each key is written once, by a transaction of one `w`, and read in groups of keys, by transactions of `r` only. Two
 * reads of one group must see the one no more than the other. Reads of different groups are not compared.
 */

import { testError } from "../errors.ts";
import type { HistoryEvent } from "./event.ts";
import { only, type Operation, operationsOf, type TransactionOperation } from "./operation.ts";
import { identityOf, type Value } from "./value.ts";
import { type Invalid, invalid, showValue, type Verdict } from "./verdict.ts";

interface Reading {
  readonly read: TransactionOperation;
  /** The keys that were there. */
  readonly present: ReadonlySet<string>;
}

/**
 * Judges a history of `txn` whose steps are `r` and `w`. Undecided where no two transactions read one group.
 *
 * @throws KithError where the history is malformed, has other operations, or a key is written twice
 */
export function checkLongFork(history: readonly HistoryEvent[]): Verdict {
  const transactions = only(operationsOf(history), ["txn"]);
  const written = writesOf(transactions);
  const groups = new Map<string, Reading[]>();
  let looked = 0;
  for (const read of transactions) {
    if (read.outcome !== "ok" || !read.steps.every(({ kind }) => kind === "r")) continue;
    const found = readingOf(read, written);
    if (!("present" in found)) return found;
    const group = JSON.stringify([...new Set(read.steps.map(({ key }) => key))].sort());
    const readings = groups.get(group);
    if (readings === undefined) groups.set(group, [found]);
    else {
      readings.push(found);
      looked++;
    }
  }
  for (const readings of groups.values()) {
    const wrong = checkGroup(readings, written);
    if (wrong !== undefined) return wrong;
  }
  if (looked > 0) return { verdict: "valid", operations: transactions.length };
  return { verdict: "undecided", reason: "no group of keys was read twice", spent: 0 };
}

function writesOf(
  transactions: readonly TransactionOperation[],
): Map<string, { readonly by: TransactionOperation; readonly value: Value }> {
  const written = new Map<string, { by: TransactionOperation; value: Value }>();
  for (const by of transactions) {
    for (const { kind, key, value } of by.steps) {
      if (kind === "r") continue;
      if (written.has(key)) {
        throw testError(
          "KITH_HISTORY_UNIQUE",
          `Event ${by.invoked} writes ${key}, which was written before.`,
        );
      }
      written.set(key, { by, value });
    }
  }
  return written;
}

function readingOf(
  read: TransactionOperation,
  written: ReadonlyMap<string, { readonly by: TransactionOperation; readonly value: Value }>,
): Reading | Invalid {
  const present = new Set<string>();
  for (const { key, value } of read.steps) {
    if (value === null) continue;
    const write = written.get(key);
    const right = write !== undefined && identityOf(write.value) === identityOf(value);
    if (!right || write.by.outcome === "fail") {
      const what = `A transaction read ${key} as ${showValue(value)}, which nobody wrote, or whose write failed.`;
      return invalid("unwritten value", what, [read]);
    }
    present.add(key);
  }
  return { read, present };
}

function checkGroup(
  readings: readonly Reading[],
  written: ReadonlyMap<string, { readonly by: Operation }>,
): Invalid | undefined {
  const bySize = [...readings].sort((a, b) => a.present.size - b.present.size);
  let before: Reading | undefined;
  for (const reading of bySize) {
    const here = before;
    before = reading;
    if (here === undefined) continue;
    const lacking = [...here.present].find((key) => !reading.present.has(key));
    if (lacking === undefined) continue;
    const other = [...reading.present].find((key) => !here.present.has(key)) ?? lacking;
    const writes = [lacking, other].flatMap((key) => written.get(key)?.by ?? []);
    const what = `One transaction read ${lacking} but not yet ${other}, another one ${other} but not yet ${lacking}.`;
    return invalid("long fork", what, [...new Set([...writes, here.read, reading.read])]);
  }
  return undefined;
}

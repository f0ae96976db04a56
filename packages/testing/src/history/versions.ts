/**
 * What the reads of list-append transactions tell about each key: the order of its versions, and what cannot be
 * right whatever the order of the transactions (Adya's G1a and G1b, and what Kingsbury and Alvaro's Elle looks
 * for before any cycle).
 *
 * A key's versions are lists, each one element longer than the one before. So the longest list that was read gives
 * the order of its elements, and every other list must be a beginning of it.
 */

import { testError } from "../errors.ts";
import type { Step, TransactionOperation } from "./operation.ts";
import { identityOf, type Value } from "./value.ts";
import { type Invalid, invalid, showValue } from "./verdict.ts";

/** An append of a transaction. */
export interface Append {
  readonly transaction: TransactionOperation;
  readonly key: string;
  readonly value: Value;
  /** Which step of the transaction it is. */
  readonly step: number;
  /** Whether the transaction appends to the same key no more afterwards. */
  readonly last: boolean;
}

/** A list that a transaction found: without what it had appended itself before. */
export interface Seen {
  readonly reader: TransactionOperation;
  /** How many elements others had appended. */
  readonly length: number;
}

/** What is known of a key. */
export interface KeyVersions {
  readonly key: string;
  /** The elements that were read, in the order of the versions. */
  readonly order: readonly Append[];
  /** The appends that took effect and that no read shows: they come after `order`, in an unknown order. */
  readonly unseen: readonly Append[];
  /** The versions that transactions found, one for each transaction. */
  readonly seen: readonly Seen[];
}

interface Reading {
  readonly reader: TransactionOperation;
  readonly list: readonly Value[];
  /** The reader's own appends to the key so far. */
  readonly own: readonly Value[];
}

interface KeyFacts {
  readonly appends: Map<string, Append>;
  readonly readings: Reading[];
  longest: Reading | undefined;
}

/** The versions of all keys, or what is wrong with them. */
export function versionsOf(transactions: readonly TransactionOperation[]): Invalid | KeyVersions[] {
  const facts = new Map<string, KeyFacts>();
  const at = (key: string): KeyFacts => {
    const known = facts.get(key);
    if (known !== undefined) return known;
    const fresh: KeyFacts = { appends: new Map(), readings: [], longest: undefined };
    facts.set(key, fresh);
    return fresh;
  };
  for (const transaction of transactions) collectAppends(transaction, at);
  for (const transaction of transactions) {
    if (transaction.outcome !== "ok") continue;
    const wrong = collectReads(transaction, at);
    if (wrong !== undefined) return wrong;
  }
  for (const [key, fact] of facts) {
    const wrong = checkElements(key, fact) ?? checkPrefixes(key, fact);
    if (wrong !== undefined) return wrong;
  }
  // What a read shows has happened, whatever its client was told: and so has all else of that transaction.
  const happened = new Set(transactions.filter(({ outcome }) => outcome === "ok"));
  for (const { longest, appends } of facts.values()) {
    for (const value of longest?.list ?? []) {
      const append = appends.get(identityOf(value));
      if (append !== undefined) happened.add(append.transaction);
    }
  }
  const versions: KeyVersions[] = [];
  for (const [key, fact] of facts) {
    const of = keyVersions(key, fact, happened);
    const wrong = checkOrder(of);
    if (wrong !== undefined) return wrong;
    versions.push(of);
  }
  return versions;
}

function collectAppends(transaction: TransactionOperation, at: (key: string) => KeyFacts): void {
  transaction.steps.forEach(({ kind, key, value }, i) => {
    if (kind === "w") {
      const what = `Event ${transaction.invoked} writes ${key}; this check takes reads and appends.`;
      throw testError("KITH_HISTORY_VALUE", what);
    }
    if (kind !== "append") return;
    const { appends } = at(key);
    const identity = identityOf(value);
    if (appends.has(identity)) {
      const what = `${showValue(value)} is appended to ${key} by event ${transaction.invoked} and by an earlier one.`;
      throw testError("KITH_HISTORY_UNIQUE", what);
    }
    const last = !transaction.steps.some(
      (other, j) => j > i && other.kind === "append" && other.key === key,
    );
    appends.set(identity, { transaction, key, value, step: i, last });
  });
}

/** Notes what a transaction read; wrong is what contradicts what it itself did or read before. */
function collectReads(
  reader: TransactionOperation,
  at: (key: string) => KeyFacts,
): Invalid | undefined {
  const own = new Map<string, Value[]>();
  const expected = new Map<string, readonly Value[]>();
  for (const step of reader.steps) {
    const mine = own.get(step.key) ?? [];
    if (step.kind === "append") {
      own.set(step.key, [...mine, step.value]);
      const before = expected.get(step.key);
      if (before !== undefined) expected.set(step.key, [...before, step.value]);
      continue;
    }
    const list = listOf(step, reader);
    const before = expected.get(step.key);
    const same =
      before === undefined
        ? endsWith(list, mine)
        : list.length === before.length && endsWith(list, before);
    if (!same) {
      const what = `A transaction read ${step.key} as ${showValue(list)}, which does not fit what it had itself read or appended.`;
      return invalid("internal", what, [reader]);
    }
    if (before === undefined) {
      const fact = at(step.key);
      const reading = { reader, list, own: mine };
      fact.readings.push(reading);
      if (list.length > (fact.longest?.list.length ?? -1)) fact.longest = reading;
    }
    expected.set(step.key, list);
  }
  return undefined;
}

/** What of a list cannot be there: elements twice, of nobody, or of what failed. */
function checkElements(key: string, { readings, appends, longest }: KeyFacts): Invalid | undefined {
  // All lists that are beginnings of the longest one have no other elements; `checkPrefixes` finds the rest.
  for (const reading of readings) {
    const { reader, list } = reading;
    if (reading !== longest && longest !== undefined && isBeginning(list, longest.list)) continue;
    const there = new Set<string>();
    for (const value of list) {
      const identity = identityOf(value);
      const append = appends.get(identity);
      const element = `${showValue(value)} of ${key}`;
      if (append === undefined) {
        return invalid("garbage read", `A transaction read ${element}, which nobody appended.`, [
          reader,
        ]);
      }
      const both = [...new Set([append.transaction, reader])];
      if (there.has(identity)) {
        const what = `A transaction read ${element} twice, which was appended once.`;
        return invalid("duplicate elements", what, both);
      }
      there.add(identity);
      if (append.transaction.outcome === "fail") {
        const what = `A transaction read ${element}, which one that failed has appended.`;
        return invalid("G1a (aborted read)", what, both);
      }
    }
  }
  return undefined;
}

function checkPrefixes(key: string, { readings, longest }: KeyFacts): Invalid | undefined {
  if (longest === undefined) return undefined;
  for (const { reader, list } of readings) {
    if (isBeginning(list, longest.list)) continue;
    const what = `Two transactions read ${key} as ${showValue(list)} and as ${showValue(longest.list)}: neither is a beginning of the other.`;
    return invalid("incompatible order", what, [...new Set([reader, longest.reader])]);
  }
  return undefined;
}

function keyVersions(
  key: string,
  { appends, readings, longest }: KeyFacts,
  happened: ReadonlySet<TransactionOperation>,
): KeyVersions {
  const order: Append[] = [];
  for (const value of longest?.list ?? []) {
    const append = appends.get(identityOf(value));
    if (append !== undefined) order.push(append);
  }
  const shown = new Set(order);
  const unseen = [...appends.values()].filter(
    (append) => !shown.has(append) && happened.has(append.transaction),
  );
  const seen = readings.map(({ reader, list, own }) => ({
    reader,
    length: list.length - own.length,
  }));
  return { key, order, unseen, seen };
}

/** What is wrong with an order of versions: appends of a transaction reversed, or a read between them. */
function checkOrder({ key, order, seen }: KeyVersions): Invalid | undefined {
  let before: Append | undefined;
  for (const append of order) {
    const { transaction, step } = append;
    if (before !== undefined && before.transaction === transaction && step < before.step) {
      const what = `The appends of a transaction to ${key} stand in another order than it made them in.`;
      return invalid("incompatible order", what, [transaction]);
    }
    before = append;
  }
  for (const { reader, length } of seen) {
    const end = order[length - 1];
    if (end === undefined || end.last || end.transaction === reader) continue;
    const what = `A transaction read ${key} with ${showValue(end.value)} as its last element, after which the one that appended it appended more.`;
    return invalid("G1b (intermediate read)", what, [end.transaction, reader]);
  }
  return undefined;
}

function listOf(step: Step, reader: TransactionOperation): readonly Value[] {
  if (step.value === null) return [];
  if (Array.isArray(step.value)) return step.value;
  const what = `Event ${reader.returned} read ${step.key} as ${showValue(step.value)}, which is no list.`;
  throw testError("KITH_HISTORY_VALUE", what);
}

function endsWith(list: readonly Value[], end: readonly Value[]): boolean {
  const from = list.length - end.length;
  return from >= 0 && end.every((value, i) => isSame(value, list[from + i]));
}

function isBeginning(list: readonly Value[], of: readonly Value[]): boolean {
  return list.length <= of.length && list.every((value, i) => isSame(value, of[i]));
}

function isSame(a: Value, b: Value | undefined): boolean {
  if (a === b) return true;
  return b !== undefined && typeof a === "object" && identityOf(a) === identityOf(b);
}

/**
 * The invariants of the tables, for whoever looks inside: tests and scenarios (algorithms.md §6.5.15).
 *
 * They read whole tables, and are therefore not part of the machine, which asserts what it can see at each command.
 */

import type { TableReader } from "@kith/paxos";
import { ensure } from "./errors.ts";
import { covers, type Octets, type Position } from "./position.ts";
import {
  beyond,
  expiryOf,
  lockRow,
  type MetaRow,
  metaRow,
  nameOf,
  type RegisterState,
  rowKeys,
  sessionRow,
  type TxName,
  type TxRow,
  txRow,
  valueRow,
} from "./rows.ts";

/** What may become of a register in one command, and of one that is not there. */
const steps: Readonly<Record<RegisterState | "none", string>> = {
  none: "none P A X",
  P: "P C X",
  A: "A X",
  C: "C none",
  X: "X none",
};

/** The group's own row. */
export function metaOf(table: TableReader): MetaRow {
  const row = table.get(rowKeys.meta);
  ensure(row !== undefined, "G6", () => "a table is that of no group");
  return metaRow.decode(row);
}

/** All transactions of a table. */
export function transactionsOf(table: TableReader): Map<TxName, TxRow> {
  const found = new Map<TxName, TxRow>();
  for (const [name, row] of rows(table, "t")) found.set(name, txRow.decode(row));
  return found;
}

/** The registers of one transaction in a table. */
export function registersOf(
  table: TableReader,
  client: Octets,
  seq: number,
): Map<Position, RegisterState> {
  const row = table.get(rowKeys.tx(nameOf({ client, seq })));
  if (row === undefined) return new Map();
  return new Map([...txRow.decode(row).registers].map(([key, { state }]) => [key, state]));
}

/**
 * T3 and what goes with it, in one table: locks and prepared registers belong to each other, everything lies in the
 * group's range, and what expires is where the times are.
 *
 * @throws KithError `KITH_STORE_INVARIANT`
 */
export function checkTable(table: TableReader): void {
  const meta = metaOf(table);
  const transactions = transactionsOf(table);
  const expected = new Map<Position, { writer: TxName | null; readers: TxName[] }>();
  for (const [name, { registers }] of transactions) {
    for (const [position, { state, write }] of registers) {
      ensure(covers(meta, position), "G6", () => "a register lies outside of the range");
      if (state !== "P") continue;
      const lock = expected.get(position) ?? { writer: null, readers: [] };
      if (write === null) lock.readers.push(name);
      else {
        ensure(lock.writer === null, "T3", () => "two transactions are prepared to write one key");
        lock.writer = name;
      }
      expected.set(position, lock);
    }
  }
  for (const [position, row] of rows(table, "l")) {
    const { writer, readers } = lockRow.decode(row);
    const wanted = expected.get(position);
    expected.delete(position);
    ensure(wanted !== undefined, "T3", () => "a key is locked by nobody who is prepared");
    const same =
      writer === wanted.writer && [...readers].sort().join() === wanted.readers.sort().join();
    ensure(same, "T3", () => "a key is locked by others than those who are prepared");
    ensure(writer === null || readers.length === 0, "T3", () => "a key that is written is read");
  }
  ensure(expected.size === 0, "T3", () => "a transaction is prepared at a key without a lock");
  checkValues(table, meta);
}

function checkValues(table: TableReader, meta: MetaRow): void {
  const due = new Set([...rows(table, "e")].map(([key]) => key));
  for (const [position, row] of rows(table, "k")) {
    ensure(covers(meta, position), "G6", () => "a key lies outside of the range");
    const { version, expireAt } = valueRow.decode(row);
    ensure(version <= meta.version, "T4", () => "a key has a version that was not given out");
    if (expireAt === 0) continue;
    const found = due.delete(rowKeys.expiry(expireAt, position).slice(1));
    ensure(found, "T4", () => "a key expires, and nobody knows");
  }
  for (const key of due) {
    const { at } = expiryOf(`e${key}`);
    ensure(false, "T4", () => `something expires at ${at} that is not there`);
  }
}

/**
 * T1 and T9 in one step: how registers and sessions may change by one command.
 *
 * @throws KithError `KITH_STORE_INVARIANT`
 */
export function checkStep(before: TableReader, after: TableReader): void {
  const [was, is] = [metaOf(before), metaOf(after)];
  ensure(is.version >= was.version && is.epoch >= was.epoch, "G7", () => "a counter went back");
  const later = transactionsOf(after);
  for (const [name, { registers }] of transactionsOf(before)) {
    const now = later.get(name)?.registers;
    for (const [position, { state }] of registers) {
      // What a split has given away is looked at in the other table.
      if (!covers(is, position)) continue;
      const next = now?.get(position)?.state ?? "none";
      const fine = steps[state].split(" ").includes(next);
      ensure(fine, "T1", () => `a register went from ${state} to ${next}`);
    }
  }
  const earlier = transactionsOf(before);
  for (const [name, { registers }] of later) {
    for (const [position, { state }] of registers) {
      if (earlier.get(name)?.registers.has(position) === true) continue;
      const fine = steps.none.split(" ").includes(state);
      ensure(fine, "T1", () => `a register began as ${state}`);
    }
  }
  for (const [client, row] of rows(before, "s")) {
    const next = after.get(rowKeys.session(client));
    if (next === undefined) continue;
    const rose = sessionRow.decode(next).ackedBelow >= sessionRow.decode(row).ackedBelow;
    ensure(rose, "T9", () => "what a client needs no more went back");
  }
}

/**
 * T2 and G6 over all groups: no transaction is committed here and cancelled there, and each position has one owner.
 *
 * @throws KithError `KITH_STORE_INVARIANT`
 */
export function checkTables(tables: readonly TableReader[]): void {
  const outcomes = new Map<TxName, RegisterState>();
  for (const table of tables) {
    for (const [name, { registers }] of transactionsOf(table)) {
      for (const { state } of registers.values()) {
        if (state === "P") continue;
        // A vote against is the end of it too, whoever has heard of it.
        const outcome = state === "C" ? "C" : "X";
        const before = outcomes.get(name) ?? outcome;
        ensure(before === outcome, "T2", () => `a transaction is both committed and cancelled`);
        outcomes.set(name, outcome);
      }
    }
  }
  const ranges = tables.map(metaOf).sort((a, b) => (a.lo < b.lo ? -1 : a.lo > b.lo ? 1 : 0));
  let end: Position | null = "";
  for (const { lo, hi } of ranges) {
    const from = end;
    ensure(lo === from, "G6", () => "the ranges of the groups do not meet");
    end = hi;
  }
  ensure(end === null, "G6", () => "the last range does not end with the keys");
}

function* rows(
  table: TableReader,
  letter: string,
): Generator<readonly [name: string, row: Uint8Array]> {
  for (const key of table.keys(letter, beyond(letter))) {
    const row = table.get(key);
    if (row !== undefined) yield [key.slice(1), row];
  }
}

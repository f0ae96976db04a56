/** How a question to a group is answered, out of its table alone. */

import type { TableReader } from "@kith/paxos";
import { covers, type Position, valueBytesMax } from "./position.ts";
import type { Answer, KnownTx, Query, Reading } from "./query.ts";
import {
  beyond,
  descriptorOf,
  expiryOf,
  known,
  lockRow,
  type MetaRow,
  metaRow,
  nameOf,
  rowKeys,
  sessionRow,
  type TxName,
  type TxRow,
  txRow,
  valueRow,
} from "./rows.ts";

/** About how many bytes of values one answer to a scan holds. */
const scanBytesMax = 1024 * 1024;

/** How many bytes of values the answer to a read may have: one value at least. */
const readBytesMax = 8 * valueBytesMax;

/** Answers a question, with the table as it is at this time and place of its log. */
export function answer(
  table: TableReader,
  query: Query,
  { time, index }: { readonly time: number; readonly index: number },
): Answer {
  const bytes = table.get(rowKeys.meta);
  if (bytes === undefined) return { kind: "none" };
  const meta = metaRow.decode(bytes);
  switch (query.kind) {
    case "hello":
      return {
        kind: "here",
        descriptor: descriptorOf(meta),
        descriptors: known(meta),
        ordered: meta.ordered,
        version: meta.version,
        time,
        index,
      };
    case "read":
      if (!query.keys.every((key) => covers(meta, key)))
        return { kind: "wrong-range", descriptors: known(meta) };
      return read(table, meta, query, time);
    case "scan":
      return scan(table, meta, query, time);
    case "enter":
      if (!query.keys.every(({ position }) => covers(meta, position)))
        return { kind: "wrong-range", descriptors: known(meta) };
      return enter(table, meta, query);
    case "registers": {
      // A split may have taken them along: that nothing is here would say nothing.
      if (!query.keys.every((key) => covers(meta, key)))
        return { kind: "wrong-range", descriptors: known(meta) };
      const name = nameOf(query.tx);
      const row = table.get(rowKeys.tx(name));
      const transactions = row === undefined ? [] : [knownTx(name, txRow.decode(row))];
      return { kind: "transactions", transactions };
    }
    case "in-doubt": {
      const transactions = transactionsOf(table, "t").filter(
        ({ since, states }) => since < query.before && states.some(({ state }) => state === "P"),
      );
      return { kind: "transactions", transactions: transactions.slice(0, query.limit) };
    }
    case "due": {
      const keys: Position[] = [];
      for (const key of table.keys("e", beyond("e"), query.limit)) {
        const { at, position } = expiryOf(key);
        if (at > query.at) break;
        keys.push(position);
      }
      return { kind: "keys", keys };
    }
    case "idle":
      return idle(table, query.before, query.limit);
  }
}

/** What is at keys, unless it is too much for one message: who asks asks for fewer then. */
function read(
  table: TableReader,
  meta: MetaRow,
  { keys, values }: Extract<Query, { kind: "read" }>,
  time: number,
): Answer {
  const readings: Reading[] = [];
  let bytes = 0;
  for (const key of keys) {
    const reading = readingOf(table, meta, key, values, time);
    bytes += reading.value?.length ?? 0;
    if (bytes > readBytesMax) return { kind: "too-large" };
    readings.push(reading);
  }
  return { kind: "readings", readings };
}

/** What a reader finds at a key. */
export function readingOf(
  table: TableReader,
  meta: MetaRow,
  position: Position,
  values: boolean,
  time: number,
): Reading {
  const lock = table.get(rowKeys.lock(position));
  const lockedBy = lock === undefined ? null : lockRow.decode(lock).writer;
  const bytes = table.get(rowKeys.value(position));
  if (bytes === undefined) {
    const version = meta.deleteFloor;
    return { position, lockedBy, version, expiresIn: 0, value: null, present: false };
  }
  const { version, expireAt, value } = valueRow.decode(bytes);
  // What is due is there until it is deleted: in a moment.
  const expiresIn = expireAt === 0 ? 0 : Math.max(1, Math.ceil(expireAt - time));
  return { position, lockedBy, version, expiresIn, value: values ? value : null, present: true };
}

/** Whether a transaction comes in vain. That holds also where this replica is behind: only what it has applied counts. */
function enter(
  table: TableReader,
  meta: MetaRow,
  { keys }: Extract<Query, { kind: "enter" }>,
): Answer {
  let lockedBy: TxName | null = null;
  for (const { position, expected } of keys) {
    const bytes = table.get(rowKeys.value(position));
    const version = bytes === undefined ? 0 : valueRow.decode(bytes).version;
    // A version that is not given yet is to come; and who has found nothing may find nothing again.
    const isPast = expected !== null && expected > 0 && expected <= meta.version;
    if (isPast && version !== expected) return { kind: "outdated", position };
    const lock = table.get(rowKeys.lock(position));
    if (lock !== undefined) lockedBy ??= lockRow.decode(lock).writer;
  }
  return { kind: "entered", lockedBy };
}

function scan(
  table: TableReader,
  meta: MetaRow,
  { from, to, limit, values }: Extract<Query, { kind: "scan" }>,
  time: number,
): Answer {
  if (!covers(meta, from)) return { kind: "wrong-range", descriptors: known(meta) };
  const end = meta.hi === null ? to : to === null || to > meta.hi ? meta.hi : to;
  const upTo = (letter: string): string => (end === null ? beyond(letter) : letter + end);
  // A key that is locked may be absent yet, and be there in a moment.
  const found = new Set<Position>();
  // All locks: one that is held for reading a key that is absent counts for nothing, and would hide those behind it.
  for (const [letter, most] of [
    ["k", limit + 1],
    ["l", Infinity],
  ] as const)
    for (const key of table.keys(letter + from, upTo(letter), most)) found.add(key.slice(1));
  const readings: Reading[] = [];
  let bytes = 0;
  let next: Position | null = null;
  for (const position of [...found].sort()) {
    if (readings.length >= limit || bytes > scanBytesMax) {
      next = position;
      break;
    }
    const reading = readingOf(table, meta, position, values, time);
    if (!reading.present && reading.lockedBy === null) continue;
    bytes += reading.value?.length ?? 0;
    readings.push(reading);
  }
  if (next === null && end !== to) next = end;
  return { kind: "scanned", readings, next, deleteFloor: meta.deleteFloor };
}

function idle(table: TableReader, before: number, limit: number): Answer {
  const sessions = [];
  for (const key of table.keys("s", beyond("s"))) {
    if (sessions.length >= limit) break;
    const row = table.get(key);
    if (row === undefined || sessionRow.decode(row).lastSeen >= before) continue;
    const client = key.slice(1);
    sessions.push({ client, transactions: transactionsOf(table, `t${client}`) });
  }
  return { kind: "sessions", sessions };
}

function transactionsOf(table: TableReader, prefix: string): KnownTx[] {
  const found: KnownTx[] = [];
  const end = prefix === "t" ? beyond("t") : `${prefix}${"\u00ff".repeat(8)}`;
  for (const key of table.keys(prefix, end)) {
    const row = table.get(key);
    if (row !== undefined) found.push(knownTx(key.slice(1), txRow.decode(row)));
  }
  return found;
}

function knownTx(name: TxName, { hint, since, participants, registers }: TxRow): KnownTx {
  const states = [...registers].map(([position, { state }]) => ({ position, state }));
  return { name, hint, since, participants, states };
}

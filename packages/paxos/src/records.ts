/**
 * How a replica lies in a Storage: the log and what belongs to it in one namespace, the table in another,
 * which a snapshot replaces as a whole. Tombstones of replicas that were removed stand in a third one.
 */

import type { Entry as Row, Operation } from "@kith/storage";
import { bytesText, ByteReader, ByteWriter, octetBytes, octetsOf, textBytes } from "./bytes.ts";
import { type Config, readConfig, type ReplicaId, writeConfig } from "./config.ts";
import { decodeEntry, encodeEntry, type Entry } from "./entry.ts";
import { paxosError } from "./errors.ts";
import type { Base, Cell } from "./peer-message.ts";
import type { Durable, LogRecord } from "./state.ts";

const prefix = "paxos/";
const logSuffix = "/log";
const keys = { self: textBytes("self"), hard: textBytes("hard"), base: textBytes("base") };

/** The namespace of the tombstones: a group's id, and the least replica id that may still come. */
export const tombstones = "paxos.tombstones";

/** Names as they were made once: a storage looks each of them up several times a write, and finds the same string faster than an equal one. */
const logNames = new Map<string, string>();
const logNamesMax = 4096;

/** The namespace of a group's log. */
export function logOf(gid: string): string {
  let name = logNames.get(gid);
  if (name !== undefined) return name;
  if (logNames.size >= logNamesMax) logNames.clear();
  name = `${prefix}${gid}${logSuffix}`;
  logNames.set(gid, name);
  return name;
}

/** The namespace of a group's table. */
export function tableNamespace(gid: string): string {
  return `${prefix}${gid}/table`;
}

/** The group that a namespace is the log of. */
export function groupOf(namespace: string): string | undefined {
  const fits = namespace.startsWith(prefix) && namespace.endsWith(logSuffix);
  return fits ? namespace.slice(prefix.length, -logSuffix.length) : undefined;
}

/** The operations that make a replica. */
export function birth(gid: string, self: ReplicaId, { term, vote, base }: Durable): Operation[] {
  const namespace = logOf(gid);
  return [
    { kind: "put", namespace, key: keys.self, value: new ByteWriter().count(self).done() },
    ...hard(namespace, term, vote),
    putBase(namespace, base),
  ];
}

/** The operations that remove one, and keep it from coming back. */
export function death(gid: string, leastId: ReplicaId): Operation[] {
  const value = new ByteWriter().count(leastId).done();
  return [
    { kind: "drop", namespace: logOf(gid) },
    { kind: "drop", namespace: tableNamespace(gid) },
    { kind: "put", namespace: tombstones, key: textBytes(gid), value },
  ];
}

/** A tombstone, out of its row. */
export function tombstoneOf({ key, value }: Row): readonly [gid: string, leastId: ReplicaId] {
  return [bytesText(key), new ByteReader(value).count()];
}

/**
 * The operations of a record.
 *
 * @param encode what an entry is as bytes, where that is known already
 */
export function operationsOf(
  gid: string,
  record: LogRecord,
  encode: (entry: Entry) => Uint8Array = encodeEntry,
): Operation[] {
  const namespace = logOf(gid);
  switch (record.kind) {
    case "hard":
      return hard(namespace, record.term, record.vote);
    case "append": {
      const { entry } = record;
      return [{ kind: "append", namespace, index: entry.index, record: encode(entry) }];
    }
    case "truncate":
      return [{ kind: "truncate", namespace, from: record.from }];
    case "base":
      return [putBase(namespace, record.base), { kind: "cut", namespace, to: record.base.index }];
    case "install": {
      const { base, keep, replaced } = record;
      const cut: Operation = { kind: "cut", namespace, to: base.index };
      return [
        putBase(namespace, base),
        // Without the entry at the snapshot's end, what is there is another history.
        ...(keep ? [] : [{ kind: "truncate", namespace, from: replaced + 1 } as const]),
        cut,
      ];
    }
  }
}

/** What a replica's rows and records say. @throws KithError `KITH_PAXOS_CORRUPT` */
export function recoveredOf(
  gid: string,
  rows: readonly Row[],
  records: readonly Uint8Array[],
): { readonly self: ReplicaId; readonly durable: Omit<Durable, "applied"> } {
  const value = (key: Uint8Array): ByteReader => {
    const row = rows.find((one) => bytesText(one.key) === bytesText(key));
    if (row === undefined)
      throw paxosError("KITH_PAXOS_CORRUPT", `Group ${gid} has no ${bytesText(key)} on this disk.`);
    return new ByteReader(row.value);
  };
  const self = value(keys.self).count();
  const saved = value(keys.hard);
  const [term, vote] = [saved.count(), saved.count()];
  const base = readBase(value(keys.base));
  // Copies: what a storage has read may be a part of much more.
  const entries = records.map((record, i) => decodeEntry(base.index + 1 + i, record.slice()));
  return { self, durable: { term, vote, base, entries } };
}

/** The row of a cell: keys are one character for each byte. */
export function rowOf([key, value]: Cell): Row {
  return { key: octetBytes(key), value };
}

/** The cell of a row. */
export function cellOf({ key, value }: Row): Cell {
  return [octetsOf(key), value];
}

/** The operations that bring the table on the disk up to date. */
export function tableOperations(
  gid: string,
  cells: readonly (readonly [string, Uint8Array | null])[],
): Operation[] {
  const namespace = tableNamespace(gid);
  return cells.map(([key, value]) =>
    value === null
      ? { kind: "delete", namespace, key: octetBytes(key) }
      : { kind: "put", namespace, key: octetBytes(key), value },
  );
}

function hard(namespace: string, term: number, vote: ReplicaId): Operation[] {
  const value = new ByteWriter().count(term).count(vote).done();
  return [{ kind: "put", namespace, key: keys.hard, value }];
}

function putBase(namespace: string, base: Base): Operation {
  const writer = new ByteWriter().count(base.index).count(base.term).float(base.time);
  writeConfig(writer, base.config);
  return { kind: "put", namespace, key: keys.base, value: writer.done() };
}

function readBase(reader: ByteReader): Base {
  const index = reader.count();
  const term = reader.count();
  const time = reader.float();
  const config: Config = readConfig(reader);
  return { index, term, time, config };
}

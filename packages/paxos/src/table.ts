/**
 * The table of a replica and the application of entries to it.
 *
 * An entry is applied as a whole or not at all: its writes go to an overlay first. `hash` chains all that
 * was applied: equal at equal indexes on all replicas (G4). What has changed since the table was last
 * written is `dirty`; it is written with the applied index in one batch, late, since the log has it all.
 */

import { mix } from "@kith/core";
import { ByteReader, ByteWriter, ensureOctets } from "./bytes.ts";
import { type Cells, deleteCell, noCells, setCell, visitKeys } from "./cells.ts";
import { type Config, isGroupName, readConfig, writeConfig } from "./config.ts";
import { ensure, paxosError } from "./errors.ts";
import type { Entry, Index } from "./entry.ts";
import type { Machine, TableReader, TableWriter } from "./machine.ts";
import type { Cell } from "./peer-message.ts";

/** The table of a replica. Plain data. */
export interface Table {
  readonly cells: Cells;
  applied: Index;
  hash: number;
  version: number;
  time: number;
  /** The groups that commands of this one have made, with those who were members then. */
  readonly children: Map<string, Config>;
  /** The numbers of the rows of keys that are too long for the key of a row. */
  readonly long: Map<string, number>;
  lastLong: number;
  /** What has changed since it was written; null for what is gone. */
  readonly dirty: Map<string, Uint8Array | null>;
  /** What of that was not there when it was written: where it goes before the next time, nobody needs to hear of it. */
  readonly fresh: Set<string>;
  readonly newChildren: string[];
}

/** A group that a command makes. */
export interface Spawned {
  readonly gid: string;
  readonly cells: ReadonlyMap<string, Uint8Array>;
}

/** What applying an entry has done. */
export interface Change {
  /** What the machine has answered; null where the entry was no command. */
  readonly result: Uint8Array | null;
  /** What it has written; null for what is gone. */
  readonly written: ReadonlyMap<string, Uint8Array | null>;
  readonly spawned: readonly Spawned[];
}

// How the key of a row begins says what it is: what the table says of itself, a cell, a cell with a long key, a child.
const metaKey = "\u0000";
const userPrefix = "\u0001";
const longPrefix = "\u0002";
const childPrefix = "\u0003";

/** So long may a key be that stands as the key of a row. */
const rowKeyMax = 1000;
/** What a storage takes as one value, less what stands around it. */
const cellBytesMax = 16 * 1024 * 1024 - 128 * 1024;
const keyLengthMax = 64 * 1024;
const nothing: Change = { result: null, written: new Map(), spawned: [] };

/** A table to which nothing was applied. */
export function emptyTable(version: number): Table {
  return {
    cells: noCells(),
    applied: 0,
    hash: 1,
    version,
    time: 0,
    children: new Map(),
    long: new Map(),
    lastLong: 0,
    dirty: new Map(),
    fresh: new Set(),
    newChildren: [],
  };
}

/** The table with which a group begins that an entry of another one makes: the same at all members. */
export function spawnedTable(parent: Table, { gid, cells }: Spawned): Table {
  const table = emptyTable(parent.version);
  for (const [key, value] of cells) {
    setCell(table.cells, key, value);
    table.dirty.set(key, value);
  }
  table.applied = 1;
  table.hash = foldText(parent.hash, gid);
  table.time = parent.time;
  return table;
}

/** A table out of the rows of a storage or a snapshot. @throws KithError `KITH_PAXOS_CORRUPT` */
export function tableOf(rows: Iterable<Cell>, version: number): Table {
  const table = emptyTable(version);
  for (const [key, value] of rows) {
    const rest = key.slice(1);
    if (key.startsWith(userPrefix)) {
      setCell(table.cells, rest, value);
      continue;
    }
    const reader = new ByteReader(value);
    if (key.startsWith(longPrefix)) {
      const name = reader.octets();
      setCell(table.cells, name, reader.bytes());
      table.long.set(name, Number(rest));
      table.lastLong = Math.max(table.lastLong, Number(rest));
    } else if (key.startsWith(childPrefix)) table.children.set(rest, readConfig(reader));
    else {
      table.applied = reader.count();
      table.hash = reader.count();
      table.version = reader.count();
      table.time = reader.float();
    }
  }
  return table;
}

/** What has to be written so that a storage has the table as it is; the table counts as written then. */
export function takeDirty(table: Table): [string, Uint8Array | null][] {
  const rows: [string, Uint8Array | null][] = [];
  for (const [key, value] of table.dirty)
    if (key.length <= rowKeyMax) rows.push([userPrefix + key, value]);
    else pushLong(rows, table, key, value);
  for (const gid of table.newChildren.splice(0)) {
    const writer = new ByteWriter();
    const config = table.children.get(gid);
    if (config !== undefined) writeConfig(writer, config);
    rows.push([childPrefix + gid, writer.done()]);
  }
  const { applied, hash, version, time } = table;
  const meta = new ByteWriter().count(applied).count(hash).count(version).float(time).done();
  rows.push([metaKey, meta]);
  table.dirty.clear();
  table.fresh.clear();
  return rows;
}

/** The row of a long key has a number for its key: which, does not matter, and may differ between replicas. */
function pushLong(
  rows: [string, Uint8Array | null][],
  table: Table,
  key: string,
  value: Uint8Array | null,
): void {
  const number = table.long.get(key) ?? ++table.lastLong;
  if (value === null) table.long.delete(key);
  else table.long.set(key, number);
  const row = value === null ? null : new ByteWriter().octets(key).bytes(value).done();
  rows.push([longPrefix + number, row]);
}

/**
 * Applies an entry.
 *
 * @param twice applies it to a shadow too, and compares (D1)
 * @throws what the machine throws; KithError `KITH_PAXOS_INVARIANT`. Nothing of the entry is applied then
 */
export function applyEntry(table: Table, machine: Machine, entry: Entry, twice: boolean): Change {
  const { index } = entry;
  ensure(index === table.applied + 1, "G3", () => `${index} is applied after ${table.applied}`);
  const time = Math.max(table.time, entry.time);
  const { version } = table;
  ensureVersion(machine, version);
  let change = nothing;
  let hash = mix(table.hash, entry.term);
  if (entry.kind === "command") {
    const { data: command } = entry;
    const apply = (overlay: Overlay): { result: Uint8Array; hash: number } => {
      const spawn = (gid: string, cells: ReadonlyMap<string, Uint8Array>): void =>
        overlay.spawn({ gid, cells });
      const result = machine.apply({ command, table: overlay, index, time, version, spawn });
      return { result, hash: foldBytes(overlay.digest(hash), result) };
    };
    const overlay = new Overlay(table);
    const applied = apply(overlay);
    if (twice) {
      const again = apply(new Overlay(table));
      ensure(
        again.hash === applied.hash,
        "D1",
        () => `entry ${index} was applied twice with two results`,
      );
    }
    ({ hash } = applied);
    overlay.merge();
    const { written, spawned } = overlay;
    change = { result: applied.result, written, spawned };
  } else if (entry.kind === "upgrade") {
    const { version: wanted } = entry;
    ensureVersion(machine, wanted);
    table.version = Math.max(version, wanted);
  }
  table.hash = hash;
  table.applied = index;
  table.time = time;
  return change;
}

/** Asks the machine a query. @throws what the machine throws; KithError where it lacks the group's version */
export function queryTable(table: Table, machine: Machine, query: Uint8Array): Uint8Array {
  const { version, time, cells, applied: index } = table;
  ensureVersion(machine, version);
  const reader: TableReader = {
    get: (key) => cells.values.get(key),
    keys: (from = "", to, limit = Infinity) => {
      const found: string[] = [];
      visitKeys(cells, from, to, (key) => found.length < limit && found.push(key) > 0);
      return found;
    },
  };
  return machine.query({ query, table: reader, index, time, version });
}

/** Folds rows into a digest, in their order: what a snapshot is checked by. */
export function foldCells(digest: number, cells: readonly Cell[]): number {
  for (const [key, value] of cells) digest = foldBytes(foldText(digest, key), value);
  return digest;
}

function ensureVersion({ versions }: Machine, version: number): void {
  if (!versions.includes(version))
    throw paxosError(
      "KITH_PAXOS_VERSION",
      `The group applies by version ${version} of its machine, and this code has ${versions.join(", ")}.`,
    );
}

/** Asserts that a storage takes it: found out when the table is written, it would be too late, as the command is done by then. */
function ensureFits(key: string, value: Uint8Array): void {
  ensureOctets(key);
  if (key.length <= keyLengthMax && value.length <= cellBytesMax) return;
  throw paxosError(
    "KITH_PAXOS_ARGUMENT",
    `A key of ${key.length} bytes with a value of ${value.length} bytes does not fit into a table.`,
  );
}

/** Writes that are not part of the table yet. */
class Overlay implements TableWriter {
  readonly written = new Map<string, Uint8Array | null>();
  readonly spawned: Spawned[] = [];
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  get(key: string): Uint8Array | undefined {
    const written = this.written.get(key);
    if (written === null) return undefined;
    return written ?? this.#table.cells.values.get(key);
  }

  keys(from = "", to?: string, limit = Infinity): string[] {
    const { cells } = this.#table;
    const added: string[] = [];
    for (const [key, value] of this.written)
      if (value !== null && key >= from && (to === undefined || key < to) && !cells.values.has(key))
        added.push(key);
    added.sort(compare);
    const found: string[] = [];
    let next = 0;
    const addUpTo = (end: string | undefined): void => {
      for (; next < added.length && found.length < limit; next++) {
        const key = added[next] ?? "";
        if (end !== undefined && key > end) return;
        found.push(key);
      }
    };
    visitKeys(cells, from, to, (key) => {
      addUpTo(key);
      if (found.length < limit && this.written.get(key) !== null) found.push(key);
      return found.length < limit;
    });
    addUpTo(undefined);
    return found;
  }

  put(key: string, value: Uint8Array): void {
    ensureFits(key, value);
    this.written.set(key, value);
  }

  delete(key: string): void {
    ensureOctets(key);
    this.written.set(key, null);
  }

  spawn(what: Spawned): void {
    if (!isGroupName(what.gid))
      throw paxosError("KITH_PAXOS_ARGUMENT", `A group cannot have the id ${what.gid}.`);
    const isNew = !this.#table.children.has(what.gid);
    ensure(
      isNew && !this.spawned.some(({ gid }) => gid === what.gid),
      "G8",
      () => `a second group ${what.gid} was to be made`,
    );
    for (const [key, value] of what.cells) ensureFits(key, value);
    this.spawned.push(what);
  }

  digest(hash: number): number {
    for (const [key, value] of this.written) {
      hash = foldText(hash, key);
      hash = value === null ? mix(hash, 1) : foldBytes(hash, value);
    }
    for (const { gid, cells } of this.spawned) {
      hash = foldText(hash, gid);
      for (const [key, value] of cells) hash = foldBytes(foldText(hash, key), value);
    }
    return hash;
  }

  merge(): void {
    const { cells, dirty, fresh } = this.#table;
    for (const [key, value] of this.written) {
      if (value === null) {
        deleteCell(cells, key);
        if (fresh.delete(key)) dirty.delete(key);
        else dirty.set(key, null);
      } else {
        if (setCell(cells, key, value) && !dirty.has(key)) fresh.add(key);
        dirty.set(key, value);
      }
    }
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function foldText(hash: number, text: string): number {
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash, text.length);
}

function foldBytes(hash: number, bytes: Uint8Array): number {
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return mix(hash, bytes.length);
}

/**
 * The table of a replica and the application of entries to it.
 *
 * An entry is applied as a whole or not at all: its writes go to an overlay first. `hash` chains all that
 * was applied: equal at equal indexes on all replicas (G4). What has changed since the table was last
 * written is `dirty`; it is written with the applied index in one batch, late, since the log has it all.
 */

import { mix } from "@kith/core";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { ensure, paxosError } from "./errors.ts";
import type { Entry, Index } from "./entry.ts";
import type { Machine, TableReader, TableWriter } from "./machine.ts";
import type { Cell } from "./peer-message.ts";

/** The table of a replica. Plain data. */
export interface Table {
  readonly cells: Map<string, Uint8Array>;
  applied: Index;
  hash: number;
  version: number;
  time: number;
  /** What has changed since it was written; null for what is gone. */
  readonly dirty: Map<string, Uint8Array | null>;
}

/** Where the table says of itself how far it is; user's keys begin with another character. */
const metaKey = "\u0000";
const userPrefix = "\u0001";

/** A table to which nothing was applied. */
export function emptyTable(version: number): Table {
  return { cells: new Map(), applied: 0, hash: 1, version, time: 0, dirty: new Map() };
}

/** A table out of the rows of a storage or a snapshot. @throws KithError `KITH_PAXOS_CORRUPT` */
export function tableOf(rows: Iterable<Cell>, version: number): Table {
  const table = emptyTable(version);
  for (const [key, value] of rows) {
    if (key !== metaKey) {
      table.cells.set(key.slice(userPrefix.length), value);
      continue;
    }
    const reader = new ByteReader(value);
    table.applied = reader.count();
    table.hash = reader.count();
    table.version = reader.count();
    table.time = reader.float();
  }
  return table;
}

/** What has to be written so that a storage has the table as it is; the table counts as written then. */
export function takeDirty(table: Table): [string, Uint8Array | null][] {
  const rows: [string, Uint8Array | null][] = [...table.dirty].map(([key, value]) => [
    userPrefix + key,
    value,
  ]);
  const { applied, hash, version, time } = table;
  const meta = new ByteWriter().count(applied).count(hash).count(version).float(time).done();
  rows.push([metaKey, meta]);
  table.dirty.clear();
  return rows;
}

/**
 * Applies an entry.
 *
 * @param twice applies it to a shadow too, and compares (D1)
 * @returns the result of a command, else null
 * @throws what the machine throws; KithError `KITH_PAXOS_INVARIANT`. Nothing of the entry is applied then
 */
export function applyEntry(
  table: Table,
  machine: Machine,
  entry: Entry,
  twice: boolean,
): Uint8Array | null {
  const { index } = entry;
  ensure(index === table.applied + 1, "G3", () => `${index} is applied after ${table.applied}`);
  const time = Math.max(table.time, entry.time);
  const { version } = table;
  ensureVersion(machine, version);
  let result: Uint8Array | null = null;
  let hash = mix(table.hash, entry.term);
  if (entry.kind === "command") {
    const overlay = new Overlay(table);
    const { data: command } = entry;
    result = machine.apply({ command, table: overlay, index, time, version });
    hash = foldBytes(overlay.digest(hash), result);
    if (twice) {
      const shadow = new Overlay(table);
      const again = machine.apply({ command, table: shadow, index, time, version });
      const other = foldBytes(shadow.digest(mix(table.hash, entry.term)), again);
      ensure(other === hash, "D1", () => `entry ${index} was applied twice with two results`);
    }
    overlay.merge();
  } else if (entry.kind === "upgrade") {
    const { version: wanted } = entry;
    ensureVersion(machine, wanted);
    table.version = Math.max(version, wanted);
  }
  table.hash = hash;
  table.applied = index;
  table.time = time;
  return result;
}

/** Asks the machine a query. @throws what the machine throws; KithError where it lacks the group's version */
export function queryTable(table: Table, machine: Machine, query: Uint8Array): Uint8Array {
  const { version, time, cells } = table;
  ensureVersion(machine, version);
  const reader: TableReader = {
    get: (key) => cells.get(key),
    keys: (from, to, limit) => inRange([...cells.keys()], from, to, limit),
  };
  return machine.query({ query, table: reader, time, version });
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

/** Writes that are not part of the table yet. */
class Overlay implements TableWriter {
  readonly #table: Table;
  readonly #written = new Map<string, Uint8Array | null>();

  constructor(table: Table) {
    this.#table = table;
  }

  get(key: string): Uint8Array | undefined {
    const written = this.#written.get(key);
    if (written === null) return undefined;
    return written ?? this.#table.cells.get(key);
  }

  keys(from?: string, to?: string, limit?: number): string[] {
    const keys = [...this.#table.cells.keys()].filter((key) => this.#written.get(key) !== null);
    for (const [key, value] of this.#written)
      if (value !== null && !this.#table.cells.has(key)) keys.push(key);
    return inRange(keys, from, to, limit);
  }

  put(key: string, value: Uint8Array): void {
    this.#written.set(key, value);
  }

  delete(key: string): void {
    this.#written.set(key, null);
  }

  digest(hash: number): number {
    for (const [key, value] of this.#written) {
      hash = foldText(hash, key);
      hash = value === null ? mix(hash, 1) : foldBytes(hash, value);
    }
    return hash;
  }

  merge(): void {
    const { cells, dirty } = this.#table;
    for (const [key, value] of this.#written) {
      // What the machine keeps of its own array must not change the table.
      const own = value === null ? null : new Uint8Array(value);
      if (own === null) cells.delete(key);
      else cells.set(key, own);
      dirty.set(key, own);
    }
  }
}

function inRange(keys: string[], from = "", to?: string, limit = Infinity): string[] {
  const found = keys.filter((key) => key >= from && (to === undefined || key < to)).sort(compare);
  return found.length > limit ? found.slice(0, limit) : found;
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

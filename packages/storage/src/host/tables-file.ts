/**
 * The tables on disk: an lmdb environment of one tree, in which rows of keys and of logs stand under
 * identities, and a row for each namespace says which of them are its own.
 *
 * lmdb is used as it was made, without `overlappingSync`: a transaction is on the disk when its promise
 * resolves (`strace` shows it), and whatever a power cut leaves is the state of one of the last two. Rows carry
 * a checksum, as lmdb has none. Reading is synchronous, from a memory map.
 */

import { type Database, open, type RootDatabase } from "lmdb";
import * as fs from "node:fs";
import { crc32 } from "node:zlib";
import { limits } from "../checks.ts";
import { storageError } from "../errors.ts";
import type { Entry, KeyRange } from "../operation.ts";
import type { Files } from "./files.ts";
import { readSafe, writeSafe } from "./journal-format.ts";
import type { Meta, Rows } from "./reading.ts";

/** A read transaction of lmdb. */
export type Reader = ReturnType<Database["useReadTransaction"]>;

/** A row that is written, or removed where it has no value. */
export interface Row {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

/** From a key on, up to another one that is not included. */
interface Span {
  readonly start: Buffer;
  readonly end: Buffer;
}

/** How many keys are looked at at a time. */
const stride = 256;

const keyRow = 0x6b;
const logRow = 0x6c;
const metaRow = 0x6d;
const systemRow = 0x73;

/** What lmdb writes at the head of its files. */
const magic = Buffer.from([0xde, 0xc0, 0xef, 0xbe]);

/** More than two pages have where the host's are the largest. */
const headBytes = 256 * 1024;

/** What lmdb calls an invalid or damaged file. */
const damage: ReadonlySet<unknown> = new Set([-30793, -30794, -30796, -30797]);

/** Whether an error of lmdb says that its file is damaged. */
export function isDamage(error: unknown): boolean {
  return error instanceof Error && damage.has(Reflect.get(error, "code"));
}

/**
 * Whether a file is one of lmdb's and has its first two pages: lmdb itself crashes on what has not. How
 * long the rest should be cannot be told from them: pages that a transaction took and gave back may never
 * have been written, so an intact file can end before the page that lmdb calls its last.
 */
function isTables(head: Buffer, size: number): boolean {
  const at = head.indexOf(magic);
  if (at < 0 || at > 64 || at + 136 > head.length) return false;
  return size >= 2 * head.readUInt32LE(at + 24);
}

/** The tables of a directory. */
export class TablesFile {
  /** The namespaces, as of the last checkpoint. */
  readonly metas = new Map<string, Meta>();
  readonly #db: RootDatabase<Buffer, Buffer>;

  /** Opens the file at this path, and makes it where it is missing. Throws `KITH_STORAGE_CORRUPT`, or as lmdb does. */
  constructor(files: Files, path: string) {
    const size = fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (size > 0 && !isTables(files.head(path, headBytes), size)) {
      throw storageError("KITH_STORAGE_CORRUPT", `${path} is damaged, or no file of lmdb.`);
    }
    this.#db = open<Buffer, Buffer>({
      path,
      noSubdir: true,
      encoding: "binary",
      keyEncoding: "binary",
      overlappingSync: false,
      eventTurnBatching: false,
      cache: false,
    });
  }

  /** Reads which namespaces there are: not before the directory is locked, or another user may change it. */
  load(): void {
    for (const { key, value } of this.#db.getRange({
      start: Buffer.of(metaRow),
      end: Buffer.of(metaRow + 1),
    })) {
      const meta = decodeMeta(key, value);
      this.metas.set(meta.name, meta);
    }
  }

  // --- reading ---------------------------------------------------------------------------------

  /** The rows as they are now, or as they were for a reader. */
  rows(reader?: Reader): Rows {
    const options = reader === undefined ? {} : { transaction: reader };
    return {
      value: (keys, key) => verified(keyOf(keys, key), this.#db.get(keyOf(keys, key), options)),
      record: (log, index) => {
        const key = recordKey(log, index);
        return verified(key, this.#db.get(key, options));
      },
      entries: (keys, range, reverse) => this.#entries(keys, range, reverse, options),
    };
  }

  /** Keeps what there is now, until `done` of it is called. */
  reader(): Reader {
    return this.#db.useReadTransaction();
  }

  /** A value of the system. */
  system(name: string): Buffer | undefined {
    return this.#db.get(systemKey(name));
  }

  /** The keys of rows of a range of keys. */
  keyRows(keys: number, range: KeyRange): Iterable<Buffer> {
    return this.#keys(span(keyRow, keys, range.from, range.to));
  }

  /** The keys of rows of a log outside of its bounds. */
  *strayRecords(log: number, first: number, last: number): Generator<Buffer, void, void> {
    const at = (index: number): Uint8Array => recordKey(log, index).subarray(5);
    yield* this.#keys(span(logRow, log, undefined, at(first)));
    yield* this.#keys(span(logRow, log, at(last + 1), undefined));
  }

  /** The keys of all rows of an identity. */
  *allRows(id: number): Generator<Buffer, void, void> {
    yield* this.#keys(span(keyRow, id, undefined, undefined));
    yield* this.#keys(span(logRow, id, undefined, undefined));
  }

  /** All identities that have rows. */
  identities(): Set<number> {
    const ids = new Set<number>();
    for (const kind of [keyRow, logRow]) {
      let id = 0;
      for (;;) {
        const start = prefix(kind, id + 1);
        const [found] = this.#db.getKeys({ start, end: Buffer.of(kind + 1), limit: 1 });
        if (found === undefined) break;
        id = found.readUInt32BE(1);
        ids.add(id);
      }
    }
    return ids;
  }

  // --- writing ---------------------------------------------------------------------------------

  /** Writes rows in one transaction, off this thread. @returns when they are on the disk */
  async write(rows: Iterable<Row>): Promise<void> {
    let before: Promise<boolean> | null = null;
    try {
      await this.#db.batch(() => {
        for (const row of rows) {
          const promise = this.#put(row);
          // It is that of the whole transaction, nearly always; its failure comes below as well.
          if (promise !== before) promise.catch(() => {});
          before = promise;
        }
      });
    } catch (error) {
      throw await causeOf(error);
    }
    this.#db.resetReadTxn();
  }

  /** Writes rows in one transaction, here and now; they are on the disk then. */
  writeNow(rows: Iterable<Row>): void {
    this.#db.transactionSync(() => {
      for (const row of rows) void this.#put(row);
    });
  }

  /** Runs a check and what follows of it while no other process can write. */
  exclusively<T>(action: () => T): T {
    return this.#db.transactionSync(action);
  }

  /** Closes the file when all that was begun has ended. */
  async close(): Promise<void> {
    await this.#db.close();
  }

  #put({ key, value }: Row): Promise<boolean> {
    return value === null ? this.#db.remove(key) : this.#db.put(key, value);
  }

  /** Keys, some at a time, so that no cursor stays open while rows are written. */
  *#keys({ start, end }: Span): Generator<Buffer, void, void> {
    let from: Span & { readonly exclusiveStart?: boolean } = { start, end };
    for (;;) {
      const some = [...this.#db.getKeys({ ...from, limit: stride })];
      yield* some;
      const last = some.at(-1);
      if (last === undefined || some.length < stride) return;
      from = { start: last, end, exclusiveStart: true };
    }
  }

  *#entries(
    keys: number,
    range: KeyRange,
    reverse: boolean,
    options: { readonly transaction?: Reader },
  ): Generator<Entry, void, void> {
    const { start, end } = span(keyRow, keys, range.from, range.to);
    const order = reverse
      ? { start: end, end: start, reverse, exclusiveStart: true, inclusiveEnd: true }
      : { start, end };
    for (const { key, value } of this.#db.getRange({ ...order, ...options })) {
      const found = verified(key, value);
      if (found !== undefined) yield { key: new Uint8Array(key.subarray(5)), value: found };
    }
  }
}

/** Why a transaction failed: lmdb hands it over in a promise of its own. */
async function causeOf(error: unknown): Promise<unknown> {
  const inner: unknown = error instanceof Error ? Reflect.get(error, "commitError") : undefined;
  try {
    await inner;
  } catch (cause) {
    return cause;
  }
  return error;
}

// --- rows ----------------------------------------------------------------------------------------

/** The row of a key; without a value, one that is removed. */
export function rowOfKey(keys: number, key: Uint8Array, value: Uint8Array | null): Row {
  const at = keyOf(keys, key);
  return { key: at, value: value === null ? null : sealed(at, value) };
}

/** The row of a record. */
export function rowOfRecord(log: number, index: number, record: Uint8Array): Row {
  const key = recordKey(log, index);
  return { key, value: sealed(key, record) };
}

/** The row of a namespace. */
export function rowOfMeta({ name, keys, log, first, last }: Meta): Row {
  const value = Buffer.alloc(24);
  value.writeUInt32BE(keys, 0);
  value.writeUInt32BE(log, 4);
  writeSafe(value, first, 8);
  writeSafe(value, last, 16);
  const key = metaKey(name);
  return { key, value: sealed(key, value) };
}

/** The row of a namespace that is removed. */
export function rowOfNoMeta(name: string): Row {
  return { key: metaKey(name), value: null };
}

/** The row of a value of the system. */
export function rowOfSystem(name: string, value: Buffer | null): Row {
  return { key: systemKey(name), value };
}

function decodeMeta(key: Buffer, row: Buffer): Meta {
  const bytes = Buffer.from(verified(key, row) ?? []);
  return {
    name: key.subarray(1).toString("utf16le"),
    keys: bytes.readUInt32BE(0),
    log: bytes.readUInt32BE(4),
    first: readSafe(bytes, 8),
    last: readSafe(bytes, 16),
  };
}

/** A value behind its checksum. */
function sealed(key: Buffer, value: Uint8Array): Buffer {
  const row = Buffer.allocUnsafe(4 + value.length);
  row.set(value, 4);
  row.writeUInt32BE(crc32(value, crc32(key)), 0);
  return row;
}

/** A copy of the value of a row. Throws where its checksum is wrong. */
function verified(key: Buffer, row: Buffer | undefined): Uint8Array | undefined {
  if (row === undefined) return undefined;
  const value = new Uint8Array(row.subarray(4));
  if (row.length >= 4 && row.readUInt32BE(0) === crc32(value, crc32(key))) return value;
  const what = `The checksum of a row of the tables is wrong (${key.toString("hex").slice(0, 64)}).`;
  throw storageError("KITH_STORAGE_CORRUPT", what);
}

function prefix(kind: number, id: number): Buffer {
  const bytes = Buffer.allocUnsafe(5);
  bytes[0] = kind;
  bytes.writeUInt32BE(id, 1);
  return bytes;
}

function keyOf(keys: number, key: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(5 + key.length);
  bytes[0] = keyRow;
  bytes.writeUInt32BE(keys, 1);
  bytes.set(key, 5);
  return bytes;
}

function recordKey(log: number, index: number): Buffer {
  const bytes = Buffer.allocUnsafe(13);
  bytes[0] = logRow;
  bytes.writeUInt32BE(log, 1);
  writeSafe(bytes, index, 5);
  return bytes;
}

function metaKey(name: string): Buffer {
  return Buffer.concat([Buffer.of(metaRow), Buffer.from(name, "utf16le")]);
}

function systemKey(name: string): Buffer {
  return Buffer.concat([Buffer.of(systemRow), Buffer.from(name, "latin1")]);
}

/** All bounds are sound: no key lies between a longer one and its first bytes, for none has as many. */
function span(
  kind: number,
  id: number,
  from: Uint8Array | undefined,
  to: Uint8Array | undefined,
): Span {
  const at = (key: Uint8Array): Buffer =>
    Buffer.concat([prefix(kind, id), key.subarray(0, limits.keyBytesMax + 1)]);
  return {
    start: from === undefined ? prefix(kind, id) : at(from),
    end: to === undefined ? prefix(kind, id + 1) : at(to),
  };
}

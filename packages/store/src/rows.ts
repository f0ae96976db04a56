/**
 * What a group's table holds, row by row. All state of the store is here, so that a snapshot has it all.
 *
 * | row               | what it says                                                                    |
 * | ----------------- | ------------------------------------------------------------------------------- |
 * | `m`               | the group: its range, epoch, counters of versions                               |
 * | `k` position      | a key's value, version, and when it expires                                     |
 * | `l` position      | who has the key locked: one transaction that writes it, or those that read it   |
 * | `t` transaction   | the registers that a transaction has here, and what it is about (one for each   |
 * |                   | transaction and key: first written wins, algorithms.md §6.4, Gray & Lamport)    |
 * | `s` client        | the client's session                                                            |
 * | `a` client number | the result of a client's command                                                |
 * | `e` time position | which keys expire, in the order of time                                         |
 */

import { ByteReader, ByteWriter } from "@kith/paxos";
import type { Octets, Position, Range } from "./position.ts";

/** A group of the store, as others are told of it. The higher epoch of two is the newer one. */
export interface Descriptor extends Range {
  readonly gid: string;
  readonly epoch: number;
}

/** A transaction: the client's id, and the number that the client gave it. */
export interface TxId {
  readonly client: Octets;
  readonly seq: number;
}

/** What a group says of itself. */
export interface MetaRow extends Descriptor {
  /** Whether positions are the keys themselves. */
  readonly ordered: boolean;
  /** The highest version that was given to a key. */
  readonly version: number;
  /** The highest version that a delete was given. */
  readonly deleteFloor: number;
  /** Where in the log a session last expired. */
  readonly lastExpiry: number;
  /** What this group has given away, newest last. */
  readonly halves: readonly Descriptor[];
}

/** The value of a key. */
export interface ValueRow {
  readonly version: number;
  /** In group time, milliseconds; 0 for never. */
  readonly expireAt: number;
  readonly value: Uint8Array;
}

/** Who has a key locked: one writer, or readers. Transactions by their names. */
export interface LockRow {
  readonly writer: TxName | null;
  readonly readers: readonly TxName[];
}

/** A transaction's id as a string: the end of its row's key. */
export type TxName = Octets;

/** A session. */
export interface SessionRow {
  /** Where it was opened: the name of the group, and the index of the entry. */
  readonly gid: string;
  readonly index: number;
  /** What has a lower number was not sent in this session. */
  readonly firstSeq: number;
  /** The client needs no result of a lower number. */
  readonly ackedBelow: number;
  /** In group time. */
  readonly lastSeen: number;
}

/** A register: what became of a transaction at a key. Prepared, aborted (both votes), committed, cancelled (both final). */
export type RegisterState = "P" | "A" | "C" | "X";

/** When a value expires: after so many milliseconds, never, or when the one before it would have. */
export type Expiry = number | "never" | "keep";

/** What a transaction does to a key. */
export type TxWrite =
  | { readonly kind: "put"; readonly value: Uint8Array; readonly expiry: Expiry }
  | { readonly kind: "delete" };

/** A key of a transaction that lies in this group. */
export interface RegisterRow {
  state: RegisterState;
  /** What it will do; only while it is prepared. */
  write: TxWrite | null;
}

/** A key that a transaction reads or writes, in whatever group. */
export interface Participant {
  readonly position: Position;
  readonly writes: boolean;
}

/** What a group knows of a transaction. */
export interface TxRow {
  /** Of the whole body: two copies of a transaction must be one. 0 where only its end was heard of. */
  bodyHash: number;
  /** Where its manager may be asked. */
  hint: string;
  /** When it came, in group time. */
  since: number;
  /** All keys of it, in all groups; empty where nobody said. */
  participants: readonly Participant[];
  readonly registers: Map<Position, RegisterRow>;
}

const clientOctets = 16;
const seqOctets = 7;

/** Where rows lie. */
export const rowKeys = {
  meta: "m",
  value: (position: Position): string => `k${position}`,
  lock: (position: Position): string => `l${position}`,
  tx: (name: TxName): string => `t${name}`,
  session: (client: Octets): string => `s${client}`,
  result: (client: Octets, seq: number): string => `a${client}${bigEndian(seq)}`,
  expiry: (at: number, position: Position): string => `e${bigEndian(at)}${position}`,
} as const;

/** The end of a range of all keys that begin with a letter. */
export function beyond(letter: string): string {
  return String.fromCharCode(letter.charCodeAt(0) + 1);
}

/** Whether this can be the id of a client: 16 bytes. */
export function isClient(client: Octets): boolean {
  return client.length === clientOctets;
}

/** A group, as others are told of it. */
export function descriptorOf({ gid, epoch, lo, hi }: Descriptor): Descriptor {
  return { gid, epoch, lo, hi };
}

/** What a group tells those who ask for a key that is not here. */
export function known(meta: MetaRow): readonly Descriptor[] {
  return [descriptorOf(meta), ...meta.halves];
}

/** The name of a transaction. */
export function nameOf({ client, seq }: TxId): TxName {
  return client + bigEndian(seq);
}

/** The transaction of a name. */
export function txOf(name: TxName): TxId {
  return { client: name.slice(0, clientOctets), seq: numberOf(name.slice(clientOctets)) };
}

/** When, and which key: out of the key of an expiry row. */
export function expiryOf(key: string): { readonly at: number; readonly position: Position } {
  return { at: numberOf(key.slice(1, 1 + seqOctets)), position: key.slice(1 + seqOctets) };
}

/** A number of at most 53 bits in seven bytes. */
function bigEndian(value: number): Octets {
  const high = Math.floor(value / 2 ** 32);
  const low = value >>> 0;
  return String.fromCharCode(
    (high >>> 16) & 255,
    (high >>> 8) & 255,
    high & 255,
    low >>> 24,
    (low >>> 16) & 255,
    (low >>> 8) & 255,
    low & 255,
  );
}

function numberOf(octets: Octets): number {
  let value = 0;
  for (let i = 0; i < octets.length; i++) value = value * 256 + octets.charCodeAt(i);
  return value;
}

// --- how rows are written --------------------------------------------------------------------------

/** Writes a descriptor. */
export function writeDescriptor(
  writer: ByteWriter,
  { gid, epoch, lo, hi }: Descriptor,
): ByteWriter {
  writer.text(gid).count(epoch).octets(lo);
  return hi === null ? writer.count(0) : writer.count(1).octets(hi);
}

/** Reads what `writeDescriptor` wrote. */
export function readDescriptor(reader: ByteReader): Descriptor {
  const gid = reader.text();
  const epoch = reader.count();
  const lo = reader.octets();
  return { gid, epoch, lo, hi: reader.count() === 0 ? null : reader.octets() };
}

/** Writes a list: how many, and each. */
export function writeList<T>(
  writer: ByteWriter,
  list: Iterable<T> & ({ readonly length: number } | { readonly size: number }),
  each: (one: T) => void,
): void {
  writer.count("length" in list ? list.length : list.size);
  for (const one of list) each(one);
}

/** Reads a list. */
export function readList<T>(reader: ByteReader, each: () => T): T[] {
  const list: T[] = [];
  for (let left = reader.count(); left > 0; left--) list.push(each());
  return list;
}

/**
 * The row of a group with what it says: it is looked at by every command and question, and never changed. It stands at the array itself; a
 * table by weak keys would cost more than reading the row again.
 */
type MetaBytes = Uint8Array & { meta?: MetaRow };

/** The row of a group. */
export const metaRow = {
  encode(meta: MetaRow): Uint8Array {
    const writer = writeDescriptor(new ByteWriter(), meta);
    writer
      .count(meta.ordered ? 1 : 0)
      .count(meta.version)
      .count(meta.deleteFloor);
    writer.count(meta.lastExpiry);
    writeList(writer, meta.halves, (half) => writeDescriptor(writer, half));
    const bytes: MetaBytes = writer.kept();
    bytes.meta = meta;
    return bytes;
  },
  decode(bytes: MetaBytes): MetaRow {
    if (bytes.meta !== undefined) return bytes.meta;
    const reader = new ByteReader(bytes);
    const descriptor = readDescriptor(reader);
    const ordered = reader.count() === 1;
    const version = reader.count();
    const deleteFloor = reader.count();
    const lastExpiry = reader.count();
    const halves = readList(reader, () => readDescriptor(reader));
    const meta = { ...descriptor, ordered, version, deleteFloor, lastExpiry, halves };
    bytes.meta = meta;
    return meta;
  },
} as const;

/** A row of a value that is read when somebody wants to know it: most commands look at the version alone. */
class ReadValue implements ValueRow {
  readonly version: number;
  readonly expireAt: number;
  readonly #reader: ByteReader;
  #value: Uint8Array | null = null;

  constructor(reader: ByteReader) {
    this.version = reader.count();
    this.expireAt = reader.count();
    this.#reader = reader;
  }

  get value(): Uint8Array {
    return (this.#value ??= this.#reader.view());
  }
}

/** The row of a value. */
export const valueRow = {
  encode: ({ version, expireAt, value }: ValueRow): Uint8Array =>
    new ByteWriter().count(version).count(expireAt).bytes(value).kept(),
  decode: (bytes: Uint8Array): ValueRow => new ReadValue(new ByteReader(bytes)),
} as const;

/** The row of a lock. */
export const lockRow = {
  encode({ writer: holder, readers }: LockRow): Uint8Array {
    const writer = new ByteWriter().octets(holder ?? "");
    writeList(writer, readers, (name) => writer.octets(name));
    return writer.done();
  },
  decode(bytes: Uint8Array): LockRow {
    const reader = new ByteReader(bytes);
    const writer = reader.octets();
    const readers = readList(reader, () => reader.octets());
    return { writer: writer === "" ? null : writer, readers };
  },
} as const;

/** The row of a session. */
export const sessionRow = {
  encode: ({ gid, index, firstSeq, ackedBelow, lastSeen }: SessionRow): Uint8Array =>
    new ByteWriter()
      .text(gid)
      .count(index)
      .count(firstSeq)
      .count(ackedBelow)
      .float(lastSeen)
      .kept(),
  decode(bytes: Uint8Array): SessionRow {
    const reader = new ByteReader(bytes);
    return {
      gid: reader.text(),
      index: reader.count(),
      firstSeq: reader.count(),
      ackedBelow: reader.count(),
      lastSeen: reader.float(),
    };
  },
} as const;

const states: readonly RegisterState[] = ["P", "A", "C", "X"];

/** Writes the state of a register. */
export function writeState(writer: ByteWriter, state: RegisterState): void {
  writer.count(states.indexOf(state));
}

/** Reads the state of a register. */
export function readState(reader: ByteReader): RegisterState {
  return states[reader.count()] ?? "X";
}

/** Writes when something expires. */
export function writeExpiry(writer: ByteWriter, expiry: Expiry): void {
  if (expiry === "never") writer.count(0);
  else if (expiry === "keep") writer.count(1);
  else writer.count(2).count(expiry);
}

/** Reads when something expires. */
export function readExpiry(reader: ByteReader): Expiry {
  const kind = reader.count();
  return kind === 0 ? "never" : kind === 1 ? "keep" : reader.count();
}

/** Writes what a transaction does to a key, or that it does nothing. */
export function writeTxWrite(writer: ByteWriter, write: TxWrite | null): void {
  if (write === null) writer.count(0);
  else if (write.kind === "delete") writer.count(1);
  else writeExpiry(writer.count(2).bytes(write.value), write.expiry);
}

/** Reads what `writeTxWrite` wrote. */
export function readTxWrite(reader: ByteReader): TxWrite | null {
  const kind = reader.count();
  if (kind === 0) return null;
  if (kind === 1) return { kind: "delete" };
  return { kind: "put", value: reader.view(), expiry: readExpiry(reader) };
}

/** Writes the keys of a transaction. */
export function writeParticipants(writer: ByteWriter, participants: readonly Participant[]): void {
  writeList(writer, participants, ({ position, writes }) =>
    writer.octets(position).count(writes ? 1 : 0),
  );
}

/** Reads what `writeParticipants` wrote. */
export function readParticipants(reader: ByteReader): Participant[] {
  return readList(reader, () => ({ position: reader.octets(), writes: reader.count() === 1 }));
}

/** The row of a transaction. */
export const txRow = {
  encode({ bodyHash, hint, since, participants, registers }: TxRow): Uint8Array {
    const writer = new ByteWriter().count(bodyHash).text(hint).float(since);
    writeParticipants(writer, participants);
    writeList(writer, registers, ([position, { state, write }]) => {
      writeState(writer.octets(position), state);
      writeTxWrite(writer, write);
    });
    return writer.done();
  },
  decode(bytes: Uint8Array): TxRow {
    const reader = new ByteReader(bytes);
    const bodyHash = reader.count();
    const hint = reader.text();
    const since = reader.float();
    const participants = readParticipants(reader);
    const registers = new Map(
      readList(reader, (): [Position, RegisterRow] => [
        reader.octets(),
        { state: readState(reader), write: readTxWrite(reader) },
      ]),
    );
    return { bodyHash, hint, since, participants, registers };
  },
} as const;

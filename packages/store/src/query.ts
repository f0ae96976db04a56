/** What can be asked of a group without an entry in its log, and the form of questions and answers. */

import { ByteReader, ByteWriter } from "@kith/paxos";
import { storeError } from "./errors.ts";
import type { Octets, Position } from "./position.ts";
import {
  type Descriptor,
  type Participant,
  readDescriptor,
  readList,
  readParticipants,
  readState,
  type TxId,
  type TxName,
  writeDescriptor,
  writeList,
  writeParticipants,
  writeState,
} from "./rows.ts";
import type { Vote } from "./result.ts";

/** A question. Times are the group's. */
export type Query =
  /** Where this is, and up to where it is applied: what a session is opened with. */
  | { readonly kind: "hello" }
  /** What is at keys; only the versions where that is enough. */
  | {
      readonly kind: "read";
      readonly keys: readonly Position[];
      readonly values: boolean;
      /** For a transaction that commits with it: whether it waits where others do, or makes them wait (`line.ts`). */
      readonly turn?: ReadTurn | null;
    }
  /** What lies between two positions, at most `limit` keys. */
  | {
      readonly kind: "scan";
      readonly from: Position;
      readonly to: Position | null;
      readonly limit: number;
      readonly values: boolean;
    }
  /**
   * Lets a transaction into the line at keys (`line.ts`), and says whether it comes in vain; without a name only that, and without
   * keys it leaves the line.
   */
  | {
      readonly kind: "enter";
      readonly name: TxName;
      readonly keys: readonly Wanted[];
    }
  /** What became of a transaction at its keys. */
  | {
      readonly kind: "registers";
      readonly tx: TxId;
      /** Those that have to lie here for the answer to say anything; none where whatever is here is enough. */
      readonly keys: readonly Position[];
    }
  /** Transactions that are prepared, and came before a time. */
  | { readonly kind: "in-doubt"; readonly before: number; readonly limit: number }
  /** Keys that expire up to a time. */
  | { readonly kind: "due"; readonly at: number; readonly limit: number }
  /** Sessions last seen before a time, with the transactions that they have here. */
  | { readonly kind: "idle"; readonly before: number; readonly limit: number };

/** A key that a transaction is about to lock. */
export interface Wanted {
  readonly position: Position;
  /** The version that it has read; null where it has not read the key. */
  readonly expected: number | null;
}

/** A key's state for a reader. */
export interface Reading {
  readonly position: Position;
  /** The transaction that is prepared to write it: what will be here is not known yet. */
  readonly lockedBy: TxName | null;
  /** Of an absent key the highest version that any delete was given: it changes with each (the ABA case). */
  readonly version: number;
  /** How long it has still to live, in whole milliseconds of the group's time; 0 for ever. */
  readonly expiresIn: number;
  /** Null where the key is absent, and where only versions were asked for. */
  readonly value: Uint8Array | null;
  readonly present: boolean;
}

/** A transaction, as far as a group knows it. */
export interface KnownTx {
  readonly name: TxName;
  readonly hint: string;
  readonly since: number;
  readonly participants: readonly Participant[];
  readonly states: readonly Vote[];
}

/** A session of which nothing was heard for a while. */
export interface IdleSession {
  readonly client: Octets;
  readonly transactions: readonly KnownTx[];
}

/** An answer. */
export type Answer =
  | { readonly kind: "none" }
  | { readonly kind: "wrong-range"; readonly descriptors: readonly Descriptor[] }
  | {
      readonly kind: "here";
      readonly descriptor: Descriptor;
      /** The same, and what it has given away. */
      readonly descriptors: readonly Descriptor[];
      readonly ordered: boolean;
      /** The highest version that was given to a key. */
      readonly version: number;
      readonly time: number;
      readonly index: number;
    }
  | { readonly kind: "readings"; readonly readings: readonly Reading[] }
  /** The transaction may come; null, or one that is prepared at one of the keys. */
  | { readonly kind: "entered"; readonly lockedBy: TxName | null }
  /** It comes in vain: a version that it has read is past, and versions do not come back. */
  | { readonly kind: "outdated"; readonly position: Position }
  /** The values of so many keys are too much for one answer. */
  | { readonly kind: "too-large" }
  | {
      readonly kind: "scanned";
      readonly readings: readonly Reading[];
      /** Where to go on; null at the end of what was asked for, as far as it lies here. */
      readonly next: Position | null;
      readonly deleteFloor: number;
    }
  | { readonly kind: "transactions"; readonly transactions: readonly KnownTx[] }
  | { readonly kind: "keys"; readonly keys: readonly Position[] }
  | { readonly kind: "sessions"; readonly sessions: readonly IdleSession[] };

/** What a read is to the line at its keys. */
export type ReadTurn = "joins" | "begins";

const turns: readonly (ReadTurn | null)[] = [null, "joins", "begins"];

/** What a question is to the line at its keys; null where it is none that reads for a transaction. Looks at two bytes. */
export function turnOf(query: Uint8Array): ReadTurn | null {
  if (query[0] !== queryKinds.indexOf("read")) return null;
  return turns[(query.at(-1) ?? 0) >>> 1] ?? null;
}

/** Whether a question reads keys. Looks at one byte. */
export function isReading(query: Uint8Array): boolean {
  return query[0] === queryKinds.indexOf("read");
}

/** Whether a question is that of a transaction that wants to enter a line. Looks at one byte. */
export function isEntering(query: Uint8Array): boolean {
  return query[0] === queryKinds.indexOf("enter");
}

const queryKinds = [
  "hello",
  "read",
  "scan",
  "registers",
  "in-doubt",
  "due",
  "idle",
  "enter",
] as const;

/** A question as bytes. */
export function encodeQuery(query: Query): Uint8Array {
  const writer = new ByteWriter().count(queryKinds.indexOf(query.kind));
  switch (query.kind) {
    case "hello":
      break;
    case "read":
      writeList(writer, query.keys, (key) => writer.octets(key));
      writer.count((query.values ? 1 : 0) + 2 * turns.indexOf(query.turn ?? null));
      break;
    case "scan":
      writer.octets(query.from);
      writeMaybe(writer, query.to);
      writer.count(query.limit).count(query.values ? 1 : 0);
      break;
    case "enter":
      writer.octets(query.name);
      writeList(writer, query.keys, ({ position, expected }) =>
        writer.octets(position).count(expected === null ? 0 : expected + 1),
      );
      break;
    case "registers":
      writer.octets(query.tx.client).count(query.tx.seq);
      writeList(writer, query.keys, (key) => writer.octets(key));
      break;
    case "in-doubt":
    case "idle":
      writer.float(query.before).count(query.limit);
      break;
    case "due":
      writer.float(query.at).count(query.limit);
      break;
  }
  return writer.done();
}

/** Reads what `encodeQuery` wrote. @throws KithError `KITH_STORE_CORRUPT` */
export function decodeQuery(bytes: Uint8Array): Query {
  const reader = new ByteReader(bytes);
  const kind = queryKinds[reader.count()];
  if (kind === undefined) throw storeError("KITH_STORE_CORRUPT", "A question is of no known kind.");
  switch (kind) {
    case "hello":
      return { kind };
    case "read": {
      const keys = readList(reader, () => reader.octets());
      const how = reader.count();
      return { kind, keys, values: how % 2 === 1, turn: turns[how >>> 1] ?? null };
    }
    case "scan":
      return {
        kind,
        from: reader.octets(),
        to: readMaybe(reader),
        limit: reader.count(),
        values: reader.count() === 1,
      };
    case "enter":
      return {
        kind,
        name: reader.octets(),
        keys: readList(reader, () => {
          const position = reader.octets();
          const expected = reader.count();
          return { position, expected: expected === 0 ? null : expected - 1 };
        }),
      };
    case "registers":
      return {
        kind,
        tx: { client: reader.octets(), seq: reader.count() },
        keys: readList(reader, () => reader.octets()),
      };
    case "in-doubt":
    case "idle":
      return { kind, before: reader.float(), limit: reader.count() };
    case "due":
      return { kind, at: reader.float(), limit: reader.count() };
  }
}

const answerKinds = [
  "none",
  "wrong-range",
  "here",
  "readings",
  "scanned",
  "transactions",
  "keys",
  "sessions",
  "too-large",
  "entered",
  "outdated",
] as const satisfies readonly Answer["kind"][];

/** An answer as bytes. */
export function encodeAnswer(answer: Answer): Uint8Array {
  const writer = new ByteWriter().count(answerKinds.indexOf(answer.kind));
  switch (answer.kind) {
    case "none":
    case "too-large":
      break;
    case "entered":
      writer.octets(answer.lockedBy ?? "");
      break;
    case "outdated":
      writer.octets(answer.position);
      break;
    case "wrong-range":
      writeList(writer, answer.descriptors, (one) => writeDescriptor(writer, one));
      break;
    case "here":
      writeDescriptor(writer, answer.descriptor);
      writeList(writer, answer.descriptors, (one) => writeDescriptor(writer, one));
      writer
        .count(answer.ordered ? 1 : 0)
        .count(answer.version)
        .float(answer.time)
        .count(answer.index);
      break;
    case "readings":
      writeList(writer, answer.readings, (one) => writeReading(writer, one));
      break;
    case "scanned":
      writeList(writer, answer.readings, (one) => writeReading(writer, one));
      writeMaybe(writer, answer.next);
      writer.count(answer.deleteFloor);
      break;
    case "transactions":
      writeList(writer, answer.transactions, (one) => writeKnown(writer, one));
      break;
    case "keys":
      writeList(writer, answer.keys, (key) => writer.octets(key));
      break;
    case "sessions":
      writeList(writer, answer.sessions, ({ client, transactions }) => {
        writer.octets(client);
        writeList(writer, transactions, (one) => writeKnown(writer, one));
      });
      break;
  }
  return writer.done();
}

/** Reads what `encodeAnswer` wrote. @throws KithError `KITH_STORE_CORRUPT` */
export function decodeAnswer(bytes: Uint8Array): Answer {
  const reader = new ByteReader(bytes);
  const kind = answerKinds[reader.count()];
  if (kind === undefined) throw storeError("KITH_STORE_CORRUPT", "An answer is of no known kind.");
  switch (kind) {
    case "none":
    case "too-large":
      return { kind };
    case "entered": {
      const lockedBy = reader.octets();
      return { kind, lockedBy: lockedBy === "" ? null : lockedBy };
    }
    case "outdated":
      return { kind, position: reader.octets() };
    case "wrong-range":
      return { kind, descriptors: readList(reader, () => readDescriptor(reader)) };
    case "here":
      return {
        kind,
        descriptor: readDescriptor(reader),
        descriptors: readList(reader, () => readDescriptor(reader)),
        ordered: reader.count() === 1,
        version: reader.count(),
        time: reader.float(),
        index: reader.count(),
      };
    case "readings":
      return { kind, readings: readList(reader, () => readReading(reader)) };
    case "scanned":
      return {
        kind,
        readings: readList(reader, () => readReading(reader)),
        next: readMaybe(reader),
        deleteFloor: reader.count(),
      };
    case "transactions":
      return { kind, transactions: readList(reader, () => readKnown(reader)) };
    case "keys":
      return { kind, keys: readList(reader, () => reader.octets()) };
    case "sessions":
      return {
        kind,
        sessions: readList(reader, () => ({
          client: reader.octets(),
          transactions: readList(reader, () => readKnown(reader)),
        })),
      };
  }
}

function writeMaybe(writer: ByteWriter, octets: Octets | null): void {
  if (octets === null) writer.count(0);
  else writer.count(1).octets(octets);
}

function readMaybe(reader: ByteReader): Octets | null {
  return reader.count() === 0 ? null : reader.octets();
}

function writeReading(writer: ByteWriter, reading: Reading): void {
  const { position, lockedBy, version, expiresIn, value, present } = reading;
  writer
    .octets(position)
    .octets(lockedBy ?? "")
    .count(version)
    .count(expiresIn);
  if (value === null) writer.count(present ? 1 : 0);
  else writer.count(2).bytes(value);
}

function readReading(reader: ByteReader): Reading {
  const position = reader.octets();
  const lockedBy = reader.octets();
  const version = reader.count();
  const expiresIn = reader.count();
  const kind = reader.count();
  const value = kind === 2 ? reader.bytes() : null;
  return {
    position,
    lockedBy: lockedBy === "" ? null : lockedBy,
    version,
    expiresIn,
    value,
    present: kind > 0,
  };
}

function writeKnown(writer: ByteWriter, known: KnownTx): void {
  writer.octets(known.name).text(known.hint).float(known.since);
  writeParticipants(writer, known.participants);
  writeList(writer, known.states, ({ position, state }) =>
    writeState(writer.octets(position), state),
  );
}

function readKnown(reader: ByteReader): KnownTx {
  return {
    name: reader.octets(),
    hint: reader.text(),
    since: reader.float(),
    participants: readParticipants(reader),
    states: readList(reader, () => ({ position: reader.octets(), state: readState(reader) })),
  };
}

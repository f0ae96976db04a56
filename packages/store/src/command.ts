/**
 * What can be done to a group: the commands in its log, and their form there.
 *
 * Every check of a command is made when it is applied, not only when it is proposed (algorithms.md
 * §6.5.3): between the two, a split may have moved the key and a lock may have come.
 */

import { ByteReader, ByteWriter } from "@kith/paxos";
import { storeError } from "./errors.ts";
import type { Octets, Position } from "./position.ts";
import {
  type Expiry,
  nameOf,
  type Participant,
  readExpiry,
  readList,
  readParticipants,
  readTxWrite,
  type TxId,
  type TxName,
  type TxWrite,
  writeExpiry,
  writeList,
  writeParticipants,
  writeTxWrite,
} from "./rows.ts";

/** Names a session: the group and the index at which it was opened. */
export interface Token {
  readonly gid: string;
  readonly index: number;
}

/** By what a client's command is known: each copy of it has the same number. */
export interface Ticket extends TxId {
  readonly token: Token;
  readonly ackedBelow: number;
}

/** What has to hold of a key for an operation to be done. A version of 0 is that of an absent key. */
export type Condition =
  | { readonly kind: "absent" }
  | { readonly kind: "present" }
  | { readonly kind: "version"; readonly version: number }
  | { readonly kind: "value"; readonly value: Uint8Array };

/** An operation on one key. */
export type Operation = {
  readonly position: Position;
  readonly when?: Condition | undefined;
} & (
  | { readonly kind: "put"; readonly value: Uint8Array; readonly expiry: Expiry }
  /** Puts a value for ever, and does not want to hear what was there. */
  | { readonly kind: "set"; readonly value: Uint8Array }
  | { readonly kind: "delete" }
  /** Adds to a decimal integer of 64 bits; an absent key counts as 0. */
  | { readonly kind: "add"; readonly delta: bigint }
  | { readonly kind: "append"; readonly value: Uint8Array }
  /** Changes when a key that is present expires. */
  | { readonly kind: "expire"; readonly expiry: Expiry }
  /** Does nothing but look whether the condition holds. */
  | { readonly kind: "check" }
);

/** A key, and the version that a transaction read there. */
export interface Expected {
  readonly position: Position;
  /** 0 for an absent key. */
  readonly version: number;
}

/** A key of a transaction that lies in the group that is asked: what was read, and what will be written. */
export interface Part {
  readonly position: Position;
  /** What was read; null where nothing was. */
  readonly expected: number | null;
  readonly write: TxWrite | null;
}

/** A command. */
export type Command =
  /** Makes an empty table a group of the store. */
  | {
      readonly kind: "found";
      readonly gid: string;
      readonly ordered: boolean;
      readonly lo: Position;
      readonly hi: Position | null;
    }
  /** Opens a session; `hello` is a place in this group's log that was told by its leader. */
  | {
      readonly kind: "open";
      readonly client: Octets;
      readonly nextSeq: number;
      readonly hello: Token;
    }
  /** Operations on keys that all lie here, and reads that must still hold: all is done at once, or nothing. */
  | {
      readonly kind: "execute";
      readonly ticket: Ticket;
      readonly reads: readonly Expected[];
      readonly operations: readonly Operation[];
    }
  /** Makes sure that a command that was not done will not be. */
  | { readonly kind: "cancel"; readonly ticket: Ticket; readonly keys: readonly Position[] }
  /** Votes on a transaction. */
  | {
      readonly kind: "prepare";
      readonly ticket: Ticket;
      readonly participants: readonly Participant[];
      readonly parts: readonly Part[];
      readonly bodyHash: number;
      readonly hint: string;
    }
  /** Votes against a transaction at those keys where nothing was voted yet. */
  | {
      readonly kind: "force-abort";
      readonly tx: TxId;
      readonly participants: readonly Participant[];
      readonly keys: readonly Position[];
    }
  /** Carries the outcome of a transaction out. */
  | {
      readonly kind: "finish";
      readonly tx: TxId;
      readonly committed: boolean;
      readonly participants: readonly Participant[];
      readonly keys: readonly Position[];
    }
  /** The client needs nothing below a number any more. */
  | { readonly kind: "forget"; readonly client: Octets; readonly ackedBelow: number }
  /** Deletes the keys whose time has passed. */
  | { readonly kind: "expire"; readonly keys: readonly Position[] }
  /** Ends a session; `finished` are the transactions that the leader knows to be final everywhere. */
  | {
      readonly kind: "expire-session";
      readonly client: Octets;
      readonly idle: number;
      readonly finished: readonly number[];
    }
  /** Gives everything from a position on to a group of its own. */
  | { readonly kind: "split"; readonly at: Position; readonly expectedEpoch: number };

/** One kind of command. */
export type CommandOf<K extends Command["kind"]> = Extract<Command, { kind: K }>;

const kinds = [
  "found",
  "open",
  "execute",
  "cancel",
  "prepare",
  "force-abort",
  "finish",
  "forget",
  "expire",
  "expire-session",
  "split",
] as const satisfies readonly Command["kind"][];

const operationKinds = ["put", "delete", "add", "append", "expire", "check", "set"] as const;
const conditionKinds = ["absent", "present", "version", "value"] as const;

/** Whether a command prepares a transaction. Looks at one byte. */
export function isPrepare(command: Uint8Array): boolean {
  return command[0] === kinds.indexOf("prepare");
}

/** The transaction that a command ends; null where it is another command. Reads its beginning only. */
export function endedBy(command: Uint8Array): TxName | null {
  if (command[0] !== kinds.indexOf("finish")) return null;
  const reader = new ByteReader(command);
  reader.count();
  return nameOf({ client: reader.octets(), seq: reader.count() });
}

/** A command as bytes. */
export function encodeCommand(command: Command): Uint8Array {
  const writer = new ByteWriter().count(kinds.indexOf(command.kind));
  switch (command.kind) {
    case "found":
      writer
        .text(command.gid)
        .count(command.ordered ? 1 : 0)
        .octets(command.lo);
      if (command.hi === null) writer.count(0);
      else writer.count(1).octets(command.hi);
      break;
    case "open":
      writer.octets(command.client).count(command.nextSeq);
      writeToken(writer, command.hello);
      break;
    case "execute":
      writeTicket(writer, command.ticket);
      writeList(writer, command.reads, ({ position, version }) =>
        writer.octets(position).count(version),
      );
      writeList(writer, command.operations, (one) => writeOperation(writer, one));
      break;
    case "cancel":
      writeTicket(writer, command.ticket);
      writePositions(writer, command.keys);
      break;
    case "prepare":
      writeTicket(writer, command.ticket);
      writeParticipants(writer, command.participants);
      writeList(writer, command.parts, (part) => writePart(writer, part));
      writer.count(command.bodyHash).text(command.hint);
      break;
    case "force-abort":
    case "finish":
      writer.octets(command.tx.client).count(command.tx.seq);
      if (command.kind === "finish") writer.count(command.committed ? 1 : 0);
      writeParticipants(writer, command.participants);
      writePositions(writer, command.keys);
      break;
    case "forget":
      writer.octets(command.client).count(command.ackedBelow);
      break;
    case "expire":
      writePositions(writer, command.keys);
      break;
    case "expire-session":
      writer.octets(command.client).count(command.idle);
      writeList(writer, command.finished, (seq) => writer.count(seq));
      break;
    case "split":
      writer.octets(command.at).count(command.expectedEpoch);
      break;
  }
  return writer.done();
}

/** Reads what `encodeCommand` wrote. @throws KithError `KITH_STORE_CORRUPT` */
export function decodeCommand(bytes: Uint8Array): Command {
  const reader = new ByteReader(bytes);
  const kind = kinds[reader.count()];
  if (kind === undefined) throw storeError("KITH_STORE_CORRUPT", "A command is of no known kind.");
  switch (kind) {
    case "found": {
      const gid = reader.text();
      const ordered = reader.count() === 1;
      const lo = reader.octets();
      return { kind, gid, ordered, lo, hi: reader.count() === 0 ? null : reader.octets() };
    }
    case "open":
      return {
        kind,
        client: reader.octets(),
        nextSeq: reader.count(),
        hello: readToken(reader),
      };
    case "execute":
      return {
        kind,
        ticket: readTicket(reader),
        reads: readList(reader, () => ({ position: reader.octets(), version: reader.count() })),
        operations: readList(reader, () => readOperation(reader)),
      };
    case "cancel":
      return { kind, ticket: readTicket(reader), keys: readPositions(reader) };
    case "prepare":
      return {
        kind,
        ticket: readTicket(reader),
        participants: readParticipants(reader),
        parts: readList(reader, () => readPart(reader)),
        bodyHash: reader.count(),
        hint: reader.text(),
      };
    case "force-abort":
      return {
        kind,
        tx: { client: reader.octets(), seq: reader.count() },
        participants: readParticipants(reader),
        keys: readPositions(reader),
      };
    case "finish":
      return {
        kind,
        tx: { client: reader.octets(), seq: reader.count() },
        committed: reader.count() === 1,
        participants: readParticipants(reader),
        keys: readPositions(reader),
      };
    case "forget":
      return { kind, client: reader.octets(), ackedBelow: reader.count() };
    case "expire":
      return { kind, keys: readPositions(reader) };
    case "expire-session":
      return {
        kind,
        client: reader.octets(),
        idle: reader.count(),
        finished: readList(reader, () => reader.count()),
      };
    case "split":
      return { kind, at: reader.octets(), expectedEpoch: reader.count() };
  }
}

function writeToken(writer: ByteWriter, { gid, index }: Token): void {
  writer.text(gid).count(index);
}

function readToken(reader: ByteReader): Token {
  return { gid: reader.text(), index: reader.count() };
}

function writeTicket(writer: ByteWriter, ticket: Ticket): void {
  writer.octets(ticket.client).count(ticket.seq).count(ticket.ackedBelow);
  writeToken(writer, ticket.token);
}

function readTicket(reader: ByteReader): Ticket {
  const client = reader.octets();
  const seq = reader.count();
  const ackedBelow = reader.count();
  return { client, seq, ackedBelow, token: readToken(reader) };
}

function writePositions(writer: ByteWriter, keys: readonly Position[]): void {
  writeList(writer, keys, (key) => writer.octets(key));
}

function readPositions(reader: ByteReader): Position[] {
  return readList(reader, () => reader.octets());
}

function writePart(writer: ByteWriter, { position, expected, write }: Part): void {
  writer.octets(position);
  if (expected === null) writer.count(0);
  else writer.count(1).count(expected);
  writeTxWrite(writer, write);
}

function readPart(reader: ByteReader): Part {
  const position = reader.octets();
  const expected = reader.count() === 0 ? null : reader.count();
  return { position, expected, write: readTxWrite(reader) };
}

function writeOperation(writer: ByteWriter, operation: Operation): void {
  const { kind, position, when } = operation;
  writer.count(operationKinds.indexOf(kind)).octets(position);
  if (when === undefined) writer.count(conditionKinds.length);
  else {
    writer.count(conditionKinds.indexOf(when.kind));
    if (when.kind === "version") writer.count(when.version);
    else if (when.kind === "value") writer.bytes(when.value);
  }
  if (kind === "put") writeExpiry(writer.bytes(operation.value), operation.expiry);
  else if (kind === "append" || kind === "set") writer.bytes(operation.value);
  else if (kind === "add") writer.text(String(operation.delta));
  else if (kind === "expire") writeExpiry(writer, operation.expiry);
}

function readOperation(reader: ByteReader): Operation {
  const kind = operationKinds[reader.count()];
  const position = reader.octets();
  const when = readCondition(reader);
  const about = { position, when };
  if (kind === undefined)
    throw storeError("KITH_STORE_CORRUPT", "An operation is of no known kind.");
  switch (kind) {
    case "put":
      return { kind, ...about, value: reader.view(), expiry: readExpiry(reader) };
    case "append":
    case "set":
      return { kind, ...about, value: reader.view() };
    case "add":
      return { kind, ...about, delta: BigInt(reader.text()) };
    case "expire":
      return { kind, ...about, expiry: readExpiry(reader) };
    case "delete":
    case "check":
      return { kind, ...about };
  }
}

function readCondition(reader: ByteReader): Condition | undefined {
  const kind = conditionKinds[reader.count()];
  if (kind === "version") return { kind, version: reader.count() };
  if (kind === "value") return { kind, value: reader.view() };
  return kind === undefined ? undefined : { kind };
}

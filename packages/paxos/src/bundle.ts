/**
 * The one message of this package: all that the replicas of one process have to say to those of another in a turn.
 *
 * It travels as bytes that are written and read here: a codec for anything would take several times as long for what is most of
 * what peers say to each other. Entries travel as the bytes that they have on the disk; they are most of what is sent, and are
 * encoded once for the disk and all followers that are sent the same. Who speaks to whom is said once, by the message itself.
 */

import { message, type PeerRef } from "@kith/network";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { readConfig, writeConfig } from "./config.ts";
import { decodeEntry, encodeEntry, type Entry } from "./entry.ts";
import { paxosError } from "./errors.ts";
import type { Append, AppendAnswer, Cell, PeerMessage, Route } from "./peer-message.ts";

/** An append as it travels. */
export type WireAppend = Route & Omit<Append, "entries"> & { readonly entries: Uint8Array };

/** What travels. */
export type WireMessage = Exclude<PeerMessage, { kind: "append" }> | WireAppend;

/** What replicas say to replicas, of any groups; `messagesIn` reads it. */
export class Bundle extends message("paxos/Bundle")<{
  readonly messages: Uint8Array;
}> {}

const noEntries = new Uint8Array(0);

const kinds = [
  "append",
  "append-answer",
  "append-reject",
  "pre-vote",
  "pre-vote-answer",
  "vote",
  "vote-answer",
  "snapshot",
  "snapshot-answer",
  "timeout-now",
  "too-old",
] as const satisfies readonly PeerMessage["kind"][];

/** Messages, between two processes, as they travel. */
export function bundled(messages: readonly WireMessage[]): Uint8Array {
  if (messages.length === 0) return noEntries;
  const writer = new ByteWriter();
  for (const one of messages) write(writer, one);
  return writer.done();
}

/** The messages of a bundle. @throws KithError `KITH_PAXOS_CORRUPT` */
export function messagesIn({ messages, from, to }: Bundle): WireMessage[] {
  const found: WireMessage[] = [];
  const reader = new ByteReader(messages);
  while (!reader.ended) found.push(read(reader, from, to));
  return found;
}

function write(writer: ByteWriter, one: WireMessage): void {
  writer.count(kinds.indexOf(one.kind)).text(one.gid).count(one.from).count(one.to).count(one.term);
  switch (one.kind) {
    case "append":
      writer.count(one.prevIndex).count(one.prevTerm).count(one.commit).count(one.round);
      writer.count(one.quiet ? 1 : 0).bytes(one.entries);
      return;
    case "append-answer":
      writer.count(one.match).count(one.round).count(one.version);
      if (one.clock === undefined) writer.count(0);
      else writer.count(1).float(one.clock);
      return;
    case "append-reject":
      writer.count(one.prevIndex).count(one.conflictTerm).count(one.conflictIndex).count(one.round);
      return;
    case "pre-vote":
      writer.count(one.lastIndex).count(one.lastTerm);
      return;
    case "vote":
      writer
        .count(one.lastIndex)
        .count(one.lastTerm)
        .count(one.transfer ? 1 : 0);
      return;
    case "pre-vote-answer":
    case "vote-answer":
      writer.count(one.granted ? 1 : 0);
      return;
    case "snapshot": {
      const { index, term, time, config } = one.base;
      writer.count(index).count(term).float(time);
      writeConfig(writer, config);
      writer
        .count(one.part)
        .count(one.last ? 1 : 0)
        .float(one.digest);
      writer.count(one.cells.length);
      for (const [key, value] of one.cells) writer.octets(key).bytes(value);
      return;
    }
    case "snapshot-answer":
      writer
        .count(one.index)
        .count(one.part)
        .count(one.taken ? 1 : 0);
      return;
    case "timeout-now":
      return;
    case "too-old":
      writeConfig(writer, one.config);
  }
}

function read(reader: ByteReader, { peerId: fromPeer }: PeerRef, to: PeerRef): WireMessage {
  const kind = kinds[reader.count()];
  if (kind === undefined) throw paxosError("KITH_PAXOS_CORRUPT", "A message is of no known kind.");
  const gid = reader.text();
  const from = reader.count();
  const about = { gid, from, fromPeer, to: reader.count(), toPeer: to.peerId };
  const term = reader.count();
  switch (kind) {
    // Most of all messages: their fields one by one, which costs half as much as taking over those of another object.
    case "append":
      return {
        kind,
        gid,
        from,
        fromPeer,
        to: about.to,
        toPeer: about.toPeer,
        term,
        prevIndex: reader.count(),
        prevTerm: reader.count(),
        commit: reader.count(),
        round: reader.count(),
        quiet: reader.count() === 1,
        entries: reader.view(),
      };
    case "append-answer": {
      const answer: Route & AppendAnswer = {
        kind,
        gid,
        from,
        fromPeer,
        to: about.to,
        toPeer: about.toPeer,
        term,
        match: reader.count(),
        round: reader.count(),
        version: reader.count(),
      };
      return reader.count() === 0 ? answer : { ...answer, clock: reader.float() };
    }
    case "append-reject":
      return {
        ...about,
        kind,
        term,
        prevIndex: reader.count(),
        conflictTerm: reader.count(),
        conflictIndex: reader.count(),
        round: reader.count(),
      };
    case "pre-vote":
      return { ...about, kind, term, lastIndex: reader.count(), lastTerm: reader.count() };
    case "vote":
      return {
        ...about,
        kind,
        term,
        lastIndex: reader.count(),
        lastTerm: reader.count(),
        transfer: reader.count() === 1,
      };
    case "pre-vote-answer":
    case "vote-answer":
      return { ...about, kind, term, granted: reader.count() === 1 };
    case "snapshot": {
      const place = { index: reader.count(), term: reader.count(), time: reader.float() };
      const base = { ...place, config: readConfig(reader) };
      const part = reader.count();
      const last = reader.count() === 1;
      const digest = reader.float();
      const cells: Cell[] = [];
      for (let left = reader.count(); left > 0; left--) {
        const key = reader.octets();
        // They are kept, one by one.
        cells.push([key, reader.bytes()]);
      }
      return { ...about, kind, term, base, part, cells, last, digest };
    }
    case "snapshot-answer":
      return {
        ...about,
        kind,
        term,
        index: reader.count(),
        part: reader.count(),
        taken: reader.count() === 1,
      };
    case "timeout-now":
      return { ...about, kind, term };
    case "too-old":
      return { ...about, kind, term, config: readConfig(reader) };
  }
}

/** The bytes of the entries that a turn is about: each is encoded once, or not at all where it came as bytes. */
export class Records {
  readonly #known = new Map<Entry, Uint8Array>();
  /** The record of an entry. */
  readonly of = (entry: Entry): Uint8Array => {
    let record = this.#known.get(entry);
    if (record === undefined) this.#known.set(entry, (record = encodeEntry(entry)));
    return record;
  };

  /** Takes note of a record from which an entry was read. */
  learn(entry: Entry, record: Uint8Array): void {
    this.#known.set(entry, record);
  }

  /** Forgets them: the turn has ended. */
  clear(): void {
    if (this.#known.size > 0) this.#known.clear();
  }
}

/** Turns messages into what travels; one of these serves a turn. */
export class Packer {
  readonly #records: Records;
  readonly #packed = new Map<Entry, { readonly count: number; readonly bytes: Uint8Array }>();

  constructor(records: Records) {
    this.#records = records;
  }

  /** The message as it travels. */
  pack(message: PeerMessage): WireMessage {
    return message.kind === "append"
      ? { ...message, entries: this.#entries(message.entries) }
      : message;
  }

  #entries(entries: readonly Entry[]): Uint8Array {
    const [first] = entries;
    if (first === undefined) return noEntries;
    // They follow each other: the first one and how many tell which they are.
    const known = this.#packed.get(first);
    if (known?.count === entries.length) return known.bytes;
    const writer = new ByteWriter();
    for (const entry of entries) writer.bytes(this.#records.of(entry));
    const bytes = writer.done();
    this.#packed.set(first, { count: entries.length, bytes });
    return bytes;
  }
}

/** Reads what has travelled. @throws KithError `KITH_PAXOS_CORRUPT` */
export function unpack(message: WireMessage, records: Records): PeerMessage {
  if (message.kind !== "append") return message;
  const { kind, gid, from, fromPeer, to, toPeer, term, prevIndex, prevTerm } = message;
  const { commit, round, quiet } = message;
  const entries: Entry[] = [];
  if (message.entries.length > 0) {
    // They share one copy, with which they go when the log is cut; what came may be a part of much more.
    const reader = new ByteReader(new Uint8Array(message.entries));
    while (!reader.ended) {
      const record = reader.view();
      const entry = decodeEntry(prevIndex + entries.length + 1, record);
      records.learn(entry, record);
      entries.push(entry);
    }
  }
  return {
    kind,
    gid,
    from,
    fromPeer,
    to,
    toPeer,
    term,
    prevIndex,
    prevTerm,
    entries,
    commit,
    round,
    quiet,
  };
}

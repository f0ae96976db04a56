/**
 * The one message of this package: all that the replicas of one process have to say to those of another in a turn.
 *
 * Entries travel as the bytes that they have on the disk. They are most of what is sent, and are encoded once for the disk and
 * all followers that are sent the same.
 */

import { message } from "@kith/network";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { decodeEntry, encodeEntry, type Entry } from "./entry.ts";
import type { Append, PeerMessage, Route } from "./peer-message.ts";

/** An append as it travels. */
export type WireAppend = Route & Omit<Append, "entries"> & { readonly entries: Uint8Array };

/** What travels. */
export type WireMessage = Exclude<PeerMessage, { kind: "append" }> | WireAppend;

/** What replicas say to replicas, of any groups. */
export class Bundle extends message("paxos/Bundle")<{
  readonly messages: readonly WireMessage[];
}> {}

const noEntries = new Uint8Array(0);

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
    this.#known.clear();
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
  const reader = new ByteReader(message.entries);
  const entries: Entry[] = [];
  while (!reader.ended) {
    const record = reader.bytes();
    const entry = decodeEntry(message.prevIndex + entries.length + 1, record);
    records.learn(entry, record);
    entries.push(entry);
  }
  return { ...message, entries };
}

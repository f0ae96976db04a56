/**
 * The one message of this package: all that the replicas of one process have to say to those of another in a turn.
 *
 * Entries travel as the bytes that they have on the disk. They are most of what is sent, and are encoded once for all
 * followers that are sent the same.
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

/** Turns messages into what travels; one of these serves a turn. */
export class Packer {
  readonly #packed = new Map<Entry, { readonly count: number; readonly bytes: Uint8Array }>();

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
    for (const entry of entries) writer.bytes(encodeEntry(entry));
    const bytes = writer.done();
    this.#packed.set(first, { count: entries.length, bytes });
    return bytes;
  }
}

/** Reads what has travelled. @throws KithError `KITH_PAXOS_CORRUPT` */
export function unpack(message: WireMessage): PeerMessage {
  if (message.kind !== "append") return message;
  const reader = new ByteReader(message.entries);
  const entries: Entry[] = [];
  while (!reader.ended)
    entries.push(decodeEntry(message.prevIndex + entries.length + 1, reader.bytes()));
  return { ...message, entries };
}

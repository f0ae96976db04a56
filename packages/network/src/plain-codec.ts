/**
 * The plain codec: tag, receiver, sender and fields in a compact binary form that describes itself.
 * It needs no schema, no dependency and no preparation, and is fast enough to run for every message of a
 * simulation. The format is described in `plain-format.ts`.
 *
 * What may be in a message: null, undefined, booleans, numbers, bigints of up to 512 bytes, strings,
 * Uint8Array, arrays (a hole becomes undefined), Map, Set, objects without a class, and events whose
 * class is registered. A value that is there twice arrives as two; one that contains itself is an error.
 */

import type { Codec, UnknownTag } from "./codec.ts";
import type { Message } from "./message.ts";
import type { PeerRef } from "./peer-ref.ts";
import { PlainReader } from "./plain-reader.ts";
import { PlainWriter } from "./plain-writer.ts";
import { schemaFingerprint } from "./registry.ts";

/** The own binary codec. One may serve any number of networks of one thread. */
export class PlainCodec implements Codec {
  readonly name = "plain";
  readonly #writer: PlainWriter;
  readonly #reader = new PlainReader();
  #bytes = 0;

  /** @param options `bytesMax`: the longest frame to write; default and limit 16 MiB */
  constructor(options: { readonly bytesMax?: number } = {}) {
    this.#writer = new PlainWriter(options.bytesMax);
  }

  get bytes(): number {
    return this.#bytes;
  }

  encode(message: Message, from?: PeerRef): Uint8Array {
    const writer = this.#writer;
    writer.frame(message, from);
    this.#bytes = writer.end;
    return writer.buffer.slice(0, writer.end);
  }

  encodeView(message: Message, from?: PeerRef): Uint8Array {
    const writer = this.#writer;
    writer.frame(message, from);
    this.#bytes = writer.end;
    return writer.buffer.subarray(0, writer.end);
  }

  decode(bytes: Uint8Array): Message | UnknownTag {
    this.#bytes = bytes.length;
    return this.#reader.frame(bytes, bytes.length);
  }

  pass(message: Message, from?: PeerRef): Message | UnknownTag {
    const writer = this.#writer;
    writer.frame(message, from);
    this.#bytes = writer.end;
    return this.#reader.frame(writer.buffer, writer.end);
  }

  digest(): number {
    const { buffer, end } = this.#writer;
    let hash = 0x811c9dc5;
    for (let at = 0; at < end; at++) hash = Math.imul(hash ^ (buffer[at] ?? 0), 0x01000193);
    return hash >>> 0;
  }

  fingerprint(): string {
    return schemaFingerprint();
  }
}

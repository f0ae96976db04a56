/**
 * Codecs: how messages become bytes and messages again.
 *
 * What comes out equals what went in and shares nothing with it. What comes from outside is not to be
 * trusted: whatever the bytes, decoding ends in a message, in an unknown tag, or in the error
 * `KITH_FRAME_MALFORMED`, and takes memory in proportion to the bytes, never to a length they claim.
 */

import type { Message } from "./message.ts";
import type { PeerRef } from "./peer-ref.ts";

/** A well-formed frame whose tag no class of this process has: another version sent it. */
export class UnknownTag {
  readonly tag: string;
  readonly to: PeerRef;
  readonly from: PeerRef;

  constructor(tag: string, to: PeerRef, from: PeerRef) {
    this.tag = tag;
    this.to = to;
    this.from = from;
  }
}

/** Turns messages into frames of bytes and back; one frame holds one message. Synchronous and pure. */
export interface Codec {
  /** The name by which two sides agree on a codec, such as `"plain"`. */
  readonly name: string;

  /**
   * The bytes of a message; a new array, which belongs to the caller.
   *
   * @param from the sender to write where the message names none
   * @throws KithError `KITH_MESSAGE_NOT_PLAIN`, `KITH_MESSAGE_UNTAGGED`, `KITH_MESSAGE_TOO_LARGE`,
   * `KITH_PEER_INVALID` (no valid receiver or sender)
   */
  encode(message: Message, from?: PeerRef): Uint8Array;

  /**
   * As `encode`, but the bytes belong to the codec and change with whatever it does next: for those who copy
   * them at once. A codec that has nothing to gain from it leaves it out.
   */
  encodeView?(message: Message, from?: PeerRef): Uint8Array;

  /**
   * The message of one frame, with `to` and `from`; it does not refer to `bytes` afterwards.
   *
   * @throws KithError `KITH_FRAME_MALFORMED`, and nothing else
   */
  decode(bytes: Uint8Array): Message | UnknownTag;

  /**
   * What the receiver would get: encodes and decodes without handing bytes out, hence faster. For
   * networks within one process. Throws what `encode` throws.
   */
  pass(message: Message, from?: PeerRef): Message | UnknownTag;

  /** How many bytes the last `encode`, `decode` or `pass` wrote or read. */
  readonly bytes: number;

  /** A hash of 32 bits over the bytes that the last `pass` wrote; computed when it is asked for. */
  digest(): number;

  /**
   * A hash over the tags that are registered now. Equal fingerprints mean that neither side will meet
   * an unknown tag; different ones mean nothing worse than that it might.
   */
  fingerprint(): string;
}

/**
 * Reads values in the plain format, from bytes that nobody vouches for.
 *
 * Whatever the bytes, reading ends in a value or in `KITH_FRAME_MALFORMED`. Nothing is allocated by a claimed
 * length: it is compared with the bytes that are left first, and every element takes at least one of them.
 */

import { copyBytes, Event, type EventClass } from "@kith/core";
import { UnknownTag } from "./codec.ts";
import { networkError } from "./errors.ts";
import { Message } from "./message.ts";
import type { PeerRef } from "./peer-ref.ts";
import {
  bigintBytesMax,
  depthMax,
  frameBytesMax,
  hasFields,
  isForbiddenField,
  kind,
  lowPart,
  version,
} from "./plain-format.ts";
import { classOf } from "./registry.ts";
import { Interned, readText } from "./text.ts";

const nothing = new Uint8Array(0);

/** Reads one frame after another. */
export class PlainReader {
  #bytes: Uint8Array = nothing;
  #at = 0;
  #end = 0;
  /** The first tag within the frame that no class has. */
  #unknown: string | null = null;
  readonly #double = new DataView(new ArrayBuffer(8));
  readonly #interned = new Interned();

  /** Reads the frame that lies at the beginning of `bytes` and has `end` bytes. */
  frame(bytes: Uint8Array, end: number): Message | UnknownTag {
    this.#bytes = bytes;
    this.#at = 0;
    this.#end = end;
    this.#unknown = null;
    try {
      return this.#frame();
    } catch (error) {
      if (error instanceof Malformed)
        throw malformed(`${error.message} at byte ${this.#at} of ${end}`);
      // What a class does when its field is set (an accessor, a frozen prototype) is not the reader's fault.
      throw malformed(`it cannot be made into a message`, error);
    } finally {
      this.#bytes = nothing;
    }
  }

  #frame(): Message | UnknownTag {
    if (this.#end > frameBytesMax) throw new Malformed("the frame is too long");
    if (this.#byte() !== version) throw new Malformed("another version of the format");
    const tag = this.#text(this.#varint());
    const to = this.#envelope();
    const from = this.#envelope();
    const cls = classOf(tag);
    const made = this.#make(tag, cls);
    if (hasFields(made)) {
      made["to"] = to;
      made["from"] = from;
    }
    this.#eventFields(made, 1, true);
    if (this.#at !== this.#end) throw new Malformed("more bytes than one message");
    if (this.#unknown !== null) return new UnknownTag(this.#unknown, to, from);
    if (!(made instanceof Message)) throw new Malformed(`the tag ${tag} is not that of a message`);
    return made;
  }

  #value(depth: number): unknown {
    const head = this.#byte();
    if (head < 0x80) return head;
    if (head < 0xc0) return this.#text(head & 0x3f);
    switch (head) {
      case kind.null:
        return null;
      case kind.undefined:
        return undefined;
      case kind.false:
        return false;
      case kind.true:
        return true;
      case kind.integer:
        return this.#varint();
      case kind.negative:
        return -1 - this.#varint();
      case kind.double:
        return this.#readDouble();
      case kind.bigint:
        return this.#bigint();
      case kind.negativeBigint:
        return -this.#bigint();
      case kind.string:
        return this.#text(this.#varint());
      case kind.bytes:
        return this.#readBytes();
      case kind.peer:
      case kind.domainPeer:
      case kind.rebornPeer:
        return this.#peer(head);
      default:
        return this.#compound(head, depth);
    }
  }

  #compound(head: number, depth: number): unknown {
    if (depth >= depthMax) throw new Malformed("values too deep");
    switch (head) {
      case kind.array: {
        const array: unknown[] = [];
        for (let left = this.#count(); left > 0; left--) array.push(this.#value(depth + 1));
        return array;
      }
      case kind.object: {
        const object: Record<string, unknown> = {};
        for (let length = this.#varint(); length > 0; length = this.#varint()) {
          const key = this.#text(length - 1, true);
          const value = this.#value(depth + 1);
          // An assignment would change the prototype.
          if (key === "__proto__") define(object, key, value);
          else object[key] = value;
        }
        return object;
      }
      case kind.map: {
        const map = new Map<unknown, unknown>();
        for (let left = this.#count(); left > 0; left--) {
          const key = this.#value(depth + 1);
          map.set(key, this.#value(depth + 1));
        }
        return map;
      }
      case kind.set: {
        const set = new Set<unknown>();
        for (let left = this.#count(); left > 0; left--) set.add(this.#value(depth + 1));
        return set;
      }
      case kind.event: {
        const tag = this.#text(this.#varint(), true);
        const made = this.#make(tag, classOf(tag));
        this.#eventFields(made, depth + 1, false);
        return made;
      }
      default:
        throw new Malformed(`there is no kind ${head}`);
    }
  }

  /** An instance without fields, made without running the constructor, which may want arguments. */
  #make(tag: string, cls: EventClass | undefined): object {
    if (typeof cls === "function") return Reflect.construct(Event, [], cls);
    this.#unknown ??= tag;
    return {};
  }

  #eventFields(made: object, depth: number, envelope: boolean): void {
    if (!hasFields(made)) return;
    for (let length = this.#varint(); length > 0; length = this.#varint()) {
      const key = this.#text(length - 1, true);
      if (isForbiddenField(key)) throw new Malformed(`a field named ${key}`);
      if (envelope && (key === "to" || key === "from"))
        throw new Malformed(`a second field named ${key}`);
      made[key] = this.#value(depth);
    }
  }

  #envelope(): PeerRef {
    const head = this.#byte();
    if (head !== kind.peer && head !== kind.domainPeer && head !== kind.rebornPeer)
      throw new Malformed("no peer in the envelope");
    return this.#peer(head);
  }

  #peer(head: number): PeerRef {
    if (head === kind.rebornPeer) {
      const rebirth = this.#varint();
      const of = this.#byte();
      if (rebirth === 0 || (of !== kind.peer && of !== kind.domainPeer))
        throw new Malformed("a peer out of range");
      return { ...this.#peer(of), rebirth };
    }
    const peerId = this.#varint();
    const host = this.#text(this.#varint(), true);
    const port = this.#varint();
    const incarnation = this.#varint();
    if (host === "" || port > 65_535) throw new Malformed("a peer out of range");
    if (head === kind.peer) return { peerId, host, port, incarnation };
    return { peerId, host, port, incarnation, failureDomain: this.#text(this.#varint(), true) };
  }

  #byte(): number {
    // Outside of the bytes there is undefined, which the comparison finds.
    if (this.#at >= this.#end) throw new Malformed("the frame ends too early");
    return this.#bytes[this.#at++] ?? 0;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    let high = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      high |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        value += high * lowPart;
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
    }
    throw new Malformed("an integer that is not safe");
  }

  /** A number of elements, each of which takes a byte at least. */
  #count(): number {
    const count = this.#varint();
    if (count > this.#end - this.#at) throw new Malformed("more elements than bytes");
    return count;
  }

  /** The next bytes as text. @param repeats whether the same text is likely to come again and again */
  #text(length: number, repeats = false): string {
    const from = this.#at;
    if (length > this.#end - from) throw new Malformed("a text longer than the frame");
    this.#at = from + length;
    if (length === 0) return "";
    const text =
      repeats || length < 24
        ? this.#interned.text(this.#bytes, from, length)
        : readText(this.#bytes, from, length);
    if (text === null) throw new Malformed("a text that is no UTF-8");
    return text;
  }

  #readDouble(): number {
    if (this.#end - this.#at < 8) throw new Malformed("the frame ends too early");
    for (let i = 0; i < 8; i++) this.#double.setUint8(i, this.#bytes[this.#at++] ?? 0);
    return this.#double.getFloat64(0, true);
  }

  #bigint(): bigint {
    const length = this.#count();
    if (length > bigintBytesMax) throw new Malformed("a bigint too large");
    let value = 0n;
    // From the high end, a word at a time; the first word may be short.
    for (let end = length; end > 0;) {
      const size = end % 8 === 0 ? 8 : end % 8;
      this.#double.setBigUint64(0, 0n);
      end -= size;
      for (let i = 0; i < size; i++) this.#double.setUint8(i, this.#bytes[this.#at + end + i] ?? 0);
      value = (value << 64n) | this.#double.getBigUint64(0, true);
    }
    this.#at += length;
    return value;
  }

  #readBytes(): Uint8Array {
    const length = this.#count();
    const from = this.#at;
    this.#at = from + length;
    return copyBytes(this.#bytes, from, this.#at);
  }
}

/** What is wrong with a frame; becomes the coded error, which costs more to build. */
class Malformed extends Error {}

function malformed(why: string, cause?: unknown): Error {
  return networkError("KITH_FRAME_MALFORMED", `A frame is malformed: ${why}.`, cause);
}

function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

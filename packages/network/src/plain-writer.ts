/**
 * Writes values in the plain format into one buffer, which it keeps and which grows.
 *
 * It runs for every message of a simulation, so it looks at each value once and makes no objects.
 */

import { Event, type EventClass } from "@kith/core";
import { networkError } from "./errors.ts";
import type { Message } from "./message.ts";
import { isPeer, type PeerRef } from "./peer-ref.ts";
import {
  bigintBytesMax,
  depthMax,
  frameBytesMax,
  hasFields,
  isForbiddenField,
  kind,
  lowPart,
  shortStringEnd,
  version,
} from "./plain-format.ts";
import { classOf, isRegistered, register } from "./registry.ts";

const keptBytesMax = 1024 * 1024;
/** What a value takes at most, besides the content of strings, byte arrays and bigints. */
const reserve = 32;
const word = (1n << 64n) - 1n;

/** One growing buffer; `buffer` up to `end` is the frame that was written last. */
export class PlainWriter {
  buffer = new Uint8Array(4096);
  end = 0;
  #capacity = 4096;
  readonly #bytesMax: number;
  readonly #double = new DataView(new ArrayBuffer(8));
  readonly #tags = new Map<unknown, string>();
  /** The class whose message is being written, for errors. */
  #name = "";

  /** @param bytesMax the longest frame */
  constructor(bytesMax: number = frameBytesMax) {
    this.#bytesMax = Math.min(bytesMax, frameBytesMax);
  }

  /** Writes the frame of a message. */
  frame(message: Message, from: PeerRef | undefined): void {
    this.end = 0;
    if (this.#capacity > keptBytesMax) this.#resize(4096);
    this.#name = message.constructor.name;
    this.buffer[this.end++] = version;
    this.#key(this.#tagOf(message), 0);
    this.#envelope(message.to, "receiver");
    this.#envelope(message.from ?? from, "sender");
    if (hasFields(message)) {
      for (const name in message) {
        if (name === "to" || name === "from") continue;
        if (isForbiddenField(name)) throw this.#notPlain(`a field named ${name}`);
        const value = message[name];
        this.#key(name, 1);
        this.#value(value, 1);
      }
    }
    this.#ensure(reserve);
    this.buffer[this.end++] = 0;
    if (this.end > this.#bytesMax) throw this.#tooLarge();
  }

  #value(value: unknown, depth: number): void {
    if (this.#capacity - this.end < reserve) this.#resize(this.end + reserve);
    switch (typeof value) {
      case "number":
        this.#number(value);
        return;
      case "string":
        this.#string(value);
        return;
      case "boolean":
        this.buffer[this.end++] = value ? kind.true : kind.false;
        return;
      case "object":
        if (value === null) this.buffer[this.end++] = kind.null;
        else this.#object(value, depth);
        return;
      case "undefined":
        this.buffer[this.end++] = kind.undefined;
        return;
      case "bigint":
        this.#bigint(value);
        return;
      case "function":
      case "symbol":
        throw this.#notPlain(`a ${typeof value}`);
    }
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      if (value >= 0 && value < 0x80) {
        this.buffer[this.end++] = value;
      } else if (value >= 0) {
        this.buffer[this.end++] = kind.integer;
        this.#varint(value);
      } else {
        this.buffer[this.end++] = kind.negative;
        this.#varint(-1 - value);
      }
      return;
    }
    const { buffer } = this;
    let at = this.end;
    buffer[at++] = kind.double;
    this.#double.setFloat64(0, value, true);
    for (let i = 0; i < 8; i++) buffer[at++] = this.#double.getUint8(i);
    this.end = at;
  }

  #varint(value: number): void {
    const { buffer } = this;
    let at = this.end;
    if (value >= lowPart) {
      const high = Math.floor(value / lowPart);
      const low = value - high * lowPart;
      buffer[at++] = (low & 0x7f) | 0x80;
      buffer[at++] = ((low >>> 7) & 0x7f) | 0x80;
      buffer[at++] = ((low >>> 14) & 0x7f) | 0x80;
      buffer[at++] = (low >>> 21) | 0x80;
      value = high;
    }
    while (value > 0x7f) {
      buffer[at++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    buffer[at++] = value;
    this.end = at;
  }

  #bigint(value: bigint): void {
    this.buffer[this.end++] = value < 0n ? kind.negativeBigint : kind.bigint;
    let amount = value < 0n ? -value : value;
    const bytes: number[] = [];
    while (amount > 0n) {
      if (bytes.length >= bigintBytesMax)
        throw this.#notPlain(`a bigint of more than ${bigintBytesMax} bytes`);
      this.#double.setBigUint64(0, amount & word, true);
      for (let i = 0; i < 8; i++) bytes.push(this.#double.getUint8(i));
      amount >>= 64n;
    }
    while (bytes.at(-1) === 0) bytes.pop();
    this.#ensure(bytes.length + reserve);
    this.#varint(bytes.length);
    for (const byte of bytes) this.buffer[this.end++] = byte;
  }

  #string(value: string): void {
    const { length } = value;
    // A unit takes at most three bytes.
    if (this.#capacity - this.end < length * 3 + reserve)
      this.#resize(this.end + length * 3 + reserve);
    const head = this.end;
    if (length < shortStringEnd) {
      // A guess that one byte is enough for the length, which is right for nearly all.
      const bytes = this.#text(value, head + 1);
      if (bytes < shortStringEnd) {
        this.buffer[head] = kind.shortString | bytes;
        this.end = head + 1 + bytes;
        return;
      }
    }
    this.buffer[this.end++] = kind.string;
    this.#varint(byteLength(value));
    this.end += this.#text(value, this.end);
  }

  /** A key or tag: its length, plus `more`, then its bytes. */
  #key(value: string, more: number): void {
    const { length } = value;
    if (this.#capacity - this.end < length * 3 + reserve)
      this.#resize(this.end + length * 3 + reserve);
    if (length < 0x7f) {
      const bytes = this.#text(value, this.end + 1);
      if (bytes + more < 0x80) {
        this.buffer[this.end] = bytes + more;
        this.end += 1 + bytes;
        return;
      }
    }
    this.#varint(byteLength(value) + more);
    this.end += this.#text(value, this.end);
  }

  /** Writes the bytes of a string. @returns how many there are */
  #text(value: string, from: number): number {
    const { buffer } = this;
    const { length } = value;
    let at = from;
    for (let i = 0; i < length; i++) {
      let code = value.charCodeAt(i);
      if (code < 0x80) {
        buffer[at++] = code;
        continue;
      }
      if (code < 0x800) {
        buffer[at++] = 0xc0 | (code >>> 6);
        buffer[at++] = 0x80 | (code & 0x3f);
        continue;
      }
      if ((code & 0xfc00) === 0xd800 && i + 1 < length) {
        const low = value.charCodeAt(i + 1);
        if ((low & 0xfc00) === 0xdc00) {
          i++;
          code = 0x1_0000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
          buffer[at++] = 0xf0 | (code >>> 18);
          buffer[at++] = 0x80 | ((code >>> 12) & 0x3f);
          buffer[at++] = 0x80 | ((code >>> 6) & 0x3f);
          buffer[at++] = 0x80 | (code & 0x3f);
          continue;
        }
      }
      buffer[at++] = 0xe0 | (code >>> 12);
      buffer[at++] = 0x80 | ((code >>> 6) & 0x3f);
      buffer[at++] = 0x80 | (code & 0x3f);
    }
    return at - from;
  }

  #object(value: object, depth: number): void {
    if (depth >= depthMax)
      throw this.#notPlain(`a value ${depthMax} levels deep, or one that contains itself`);
    if (Array.isArray(value)) {
      this.buffer[this.end++] = kind.array;
      this.#varint(value.length);
      for (let i = 0; i < value.length; i++) this.#value(value[i], depth + 1);
      return;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      if (this.#isExactPeer(value)) {
        this.#peer(value);
      } else {
        this.buffer[this.end++] = kind.object;
        this.#fields(value, depth);
      }
    } else if (prototype === Map.prototype && value instanceof Map) {
      this.buffer[this.end++] = kind.map;
      this.#varint(value.size);
      for (const [key, held] of value) {
        this.#value(key, depth + 1);
        this.#value(held, depth + 1);
      }
    } else if (prototype === Set.prototype && value instanceof Set) {
      this.buffer[this.end++] = kind.set;
      this.#varint(value.size);
      for (const member of value) this.#value(member, depth + 1);
    } else if (value instanceof Uint8Array) {
      this.#bytes(value);
    } else {
      this.#event(value, depth);
    }
  }

  #bytes(value: Uint8Array): void {
    const { length } = value;
    this.#ensure(length + reserve);
    this.buffer[this.end++] = kind.bytes;
    this.#varint(length);
    this.buffer.set(value, this.end);
    this.end += length;
  }

  #event(value: object, depth: number): void {
    if (!(value instanceof Event)) {
      throw this.#notPlain(`an instance of ${value.constructor?.name ?? "a class without a name"}`);
    }
    const tag = this.#tagOf(value);
    this.buffer[this.end++] = kind.event;
    this.#key(tag, 0);
    for (const name of Object.keys(value)) {
      if (isForbiddenField(name)) throw this.#notPlain(`a field named ${name}`);
    }
    this.#fields(value, depth);
  }

  #fields(value: object, depth: number): void {
    if (hasFields(value)) {
      for (const name in value) {
        const held = value[name];
        this.#key(name, 1);
        this.#value(held, depth + 1);
      }
    }
    this.#ensure(reserve);
    this.buffer[this.end++] = 0;
  }

  /** Whether an object is a valid peer reference and nothing more. */
  #isExactPeer(value: object): value is PeerRef {
    if (!hasFields(value) || typeof value["peerId"] !== "number" || !isPeer(value)) return false;
    let fields = 0;
    for (const _ in value) fields++;
    const { failureDomain, rebirth } = value;
    const more = (failureDomain === undefined ? 0 : 1) + (rebirth === undefined ? 0 : 1);
    return fields === 4 + more;
  }

  #peer(peer: PeerRef): void {
    const { failureDomain, rebirth } = peer;
    this.#ensure(reserve);
    if (rebirth !== undefined) {
      this.buffer[this.end++] = kind.rebornPeer;
      this.#varint(rebirth);
    }
    this.buffer[this.end++] = failureDomain === undefined ? kind.peer : kind.domainPeer;
    this.#varint(peer.peerId);
    this.#key(peer.host, 0);
    this.#ensure(reserve);
    this.#varint(peer.port);
    this.#varint(peer.incarnation);
    if (failureDomain !== undefined) this.#key(failureDomain, 0);
  }

  #envelope(peer: PeerRef | undefined, role: string): void {
    if (!isPeer(peer)) {
      throw networkError(
        "KITH_PEER_INVALID",
        `The ${role} of a ${this.#name} is no peer reference.`,
      );
    }
    this.#peer(peer);
  }

  /** The tag of an event, whose class must be registered or can be. */
  #tagOf(value: Event): string {
    const cls: unknown = value.constructor;
    const tag = this.#tags.get(cls);
    if (tag !== undefined) return tag;
    if (!isEventClass(cls)) throw this.#notPlain("an event without a class");
    if (!isRegistered(cls)) {
      if (classOf(cls.tag) === undefined)
        throw this.#notPlain(`a ${cls.name}, whose class is not registered`);
      register(cls);
    }
    this.#tags.set(cls, cls.tag);
    return cls.tag;
  }

  #ensure(bytes: number): void {
    if (this.#capacity - this.end < bytes) this.#resize(this.end + bytes);
  }

  #resize(bytes: number): void {
    // A unit of a string reserves three bytes, of which it may need one.
    if (this.end > this.#bytesMax || bytes > 4 * frameBytesMax) throw this.#tooLarge();
    const old = this.buffer;
    this.#capacity = bytes <= 4096 ? 4096 : bytes * 2;
    this.buffer = new Uint8Array(this.#capacity);
    this.buffer.set(old.subarray(0, Math.min(this.end, this.#capacity)));
  }

  #notPlain(what: string): Error {
    return networkError("KITH_MESSAGE_NOT_PLAIN", `A ${this.#name} holds ${what}.`);
  }

  #tooLarge(): Error {
    return networkError(
      "KITH_MESSAGE_TOO_LARGE",
      `A ${this.#name} takes more than ${this.#bytesMax} bytes.`,
    );
  }
}

/** How many bytes a string takes. */
function byteLength(value: string): number {
  let bytes = value.length;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x80) continue;
    bytes++;
    if (code < 0x800) continue;
    bytes++;
    // A pair takes four bytes for its two units.
    if ((code & 0xfc00) === 0xd800 && (value.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      i++;
    }
  }
  return bytes;
}

function isEventClass(value: unknown): value is EventClass {
  return typeof value === "function" && "tag" in value && typeof value.tag === "string";
}

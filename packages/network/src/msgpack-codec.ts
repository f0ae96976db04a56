/**
 * The codec of MessagePack, by the library msgpackr: what other languages can read, too.
 *
 * A frame is one array: version, tag, receiver, sender, then names and values of the fields by turns.
 * Numbers, well-formed strings, booleans, null, undefined, byte arrays, arrays and objects are written as
 * the library writes them. Everything else is an array that begins with null and a number that says what
 * it is, see `form`; an array that begins with null itself is marked as one.
 *
 * Of the library's own extensions none but undefined is written, and none is read: each frame stands for
 * itself, without records shared between frames, and without code made at run time. `MsgpackGuard` looks
 * through a frame before the library does.
 */

import { Packr, RESET_BUFFER_MODE } from "msgpackr/pack";
import type { Codec, UnknownTag } from "./codec.ts";
import { Lowering } from "./lowering.ts";
import type { Message } from "./message.ts";
import { MsgpackGuard } from "./msgpack-guard.ts";
import type { PeerRef } from "./peer-ref.ts";
import { bigintBytesMax, frameBytesMax, hasFields } from "./plain-format.ts";
import { Malformed, malformed, objectOf, peerOf, Raising } from "./raising.ts";
import { schemaFingerprint } from "./registry.ts";

const version = 1;
/** How many elements of a frame stand before the fields. */
const head = 4;

/** What the second element of an array means whose first is null. */
const form = {
  /** The rest are the elements of an array. */
  array: 0,
  /** Keys and values by turns. */
  map: 1,
  set: 2,
  /** A bigint beyond 64 bits: whether it is negative, the bytes of its amount, the low ones first. */
  bigint: 3,
  minusZero: 4,
  /** An event: its tag, names and values by turns. */
  event: 5,
  /** Peer id, host, port, incarnation, and where there are any, the failure domain (or null) and the rebirth. */
  peer: 6,
  /** An object with keys that the library would change: keys and values by turns. */
  object: 7,
  /** A string that UTF-8 cannot hold, or that a decoder would change: its units, two bytes each, the low one first. */
  text: 8,
} as const;

/** A lone surrogate, or a byte order mark at the beginning, which decoders drop. */
const unsafeText = /^\ufeff|\p{Surrogate}/u;
const keptBytesMax = 1024 * 1024;
const word = (1n << 64n) - 1n;

/** Messages as MessagePack. One may serve any number of networks of one thread. */
export class MsgpackCodec implements Codec {
  readonly name = "msgpack";
  readonly #lowering: MsgpackLowering;
  readonly #packr = new Packr({
    useRecords: false,
    // Objects begin with one byte instead of three.
    variableMapSize: true,
    mapsAsObjects: true,
  });
  readonly #guard = new MsgpackGuard();
  /** Frames are read from here: the library keeps a view of the array that it reads. */
  #buffer = new Uint8Array(4096);
  #bytes = 0;
  #passed = 0;

  /** @param options `bytesMax`: the longest frame to write; default and limit 16 MiB */
  constructor(options: { readonly bytesMax?: number } = {}) {
    this.#lowering = new MsgpackLowering(options.bytesMax);
  }

  get bytes(): number {
    return this.#bytes;
  }

  encode(message: Message, from?: PeerRef): Uint8Array {
    const packed = this.#pack(message, from);
    // The library's buffer is shared by all who use it in this process.
    const frame = new Uint8Array(packed);
    this.#giveBack(packed);
    return frame;
  }

  decode(bytes: Uint8Array): Message | UnknownTag {
    const { length } = bytes;
    this.#bytes = length;
    this.#passed = 0;
    try {
      if (length > frameBytesMax) throw new Malformed("the frame is too long");
      this.#take(bytes);
      this.#guard.check(this.#buffer, length);
      return this.#read(length);
    } catch (error) {
      throw malformed(error);
    }
  }

  pass(message: Message, from?: PeerRef): Message | UnknownTag {
    const packed = this.#pack(message, from);
    this.#take(packed);
    this.#passed = packed.length;
    this.#giveBack(packed);
    return this.#read(this.#passed);
  }

  digest(): number {
    let hash = 0x811c9dc5;
    for (let at = 0; at < this.#passed; at++)
      hash = Math.imul(hash ^ (this.#buffer[at] ?? 0), 0x01000193);
    return hash >>> 0;
  }

  fingerprint(): string {
    return schemaFingerprint();
  }

  #pack(message: Message, from: PeerRef | undefined): Uint8Array {
    const { tag, to, from: sender, fields } = this.#lowering.message(message, from);
    const packed = this.#packr.pack(
      [version, tag, partsOf(to), partsOf(sender), ...fields],
      RESET_BUFFER_MODE,
    );
    this.#bytes = packed.length;
    this.#lowering.checkLength(packed.length);
    return packed;
  }

  /** Copies a frame into the own buffer, which shrinks again after a large one. */
  #take(bytes: Uint8Array): void {
    const { length } = bytes;
    const tooSmall = this.#buffer.length < length;
    if (tooSmall || (this.#buffer.length > keptBytesMax && length <= keptBytesMax))
      this.#buffer = new Uint8Array(length <= 4096 ? 4096 : length * 2);
    this.#buffer.set(bytes);
  }

  /** Lets go of the library's buffer after a large message: it would keep it for good. */
  #giveBack(packed: Uint8Array): void {
    // A copy by `slice` is of the class that the library works with on this host.
    if (packed.length > keptBytesMax)
      this.#packr.useBuffer(Uint8Array.prototype.slice.call(packed, 0, 8192));
  }

  #read(length: number): Message | UnknownTag {
    const raising = new MsgpackRaising();
    const frame: unknown = this.#packr.unpack(this.#buffer, length);
    if (!Array.isArray(frame) || frame[0] !== version)
      throw new Malformed("another version of the format");
    const [, tag, to, from] = frame;
    if (typeof tag !== "string" || !Array.isArray(to) || !Array.isArray(from))
      throw new Malformed("no envelope");
    const receiver = peerFrom(to, 0);
    const sender = peerFrom(from, 0);
    raising.elements(frame, head);
    return raising.message(tag, receiver, sender, frame, head);
  }
}

class MsgpackLowering extends Lowering {
  protected number(value: number): unknown {
    return Object.is(value, -0) ? [null, form.minusZero] : value;
  }

  protected text(value: string): unknown {
    return unsafeText.test(value) ? [null, form.text, unitsOf(value)] : value;
  }

  protected bigint(value: bigint): unknown {
    if (BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value) return value;
    return [null, form.bigint, value < 0n, amountOf(value)];
  }

  protected bytes(value: Uint8Array): unknown {
    return value;
  }

  protected array(elements: readonly unknown[]): unknown {
    return elements[0] === null ? [null, form.array, ...elements] : elements;
  }

  protected map(pairs: readonly unknown[]): unknown {
    return [null, form.map, ...pairs];
  }

  protected set(members: readonly unknown[]): unknown {
    return [null, form.set, ...members];
  }

  protected object(pairs: readonly unknown[]): unknown {
    return [null, form.object, ...pairs];
  }

  protected event(tag: string, pairs: readonly unknown[]): unknown {
    return [null, form.event, tag, ...pairs];
  }

  protected peer(peer: PeerRef): unknown {
    return [null, form.peer, ...partsOf(peer)];
  }

  protected isCommonKey(key: string): boolean {
    return (
      key !== "__proto__" &&
      key !== "constructor" &&
      key !== "toJSON" &&
      key !== "hasOwnProperty" &&
      !unsafeText.test(key)
    );
  }
}

/** Turns what the library has read into what was sent, in place where it can. */
class MsgpackRaising extends Raising {
  /** Raises the elements of an array from the given one on. */
  elements(array: unknown[], from: number): void {
    for (let i = from; i < array.length; i++) {
      const element: unknown = array[i];
      if (typeof element === "object" && element !== null) array[i] = this.#object(element);
    }
  }

  #object(value: object): unknown {
    if (Array.isArray(value)) {
      if (value[0] === null && value.length > 0) return this.#formed(value);
      this.elements(value, 0);
      return value;
    }
    // The library gives a view of the bytes that it has read.
    if (value instanceof Uint8Array) return new Uint8Array(value);
    if (hasFields(value)) {
      for (const key in value) {
        const held = value[key];
        if (typeof held === "object" && held !== null) value[key] = this.#object(held);
      }
    }
    return value;
  }

  #formed(array: unknown[]): unknown {
    const what = array[1];
    this.elements(array, 2);
    switch (what) {
      case form.array:
        return array.slice(2);
      case form.map: {
        if (array.length % 2 !== 0) throw new Malformed("a key without a value");
        const map = new Map<unknown, unknown>();
        for (let i = 2; i < array.length; i += 2) map.set(array[i], array[i + 1]);
        return map;
      }
      case form.set:
        return new Set(array.slice(2));
      case form.bigint: {
        const amount = bigintOf(array[3]);
        return array[2] === true ? -amount : amount;
      }
      case form.minusZero:
        return -0;
      case form.event:
        return this.event(array[2], array, 3);
      case form.peer:
        return peerFrom(array, 2);
      case form.object:
        return objectOf(array, 2);
      case form.text:
        return textOf(array[2]);
      default:
        throw new Malformed("an array of no known form");
    }
  }
}

function partsOf(peer: PeerRef): unknown[] {
  const { peerId, host, port, incarnation, rebirth, failureDomain } = peer;
  const safeHost = unsafeText.test(host) ? [null, form.text, unitsOf(host)] : host;
  const parts: unknown[] = [peerId, safeHost, port, incarnation];
  if (failureDomain !== undefined)
    parts.push(
      unsafeText.test(failureDomain) ? [null, form.text, unitsOf(failureDomain)] : failureDomain,
    );
  else if (rebirth !== undefined) parts.push(null);
  if (rebirth !== undefined) parts.push(rebirth);
  return parts;
}

function peerFrom(parts: readonly unknown[], from: number): PeerRef {
  const count = parts.length - from;
  if (count < 4 || count > 6) throw new Malformed("no peer");
  const [peerId, host, port, incarnation, domain, rebirth] = parts.slice(from);
  const label = count === 6 && domain === null ? undefined : plainText(domain);
  return peerOf(peerId, plainText(host), port, incarnation, label, rebirth);
}

/** The text of a part that no raising has seen. */
function plainText(part: unknown): unknown {
  return Array.isArray(part) && part[1] === form.text ? textOf(part[2]) : part;
}

function unitsOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    bytes[2 * i] = unit & 0xff;
    bytes[2 * i + 1] = unit >>> 8;
  }
  return bytes;
}

function textOf(bytes: unknown): string {
  if (!(bytes instanceof Uint8Array) || bytes.length % 2 !== 0)
    throw new Malformed("a text that is none");
  const units: string[] = [];
  const part: number[] = [];
  for (let i = 0; i < bytes.length; i += 2) {
    part.push((bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8));
    if (part.length === 4096 || i + 2 === bytes.length)
      units.push(String.fromCharCode(...part.splice(0)));
  }
  return units.join("");
}

function amountOf(value: bigint): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value < 0n ? -value : value; rest > 0n; rest >>= 64n)
    for (let low = rest & word, i = 0; i < 8; i++, low >>= 8n) bytes.push(Number(low & 0xffn));
  while (bytes.at(-1) === 0) bytes.pop();
  return new Uint8Array(bytes);
}

function bigintOf(bytes: unknown): bigint {
  if (!(bytes instanceof Uint8Array) || bytes.length > bigintBytesMax)
    throw new Malformed("a bigint that is none, or too large");
  let digits = "0x0";
  for (let i = bytes.length - 1; i >= 0; i--)
    digits += (bytes[i] ?? 0).toString(16).padStart(2, "0");
  return BigInt(digits);
}

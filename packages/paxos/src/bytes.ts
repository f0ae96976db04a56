/**
 * A compact binary form for what stands in logs and tables: numbers as varints, strings and byte
 * arrays with their length. What is written is read back by the same calls in the same order.
 */

import { copyBytes, octetText } from "@kith/core";
import { paxosError } from "./errors.ts";

/** For short texts a loop is faster than the host's encoder. */
const shortMax = 32;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text as UTF-8. */
export function textBytes(text: string): Uint8Array {
  if (text.length > shortMax || !isAscii(text)) return encoder.encode(text);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** UTF-8 as text. */
export function bytesText(bytes: Uint8Array): string {
  if (bytes.length > shortMax) return decoder.decode(bytes);
  const text = octetText(bytes);
  return isAscii(text) ? text : decoder.decode(bytes);
}

/** Whether a string is its own UTF-8, a byte for each character: most keys are, and are not worth an encoder. */
export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** Bytes as a string with one character, up to U+00FF, for each: such strings compare as their bytes do. */
export function octetsOf(bytes: Uint8Array): string {
  return octetText(bytes);
}

/** The bytes of such a string. @throws KithError `KITH_PAXOS_ARGUMENT` where a character is no byte */
export function octetBytes(octets: string): Uint8Array {
  const bytes = new Uint8Array(octets.length);
  for (let i = 0; i < octets.length; i++) {
    const code = octets.charCodeAt(i);
    if (code > 0xff) throw noByte(octets, i);
    bytes[i] = code;
  }
  return bytes;
}

/** Asserts that a string is one of bytes. @throws KithError `KITH_PAXOS_ARGUMENT` */
export function ensureOctets(text: string): void {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) throw noByte(text, i);
}

function noByte(text: string, at: number): Error {
  return paxosError(
    "KITH_PAXOS_ARGUMENT",
    `A key of a table has the character ${text[at] ?? ""}, which is no byte; use utf8Key.`,
  );
}

const scratch = new DataView(new ArrayBuffer(8));
const scratchBytes = new Uint8Array(scratch.buffer);
const spareBytes = 4096;
const nothing = new Uint8Array(0);
/** The buffer of the next writer: most live only for a moment, and one after the other. */
let spare: Uint8Array | null = null;

/** Writes values one after the other into a buffer that grows. */
export class ByteWriter {
  #buffer: Uint8Array;
  #end = 0;

  constructor() {
    this.#buffer = spare ?? new Uint8Array(spareBytes);
    spare = null;
  }

  /** What was written: a copy, for a while. The writer begins anew. */
  done(): Uint8Array {
    return this.#give(copyBytes(this.#buffer, 0, this.#end));
  }

  /** What was written: a copy that keeps nothing else alive, for as long as one likes. The writer begins anew. */
  kept(): Uint8Array {
    return this.#give(this.#buffer.slice(0, this.#end));
  }

  #give(written: Uint8Array): Uint8Array {
    if (this.#buffer.length === spareBytes) spare = this.#buffer;
    this.#buffer = nothing;
    this.#end = 0;
    return written;
  }

  /** A safe integer of at least 0. */
  count(value: number): this {
    if (!(Number.isSafeInteger(value) && value >= 0))
      throw paxosError("KITH_PAXOS_ARGUMENT", `${value} was to be written as a count.`);
    this.#room(8);
    while (value >= 0x80) {
      this.#buffer[this.#end++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#buffer[this.#end++] = value;
    return this;
  }

  /** Any number. */
  float(value: number): this {
    this.#room(8);
    scratch.setFloat64(0, value);
    this.#buffer.set(scratchBytes, this.#end);
    this.#end += 8;
    return this;
  }

  /** Bytes, with their length. */
  bytes(value: Uint8Array): this {
    this.count(value.length);
    this.#room(value.length);
    this.#buffer.set(value, this.#end);
    this.#end += value.length;
    return this;
  }

  /** A string with one character for each byte, with its length. */
  octets(value: string): this {
    this.count(value.length);
    this.#room(value.length);
    for (let i = 0; i < value.length; i++) this.#buffer[this.#end++] = value.charCodeAt(i);
    return this;
  }

  /** Text, with its length. */
  text(value: string): this {
    return isAscii(value) ? this.octets(value) : this.bytes(encoder.encode(value));
  }

  #room(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(256, this.#buffer.length * 2, this.#end + bytes));
    grown.set(this.#buffer.subarray(0, this.#end));
    this.#buffer = grown;
  }
}

/** Reads what a `ByteWriter` wrote. @throws KithError `KITH_PAXOS_CORRUPT` beyond the end */
export class ByteReader {
  readonly #buffer: Uint8Array;
  #at = 0;

  constructor(buffer: Uint8Array) {
    this.#buffer = buffer;
  }

  /** Whether everything has been read. */
  get ended(): boolean {
    return this.#at === this.#buffer.length;
  }

  /** A count. */
  count(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.#buffer[this.#at++];
      if (byte === undefined || scale > 2 ** 49) throw this.#short();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    if (!Number.isSafeInteger(value)) throw this.#short();
    return value;
  }

  /** Any number. */
  float(): number {
    if (this.#at + 8 > this.#buffer.length) throw this.#short();
    for (let i = 0; i < 8; i++) scratchBytes[i] = this.#buffer[this.#at++] ?? 0;
    return scratch.getFloat64(0);
  }

  /** Bytes: a copy. */
  bytes(): Uint8Array {
    const length = this.count();
    if (this.#at + length > this.#buffer.length) throw this.#short();
    const from = this.#at;
    this.#at += length;
    // Of a host's own class, a slice may be no copy.
    return this.#buffer.constructor === Uint8Array
      ? this.#buffer.slice(from, this.#at)
      : new Uint8Array(this.#buffer.subarray(from, this.#at));
  }

  /** Bytes that are not copied: whoever keeps them keeps the whole record, and nobody may change either. */
  view(): Uint8Array {
    const length = this.count();
    if (this.#at + length > this.#buffer.length) throw this.#short();
    const { buffer, byteOffset } = this.#buffer;
    const view = new Uint8Array(buffer, byteOffset + this.#at, length);
    this.#at += length;
    return view;
  }

  /** A string with one character for each byte. */
  octets(): string {
    const length = this.count();
    const end = this.#at + length;
    if (end > this.#buffer.length) throw this.#short();
    const octets = octetText(this.#buffer, this.#at, end);
    this.#at = end;
    return octets;
  }

  /** Text. */
  text(): string {
    const begin = this.#at;
    const octets = this.octets();
    if (isAscii(octets)) return octets;
    this.#at = begin;
    return decoder.decode(this.bytes());
  }

  #short(): Error {
    return paxosError(
      "KITH_PAXOS_CORRUPT",
      `A record of ${this.#buffer.length} bytes ends within a value.`,
    );
  }
}

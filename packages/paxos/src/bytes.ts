/**
 * A compact binary form for what stands in logs and tables: numbers as varints, strings and byte
 * arrays with their length. What is written is read back by the same calls in the same order.
 */

import { paxosError } from "./errors.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text as UTF-8. */
export function textBytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** UTF-8 as text. */
export function bytesText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Bytes as a string with one character, up to U+00FF, for each: such strings compare as their bytes do. */
export function octetsOf(bytes: Uint8Array): string {
  let octets = "";
  for (const byte of bytes) octets += String.fromCharCode(byte);
  return octets;
}

/** The bytes of such a string. @throws KithError `KITH_PAXOS_ARGUMENT` where a character is no byte */
export function octetBytes(octets: string): Uint8Array {
  const bytes = new Uint8Array(octets.length);
  for (let i = 0; i < octets.length; i++) {
    const code = octets.charCodeAt(i);
    if (code > 0xff)
      throw paxosError(
        "KITH_PAXOS_ARGUMENT",
        `A key of a table has the character ${octets[i] ?? ""}, which is no byte; use utf8Key.`,
      );
    bytes[i] = code;
  }
  return bytes;
}

/** Writes values one after the other into a buffer that grows. */
export class ByteWriter {
  #buffer = new Uint8Array(64);
  #end = 0;

  /** What was written: a copy. */
  done(): Uint8Array {
    return this.#buffer.slice(0, this.#end);
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
    new DataView(this.#buffer.buffer).setFloat64(this.#end, value);
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
    return this.bytes(encoder.encode(value));
  }

  #room(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(this.#buffer.length * 2, this.#end + bytes));
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
    const view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset);
    this.#at += 8;
    return view.getFloat64(this.#at - 8);
  }

  /** Bytes: a copy. */
  bytes(): Uint8Array {
    const length = this.count();
    if (this.#at + length > this.#buffer.length) throw this.#short();
    this.#at += length;
    return new Uint8Array(this.#buffer.subarray(this.#at - length, this.#at));
  }

  /** A string with one character for each byte. */
  octets(): string {
    const length = this.count();
    const end = this.#at + length;
    if (end > this.#buffer.length) throw this.#short();
    let octets = "";
    while (this.#at < end) octets += String.fromCharCode(this.#buffer[this.#at++] ?? 0);
    return octets;
  }

  /** Text. */
  text(): string {
    return decoder.decode(this.bytes());
  }

  #short(): Error {
    return paxosError(
      "KITH_PAXOS_CORRUPT",
      `A record of ${this.#buffer.length} bytes ends within a value.`,
    );
  }
}

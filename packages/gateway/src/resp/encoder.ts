/**
 * Writes replies in RESP2 or RESP3 (the protocol specification of Redis).
 *
 * All replies that are due in one turn are written into one scratch buffer that every connection shares, and leave in
 * one piece. Long values are passed on as they are.
 */

import type { Reply } from "./reply.ts";

/** Values from so many bytes on are not copied. */
const longBytes = 16 * 1024;
const firstBytes = 64 * 1024;
const cr = 13;
const lf = 10;

/** Collects replies as bytes. */
export class Encoder {
  #buffer = Buffer.allocUnsafeSlow(firstBytes);
  #at = 0;
  #pieces: Uint8Array[] = [];
  #piecesBytes = 0;

  /** How many bytes are here. */
  get length(): number {
    return this.#piecesBytes + this.#at;
  }

  /** Adds a reply. @param version of the protocol */
  write(reply: Reply, version: 2 | 3): void {
    switch (reply.kind) {
      case "status":
        return this.#line(43, reply.text);
      case "error":
        // A line that a client has a hand in must not become two replies.
        return this.#line(45, reply.text.replace(/[\r\n]/g, " "));
      case "integer":
        return this.#number(58, reply.value);
      case "bytes":
        return this.#bytes(reply.bytes);
      case "text":
        this.#number(36, reply.text.length);
        return this.#line(0, reply.text);
      case "verbatim":
        if (version === 3) {
          this.#number(61, reply.text.length + 4);
          return this.#line(0, `txt:${reply.text}`);
        }
        this.#number(36, reply.text.length);
        return this.#line(0, reply.text);
      case "null":
        return version === 3 ? this.#line(95, "") : this.#number(36, -1);
      case "no-array":
        return version === 3 ? this.#line(95, "") : this.#number(42, -1);
      case "array":
      case "set":
        this.#number(reply.kind === "set" && version === 3 ? 126 : 42, reply.items.length);
        for (const item of reply.items) this.write(item, version);
        return undefined;
      case "map":
        if (version === 3) this.#number(37, reply.pairs.length);
        else this.#number(42, reply.pairs.length * 2);
        for (const [name, value] of reply.pairs) {
          this.write({ kind: "text", text: name }, version);
          this.write(value, version);
        }
        return undefined;
    }
  }

  /** Takes all that was written, in pieces that belong to the caller. */
  take(): readonly Uint8Array[] {
    if (this.#at > 0) this.#cut();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#piecesBytes = 0;
    return pieces;
  }

  #cut(): void {
    const piece = Buffer.from(this.#buffer.subarray(0, this.#at));
    this.#pieces.push(piece);
    this.#piecesBytes += piece.length;
    this.#at = 0;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    if (this.#at > 0) this.#cut();
    if (bytes > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(bytes * 2);
  }

  /** A line that begins with a character, 0 for none. */
  #line(mark: number, text: string): void {
    this.#room(text.length + 3);
    const buffer = this.#buffer;
    let at = this.#at;
    if (mark > 0) buffer[at++] = mark;
    // Calling the host costs more than a few characters do.
    if (text.length < 16) for (let i = 0; i < text.length; i++) buffer[at++] = text.charCodeAt(i);
    else at += buffer.write(text, at, "latin1");
    buffer[at++] = cr;
    buffer[at++] = lf;
    this.#at = at;
  }

  #number(mark: number, value: number | string): void {
    if (typeof value === "number" && value >= 0 && value < 10) {
      this.#room(4);
      const buffer = this.#buffer;
      buffer[this.#at++] = mark;
      buffer[this.#at++] = 48 + value;
      buffer[this.#at++] = cr;
      buffer[this.#at++] = lf;
    } else this.#line(mark, String(value));
  }

  #bytes(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#number(36, length);
    if (length >= longBytes) {
      if (this.#at > 0) this.#cut();
      this.#pieces.push(bytes);
      this.#piecesBytes += length;
    } else {
      this.#room(length);
      if (length < 32) for (let i = 0; i < length; i++) this.#buffer[this.#at + i] = bytes[i] ?? 0;
      else this.#buffer.set(bytes, this.#at);
      this.#at += length;
    }
    this.#line(0, "");
  }
}

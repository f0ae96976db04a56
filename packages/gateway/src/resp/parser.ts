/**
 * Reads commands out of what a client sends: arrays of bulk strings, or lines (the protocol specification of Redis).
 *
 * A machine with named states, which can be stopped after any byte: `push` brings bytes, `next` gives commands until
 * there is none. What was read is not read again, however finely a command is cut. What breaks the protocol is a
 * `ProtocolError`, in the words of Redis; nothing after it can be understood, so the connection has to end.
 *
 * The arguments are parts of what was pushed: whoever keeps one copies it.
 */

import type { GatewayLimits } from "../limits.ts";
import { splitLine } from "./inline.ts";

/** The protocol was broken. `message` is what the client is told. */
export class ProtocolError extends Error {}

/** The limits of a parser. */
export type ParserLimits = Pick<GatewayLimits, "argumentsMax" | "requestBytesMax" | "lineBytesMax">;

/** A command: its name and its arguments, at least one. */
export type Request = readonly Buffer[];

/** Of clients that have not said who they are, as in Redis. */
const strangerArgumentsMax = 10;
const strangerBytesMax = 16_384;

const cr = 13;
const lf = 10;
const dollar = 36;
const star = 42;
const empty = Buffer.alloc(0);

/** Reads the commands of one client. */
export class RequestParser {
  readonly #limits: ParserLimits;
  /** Whether the client has said who it is: until then it may ask for little. */
  trusted = true;
  #buffer: Buffer = empty;
  #at = 0;
  /** What was pushed and not yet joined to the buffer. */
  #more: Buffer[] = [];
  #moreBytes = 0;
  /** Nothing can be read before there are so many bytes. */
  #need = 0;
  #arguments: Buffer[] = [];
  /** Arguments of the command that are still to come. */
  #left = 0;
  /** Bytes of the argument that comes; -1 where its length is still to come. */
  #length = -1;
  #bytes = 0;

  constructor(limits: ParserLimits) {
    this.#limits = limits;
  }

  /** How many bytes wait here. */
  get waiting(): number {
    return this.#buffer.length - this.#at + this.#moreBytes;
  }

  /** Brings bytes, which belong to the parser from now on. */
  push(chunk: Buffer): void {
    if (this.#at === this.#buffer.length && this.#moreBytes === 0) {
      this.#buffer = chunk;
      this.#at = 0;
    } else {
      this.#more.push(chunk);
      this.#moreBytes += chunk.length;
    }
  }

  /** The next command; undefined where it is not here yet. @throws ProtocolError */
  next(): Request | undefined {
    for (;;) {
      if (this.waiting < this.#need) return undefined;
      if (this.#moreBytes > 0) this.#join();
      const found = this.#left === 0 ? this.#head() : this.#argument();
      if (found === false) return undefined;
      if (found !== true) return found;
    }
  }

  #join(): void {
    const rest = this.#buffer.subarray(this.#at);
    this.#buffer = Buffer.concat([rest, ...this.#more]);
    this.#at = 0;
    this.#more = [];
    this.#moreBytes = 0;
  }

  /** The beginning of a command. @returns true: go on, false: wait */
  #head(): Request | boolean {
    if (this.#at === this.#buffer.length) return this.#wait(1);
    if (this.#buffer[this.#at] !== star) return this.#inline();
    const count = this.#count("multibulk");
    if (count === undefined) return false;
    if (count > this.#limits.argumentsMax) throw new ProtocolError("invalid multibulk length");
    if (!this.trusted && count > strangerArgumentsMax)
      throw new ProtocolError("unauthenticated multibulk length");
    if (count <= 0) return true;
    this.#left = count;
    this.#arguments = [];
    this.#bytes = 0;
    return true;
  }

  #argument(): Request | boolean {
    if (this.#length < 0) {
      if (this.#at === this.#buffer.length) return this.#wait(1);
      const length = this.#count("bulk");
      if (length === undefined) return false;
      const { requestBytesMax } = this.#limits;
      if (length < 0 || length > requestBytesMax) throw new ProtocolError("invalid bulk length");
      if (!this.trusted && length > strangerBytesMax)
        throw new ProtocolError("unauthenticated bulk length");
      this.#bytes += length;
      if (this.#bytes > requestBytesMax) throw new ProtocolError("too big request");
      this.#length = length;
    }
    const end = this.#at + this.#length;
    if (end + 2 > this.#buffer.length) return this.#wait(this.#length + 2);
    this.#arguments.push(this.#buffer.subarray(this.#at, end));
    this.#at = end + 2;
    this.#length = -1;
    this.#need = 0;
    if (--this.#left > 0) return true;
    const found = this.#arguments;
    this.#arguments = [];
    return found;
  }

  /** A count behind its mark; undefined where its line is not whole. */
  #count(what: "multibulk" | "bulk"): number | undefined {
    const buffer = this.#buffer;
    const from = this.#at + 1;
    let end = from;
    // By hand: lines are short, and there is one for each argument.
    const most = Math.min(buffer.length, from + 24);
    while (end < most && buffer[end] !== cr) end++;
    if (end === most) end = buffer.indexOf(cr, from);
    if (end < 0 || end + 1 >= buffer.length) {
      if (buffer.length - this.#at > this.#limits.lineBytesMax)
        throw new ProtocolError(`too big ${what === "bulk" ? "bulk" : "mbulk"} count string`);
      this.#wait(buffer.length - this.#at + 1);
      return undefined;
    }
    const mark = buffer[this.#at] ?? 0;
    if (what === "bulk" && mark !== dollar)
      throw new ProtocolError(`expected '$', got '${String.fromCharCode(mark)}'`);
    const count = digits(buffer, from, end);
    if (count === undefined) throw new ProtocolError(`invalid ${what} length`);
    this.#at = end + 2;
    this.#need = 0;
    return count;
  }

  #inline(): Request | boolean {
    const buffer = this.#buffer;
    const end = buffer.indexOf(lf, this.#at);
    const length = (end < 0 ? buffer.length : end) - this.#at;
    if (length > this.#limits.lineBytesMax) throw new ProtocolError("too big inline request");
    if (end < 0) return this.#wait(length + 1);
    const last = end > this.#at && buffer[end - 1] === cr ? end - 1 : end;
    const line = buffer.subarray(this.#at, last);
    this.#at = end + 1;
    this.#need = 0;
    const found = splitLine(line);
    if (found === null) throw new ProtocolError("unbalanced quotes in request");
    return found.length === 0 ? true : found;
  }

  /** There is nothing to be read before so many bytes are there. */
  #wait(bytes: number): false {
    this.#need = bytes;
    return false;
  }
}

/** A decimal integer, as Redis reads it; undefined where it is none. */
function digits(buffer: Buffer, from: number, end: number): number | undefined {
  let at = from;
  const negative = buffer[at] === 45;
  if (negative) at++;
  const length = end - at;
  if (length < 1 || length > 15 || (length > 1 && buffer[at] === 48)) return undefined;
  let value = 0;
  for (; at < end; at++) {
    const digit = (buffer[at] ?? 0) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  if (negative && value === 0) return undefined;
  return negative ? -value : value;
}

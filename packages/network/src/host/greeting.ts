/**
 * The four frames by which two processes get to know each other, as bytes.
 *
 * The caller says hello, the other side challenges, the caller proves that it knows the secret, the other side
 * proves it too and thereby welcomes. Every frame begins with a magic byte, its kind, and the version of
 * the protocol, so that any version can say of any other that it is another.
 */

import { networkError } from "../errors.ts";
import { isPeer, type PeerRef } from "../peer-ref.ts";
import { readText } from "../text.ts";

/** The version of the protocol, in both handshake and batches. */
export const protocolVersion = 1;
/** How many bytes a nonce and a proof have. */
export const nonceBytes = 32;

const magic = 0x4b;
const kinds = { hello: 1, challenge: 2, proof: 3, welcome: 4 } as const;
const textBytesMax = 512;

/** What the caller says first. */
export interface Hello {
  readonly kind: "hello";
  readonly cluster: string;
  readonly codec: string;
  readonly fingerprint: string;
  readonly self: PeerRef;
  /** The address that it has called. */
  readonly called: string;
  /** Counts what this process has begun or accepted: of two connections, which one it began later. */
  readonly attempt: number;
  readonly nonce: Uint8Array;
}

/** What the other side answers. */
export interface Challenge {
  readonly kind: "challenge";
  readonly codec: string;
  readonly fingerprint: string;
  readonly self: PeerRef;
  readonly nonce: Uint8Array;
}

/** The proof of the caller. */
export interface Proof {
  readonly kind: "proof";
  readonly proof: Uint8Array;
}

/** The proof of the other side, and its consent. */
export interface Welcome {
  readonly kind: "welcome";
  /** As in `Hello`; counted when it consents. */
  readonly attempt: number;
  readonly proof: Uint8Array;
}

/** A frame of the handshake. */
export type Greeting = Hello | Challenge | Proof | Welcome;

/** A frame of another version: nothing more can be read of it. */
export interface OtherVersion {
  readonly kind: "version";
  readonly version: number;
}

/** The bytes of a frame. */
export function writeGreeting(greeting: Greeting): Uint8Array {
  const out: number[] = [magic, kinds[greeting.kind]];
  integer(out, protocolVersion);
  if (greeting.kind === "proof" || greeting.kind === "welcome") {
    if (greeting.kind === "welcome") integer(out, greeting.attempt);
    out.push(...greeting.proof);
    return Uint8Array.from(out);
  }
  if (greeting.kind === "hello") text(out, greeting.cluster);
  text(out, greeting.codec);
  text(out, greeting.fingerprint);
  const { peerId, host, port, incarnation, failureDomain = "" } = greeting.self;
  integer(out, peerId);
  text(out, host);
  integer(out, port);
  integer(out, incarnation);
  text(out, failureDomain);
  if (greeting.kind === "hello") {
    text(out, greeting.called);
    integer(out, greeting.attempt);
  }
  out.push(...greeting.nonce);
  return Uint8Array.from(out);
}

/**
 * Reads a frame.
 *
 * @throws KithError `KITH_FRAME_MALFORMED`
 */
export function readGreeting(frame: Uint8Array): Greeting | OtherVersion {
  const reader = new Reader(frame);
  if (reader.byte() !== magic) throw malformed("it does not begin like one");
  const kind = reader.byte();
  const version = reader.integer();
  if (version !== protocolVersion) return { kind: "version", version };
  switch (kind) {
    case kinds.hello: {
      const cluster = reader.text();
      const parts = readSide(reader);
      const called = reader.text();
      const attempt = reader.integer();
      const nonce = reader.bytes(nonceBytes);
      return reader.ended({ kind: "hello", cluster, ...parts, called, attempt, nonce });
    }
    case kinds.challenge: {
      const parts = readSide(reader);
      return reader.ended({ kind: "challenge", ...parts, nonce: reader.bytes(nonceBytes) });
    }
    case kinds.proof:
      return reader.ended({ kind: "proof", proof: reader.bytes(nonceBytes) });
    case kinds.welcome: {
      const attempt = reader.integer();
      return reader.ended({ kind: "welcome", attempt, proof: reader.bytes(nonceBytes) });
    }
    default:
      throw malformed(`there is no kind ${kind}`);
  }
}

function readSide(reader: Reader): Pick<Hello, "codec" | "fingerprint" | "self"> {
  const codec = reader.text();
  const fingerprint = reader.text();
  const parts = {
    peerId: reader.integer(),
    host: reader.text(),
    port: reader.integer(),
    incarnation: reader.integer(),
  };
  const failureDomain = reader.text();
  const self = failureDomain === "" ? parts : { ...parts, failureDomain };
  if (!isPeer(self)) throw malformed("its sender is no peer");
  return { codec, fingerprint, self };
}

function integer(out: number[], value: number): void {
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) out.push((left % 0x80) | 0x80);
  out.push(left);
}

function text(out: number[], value: string): void {
  const bytes = new TextEncoder().encode(value).subarray(0, textBytesMax);
  integer(out, bytes.length);
  out.push(...bytes);
}

class Reader {
  readonly #frame: Uint8Array;
  #at = 0;

  constructor(frame: Uint8Array) {
    this.#frame = frame;
  }

  byte(): number {
    const byte = this.#frame[this.#at++];
    if (byte === undefined) throw malformed("it ends too early");
    return byte;
  }

  integer(): number {
    let value = 0;
    for (let unit = 1; unit <= 2 ** 49; unit *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * unit;
      if (byte < 0x80 && Number.isSafeInteger(value)) return value;
    }
    throw malformed("an integer is too large");
  }

  bytes(length: number): Uint8Array {
    if (length > this.#frame.length - this.#at) throw malformed("it ends too early");
    this.#at += length;
    return Uint8Array.from(this.#frame.subarray(this.#at - length, this.#at));
  }

  text(): string {
    const length = this.integer();
    if (length > textBytesMax) throw malformed("a text is too long");
    const found = readText(this.bytes(length), 0, length);
    if (found === null) throw malformed("a text is no UTF-8");
    return found;
  }

  ended<T>(greeting: T): T {
    if (this.#at !== this.#frame.length) throw malformed("it goes on after its end");
    return greeting;
  }
}

function malformed(why: string): Error {
  return networkError("KITH_FRAME_MALFORMED", `A frame of the handshake is malformed: ${why}.`);
}

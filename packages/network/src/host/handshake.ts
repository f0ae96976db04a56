/**
 * The handshake as a pure state machine, one for each side: a frame in, a step out. It knows no socket
 * and no clock; how long it may take is its user's business.
 *
 * Invariants: a side says who the other one is (`met`, `welcomed`) only after it has verified its proof;
 * every step after a refusal is a refusal; no frame is taken twice.
 */

import { describeThrown } from "./failure.ts";
import { farewell, type FarewellCode } from "./farewell.ts";
import {
  type Greeting,
  type Hello,
  type OtherVersion,
  protocolVersion,
  readGreeting,
  writeGreeting,
} from "./greeting.ts";
import { addressOf, type PeerRef, sameProcess } from "../peer-ref.ts";
import { prove, sameProof } from "./proof.ts";

/** What a process says of itself. */
export interface Identity {
  readonly self: PeerRef;
  readonly cluster: string;
  readonly secret: string;
  readonly codec: string;
  readonly fingerprint: string;
}

/** What is known of the other side. */
export interface Met {
  readonly peer: PeerRef;
  readonly fingerprint: string;
  readonly attempt: number;
}

/** What is to be done next. */
export type Step =
  | { readonly kind: "send"; readonly frame: Uint8Array }
  /** The caller has proved itself, and waits for the frame that accepts it. */
  | {
      readonly kind: "met";
      readonly met: Met;
      readonly welcome: (attempt: number) => Uint8Array;
    }
  /** The other side has accepted this one, and proved itself. */
  | { readonly kind: "welcomed"; readonly met: Met }
  | { readonly kind: "refuse"; readonly code: FarewellCode; readonly detail: string };

/** One side of a handshake. */
export interface Handshake {
  take(frame: Uint8Array): Step;
}

/** The side that calls. Its first frame is `hello`. */
export class CallerHandshake implements Handshake {
  readonly hello: Uint8Array;
  readonly #identity: Identity;
  readonly #called: string;
  #challenge: Uint8Array | null = null;
  #met: Omit<Met, "attempt"> | null = null;
  #over = false;

  constructor(identity: Identity, called: string, attempt: number, nonce: Uint8Array) {
    this.#identity = identity;
    this.#called = called;
    const { self, cluster, codec, fingerprint } = identity;
    this.hello = writeGreeting({
      kind: "hello",
      cluster,
      codec,
      fingerprint,
      self,
      called,
      attempt,
      nonce,
    });
  }

  take(frame: Uint8Array): Step {
    const step = this.#over
      ? unexpected("another frame")
      : reading(frame, (it) => this.#take(it, frame));
    if (step.kind !== "send") this.#over = true;
    return step;
  }

  #take(greeting: Greeting, frame: Uint8Array): Step {
    const { secret, self, codec } = this.#identity;
    if (greeting.kind === "challenge" && this.#challenge === null) {
      const { self: peer, fingerprint } = greeting;
      if (greeting.codec !== codec) return refuseCodec(greeting.codec, codec);
      if (addressOf(peer) !== this.#called)
        return refuse(farewell.address, `${this.#called} calls itself ${addressOf(peer)}`);
      if (sameProcess(peer, self)) return refuse(farewell.oneself);
      this.#challenge = Uint8Array.from(frame);
      this.#met = { peer, fingerprint };
      const proof = prove(secret, "caller", this.hello, this.#challenge);
      return { kind: "send", frame: writeGreeting({ kind: "proof", proof }) };
    }
    if (greeting.kind === "welcome" && this.#challenge !== null && this.#met !== null) {
      const { attempt, proof } = greeting;
      const expected = prove(secret, "called", this.hello, this.#challenge, attempt);
      if (!sameProof(proof, expected)) return refuse(farewell.secret);
      return { kind: "welcomed", met: { ...this.#met, attempt } };
    }
    return unexpected(`a ${greeting.kind}`);
  }
}

/** The side that is called. */
export class CalledHandshake implements Handshake {
  readonly #identity: Identity;
  readonly #nonce: Uint8Array;
  #hello: { readonly frame: Uint8Array; readonly content: Hello } | null = null;
  #challenge: Uint8Array | null = null;
  #over = false;

  constructor(identity: Identity, nonce: Uint8Array) {
    this.#identity = identity;
    this.#nonce = nonce;
  }

  take(frame: Uint8Array): Step {
    const step = this.#over
      ? unexpected("another frame")
      : reading(frame, (it) => this.#take(it, frame));
    if (step.kind !== "send") this.#over = true;
    return step;
  }

  #take(greeting: Greeting, frame: Uint8Array): Step {
    if (greeting.kind === "hello" && this.#hello === null) return this.#answer(greeting, frame);
    if (greeting.kind === "proof" && this.#hello !== null && this.#challenge !== null) {
      const { secret } = this.#identity;
      const { frame: hello, content } = this.#hello;
      const challenge = this.#challenge;
      if (!sameProof(greeting.proof, prove(secret, "caller", hello, challenge)))
        return refuse(farewell.secret);
      return {
        kind: "met",
        met: { peer: content.self, fingerprint: content.fingerprint, attempt: content.attempt },
        welcome: (attempt) => {
          const proof = prove(secret, "called", hello, challenge, attempt);
          return writeGreeting({ kind: "welcome", attempt, proof });
        },
      };
    }
    return unexpected(`a ${greeting.kind}`);
  }

  #answer(hello: Hello, frame: Uint8Array): Step {
    const { self, cluster, codec, fingerprint } = this.#identity;
    if (hello.cluster !== cluster)
      return refuse(farewell.cluster, `${hello.cluster} here ${cluster}`);
    if (hello.codec !== codec) return refuseCodec(hello.codec, codec);
    if (sameProcess(hello.self, self)) return refuse(farewell.oneself);
    if (hello.called !== addressOf(self))
      return refuse(farewell.address, `${hello.called} calls itself ${addressOf(self)}`);
    this.#hello = { frame: Uint8Array.from(frame), content: hello };
    this.#challenge = writeGreeting({
      kind: "challenge",
      codec,
      fingerprint,
      self,
      nonce: this.#nonce,
    });
    return { kind: "send", frame: this.#challenge };
  }
}

function reading(frame: Uint8Array, take: (greeting: Greeting) => Step): Step {
  let greeting: Greeting | OtherVersion;
  try {
    greeting = readGreeting(frame);
  } catch (cause) {
    return refuse(farewell.malformed, describeThrown(cause));
  }
  if (greeting.kind === "version")
    return refuse(farewell.version, `${greeting.version} instead of ${protocolVersion}`);
  return take(greeting);
}

function refuse(code: FarewellCode, detail = ""): Step {
  return { kind: "refuse", code, detail };
}

function refuseCodec(theirs: string, ours: string): Step {
  return refuse(farewell.codec, `${theirs} instead of ${ours}`);
}

function unexpected(what: string): Step {
  return refuse(farewell.malformed, `${what} came where none was due`);
}

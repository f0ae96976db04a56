/** What a client tells ordinary code that listens. */

import { EventEmitter } from "eventemitter3";
import type typedEmitter from "typed-emitter";
import type { ClientError } from "./errors.ts";
import type { WatchTarget } from "./watch.ts";

/** The events of a client, each with what its listener is given. */
export type ClientEvents = {
  /** A connection to a peer is up; `host:port`. */
  up: (peer: string) => void;
  /** It has ended, or could not be made. */
  down: (peer: string, reason: string) => void;
  /** A transaction was aborted and is tried again, for the n-th time. */
  retry: (attempt: number) => void;
  /** A watch has missed changes: its next event says what is there now. */
  missed: (target: WatchTarget) => void;
  /** The client has stopped by itself. */
  failed: (error: ClientError) => void;
  /** The client is closed. */
  closed: () => void;
};

/** The side of an emitter that listeners see. */
export type Listening = Pick<typedEmitter.default<ClientEvents>, "on" | "once" | "off">;

/** Emits the events of a client. */
export type Emitter = typedEmitter.default<ClientEvents>;

/** An emitter for a client. */
export function emitter(): Emitter {
  return typed(new EventEmitter());
}

/** Emits. A listener that throws is a fault of whoever listens, and must not stop who tells. */
export function tell<E extends keyof ClientEvents>(
  to: Emitter,
  event: E,
  ...facts: Parameters<ClientEvents[E]>
): void {
  try {
    to.emit(event, ...facts);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** The library is types only: what emits is another one, whose types know no names of events. */
function typed(untyped: EventEmitter): Emitter;
function typed(untyped: EventEmitter): unknown {
  return untyped;
}

/**
 * Watches for ordinary code: an async iterator over what changes.
 *
 * - Of a key no change is left out and none comes twice, unless a `state` says that changes were missed, and what is
 *   there now. The first event of each part of a watch is its `state`.
 * - What waits to be iterated is bounded. Who is too slow misses changes, and is told so by a `state`.
 * - Keys that lie in different groups change in no common order.
 * - It is not a read: any replica tells, and may be behind a little. What a state lacks comes as a change.
 */

import { Changes, type Entry, positionOf, Resync, WatchRefused } from "@kith/store";
import { type Codec, decoded } from "./codec.ts";
import { ClientError } from "./errors.ts";
import { type Emitter, tell } from "./events.ts";
import { keyOf, textOf } from "./keys.ts";
import type { StoreUser } from "./user.ts";

/** What may be said of a watch. */
export interface WatchOptions {
  /** How many changes may wait to be iterated; default 1,024. */
  readonly bufferMax?: number;
  /** Ends the watch: the iterator is done then. */
  readonly signal?: AbortSignal;
}

/** Which keys are watched: one, or all that begin with a prefix. */
export type WatchTarget = string | { readonly prefix: string };

/** What happens to keys that are watched. */
export type WatchEvent<V> =
  /** A key was written; a value of undefined: it was deleted, or has expired. */
  | {
      readonly kind: "change";
      readonly key: string;
      readonly value: V | undefined;
      readonly version: number;
    }
  /** What is there now, in a part of what is watched. */
  | {
      readonly kind: "state";
      /** The keys that are present, with their values. */
      readonly entries: ReadonlyMap<string, V>;
      /** Whether a watched key lies in the part: if so, and it is not among the entries, it is absent. */
      readonly covers: (key: string) => boolean;
      /** Whether changes were missed before; false at the beginning. */
      readonly missed: boolean;
    };

/** A watch: to be iterated once, `for await (const event of watch)`. Leaving the loop ends it. */
export type Watching<V> = AsyncIterableIterator<WatchEvent<V>, undefined, undefined>;

/** What a watch needs of its client. */
export interface WatchHost<V> {
  readonly user: StoreUser;
  readonly codec: Codec<V>;
  readonly events: Emitter;
  readonly ordered: boolean;
}

const bufferDefault = 1024;

/** Begins a watch. @param name that no other watch of this user has */
export class KeyWatch<V> implements Watching<V> {
  readonly #host: WatchHost<V>;
  readonly #id: string;
  readonly #target: WatchTarget;
  readonly #bufferMax: number;
  readonly #ended: () => void;
  readonly #buffer: (Changes | Resync)[] = [];
  /** Events of the told thing that is being iterated. */
  #ready: WatchEvent<V>[] = [];
  #waiting: number = 0;
  #wake: (() => void)[] = [];
  #over = false;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.end();
  /** How often it has begun anew. */
  #round = 0;
  #error: ClientError | null = null;
  /** The parts of which a state has come before. */
  readonly #told: { readonly lo: string; readonly hi: string | null }[] = [];

  /** @param over is called at its end */
  constructor(
    host: WatchHost<V>,
    name: string,
    target: WatchTarget,
    options: WatchOptions,
    over: () => void,
  ) {
    const { bufferMax = bufferDefault, signal } = options;
    this.#host = host;
    this.#id = name;
    this.#target = target;
    this.#bufferMax = bufferMax;
    this.#ended = over;
    this.#signal = signal;
    if (signal?.aborted === true) this.#over = true;
    else {
      // First what may be refused: nothing shall remember a watch that there is not.
      this.#begin();
      signal?.addEventListener("abort", this.#abort, { once: true });
    }
  }

  /** Whether it has ended: nothing more comes. */
  get over(): boolean {
    return this.#over;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<WatchEvent<V>, undefined>> {
    for (;;) {
      const event = this.#ready.shift();
      if (event !== undefined) return { done: false, value: event };
      const told = this.#buffer.shift();
      if (told !== undefined) {
        this.#waiting -= weightOf(told);
        this.#ready = this.#eventsOrEnd(told);
      } else if (this.#error !== null) {
        const error = this.#error;
        this.#error = null;
        throw error;
      } else if (this.#over) return { done: true, value: undefined };
      else await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  async return(): Promise<IteratorResult<WatchEvent<V>, undefined>> {
    this.end();
    this.#buffer.length = 0;
    this.#ready = [];
    return { done: true, value: undefined };
  }

  /** Ends the watch; what has come before can still be iterated. */
  end(error: ClientError | null = null): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#ended();
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#host.user.unwatch(this.#name);
    this.#awake();
  }

  #begin(): void {
    const target = this.#target;
    const what =
      typeof target === "string" ? { key: keyOf(target) } : { prefix: keyOf(target.prefix) };
    this.#host.user.watch(this.#name, what, (told) => this.#take(told));
  }

  #take(told: Changes | Resync | WatchRefused | null): void {
    if (told === null) return this.end();
    if (this.#over) return;
    if (told instanceof WatchRefused) return this.end(watchRefused());
    if (told instanceof Resync && this.#waiting >= this.#bufferMax) this.#supersede(told);
    this.#waiting += weightOf(told);
    // A state alone is as large as what is there, and has to come through.
    if (this.#waiting > this.#bufferMax && told instanceof Changes) return this.#overflow();
    this.#buffer.push(told);
    return this.#awake();
  }

  /** What is there now takes the place of what waits of that part: else states would pile up with who is slow. */
  #supersede({ lo, hi }: Resync): void {
    const within = (from: string, to: string | null): boolean =>
      from >= lo && (hi === null || (to !== null && to <= hi));
    const isLeft = (one: Changes | Resync): boolean =>
      one instanceof Resync
        ? !within(one.lo, one.hi)
        : !one.changes.every(({ key }) => {
            const at = positionOf(key, this.#host.ordered);
            return within(at, `${at}\u0000`);
          });
    const left = this.#buffer.filter(isLeft);
    this.#buffer.splice(0, this.#buffer.length, ...left);
    this.#waiting = left.reduce((sum, one) => sum + weightOf(one), 0);
  }

  /** Too much waits: it is dropped, and the watch begins anew with what is there now. */
  #overflow(): void {
    this.#buffer.length = 0;
    this.#waiting = 0;
    // Under another name, so that what is on its way to the old one is not taken for news of the new one.
    this.#host.user.unwatch(this.#name);
    this.#round++;
    tell(this.#host.events, "missed", this.#target);
    this.#begin();
  }

  get #name(): string {
    return `${this.#id}.${this.#round}`;
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const one of wake) one();
  }

  /** What cannot be decoded ends the watch: to skip it would be to miss a change. */
  #eventsOrEnd(told: Changes | Resync): WatchEvent<V>[] {
    try {
      return this.#eventsOf(told);
    } catch (error) {
      this.end();
      this.#buffer.length = 0;
      throw error;
    }
  }

  #eventsOf(told: Changes | Resync): WatchEvent<V>[] {
    if (told instanceof Changes)
      return told.changes.map(({ key, value, version }) => ({
        kind: "change",
        key: textOf(key),
        value: value === null ? undefined : decoded(this.#host.codec, value),
        version,
      }));
    const { lo, hi } = told;
    const covers = (key: string): boolean => {
      const position = positionOf(keyOf(key), this.#host.ordered);
      return this.#watches(key) && position >= lo && (hi === null || position < hi);
    };
    const entries = new Map<string, V>();
    for (const entry of told.entries) this.#enter(entries, entry);
    const missed = this.#told.some(
      (one) => (one.hi === null || lo < one.hi) && (hi === null || one.lo < hi),
    );
    if (!this.#told.some((one) => one.lo === lo && one.hi === hi)) this.#told.push({ lo, hi });
    return [{ kind: "state", entries, covers, missed }];
  }

  #enter(entries: Map<string, V>, { key, value }: Entry): void {
    if (value !== null) entries.set(textOf(key), decoded(this.#host.codec, value));
  }

  #watches(key: string): boolean {
    const target = this.#target;
    return typeof target === "string" ? key === target : key.startsWith(target.prefix);
  }
}

/** How much room something takes in the buffer. */
function weightOf(told: Changes | Resync): number {
  return told instanceof Changes ? told.changes.length : 1;
}

function watchRefused(): ClientError {
  const what = "The watch was refused: there are too many at this peer.";
  return new ClientError("KITH_CLIENT_BUSY", what, "not-done");
}

/** The error with which the watches of a client that has stopped end. */
export function watchClosed(): ClientError {
  return new ClientError("KITH_CLIENT_CLOSED", "The client has stopped.", "not-done");
}

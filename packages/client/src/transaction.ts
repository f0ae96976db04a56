/**
 * Transactions for ordinary code: a body that reads and writes, and is run again until what it has read still holds when
 * it commits (algorithms.md §6.5.5).
 *
 * - The body must do nothing but read and write its transaction: it may run several times, and before a commit what it
 *   reads need not fit together.
 * - It sees its own writes, and each key as it was first read.
 * - When a body throws, nothing was done. Where what it had read did not fit together, that may be the cause: it is run
 *   again.
 */

import {
  Aborted,
  Busy,
  Commit,
  Committed,
  Entries,
  type Entry,
  Read,
  type Writing,
} from "@kith/store";
import { call, failure, pause, type CallOptions, withinDefault } from "./calls.ts";
import { type Codec, decoded } from "./codec.ts";
import { ClientError } from "./errors.ts";
import { type Emitter, tell } from "./events.ts";
import { keyOf } from "./keys.ts";
import type { StoreUser } from "./user.ts";

/** What may be said of a transaction. */
export interface TransactOptions extends CallOptions {
  /** How often the body is run at most; default 50. */
  readonly attempts?: number;
}

/** What may be said of a value that is written. */
export interface PutOptions {
  /** After how many milliseconds the key expires, or `keep`: when it would have anyway; never where it is left out. */
  readonly expiresIn?: number | "keep";
}

/** A transaction, for its body. */
export interface Transaction<V> {
  /** What is at a key; undefined where there is nothing. */
  get(key: string): Promise<V | undefined>;
  /** What is at several keys, by key: those that are absent are left out. */
  getAll(keys: readonly string[]): Promise<Map<string, V>>;
  /** Writes a key when it commits. */
  put(key: string, value: V, options?: PutOptions): void;
  /** Deletes a key when it commits. */
  delete(key: string): void;
}

/** What a transaction needs of its client. */
export interface TransactionHost<V> {
  readonly user: StoreUser;
  readonly codec: Codec<V>;
  readonly events: Emitter;
}

interface SeenValue<V> {
  readonly version: number;
  readonly value: V | undefined;
}

const attemptsDefault = 50;
/** As often aborted, a transaction reads ahead. */
const patience = 3;
const pauseMax = 1000;

/** Runs a body until it commits. */
export async function transact<V, T>(
  host: TransactionHost<V>,
  body: (tx: Transaction<V>) => T | Promise<T>,
  options: TransactOptions = {},
): Promise<T> {
  const { within = withinDefault, attempts = attemptsDefault, signal } = options;
  const { user, events } = host;
  const until = user.now + within;
  let keys: readonly string[] = [];
  for (let attempt = 0; ; attempt++) {
    const run = new Run(host, until, signal, attempt, keys.length === 1);
    // In one go, in which others have to wait for it: what it has read before, it is likely to read again.
    if (attempt >= patience && keys.length > 0) await run.readAhead(keys);
    const result = await run.of(body);
    if (result.committed) return result.value;
    keys = run.keys;
    const left = until - user.now;
    // Full jitter, so that those who were in each other's way are not again.
    const delay = user.draw() * Math.min(pauseMax, 5 * 2 ** Math.min(attempt, 8));
    if (attempt + 1 >= attempts || left <= delay)
      throw new ClientError(
        "KITH_CLIENT_CONFLICT",
        `A transaction was overtaken ${attempt + 1} times.`,
        "not-done",
      );
    tell(events, "retry", attempt + 1);
    await pause(user, delay, signal);
  }
}

/** One run of a body. */
class Run<V> implements Transaction<V> {
  readonly #host: TransactionHost<V>;
  readonly #until: number;
  readonly #signal: AbortSignal | undefined;
  readonly #attempt: number;
  /** Whether it has read a single key when it ran before. */
  readonly #alone: boolean;
  /** By key: what was read. */
  readonly #seen = new Map<string, SeenValue<V>>();
  /** By key: what was read before anybody has asked for it. */
  readonly #ahead = new Map<string, Entry>();
  readonly #writes = new Map<
    string,
    { readonly writing: Writing; readonly value: V | undefined }
  >();
  /** How many reads were begun, and whether one of them was of several keys apart. */
  #reads = 0;
  #apart = false;
  #over = false;

  constructor(
    host: TransactionHost<V>,
    until: number,
    signal: AbortSignal | undefined,
    attempt: number,
    alone: boolean,
  ) {
    this.#host = host;
    this.#until = until;
    this.#signal = signal;
    this.#attempt = attempt;
    this.#alone = alone;
  }

  /** The keys that were read. */
  get keys(): readonly string[] {
    return [...this.#seen.keys()];
  }

  /** Reads keys before the body asks for them. */
  async readAhead(keys: readonly string[]): Promise<void> {
    for (const [i, entry] of (await this.#entries(keys, this.#attempt)).entries())
      this.#ahead.set(keys[i] ?? "", entry);
    this.#apart ||= keys.length > 1;
  }

  /** Runs the body, and commits. */
  async of<T>(
    body: (tx: Transaction<V>) => T | Promise<T>,
  ): Promise<{ readonly committed: true; readonly value: T } | { readonly committed: false }> {
    let value: T;
    try {
      value = await body(this);
    } catch (thrown) {
      this.#over = true;
      // What the store has said is no consequence of what was read.
      if (thrown instanceof ClientError && thrown.code !== "KITH_CLIENT_VALUE") throw thrown;
      if (await this.#commit([])) throw thrown;
      return { committed: false };
    }
    this.#over = true;
    const writes = [...this.#writes.values()].map(({ writing }) => writing);
    return (await this.#commit(writes)) ? { committed: true, value } : { committed: false };
  }

  async get(key: string): Promise<V | undefined> {
    return (await this.getAll([key])).get(key);
  }

  async getAll(keys: readonly string[]): Promise<Map<string, V>> {
    this.#use();
    const missing = [...new Set(keys)].filter(
      (key) => !this.#writes.has(key) && !this.#seen.has(key),
    );
    if (missing.length > 0) await this.#read(missing);
    const values = new Map<string, V>();
    for (const key of keys) {
      const own = this.#writes.get(key);
      const value = own === undefined ? this.#seen.get(key)?.value : own.value;
      if (value !== undefined) values.set(key, value);
    }
    return values;
  }

  put(key: string, value: V, { expiresIn }: PutOptions = {}): void {
    this.#use();
    const write = {
      kind: "put",
      value: this.#host.codec.encode(value),
      expiry: expiresIn ?? "never",
    } as const;
    this.#writes.set(key, { writing: { key: keyOf(key), write }, value });
  }

  delete(key: string): void {
    this.#use();
    const writing = { key: keyOf(key), write: { kind: "delete" } } as const;
    this.#writes.set(key, { writing, value: undefined });
  }

  async #read(keys: readonly string[]): Promise<void> {
    this.#reads++;
    const missing = keys.filter((key) => !this.#ahead.has(key));
    for (const key of keys) this.#see(key, this.#ahead.get(key));
    if (missing.length === 0) return;
    this.#apart ||= missing.length > 1 || missing.length < keys.length;
    // The first run may be one that only reads. Who reads several keys does not wait at one: others may wait for that.
    const joins = this.#alone && this.#ahead.size === 0;
    const entries = await this.#entries(missing, joins ? 1 : undefined);
    this.#use();
    for (const [i, key] of missing.entries()) this.#see(key, entries[i]);
  }

  async #entries(keys: readonly string[], attempt: number | undefined): Promise<readonly Entry[]> {
    const names = keys.map((key) => keyOf(key));
    const turn = attempt === undefined ? {} : { attempt };
    const read = new Read({ keys: names, apart: keys.length > 1, within: this.#left(), ...turn });
    const answer = await call(this.#host.user, read, this.#signal);
    if (!(answer instanceof Entries)) throw failure(answer, "A read of a transaction");
    return answer.entries;
  }

  /** Another read of the same key may have been under way: the first one counts. */
  #see(key: string, entry: Entry | undefined): void {
    if (entry === undefined || this.#seen.has(key)) return;
    const { value, version } = entry;
    const { codec } = this.#host;
    this.#seen.set(key, { version, value: value === null ? undefined : decoded(codec, value) });
  }

  /** Commits. @returns whether it did, or has to be run again */
  async #commit(writes: readonly Writing[]): Promise<boolean> {
    // What one read has found was there at one instant. A second one may be of another: the commit finds out.
    const atOnce = this.#reads < 2 && !this.#apart;
    if (writes.length === 0 && (this.#seen.size === 0 || atOnce)) return true;
    const reads = [...this.#seen].map(([key, { version }]) => ({ key: keyOf(key), version }));
    const request = new Commit({ reads, writes, within: this.#left() });
    const answer = await call(this.#host.user, request, this.#signal);
    if (answer instanceof Committed) return true;
    // It was not begun: that is as good as another try.
    if (answer instanceof Aborted || answer instanceof Busy) return false;
    throw failure(answer, "A transaction");
  }

  #left(): number {
    return Math.max(1, this.#until - this.#host.user.now);
  }

  #use(): void {
    if (this.#over)
      throw new ClientError(
        "KITH_CLIENT_OVER",
        "A transaction was used after the end of its body.",
        "not-done",
      );
  }
}

/**
 * A store for ordinary code: an object with promises around the Store port (design.md §2).
 *
 * Every call ends: with its result, or with a `ClientError` whose `outcome` says whether it may have happened all the
 * same. What has not happened may be asked again; what is `unknown` has to be looked at first.
 */

import {
  Applied,
  Apply,
  Commit,
  Committed,
  Entries,
  type Entry,
  Get,
  Got,
  Put,
  Read,
  Refused,
  Scan,
  type StoreAnswer,
  type Update,
  Written,
} from "@kith/store";
import { call, type CallOptions, failure, withinDefault } from "./calls.ts";
import { type Codec, decoded, text as textCodec } from "./codec.ts";
import { ClientError } from "./errors.ts";
import { type Emitter, emitter, type Listening, tell } from "./events.ts";
import { keyOf, textOf } from "./keys.ts";
import {
  type PutOptions,
  type Transaction,
  transact,
  type TransactOptions,
} from "./transaction.ts";
import type { StoreRequest, StoreUser } from "./user.ts";
import {
  KeyWatch,
  watchClosed,
  type Watching,
  type WatchOptions,
  type WatchTarget,
} from "./watch.ts";

/** A value with what is known about it. */
export interface Found<V> {
  /** Undefined where the key is absent. */
  readonly value: V | undefined;
  /** Names the write that left it so; 0 where the key is absent. */
  readonly version: number;
  /** How long it was to live when it was read, in milliseconds; null for ever. */
  readonly expiresIn: number | null;
}

/** What has to hold of a key, so that it is written. */
export type When<V> = "absent" | "present" | { readonly version: number } | { readonly value: V };

/** A write of a batch. */
export type BatchWrite<V> =
  | { readonly put: string; readonly value: V; readonly expiresIn?: number }
  | { readonly delete: string };

/** Which keys to go through. */
export interface ScanRange {
  /** The first key; default the first of all. */
  readonly from?: string;
  /** The first key that is not wanted any more; default none. */
  readonly to?: string;
  /** How many keys are read at a time; default 256. */
  readonly pageSize?: number;
}

/** What a client is made of. */
export interface ClientParts<V> {
  /** The edge of a running system that offers or connects Store and Timer. */
  readonly user: StoreUser;
  readonly codec: Codec<V>;
  readonly events?: Emitter;
  /** Whether the store has its keys in their order; default false. */
  readonly ordered?: boolean;
  /** How long calls are tried that do not say it themselves, in milliseconds; default 10,000. */
  readonly within?: number;
  /** Ends the system, where it is the client's own. */
  readonly end?: () => Promise<void>;
}

/** Something that ends with the client. */
interface Ending {
  end(error?: ClientError | null): void;
}

const pageDefault = 256;

/** A store. */
export class Client<V = string> {
  /** Tells what happens to it. */
  readonly events: Listening;
  readonly #parts: ClientParts<V>;
  readonly #events: Emitter;
  /** The watches of all clients of this store, whatever their values: they end together. */
  readonly #watches: Set<Ending>;
  #closed: Promise<void> | null = null;

  /** For code that has a system of its own; others call `connect`. @param watches those of the client that this one is a view of */
  constructor(parts: ClientParts<V>, watches: Set<Ending> = new Set()) {
    this.#parts = parts;
    this.#watches = watches;
    this.#events = parts.events ?? emitter();
    this.events = this.#events;
  }

  /** What is at a key; undefined where there is nothing. */
  async get(key: string, options: CallOptions = {}): Promise<V | undefined> {
    return (await this.find(key, options)).value;
  }

  /** What is at a key, with its version and the time that it has to live. */
  async find(key: string, options: CallOptions = {}): Promise<Found<V>> {
    const answer = await this.#ask(new Get({ key: keyOf(key), ...this.#within(options) }), options);
    if (answer instanceof Got) return this.#found(answer.entry);
    throw failure(answer, `A read of ${key}`);
  }

  /** What was at several keys at one instant, by key; those that are absent are left out. */
  async getAll(keys: readonly string[], options: CallOptions = {}): Promise<Map<string, V>> {
    const once = [...new Set(keys)];
    const values = new Map<string, V>();
    if (once.length === 0) return values;
    const names = once.map((key) => keyOf(key));
    const answer = await this.#ask(new Read({ keys: names, ...this.#within(options) }), options);
    if (!(answer instanceof Entries)) throw failure(answer, `A read of ${once.length} keys`);
    for (const [i, entry] of answer.entries.entries()) {
      const key = once[i];
      if (key !== undefined && entry.value !== null)
        values.set(key, decoded(this.#parts.codec, entry.value));
    }
    return values;
  }

  /**
   * Writes a key.
   *
   * @returns its version
   * @throws ClientError `KITH_CLIENT_REFUSED`, with the reason `condition`, where `when` does not hold
   */
  async put(
    key: string,
    value: V,
    options: CallOptions & PutOptions & { readonly when?: When<V> } = {},
  ): Promise<number> {
    const { when, expiresIn } = options;
    const bytes = this.#parts.codec.encode(value);
    if (when === undefined && expiresIn === undefined) {
      const put = new Put({ key: keyOf(key), value: bytes, ...this.#within(options) });
      const answer = await this.#ask(put, options);
      if (answer instanceof Written) return answer.version;
      throw failure(answer, `A write of ${key}`);
    }
    const expiry = expiresIn ?? "never";
    const condition = when === undefined ? {} : { when: this.#condition(when) };
    const update = { kind: "put", key: keyOf(key), value: bytes, expiry, ...condition } as const;
    return (await this.#update(update, options)).version;
  }

  /** Deletes a key. @returns whether there was anything */
  async delete(
    key: string,
    options: CallOptions & { readonly when?: When<V> } = {},
  ): Promise<boolean> {
    const { when } = options;
    const condition = when === undefined ? {} : { when: this.#condition(when) };
    const update = { kind: "delete", key: keyOf(key), ...condition } as const;
    const { before } = await this.#update(update, options);
    return before !== null;
  }

  /**
   * Writes a key where it has the expected value; values are compared as bytes. Undefined stands for an absent key.
   *
   * @returns whether it was written
   */
  async compareAndSet(
    key: string,
    expected: V | undefined,
    value: V | undefined,
    options: CallOptions = {},
  ): Promise<boolean> {
    const { codec } = this.#parts;
    const when = this.#condition(expected === undefined ? "absent" : { value: expected });
    const update: Update =
      value === undefined
        ? { kind: "delete", key: keyOf(key), when }
        : { kind: "put", key: keyOf(key), value: codec.encode(value), when };
    const answer = await this.#ask(
      new Apply({ updates: [update], ...this.#within(options) }),
      options,
    );
    if (answer instanceof Applied) return true;
    if (answer instanceof Refused && answer.reason === "condition") return false;
    throw failure(answer, `A write of ${key}`);
  }

  /**
   * Adds to a key that is a decimal number, or absent: 0.
   *
   * @returns the sum, of 64 bits
   * @throws ClientError `KITH_CLIENT_REFUSED`, with the reason `not-an-integer` or `overflow`
   */
  async increment(
    key: string,
    by: bigint | number = 1,
    options: CallOptions = {},
  ): Promise<bigint> {
    if (typeof by === "number" && !Number.isSafeInteger(by))
      throw new ClientError("KITH_CLIENT_ARGUMENT", `${by} is no whole number.`, "not-done");
    const { after } = await this.#update(
      { kind: "add", key: keyOf(key), delta: BigInt(by) },
      options,
    );
    return BigInt(textCodec.decode(after ?? new Uint8Array()));
  }

  /** Puts the bytes of a value behind those that are there. @returns how many bytes are there now */
  async append(key: string, value: V, options: CallOptions = {}): Promise<number> {
    const bytes = this.#parts.codec.encode(value);
    const { after } = await this.#update(
      { kind: "append", key: keyOf(key), value: bytes },
      options,
    );
    return Number(textCodec.decode(after ?? new Uint8Array()));
  }

  /** Says when a key that is present expires, in milliseconds; null: never. @returns whether it is present */
  async expire(key: string, expiresIn: number | null, options: CallOptions = {}): Promise<boolean> {
    const update = {
      kind: "expire",
      key: keyOf(key),
      expiry: expiresIn ?? "never",
      when: { kind: "present" },
    } as const;
    const answer = await this.#ask(
      new Apply({ updates: [update], ...this.#within(options) }),
      options,
    );
    if (answer instanceof Applied) return true;
    if (answer instanceof Refused && answer.reason === "condition") return false;
    throw failure(answer, `The expiry of ${key}`);
  }

  /** Does several writes at one instant, wherever their keys lie. Each key may be written once. */
  async batch(writes: readonly BatchWrite<V>[], options: CallOptions = {}): Promise<void> {
    if (writes.length === 0) return;
    const commit = new Commit({
      reads: [],
      writes: writes.map((one) =>
        "delete" in one
          ? { key: keyOf(one.delete), write: { kind: "delete" } }
          : {
              key: keyOf(one.put),
              write: {
                kind: "put",
                value: this.#parts.codec.encode(one.value),
                expiry: one.expiresIn ?? "never",
              },
            },
      ),
      ...this.#within(options),
    });
    const answer = await this.#ask(commit, options);
    if (!(answer instanceof Committed)) throw failure(answer, `A batch of ${writes.length} writes`);
  }

  /**
   * Runs a transaction: the body reads and writes, and all of it takes effect at one instant, or nothing does.
   *
   * The body may run several times, so it must do nothing but use its transaction. What it returns is the result.
   *
   * @throws ClientError `KITH_CLIENT_CONFLICT` where others were always faster; what the body throws, with nothing done
   */
  async transact<T>(
    body: (tx: Transaction<V>) => T | Promise<T>,
    options: TransactOptions = {},
  ): Promise<T> {
    this.#open();
    const { user, codec } = this.#parts;
    const host = { user, codec, events: this.#events };
    return await transact(host, body, { ...options, ...this.#within(options) });
  }

  /** Goes through keys in their order, page by page; each page is of one instant. Only where the keys are ordered. */
  async *scan(
    range: ScanRange = {},
    options: CallOptions = {},
  ): AsyncGenerator<readonly [key: string, value: V], void, undefined> {
    const { from = "", to, pageSize: limit = pageDefault } = range;
    const end = to === undefined ? null : keyOf(to);
    let next: string | null = keyOf(from);
    while (next !== null) {
      const page: Scan = new Scan({ from: next, to: end, limit, ...this.#within(options) });
      const answer: StoreAnswer = await this.#ask(page, options);
      if (!(answer instanceof Entries)) throw failure(answer, "A scan");
      for (const { key, value } of answer.entries)
        if (value !== null) yield [textOf(key), decoded(this.#parts.codec, value)];
      next = answer.next;
    }
  }

  /** Watches a key, or all keys that begin with a prefix. See `WatchEvent`. */
  watch(target: WatchTarget, options: WatchOptions = {}): Watching<V> {
    this.#open();
    const { user, codec, ordered = false } = this.#parts;
    const host = { user, codec, ordered, events: this.#events };
    const watch = new KeyWatch(host, user.nameWatch(), target, options, () =>
      this.#watches.delete(watch),
    );
    if (!watch.over) this.#watches.add(watch);
    return watch;
  }

  /**
   * The same store with values of another kind: keys, watches and events are shared, and closing one closes both. Nothing is converted: a
   * value that was written with one codec and is read with another one, which does not take it, ends that call with `KITH_CLIENT_VALUE`.
   *
   * @param codec turns values into bytes and back, such as `text`, `bytes`, `json(…)` or `rich(…)`
   */
  as<W>(codec: Codec<W>): Client<W> {
    const parts = { ...this.#parts, codec, events: this.#events, end: () => this.close() };
    return new Client(parts, this.#watches);
  }

  /** Ends it: what waits ends with `KITH_CLIENT_CLOSED`, watches end. Resolves when nothing of it is left. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    for (const watch of this.#watches) watch.end();
    await this.#parts.end?.();
    tell(this.#events, "closed");
  }

  /** Ends what waits, because the client's system has stopped by itself. */
  failed(error: ClientError): void {
    for (const watch of this.#watches) watch.end(watchClosed());
    tell(this.#events, "failed", error);
  }

  #within({ within }: CallOptions): { readonly within: number } {
    return { within: within ?? this.#parts.within ?? withinDefault };
  }

  #open(): void {
    if (this.#closed !== null || this.#parts.user.stopped)
      throw new ClientError("KITH_CLIENT_CLOSED", "The client is closed.", "not-done");
  }

  #ask(request: StoreRequest, { signal }: CallOptions): Promise<StoreAnswer> {
    this.#open();
    return call(this.#parts.user, request, signal);
  }

  async #update(
    update: Update,
    options: CallOptions,
  ): Promise<{
    version: number;
    before?: Uint8Array | null | undefined;
    after?: Uint8Array | undefined;
  }> {
    const answer = await this.#ask(
      new Apply({ updates: [update], ...this.#within(options) }),
      options,
    );
    const [updated] = answer instanceof Applied ? answer.updated : [];
    if (updated !== undefined) return updated;
    throw failure(answer, `A ${update.kind} of ${textOf(update.key)}`);
  }

  #found({ value, version, expiresIn }: Entry): Found<V> {
    const { codec } = this.#parts;
    return { value: value === null ? undefined : decoded(codec, value), version, expiresIn };
  }

  #condition(when: When<V>): NonNullable<Update["when"]> {
    if (when === "absent" || when === "present") return { kind: when };
    return "version" in when
      ? { kind: "version", version: when.version }
      : { kind: "value", value: this.#parts.codec.encode(when.value) };
  }
}

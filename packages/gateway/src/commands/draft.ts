/**
 * A draft: some keys as they were read, and what commands make of them, before any of it is written.
 *
 * What an `Update` does here is what it does in the store (`execute.ts` there), so that a command is the same inside
 * and outside of a transaction. A draft never changes the bytes of a value.
 */

import {
  type Entry,
  type Expiry,
  type Key,
  type RefusalReason,
  type Update,
  type Updated,
  valueBytesMax,
  type Writing,
} from "@kith/store";
import { int64, overflows } from "./numbers.ts";

/** What is at a key. */
export interface Found {
  /** Null where it is absent. */
  readonly value: Uint8Array | null;
  /** In milliseconds; null for ever. */
  readonly expiresIn: number | null;
}

/** Why an update could not be done; nothing of it was. */
export interface Unable {
  readonly reason: RefusalReason;
  readonly value: Uint8Array | null;
}

interface State extends Found {
  /** When it expires, as it is written. */
  readonly expiry: Expiry;
  /** Null where nothing was read: it was written first. */
  readonly version: number | null;
  readonly changed: boolean;
}

/** Some keys, and what becomes of them. */
export class Draft {
  #keys = new Map<Key, State>();

  /** @param entries what was read; other keys may only be put */
  constructor(entries: Iterable<Entry>) {
    for (const { key, value, version, expiresIn } of entries)
      this.#keys.set(key, { value, version, expiresIn, expiry: "keep", changed: false });
  }

  /** What is at a key. @throws Error where nobody has read or written it */
  get(key: Key): Found {
    const state = this.#keys.get(key);
    if (state === undefined) throw new Error("A command looks at a key that it has not named.");
    return state;
  }

  /** Puts a value. */
  put(key: Key, value: Uint8Array, expiry: Expiry): void {
    const before = this.#keys.get(key);
    const keeps = expiry === "keep" && before !== undefined && before.value !== null;
    const after = keeps
      ? { expiresIn: before.expiresIn, expiry: before.expiry }
      : { expiresIn: typeof expiry === "number" ? expiry : null, expiry: lasting(expiry) };
    this.#keys.set(key, { value, ...after, version: before?.version ?? null, changed: true });
  }

  /** Deletes a key. @returns whether there was anything */
  delete(key: Key): boolean {
    const before = this.get(key);
    if (before.value === null) return false;
    const version = this.#keys.get(key)?.version ?? null;
    const absent = { value: null, expiresIn: null, expiry: "never" } as const;
    this.#keys.set(key, { ...absent, version, changed: true });
    return true;
  }

  /** Does updates, all or none. */
  update(updates: readonly Update[]): Updated[] | Unable {
    const before = updates.length > 1 ? new Map(this.#keys) : this.#keys;
    const done: Updated[] = [];
    for (const one of updates) {
      const updated = this.#one(one);
      if ("reason" in updated) {
        this.#keys = before;
        return updated;
      }
      done.push(updated);
    }
    return done;
  }

  /** What is to be written, and what it rests upon is in the versions of the entries. */
  writes(): Writing[] {
    const writes: Writing[] = [];
    for (const [key, { value, expiry, version, changed }] of this.#keys) {
      if (!changed || (value === null && version === 0)) continue;
      const write =
        value === null ? ({ kind: "delete" } as const) : ({ kind: "put", value, expiry } as const);
      writes.push({ key, write });
    }
    return writes;
  }

  #one(update: Update): Updated | Unable {
    const { key, when, kind } = update;
    if (when !== undefined && !this.#holds(key, when)) return this.#unable(key, "condition");
    switch (kind) {
      case "put": {
        const before = this.#keys.get(key)?.value ?? null;
        if (update.value.length > valueBytesMax) return this.#unable(key, "too-large");
        this.put(key, update.value, update.expiry ?? "never");
        return { version: 0, before };
      }
      case "delete": {
        const before = this.get(key).value;
        this.delete(key);
        return { version: 0, before };
      }
      case "append": {
        const { value } = this.get(key);
        const all = value === null ? update.value : Buffer.concat([value, update.value]);
        if (all.length > valueBytesMax) return this.#unable(key, "too-large");
        this.put(key, all, "keep");
        return { version: 0, after: Buffer.from(String(all.length)) };
      }
      case "add": {
        const { value } = this.get(key);
        const start = value === null ? 0n : int64(octets(value));
        if (start === undefined) return this.#unable(key, "not-an-integer");
        const sum = start + update.delta;
        if (overflows(sum)) return this.#unable(key, "overflow");
        const after = Buffer.from(String(sum));
        this.put(key, after, "keep");
        return { version: 0, after };
      }
      case "expire": {
        const before = this.get(key).value;
        if (before === null) return this.#unable(key, "condition");
        this.put(key, before, update.expiry);
        return { version: 0, before };
      }
      case "check":
        return { version: 0, before: this.get(key).value };
    }
  }

  #holds(key: Key, when: NonNullable<Update["when"]>): boolean {
    const { value } = this.get(key);
    switch (when.kind) {
      case "absent":
        return value === null;
      case "present":
        return value !== null;
      case "value":
        return value !== null && Buffer.compare(value, when.value) === 0;
      case "version": {
        const { version, changed } = this.#keys.get(key) ?? {};
        return changed === false && version === when.version;
      }
    }
  }

  #unable(key: Key, reason: RefusalReason): Unable {
    return { reason, value: this.#keys.get(key)?.value ?? null };
  }
}

/** Bytes as a string of one character each. */
export function octets(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

function lasting(expiry: Expiry): Expiry {
  return expiry === "keep" ? "never" : expiry;
}

/** From requests of the ports to work of the transaction manager, and from its ends to answers. */

import type { Operation } from "./command.ts";
import type { Ended, Work } from "./manager/state.ts";
import {
  Aborted,
  Ambiguous,
  Applied,
  type Apply,
  type Browse,
  Browsed,
  Busy,
  type Commit,
  Committed,
  type Delete,
  Entries,
  type Entry,
  type Get,
  Got,
  type Key,
  NotDone,
  type Put,
  type Read,
  type Refusal,
  Refused,
  type Scan,
  type StoreAnswer,
  type Update,
  Written,
} from "./port.ts";
import {
  hintOf,
  hintsMax,
  keyAt,
  keyBytesMax,
  type Position,
  positionFrom,
  positionOf,
  valueBytesMax,
} from "./position.ts";
import type { Reading } from "./query.ts";
import type { Expiry, TxWrite } from "./rows.ts";

/** What is to be made of the end of a piece of work. Plain data. */
export type Asked =
  | { readonly kind: "get" }
  | { readonly kind: "write" }
  | { readonly kind: "apply" }
  | { readonly kind: "read" }
  | { readonly kind: "commit" }
  | { readonly kind: "browse" }
  /** A transaction that writes nothing: what it has read has to hold at one instant. */
  | { readonly kind: "check"; readonly versions: readonly number[] };

/** A request as work; or what is wrong with it. */
export interface Planned {
  readonly work: Work | Refused;
  readonly asked: Asked;
}

/** How many keys a request may have, and how many one scan gives. */
export const keysMax = 4096;
const scanMax = 1000;

const bytesMax = 8 * valueBytesMax;
/** A transaction names each key twice: with its values, that has to fit into a command. */
const namesBytesMax = 1.5 * 1024 * 1024;

/** So often is a transaction aborted before others have to wait for it (algorithms.md §6.5.8). */
const patience = 3;

/** Makes work of requests. */
export class Planner {
  readonly #ordered: boolean;

  constructor(ordered: boolean) {
    this.#ordered = ordered;
  }

  get({ key }: Get): Planned {
    return this.#checked({ kind: "get" }, [key], [], (keys) => ({ kind: "read", keys }));
  }

  put({ key, value }: Put): Planned {
    return this.#execute({ kind: "write" }, [{ kind: "set", key, value }]);
  }

  delete({ key }: Delete): Planned {
    return this.#execute({ kind: "write" }, [{ kind: "delete", key }]);
  }

  apply({ updates }: Apply): Planned {
    return this.#execute({ kind: "apply" }, updates);
  }

  read({ keys, apart = false, attempt }: Read): Planned {
    const turn = attempt === undefined ? null : attempt >= patience ? "begins" : "joins";
    return this.#checked({ kind: "read" }, keys, [], (at) => ({
      kind: "read",
      keys: at,
      apart,
      turn,
    }));
  }

  commit({ reads, writes, queues = false }: Commit): Planned {
    const read = reads.map(({ key }) => key);
    const written = writes.map(({ key }) => key);
    const values = writes.map(({ write }) => (write.kind === "put" ? write.value : undefined));
    const twice = doubled(read) ?? doubled(written);
    if (twice !== undefined)
      return { work: refused(twice, "key-twice"), asked: { kind: "commit" } };
    const at = [
      ...writes.map(({ write }) => write.kind === "delete" || isExpiry(write.expiry)),
      ...reads.map(({ version }) => isCount(version)),
    ].indexOf(false);
    if (at >= 0) return { work: refused(at, "no-number"), asked: { kind: "commit" } };
    if (writes.length === 0) {
      const versions = reads.map(({ version }) => version);
      const asked = { kind: "check", versions } as const;
      return this.#checked(asked, read, [], (keys) => ({ kind: "read", keys }));
    }
    return this.#checked({ kind: "commit" }, [...written, ...read], values, (keys) => ({
      kind: "commit",
      queues,
      writes: writes.map(({ write }, i) => ({ position: keys[i] ?? "", write: whole(write) })),
      reads: reads.map(({ version }, i) => ({ position: keys[written.length + i] ?? "", version })),
    }));
  }

  scan({ from, to, limit = scanMax }: Scan): Planned {
    const asked = { kind: "read" } as const;
    if (!this.#ordered) return { work: refused(0, "hashed"), asked };
    if (!isCount(limit)) return { work: refused(0, "no-number"), asked };
    const most = Math.max(1, Math.min(limit, scanMax));
    return this.#checked(asked, to === null ? [from] : [from, to], [], ([first = "", last]) => ({
      kind: "scan",
      from: first,
      to: last ?? null,
      limit: most,
    }));
  }

  browse({ from, limit = scanMax }: Browse): Planned {
    const asked = { kind: "browse" } as const;
    if (!Number.isInteger(from) || from < 0 || from >= hintsMax)
      return { work: refused(0, "no-place"), asked };
    const most = Math.max(1, Math.min(limit, scanMax));
    const first = positionFrom(from);
    return {
      work: { kind: "scan", from: first, to: null, limit: most, browses: true },
      asked,
    };
  }

  /** A key, as users name it. */
  key(position: Position): Key {
    return keyAt(position, this.#ordered);
  }

  /** A key's state, as users see it. */
  entry({ position, value, present, version, expiresIn }: Reading): Entry {
    return {
      key: keyAt(position, this.#ordered),
      value,
      version: present ? version : 0,
      expiresIn: expiresIn === 0 ? null : expiresIn,
    };
  }

  #execute(asked: Asked, updates: readonly (Update | Setting)[]): Planned {
    // A condition travels with its value, too.
    const values = updates.flatMap((one) => [
      one.kind === "put" || one.kind === "append" || one.kind === "set" ? one.value : undefined,
      one.kind !== "set" && one.when?.kind === "value" ? one.when.value : undefined,
    ]);
    const keys = updates.map(({ key }) => key);
    const at = updates.findIndex((one) => one.kind !== "set" && !hasNumbers(one));
    if (at >= 0) return { work: refused(at, "no-number"), asked };
    return this.#checked(asked, keys, values, (positions) => ({
      kind: "execute",
      operations: updates.map((one, i) => operationOf(one, positions[i] ?? "")),
    }));
  }

  #checked(
    asked: Asked,
    keys: readonly Key[],
    values: readonly (Uint8Array | undefined)[],
    work: (positions: Position[]) => Work,
  ): Planned {
    const refusal = fault(keys, values);
    if (refusal !== undefined) return { work: refusal, asked };
    return { work: work(keys.map((key) => positionOf(key, this.#ordered))), asked };
  }
}

/** What is answered at the end of a piece of work. */
export function answerTo(planner: Planner, asked: Asked, ended: Ended): StoreAnswer {
  switch (ended.kind) {
    case "done":
      return asked.kind === "write"
        ? new Written({ version: ended.outcomes[0]?.version ?? 0 })
        : new Applied({ updated: ended.outcomes });
    case "refused": {
      const { at, reason, value, version } = ended;
      return new Refused({ at, reason, value, version });
    }
    case "committed":
      return new Committed();
    case "aborted":
      return ended.outdated === undefined
        ? new Aborted({})
        : new Aborted({ outdated: planner.key(ended.outdated) });
    case "readings":
      return found(planner, asked, ended.readings);
    case "scanned": {
      const { readings, next } = ended;
      if (asked.kind === "browse") {
        const keys = readings.map(({ position }) => planner.key(position));
        return new Browsed({ keys, next: next === null ? null : hintOf(next) });
      }
      const entries = readings.map((one) => planner.entry(one));
      return new Entries({ entries, next: next === null ? null : planner.key(next) });
    }
    case "too-many":
      return refused(0, "too-many-keys");
    case "scattered":
      return new NotDone({ reason: "scattered" });
    case "failed":
      return ended.reason === "busy" ? new Busy() : new NotDone({ reason: "timeout" });
    case "unknown":
      return new Ambiguous();
  }
}

function found(planner: Planner, asked: Asked, readings: readonly Reading[]): StoreAnswer {
  const entries = readings.map((one) => planner.entry(one));
  if (asked.kind === "check")
    return asked.versions.every((version, i) => entries[i]?.version === version)
      ? new Committed()
      : new Aborted({});
  const [entry] = entries;
  return asked.kind === "get" && entry !== undefined
    ? new Got({ entry })
    : new Entries({ entries, next: null });
}

/** A write whose asker does not want to hear what was there. */
interface Setting {
  readonly kind: "set";
  readonly key: Key;
  readonly value: Uint8Array;
}

function operationOf(update: Update | Setting, position: Position): Operation {
  const { key: _, ...rest } = update;
  if (rest.kind === "put") {
    const { expiry = "never" } = rest;
    return { ...rest, position, expiry: wholeExpiry(expiry) };
  }
  if (rest.kind === "expire") return { ...rest, position, expiry: wholeExpiry(rest.expiry) };
  return { ...rest, position };
}

/** Whether the numbers of an update can be sent. */
function hasNumbers(update: Update): boolean {
  const { kind, when } = update;
  if (when?.kind === "version" && !isCount(when.version)) return false;
  return (kind !== "put" && kind !== "expire") || isExpiry(update.expiry ?? "never");
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isExpiry(expiry: Expiry): boolean {
  return typeof expiry === "string" || isCount(Math.ceil(expiry));
}

/** In whole milliseconds: late rather than early. */
function wholeExpiry(expiry: Expiry): Expiry {
  return typeof expiry === "string" ? expiry : Math.ceil(expiry);
}

function whole(write: TxWrite): TxWrite {
  return write.kind === "delete" ? write : { ...write, expiry: wholeExpiry(write.expiry) };
}

/** The first thing that is wrong with what was asked. */
function fault(
  keys: readonly Key[],
  values: readonly (Uint8Array | undefined)[],
): Refused | undefined {
  if (keys.length > keysMax) return refused(keysMax, "too-many-keys");
  let names = 0;
  for (const [at, key] of keys.entries()) {
    names += key.length;
    if (key.length > keyBytesMax) return refused(at, "key-too-long");
    if (!isOctets(key)) return refused(at, "key-no-octets");
    if (names > namesBytesMax) return refused(at, "too-large");
  }
  let bytes = 0;
  // An update may have two.
  const each = Math.max(1, values.length / keys.length);
  for (const [i, value] of values.entries()) {
    bytes += value?.length ?? 0;
    if ((value?.length ?? 0) > valueBytesMax || bytes > bytesMax)
      return refused(Math.floor(i / each), "too-large");
  }
  return undefined;
}

/** Nothing is done: so an operation cannot be. */
export function refused(at: number, reason: Refusal): Refused {
  return new Refused({ at, reason, value: null, version: 0 });
}

function isOctets(key: Key): boolean {
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) > 0xff) return false;
  return true;
}

function doubled(keys: readonly Key[]): number | undefined {
  const seen = new Set<Key>();
  for (const [at, key] of keys.entries()) {
    if (seen.has(key)) return at;
    seen.add(key);
  }
  return undefined;
}

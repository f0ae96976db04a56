/**
 * The state of a storage as an immutable value: namespaces, each with a log and ordered keys.
 *
 * A batch makes a new state of an old one, or is refused with nothing applied. A state before a batch,
 * a read view and a checkpoint are references to states, and cost nothing but what has changed since.
 * Invariant: byte arrays in here belong to nobody else, and are never written to.
 */

import type { Write } from "@kith/storage";
import { compareBytes, copyBytes, keyBytesMax, RottenBytes, valueBytesMax } from "./bytes.ts";
import { Ordered } from "./ordered.ts";
import { RecordLog } from "./record-log.ts";
import { failed, type Failure } from "./results.ts";

/** One operation of a batch. */
export type Operation = Write["operations"][number];

/** Keys and their values. */
export type Keys = Ordered<Uint8Array, Uint8Array>;

/** The state of a namespace. */
export interface Namespace {
  readonly log: RecordLog;
  readonly keys: Keys;
}

/** Where a record or a value stands. */
export type ItemPlace =
  | { readonly namespace: string; readonly index: number }
  | { readonly namespace: string; readonly key: Uint8Array };

/** What a record, a key and a namespace cost beside their own bytes. */
const itemBytes = 16;

const noKeys: Keys = new Ordered({
  compare: compareBytes,
  weigh: (key, value) => key.length + value.length + itemBytes,
});

/** A namespace that does not exist, or is empty. */
export const emptyNamespace: Namespace = { log: RecordLog.empty, keys: noKeys };

const noNamespaces = new Ordered<string, Namespace>({
  compare: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
  weigh: (name, { log, keys }) =>
    keys.weight + log.bytes + (log.length + 1) * itemBytes + name.length * 2,
});

/** The state of all namespaces. */
export class Tables {
  /** A storage to which nothing was written. */
  static readonly empty = new Tables(noNamespaces);
  readonly #namespaces: Ordered<string, Namespace>;

  private constructor(namespaces: Ordered<string, Namespace>) {
    this.#namespaces = namespaces;
  }

  /** What it takes on the device. */
  get bytes(): number {
    return this.#namespaces.weight;
  }

  /** The names of all namespaces, in the order of their UTF-16 units. */
  get names(): readonly string[] {
    const names: string[] = [];
    this.#namespaces.visit({}, false, (name) => names.push(name) > 0);
    return names;
  }

  /** A namespace; an empty one where it does not exist. */
  namespace(name: string): Namespace {
    return this.#namespaces.get(name) ?? emptyNamespace;
  }

  /** The state after a batch, or why the batch is refused. Copies what it takes. */
  apply(name: string, operations: readonly Operation[]): Tables | Failure {
    const misnamedBatch = misnamed(name);
    if (misnamedBatch !== undefined) return misnamedBatch;
    const touched = new Map<string, Namespace | undefined>();
    for (const operation of operations) {
      const at = operation.namespace ?? name;
      const wrong = misnamed(at);
      if (wrong !== undefined) return wrong;
      const before = touched.has(at) ? touched.get(at) : this.#namespaces.get(at);
      const after = applyOne(before, operation, at);
      if (after !== undefined && "kind" in after) return after;
      touched.set(at, after);
    }
    let namespaces = this.#namespaces;
    for (const [at, after] of touched) {
      namespaces = after === undefined ? namespaces.delete(at) : namespaces.set(at, after);
    }
    return new Tables(namespaces);
  }

  /** The item of that number of all, from 0 to the number of items; undefined beyond. */
  item(number: number): ItemPlace | undefined {
    let left = number;
    let place: ItemPlace | undefined;
    this.#namespaces.visit({}, false, (namespace, { log, keys }) => {
      const entry = left >= log.length ? keys.at(left - log.length) : undefined;
      if (left < log.length) place = { namespace, index: log.first + left };
      else if (entry !== undefined) place = { namespace, key: entry[0] };
      left -= log.length + keys.size;
      return place === undefined;
    });
    return place;
  }

  /** How many records and keys it has. */
  get items(): number {
    let items = 0;
    this.#namespaces.visit({}, false, (_, { log, keys }) => {
      items += log.length + keys.size;
      return true;
    });
    return items;
  }

  /** The bytes of an item. */
  bytesAt(place: ItemPlace): Uint8Array | undefined {
    const { log, keys } = this.namespace(place.namespace);
    return "index" in place ? log.get(place.index) : keys.get(place.key);
  }

  /** This state with a bit of an item changed on the device; the same where other bytes stand there. */
  rot(place: ItemPlace, bytes: Uint8Array): Tables {
    if (this.bytesAt(place) !== bytes) return this;
    const { log, keys } = this.namespace(place.namespace);
    const rotten = new RottenBytes(bytes);
    if (rotten.length > 0) rotten[0] = (rotten[0] ?? 0) ^ 1;
    const after =
      "index" in place
        ? { log: log.replace(place.index, rotten), keys }
        : { log, keys: keys.set(place.key, rotten) };
    return new Tables(this.#namespaces.set(place.namespace, after));
  }

  /** The first item that is rotten. Looks at all of them. */
  firstRotten(): string | undefined {
    let found: string | undefined;
    this.#namespaces.visit({}, false, (name, { log, keys }) => {
      for (let i = log.first; i <= log.last && found === undefined; i++) {
        if (log.get(i) instanceof RottenBytes) found = `record ${i} of ${name}`;
      }
      keys.visit({}, false, (key, value) => {
        if (found === undefined && value instanceof RottenBytes) found = `${show(key)} of ${name}`;
        return found === undefined;
      });
      return found === undefined;
    });
    return found;
  }
}

/** The namespace after an operation; undefined where it does not exist then. */
function applyOne(
  before: Namespace | undefined,
  operation: Operation,
  name: string,
): Namespace | Failure | undefined {
  const { log, keys } = before ?? emptyNamespace;
  switch (operation.kind) {
    case "append": {
      const { index, record } = operation;
      if (index !== log.last + 1) {
        return refused(`Record ${index} was appended to ${name}, which ends at ${log.last}.`);
      }
      if (!isBytes(record, valueBytesMax))
        return refused(`Record ${index} of ${name} is too long.`);
      return { log: log.append(copyBytes(record)), keys };
    }
    case "truncate": {
      const { from } = operation;
      if (!isIndex(from) || from < log.first) {
        return refused(`${name} was truncated from ${from} on, and begins at ${log.first}.`);
      }
      return before === undefined ? undefined : { log: log.truncate(from), keys };
    }
    case "cut": {
      const { to } = operation;
      // The log has to be able to go on behind it.
      if (!isIndex(to + 1)) return refused(`${name} was cut up to ${to}.`);
      return { log: log.cut(to), keys };
    }
    case "put": {
      const { key, value } = operation;
      if (!isBytes(key, keyBytesMax)) return refused(`A key of ${name} is too long.`);
      if (!isBytes(value, valueBytesMax)) return refused(`The value of ${show(key)} is too long.`);
      return { log, keys: keys.set(copyBytes(key), copyBytes(value)) };
    }
    case "delete": {
      if (!isBytes(operation.key, keyBytesMax)) return refused(`A key of ${name} is too long.`);
      return before === undefined ? undefined : { log, keys: keys.delete(operation.key) };
    }
    case "delete-range":
      return before === undefined ? undefined : { log, keys: keys.deleteRange(operation) };
    case "drop":
      return undefined;
  }
}

/** Why a namespace cannot have this name. */
export function misnamed(name: string): Failure | undefined {
  if (typeof name === "string" && name.length >= 1 && name.length <= 128) return undefined;
  return refused(`A namespace has a name of 1 to 128 units, not ${String(name).length}.`);
}

/** A request that its own arguments make impossible. */
export function refused(detail: string): Failure {
  return failed("KITH_STORAGE_ARGUMENT", detail);
}

/** Whether a number can be the index of a record. */
export function isIndex(index: number): boolean {
  return Number.isSafeInteger(index) && index >= 1;
}

function isBytes(bytes: Uint8Array, bytesMax: number): boolean {
  return bytes instanceof Uint8Array && bytes.length <= bytesMax;
}

function show(key: Uint8Array): string {
  return `key ${Array.from(key.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

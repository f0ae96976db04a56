/**
 * A transaction that is sent as a whole: a list of operations, as JSON, and what it does to the keys that it has found.
 *
 * Pure: whoever runs it reads all keys at one instant, performs, and commits what is to be written with the versions that were
 * read. Where they have changed it is read and performed again.
 */

import { bytesText, octetsOf, textBytes } from "@kith/paxos";
import { type Key, keyBytesMax, keysMax, valueBytesMax, type Writing } from "@kith/store";

/** One operation. Those behind it see what it has written. */
export type Operation =
  | { readonly kind: "get"; readonly key: Key }
  | {
      readonly kind: "put";
      readonly key: Key;
      readonly value: Uint8Array;
      /** In milliseconds; null for ever. */
      readonly expiresIn: number | null;
    }
  | { readonly kind: "delete"; readonly key: Key }
  /** Adds to a decimal integer of 64 bits; an absent key counts as 0. */
  | { readonly kind: "add"; readonly key: Key; readonly by: bigint }
  /** Nothing is done unless the key has this value (null: is absent), or this version. */
  | {
      readonly kind: "expect";
      readonly key: Key;
      readonly value?: Uint8Array | null;
      readonly version?: number;
    };

/** What is at a key. */
export interface Found {
  readonly value: Uint8Array | null;
  readonly version: number;
}

/** What an operation has found or done. */
export interface OperationResult {
  readonly kind: Operation["kind"];
  readonly key: Key;
  /** Of `get`: what is there. Of `add`: the sum. */
  readonly value?: Uint8Array | null;
  /** Of `get`. */
  readonly version?: number;
  /** Of `delete`: whether there was anything. */
  readonly existed?: boolean;
}

/** What came of the operations: all of them, or the first one that could not be. */
export type Performed =
  | {
      readonly isDone: true;
      readonly results: readonly OperationResult[];
      readonly writes: readonly Writing[];
    }
  | {
      readonly isDone: false;
      /** Which operation, from 0. */
      readonly at: number;
      readonly reason: "expectation" | "not-an-integer" | "overflow" | "too-large";
    };

/** So many operations one transaction may have. */
export const operationsMax = 4096;

/** Says what is wrong with a transaction as it was sent. */
export class OperationError extends Error {}

/** The operations of a parsed JSON text: `[{"get":"a"},{"put":"b","value":"1"},…]`. @throws OperationError */
export function parseOperations(json: unknown): Operation[] {
  if (!Array.isArray(json)) throw new OperationError("`operations` is not a list.");
  if (json.length === 0) throw new OperationError("There are no operations.");
  if (json.length > operationsMax)
    throw new OperationError(`There are more than ${operationsMax} operations.`);
  const operations = json.map((one: unknown, at) => parseOperation(one, at));
  if (keysOf(operations).length > keysMax)
    throw new OperationError(`There are more than ${keysMax} keys.`);
  return operations;
}

/** The keys of operations, each once. */
export function keysOf(operations: readonly Operation[]): Key[] {
  return [...new Set(operations.map(({ key }) => key))];
}

/** Whether none of them writes. */
export function isReadOnly(operations: readonly Operation[]): boolean {
  return operations.every(({ kind }) => kind === "get" || kind === "expect");
}

/** What operations do to what was found. Keys that are not among it are absent. */
export function perform(
  operations: readonly Operation[],
  found: ReadonlyMap<Key, Found>,
): Performed {
  const now = new Map<Key, Found>();
  const writes = new Map<Key, Writing>();
  const results: OperationResult[] = [];
  const lookAt = (key: Key): Found => now.get(key) ?? found.get(key) ?? nothing;
  for (const [at, operation] of operations.entries()) {
    const { kind, key } = operation;
    const here = lookAt(key);
    if (kind === "get") results.push({ kind, key, value: here.value, version: here.version });
    else if (kind === "expect") {
      const isAsExpected =
        (operation.version === undefined || operation.version === here.version) &&
        (operation.value === undefined || sameValue(operation.value, here.value));
      if (!isAsExpected) return { isDone: false, at, reason: "expectation" };
      results.push({ kind, key });
    } else if (kind === "delete") {
      results.push({ kind, key, existed: here.value !== null });
      now.set(key, { value: null, version: here.version });
      writes.set(key, { key, write: { kind } });
    } else {
      const next = kind === "put" ? operation.value : sumOf(here.value, operation.by);
      if (!(next instanceof Uint8Array)) return { isDone: false, at, reason: next };
      if (next.length > valueBytesMax) return { isDone: false, at, reason: "too-large" };
      results.push(kind === "put" ? { kind, key } : { kind, key, value: next });
      now.set(key, { value: next, version: here.version });
      const before = writes.get(key)?.write;
      const kept = before?.kind === "put" ? before.expiry : before === undefined ? "keep" : "never";
      const expiry = kind === "put" ? (operation.expiresIn ?? "never") : kept;
      writes.set(key, { key, write: { kind: "put", value: next, expiry } });
    }
  }
  return { isDone: true, results, writes: [...writes.values()] };
}

const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A value as JSON: as text where it is UTF-8, else in base64. */
export function valueJson(value: Uint8Array): { value: string } | { base64: string } {
  try {
    return { value: strictText.decode(value) };
  } catch {
    return { base64: Buffer.from(value).toString("base64") };
  }
}

const nothing: Found = { value: null, version: 0 };
const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);

function sumOf(value: Uint8Array | null, by: bigint): Uint8Array | "not-an-integer" | "overflow" {
  const text = value === null ? "0" : bytesText(value);
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return "not-an-integer";
  const sum = BigInt(text) + by;
  return sum > int64Max || sum < int64Min ? "overflow" : textBytes(`${sum}`);
}

function sameValue(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

const forms = {
  get: [],
  put: ["value", "base64", "expiresIn"],
  delete: [],
  add: ["by"],
  expect: ["value", "base64", "version"],
} as const;

function parseOperation(json: unknown, at: number): Operation {
  const wrong = (what: string): OperationError => new OperationError(`Operation ${at}: ${what}`);
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw wrong('it is no object such as {"get":"key"}.');
  const fields = new Map<string, unknown>(Object.entries(json));
  const names = kinds.filter((name) => fields.has(name));
  const [kind] = names;
  if (kind === undefined || names.length > 1)
    throw wrong(`it has to have exactly one of ${kinds.join(", ")}.`);
  const allowed: readonly string[] = [kind, ...forms[kind]];
  const stranger = [...fields.keys()].find((name) => !allowed.includes(name));
  if (stranger !== undefined) throw wrong(`${kind} knows no ${JSON.stringify(stranger)}.`);
  const name = fields.get(kind);
  if (typeof name !== "string") throw wrong("its key is no string.");
  const key = octetsOf(textBytes(name));
  if (key.length > keyBytesMax) throw wrong(`its key has more than ${keyBytesMax} bytes.`);
  const value = valueOf(fields, wrong);
  if (kind === "get" || kind === "delete") return { kind, key };
  if (kind === "add") return { kind, key, by: wholeOf(fields.get("by") ?? 1, wrong) };
  if (kind === "expect") {
    const version = fields.get("version");
    if (version !== undefined && !(Number.isSafeInteger(version) && Number(version) >= 0))
      throw wrong("its version is no number.");
    if (value === undefined && version === undefined)
      throw wrong("it expects neither a value nor a version.");
    return {
      kind,
      key,
      ...(value === undefined ? {} : { value }),
      ...(version === undefined ? {} : { version: Number(version) }),
    };
  }
  if (value === undefined || value === null) throw wrong("it puts no value.");
  const expiresIn = fields.get("expiresIn") ?? null;
  if (expiresIn !== null && !(Number.isSafeInteger(expiresIn) && Number(expiresIn) > 0))
    throw wrong("its expiresIn is no number of milliseconds.");
  return { kind, key, value, expiresIn: expiresIn === null ? null : Number(expiresIn) };
}

const kinds = ["get", "put", "delete", "add", "expect"] as const;

function valueOf(
  fields: ReadonlyMap<string, unknown>,
  wrong: (what: string) => OperationError,
): Uint8Array | null | undefined {
  if (fields.has("value") && fields.has("base64")) throw wrong("it has a value twice.");
  const base64 = fields.get("base64");
  if (base64 !== undefined) {
    if (typeof base64 !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64))
      throw wrong("its base64 is none.");
    // The host does not take every length.
    try {
      return Uint8Array.from(atob(base64), (octet) => octet.charCodeAt(0));
    } catch {
      throw wrong("its base64 is none.");
    }
  }
  const value = fields.get("value");
  if (value === undefined || value === null) return value;
  if (typeof value === "string") return textBytes(value);
  throw wrong("its value is no string.");
}

function wholeOf(by: unknown, wrong: (what: string) => OperationError): bigint {
  const text = typeof by === "number" || typeof by === "string" ? String(by) : "";
  const whole = /^-?\d{1,19}$/.test(text) ? BigInt(text) : null;
  if (whole === null || whole > int64Max || whole < int64Min)
    throw wrong("it adds no whole number of 64 bits.");
  return whole;
}

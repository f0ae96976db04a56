/** Short words for what the cases of Storage do again and again. */

import type { Case, Script, Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import type { Operation } from "../operation.ts";
import {
  Entries,
  Flushed,
  KeyValue,
  LogBounds,
  LogRecords,
  ReadBounds,
  ReadKey,
  ReadLog,
  Scan,
  StorageFailed,
  Write,
} from "../port.ts";
import { bytes, Life, show, type StorageHarness } from "./harness.ts";

/** The namespace that most cases use. */
export const ns = "suite";

/** A case that needs one process. */
export function one(
  name: string,
  body: (life: Life, harness: StorageHarness) => Script,
): Case<StorageHarness> {
  return {
    name,
    run: function* (harness) {
      yield* body(yield* Life.begin(harness), harness);
    },
  };
}

/** Sets a key. */
export function put(
  key: string | Uint8Array,
  value: string | Uint8Array,
  namespace?: string,
): Operation {
  return {
    kind: "put",
    key: asBytes(key),
    value: asBytes(value),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

/** Removes a key. */
export function del(key: string | Uint8Array): Operation {
  return { kind: "delete", key: asBytes(key) };
}

/** Adds a record. */
export function append(index: number, record: string, namespace?: string): Operation {
  return {
    kind: "append",
    index,
    record: bytes(record),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

/** Writes a batch, and waits until it is flushed. */
export function* write(
  life: Life,
  operations: readonly Operation[],
  namespace = ns,
): Generator<Wait, void, void> {
  yield* life.ask(new Write({ namespace, operations }), Flushed);
}

/** Expects a batch to be refused. */
export function* refused(
  life: Life,
  operations: readonly Operation[],
  namespace = ns,
): Generator<Wait, void, void> {
  const { code } = yield* life.ask(new Write({ namespace, operations }), StorageFailed);
  expect(code).to.equal("KITH_STORAGE_ARGUMENT");
}

/** The value of a key as text, or "null". */
export function* valueOf(
  life: Life,
  key: string | Uint8Array,
  at: { namespace?: string; view?: number } = {},
): Generator<Wait, string, void> {
  const { value } = yield* life.ask(
    new ReadKey({ namespace: ns, key: asBytes(key), ...at }),
    KeyValue,
  );
  return show(value);
}

/** What a scan can be asked. */
export type ScanOptions = Partial<ConstructorParameters<typeof Scan>[0]>;

/** A scan as text: `a=1 b=2`, followed by ` …` where there is more. */
export function* scanned(life: Life, options: ScanOptions = {}): Generator<Wait, string, void> {
  const { entries, more } = yield* life.ask(new Scan({ namespace: ns, ...options }), Entries);
  return [
    ...entries.map(({ key, value }) => `${show(key)}=${show(value)}`),
    ...(more ? ["…"] : []),
  ].join(" ");
}

/** The bounds of a log: `first..last`. */
export function* boundsOf(
  life: Life,
  at: { namespace?: string; view?: number } = {},
): Generator<Wait, string, void> {
  const { first, last } = yield* life.ask(new ReadBounds({ namespace: ns, ...at }), LogBounds);
  return `${first}..${last}`;
}

/** Records as text: `3:c d e`, followed by ` …` where there are more. */
export function* logged(
  life: Life,
  options: Partial<ConstructorParameters<typeof ReadLog>[0]> = {},
): Generator<Wait, string, void> {
  const { from, records, more } = yield* life.ask(
    new ReadLog({ namespace: ns, from: 1, ...options }),
    LogRecords,
  );
  return `${from}:${records.map(show).join(" ")}${more ? " …" : ""}`;
}

/** Numbers that look random and are the same every time. */
export function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function asBytes(of: string | Uint8Array): Uint8Array {
  return typeof of === "string" ? bytes(of) : of;
}

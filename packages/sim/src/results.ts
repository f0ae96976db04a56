/**
 * What a storage answers, as plain data: an answer that waits for its latency stands in the provider's
 * state, which a swap and a checkpoint copy, and becomes an event when it is given.
 */

import {
  ChunkTaken,
  Entries,
  InstallBegun,
  KeyValue,
  LogBounds,
  LogRecords,
  Namespaces,
  type Problem,
  type StorageAnswer,
  StorageFailed,
  ViewOpened,
  Written,
} from "@kith/storage";

/** A request that failed. */
export interface Failure extends Problem {
  readonly kind: "failed";
}

/** An answer as plain data. */
export type Result =
  | Failure
  | { readonly kind: "written" | "chunk" }
  | { readonly kind: "bounds"; readonly first: number; readonly last: number }
  | {
      readonly kind: "records";
      readonly from: number;
      readonly records: readonly Uint8Array[];
      readonly more: boolean;
    }
  | { readonly kind: "value"; readonly value: Uint8Array | null }
  | { readonly kind: "entries"; readonly entries: Entries["entries"]; readonly more: boolean }
  | { readonly kind: "view"; readonly view: number }
  | { readonly kind: "install"; readonly install: number }
  | { readonly kind: "names"; readonly names: readonly string[] };

/** A result of the tables, which say what they found or why they cannot. */
export function found<K extends string, F extends object>(
  kind: K,
  what: F | Problem,
): ({ readonly kind: K } & F) | Failure {
  return isProblem(what) ? { kind: "failed", ...what } : { kind, ...what };
}

function isProblem(what: object | Problem): what is Problem {
  return "code" in what;
}

/** The event that stands for a result. */
export function answerOf(result: Result): StorageAnswer {
  switch (result.kind) {
    case "failed":
      return new StorageFailed({ code: result.code, detail: result.detail });
    case "written":
      return new Written();
    case "chunk":
      return new ChunkTaken();
    case "bounds":
      return new LogBounds({ first: result.first, last: result.last });
    case "records":
      return new LogRecords({ from: result.from, records: result.records, more: result.more });
    case "value":
      return new KeyValue({ value: result.value });
    case "entries":
      return new Entries({ entries: result.entries, more: result.more });
    case "view":
      return new ViewOpened({ view: result.view });
    case "install":
      return new InstallBegun({ install: result.install });
    case "names":
      return new Namespaces({ names: result.names });
  }
}

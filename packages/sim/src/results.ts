/**
 * What a storage answers, as plain data: an answer that waits for its latency stands in the provider's
 * state, which a swap and a checkpoint copy, and becomes an event when it is given.
 */

import {
  ChunkTaken,
  Entries,
  Flushed,
  InstallBegun,
  KeyValue,
  LogBounds,
  LogRecords,
  Namespaces,
  type StorageAnswer,
  StorageFailed,
  ViewOpened,
  Written,
} from "@kith/storage";

/** The codes of a storage's failures. */
export type FailureCode = StorageFailed["code"];

/** A request that failed. */
export interface Failure {
  readonly kind: "failed";
  readonly code: FailureCode;
  readonly detail: string;
}

/** An answer as plain data. */
export type Result =
  | Failure
  | { readonly kind: "flushed" | "written" | "chunk" }
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

/** A failure; `detail` is a sentence for people. */
export function failed(code: FailureCode, detail: string): Failure {
  return { kind: "failed", code, detail };
}

/** The event that stands for a result. */
export function answerOf(result: Result): StorageAnswer {
  switch (result.kind) {
    case "failed":
      return new StorageFailed({ code: result.code, detail: result.detail });
    case "flushed":
      return new Flushed();
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

/**
 * What a stretch of the journal has changed, in memory: a layer over older layers and, at the bottom, the
 * rows of the tables on disk.
 *
 * A namespace of a layer knows its log's bounds, the records from `logFrom` on, the keys that were
 * written (or are gone), the ranges that were deleted below it, and where to look for other keys: in the
 * layers below, or in rows of its own, as after an installation. Byte arrays are kept as they come:
 * callers copy. Pure.
 */

import type { Bounds } from "../checks.ts";
import type { KeyRange, Operation } from "../operation.ts";
import { RecordLog } from "../record-log.ts";
import { SortedMap } from "../sorted-map.ts";
import type { Batch } from "./batch-codec.ts";
import { KeyRanges } from "./key-ranges.ts";

/** Stands for a key that is gone; told by its identity. */
export const gone = new Uint8Array(0);

/** The identity of rows that hold nothing. */
export const noRows = 0;

/** What is known of a namespace below a layer. */
export interface Below extends Bounds {
  readonly exists: boolean;
}

/** What there is where nothing was written. */
export const nothing: Below = { exists: false, first: 1, last: 0 };

/** A namespace in a layer. */
export class NamespaceLayer {
  exists: boolean;
  /** The records from this index on are those of this layer. */
  logFrom: number;
  /** Whether the log began anew in this layer, so that no row of it is of use. */
  logReset = false;
  log = new RecordLog();
  keys = new SortedMap();
  /** What was deleted below. */
  ranges = new KeyRanges();
  /** The rows below the keys of this layer; null where they are those of the layers below. */
  rows: number | null = null;
  /** Rows of installations that others have followed in this layer. */
  readonly superseded: number[] = [];
  #first: number;

  constructor({ exists, first, last }: Below) {
    this.exists = exists;
    this.#first = first;
    this.logFrom = last + 1;
    this.log.cut(last);
  }

  /** The first index of the log. */
  get first(): number {
    return this.#first;
  }

  /** The last index of the log. */
  get last(): number {
    return this.log.last;
  }

  /** Does what an operation says. */
  apply(operation: Operation): void {
    switch (operation.kind) {
      case "append":
        this.exists = true;
        this.log.append(operation.record);
        return;
      case "truncate":
        this.#truncate(operation.from);
        return;
      case "cut":
        this.exists = true;
        this.#cut(operation.to);
        return;
      case "put":
        this.exists = true;
        this.keys.set(operation.key, operation.value);
        return;
      case "delete":
        this.keys.set(operation.key, gone);
        return;
      case "delete-range":
        this.#deleteRange(operation);
        return;
      case "drop":
        this.exists = false;
        this.replaceKeys(noRows);
        this.log = new RecordLog();
        this.#first = this.logFrom = 1;
        this.logReset = true;
    }
  }

  /** Forgets all keys; those of these rows take their place. */
  replaceKeys(rows: number): void {
    this.keys = new SortedMap();
    this.ranges = new KeyRanges();
    if (this.rows !== null && this.rows !== noRows) this.superseded.push(this.rows);
    this.rows = rows;
  }

  /** The namespace as it is now; changes of one do not reach the other. */
  snapshot(): NamespaceLayer {
    const copy = new NamespaceLayer(nothing);
    copy.exists = this.exists;
    copy.logFrom = this.logFrom;
    copy.logReset = this.logReset;
    copy.log = this.log.snapshot();
    copy.keys = this.keys.snapshot();
    copy.ranges = this.ranges.snapshot();
    copy.rows = this.rows;
    copy.#first = this.#first;
    return copy;
  }

  #truncate(from: number): void {
    if (from > this.last) return;
    if (from >= this.log.first) {
      this.log.truncate(from);
      return;
    }
    this.log = new RecordLog();
    this.log.cut(from - 1);
    this.logFrom = from;
  }

  #cut(to: number): void {
    if (to < this.#first) return;
    this.#first = to + 1;
    this.log.cut(to);
    if (to >= this.logFrom) this.logFrom = to + 1;
  }

  #deleteRange(range: KeyRange): void {
    if (range.from === undefined && range.to === undefined) {
      this.replaceKeys(noRows);
      return;
    }
    this.keys.deleteRange(range);
    this.ranges.add(range);
  }
}

/** All namespaces that a stretch of the journal has touched. */
export class Layer {
  readonly namespaces = new Map<string, NamespaceLayer>();

  /**
   * Applies a batch.
   *
   * @param below what is known of a namespace below this layer
   */
  apply({ namespace, operations, install }: Batch, below: (name: string) => Below): void {
    if (install !== null) {
      const at = this.#at(namespace, below);
      at.exists = true;
      at.replaceKeys(install);
    }
    for (const operation of operations)
      this.#at(operation.namespace ?? namespace, below).apply(operation);
  }

  #at(name: string, below: (name: string) => Below): NamespaceLayer {
    let found = this.namespaces.get(name);
    if (found === undefined) {
      this.namespaces.set(name, (found = new NamespaceLayer(below(name))));
    }
    return found;
  }
}

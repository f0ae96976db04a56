/**
 * What a batch does, as plain data. Operations of one batch are applied in their order, all or none.
 */

/** Says in which namespace an operation works, where that is not the one of its batch. */
interface Placed {
  readonly namespace?: string;
}

/** Adds a record to the log. Its index must be the last one plus 1. */
export interface Append extends Placed {
  readonly kind: "append";
  readonly index: number;
  readonly record: Uint8Array;
}

/**
 * Removes the records from this index on: the last index is `from - 1` afterwards. Harmless where there
 * are none. `from` is at least the first index.
 */
export interface Truncate extends Placed {
  readonly kind: "truncate";
  readonly from: number;
}

/**
 * Removes the records up to this index: the first index is `to + 1` afterwards. Beyond the last
 * record it leaves an empty log that goes on at `to + 1`, as after the installation of a snapshot.
 * Harmless where the log begins later already.
 */
export interface Cut extends Placed {
  readonly kind: "cut";
  readonly to: number;
}

/** Sets the value of a key. */
export interface Put extends Placed {
  readonly kind: "put";
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Removes a key; harmless where it is not there. */
export interface Delete extends Placed {
  readonly kind: "delete";
  readonly key: Uint8Array;
}

/** Removes all keys from `from` (included) to `to` (not included); a missing bound is no bound. */
export interface DeleteRange extends Placed {
  readonly kind: "delete-range";
  readonly from?: Uint8Array;
  readonly to?: Uint8Array;
}

/** Removes the namespace, log and keys; it does not exist any more, until it is written to again. */
export interface Drop extends Placed {
  readonly kind: "drop";
}

/** One operation of a batch. */
export type Operation = Append | Truncate | Cut | Put | Delete | DeleteRange | Drop;

/** A key and its value. */
export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Bounds of a range of keys, in bytewise order; a missing bound is no bound. */
export interface KeyRange {
  /** The first key, included. */
  readonly from?: Uint8Array;
  /** The end, not included. */
  readonly to?: Uint8Array;
}

/**
 * The Storage port: durable data in namespaces, each with an append-only log and ordered keys.
 *
 * What holds for every provider:
 *
 * - **Atomic.** A batch is applied as a whole or not at all, over log, keys and namespaces.
 * - **In order.** Requests take effect in the order in which they arrive. A read sees all batches that
 *   came before it and none that came later, flushed or not; a write is visible before it is flushed.
 * - **Durable when flushed.** After a power cut a prefix of the batches is there, and it contains every batch
 *   that was answered with `Flushed` and everything before it. Batches of one turn share one flush.
 * - **Copied.** Byte arrays are not shared: neither side sees what the other does to its arrays later.
 *   A provider copies what it takes before its handler returns, a user owns what it is given.
 * - **Failures are answers** (`StorageFailed`), with nothing of the batch applied. After a failed flush
 *   the provider is dead: it says `StorageLost` once, and answers every request with that failure.
 * - **Bounded.** Requests that wait, views and installations have bounds; a request beyond them is answered
 *   with `KITH_STORAGE_BUSY` at once (ahead of others that wait), and has no effect.
 *
 * An index of the log is a safe integer of at least 1; the log of a new namespace is empty and begins at 1.
 * Keys are byte strings, ordered bytewise, of at most 1,024 bytes, the empty one included; a value or
 * record has at most 16 MiB, a batch 1 GiB. Namespaces are named by strings of 1 to 128 UTF-16 units. A namespace
 * exists from the first batch that names it in a put, an append or a cut, until it is dropped.
 *
 * A snapshot is streamed out of a view: `OpenView`, then `Scan` it in parts of `bytesMax`, each from
 * `after(lastKey)` on, then `CloseView`. At the other side it is staged with `BeginInstall` and
 * `InstallChunk`, invisible, until `CommitInstall` replaces all keys of the namespace at once.
 */

import { event, type EventClass, port, request } from "@kith/core";
import type { StorageErrorCode } from "./errors.ts";
import type { Entry, KeyRange, Operation } from "./operation.ts";

/** The root of all answers of a Storage. */
export abstract class StorageAnswer extends event("storage/Answer") {}

/** The request had no effect, or is not known to have had one; `code` says why. */
export class StorageFailed extends event("storage/Failed", StorageAnswer)<{
  readonly code: StorageErrorCode;
  /** A sentence for people. */
  readonly detail: string;
}> {}

/** The batch, and every batch before it, would survive a power cut. */
export class Flushed extends event("storage/Flushed", StorageAnswer) {}

/** The batch is applied and visible; it is flushed later, with or before the next batch that asks for it. */
export class Written extends event("storage/Written", StorageAnswer) {}

/**
 * Applies a batch of operations. Answered with `Flushed`, or with `Written` where `flush` is false. An
 * empty batch writes nothing and flushes what came before.
 */
export class Write extends request("storage/Write", answers(Flushed, Written, StorageFailed))<{
  /** The namespace of all operations that name no other. */
  readonly namespace: string;
  readonly operations: readonly Operation[];
  /** Whether the answer waits until the batch is durable; default true. */
  readonly flush?: boolean;
}> {}

/** The bounds of a log: it holds the indexes from `first` to `last`, none where `last` is `first - 1`. */
export class LogBounds extends event("storage/LogBounds", StorageAnswer)<{
  readonly first: number;
  readonly last: number;
}> {}

/** Asks for the bounds of a namespace's log; 1 and 0 where the namespace does not exist. */
export class ReadBounds extends request("storage/ReadBounds", answers(LogBounds, StorageFailed))<{
  readonly namespace: string;
  /** Reads from a view of that namespace. */
  readonly view?: number;
}> {}

/** Records of a log, without a gap. */
export class LogRecords extends event("storage/LogRecords", StorageAnswer)<{
  /** The index of the first of them. */
  readonly from: number;
  readonly records: readonly Uint8Array[];
  /** Whether the asked range has more than these, because of `bytesMax`. */
  readonly more: boolean;
}> {}

/**
 * Reads the records from `from` to `to`, both included, as far as the log has them. What lies before
 * the first index is skipped: `LogRecords.from` says where they begin.
 */
export class ReadLog extends request("storage/ReadLog", answers(LogRecords, StorageFailed))<{
  readonly namespace: string;
  readonly from: number;
  /** Default: the last index. */
  readonly to?: number;
  /** Stops before it would exceed so many bytes of records, but gives at least one; default 1 MiB. */
  readonly bytesMax?: number;
  readonly view?: number;
}> {}

/** The value of a key; null where there is none. */
export class KeyValue extends event("storage/KeyValue", StorageAnswer)<{
  readonly value: Uint8Array | null;
}> {}

/** Reads the value of one key. */
export class ReadKey extends request("storage/ReadKey", answers(KeyValue, StorageFailed))<{
  readonly namespace: string;
  readonly key: Uint8Array;
  readonly view?: number;
}> {}

/** Keys with their values, in the order of the scan. */
export class Entries extends event("storage/Entries", StorageAnswer)<{
  readonly entries: readonly Entry[];
  /** Whether the range has more than these, because of `limit` or `bytesMax`. */
  readonly more: boolean;
}> {}

/** Reads keys and values in order, from the low end or in reverse from the high end. */
export class Scan extends request("storage/Scan", answers(Entries, StorageFailed))<
  KeyRange & {
    readonly namespace: string;
    readonly reverse?: boolean;
    /** How many at most; at least 1. */
    readonly limit?: number;
    /** Stops before it would exceed so many bytes of keys and values, but gives at least one; default 1 MiB. */
    readonly bytesMax?: number;
    readonly view?: number;
  }
> {}

/** The view is open; name it by this number. */
export class ViewOpened extends event("storage/ViewOpened", StorageAnswer)<{
  readonly view: number;
}> {}

/**
 * Opens a read view: the namespace as it is when this request takes effect, whatever is written
 * afterwards. It costs memory until it is closed, does not survive a restart of the provider, and
 * there are at most so many (`KITH_STORAGE_VIEWS`).
 */
export class OpenView extends request("storage/OpenView", answers(ViewOpened, StorageFailed))<{
  readonly namespace: string;
}> {}

/** Closes a view; harmless where it is closed already. */
export class CloseView extends event("storage/CloseView")<{ readonly view: number }> {}

/** The names of all namespaces, in the order of their UTF-16 units. */
export class Namespaces extends event("storage/Namespaces", StorageAnswer)<{
  readonly names: readonly string[];
}> {}

/** Asks which namespaces exist. */
export class ListNamespaces extends request(
  "storage/ListNamespaces",
  answers(Namespaces, StorageFailed),
) {}

/** The installation has begun; name it by this number. */
export class InstallBegun extends event("storage/InstallBegun", StorageAnswer)<{
  readonly install: number;
}> {}

/**
 * Begins to stage the keys of a snapshot for a namespace. An earlier installation for the same namespace that has
 * not been committed is aborted. What is staged is invisible, and gone after a crash.
 */
export class BeginInstall extends request(
  "storage/BeginInstall",
  answers(InstallBegun, StorageFailed),
)<{
  readonly namespace: string;
}> {}

/** The chunk is staged: send the next one. */
export class ChunkTaken extends event("storage/ChunkTaken", StorageAnswer) {}

/** Stages entries; a key that comes twice has its last value. */
export class InstallChunk extends request(
  "storage/InstallChunk",
  answers(ChunkTaken, StorageFailed),
)<{
  readonly install: number;
  readonly entries: readonly Entry[];
}> {}

/**
 * Replaces all keys of the namespace by those staged, applies the operations after that, all as one batch,
 * and flushes. The log is left as it is, but for what the operations do to it.
 */
export class CommitInstall extends request(
  "storage/CommitInstall",
  answers(Flushed, StorageFailed),
)<{
  readonly install: number;
  readonly operations: readonly Operation[];
}> {}

/** Forgets what was staged; harmless where the installation has ended. */
export class AbortInstall extends event("storage/AbortInstall")<{ readonly install: number }> {}

/** The provider is dead: a flush failed, or its data is corrupt. Comes once; the peer has to stop. */
export class StorageLost extends event("storage/Lost")<{
  readonly code: StorageErrorCode;
  /** A sentence for people. */
  readonly detail: string;
}> {}

/** Keeps data. Providers: memory, real, simulated. */
export const Storage = port("Storage", {
  requests: [
    Write,
    ReadBounds,
    ReadLog,
    ReadKey,
    Scan,
    OpenView,
    CloseView,
    ListNamespaces,
    BeginInstall,
    InstallChunk,
    CommitInstall,
    AbortInstall,
  ],
  indications: [StorageLost],
});

/**
 * The response class of a request that has several answers. At run time it is their common root, for
 * the compiler their union, so that a handler has to look at each of them.
 */
function answers<const C extends readonly EventClass<StorageAnswer>[]>(
  ...classes: C
): EventClass<C[number]["prototype"]>;
function answers(): EventClass {
  return StorageAnswer;
}

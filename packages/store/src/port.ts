/**
 * The ports Store and Registers: keys whose values everybody sees alike, and transactions over them.
 *
 * What holds for every provider:
 *
 * - **Linearizable.** Each request takes effect at one instant between asking and answer. For `Store` that is so for
 *   requests over any number of keys together: what they do is strictly serializable.
 * - **Once.** A request is carried out at most once, however often the provider has to send it.
 * - **Definite.** `Busy`, `NotDone`, `Refused` and `Aborted` say that nothing was done and nothing will be. `Ambiguous`
 *   says that nobody can know: it was done, or it was not, or it may yet be.
 * - **Bounded.** Every request ends: after `within` and the time that it takes to call it off. What is too much is
 *   `Busy`, at once.
 *
 * A transaction is a matter of its user: `Read` what it needs, compute, and `Commit` with the versions that were read and
 * all that is to be written. `Aborted` means: read again and try again, with one more in `attempt` of the `Read`. What was read in
 * several `Read`s may not fit together until `Commit` has said so; one `Read` is of one instant.
 *
 * `Registers` is the part that needs no log: a store on quorums can provide it as well.
 */

import { event, type EventClass, type Millis, port, request } from "@kith/core";
import type { Condition } from "./command.ts";
import type { Octets } from "./position.ts";
import type { RefusalReason } from "./result.ts";
import type { Expiry, TxWrite } from "./rows.ts";

/** A key: at most `keyBytesMax` bytes, one character up to U+00FF for each. See `utf8Key` and `octetsOf` of `@kith/paxos`. */
export type Key = Octets;

/** What is at a key. */
export interface Entry {
  readonly key: Key;
  /** Null where the key is absent. Not to be changed. */
  readonly value: Uint8Array | null;
  /** Names the write that has left it so: another write, another version. 0 where the key is absent. */
  readonly version: number;
  /** How long it was to live when it was read, in milliseconds; null for ever. */
  readonly expiresIn: Millis | null;
}

/** An operation on a key. `when` has to hold of the key, as the operations before it leave it. */
export type Update = { readonly key: Key; readonly when?: Condition | undefined } & (
  | { readonly kind: "put"; readonly value: Uint8Array; readonly expiry?: Expiry }
  | { readonly kind: "delete" }
  /** Adds to a decimal integer of 64 bits; an absent key counts as 0. */
  | { readonly kind: "add"; readonly delta: bigint }
  /** Puts bytes behind those that are there. */
  | { readonly kind: "append"; readonly value: Uint8Array }
  /** Changes when a key that is present expires. */
  | { readonly kind: "expire"; readonly expiry: Expiry }
  /** Does nothing but look whether the condition holds. */
  | { readonly kind: "check" }
);

/** What an operation did. */
export interface Updated {
  /** The version that the key has now; of a deleted key that of the deletion, 0 where it was absent all along. */
  readonly version: number;
  /** What was there before; null where the key was absent. Not given by `add` and `append`. */
  readonly before?: Uint8Array | null | undefined;
  /** What is there now, given by `add`; by `append`, the length as a decimal number. */
  readonly after?: Uint8Array | undefined;
}

// --- answers ---------------------------------------------------------------------------------------

/** The root of all answers. */
export abstract class StoreAnswer extends event("store/Answer") {}

/** Not done: too much waits here. Ask again later. */
export class Busy extends event("store/Busy", StoreAnswer) {}

/** Why something was not done, and will not be. */
export type NotDoneReason =
  /** There was no time left; it was called off. */
  | "timeout"
  /** The keys of an `Apply` lie in several groups: `Commit` can do it. */
  | "scattered"
  /** The provider has stopped. */
  | "stopped";

/** Not done, and it will not be. */
export class NotDone extends event("store/NotDone", StoreAnswer)<{
  readonly reason: NotDoneReason;
}> {}

/** It was done, or not, or may yet be: nobody can know. */
export class Ambiguous extends event("store/Ambiguous", StoreAnswer) {}

/** Why a request was refused. */
export type Refusal =
  | RefusalReason
  | "key-too-long"
  | "key-no-octets"
  /** A time, version or limit is below 0, no number, or too large. */
  | "no-number"
  | "key-twice"
  | "too-many-keys"
  | "hashed"
  /** A place is a whole number from 0 to 2^48 - 1. */
  | "no-place";

/** Nothing was done, since one operation could not be. */
export class Refused extends event("store/Refused", StoreAnswer)<{
  /** Which of the operations, from 0. */
  readonly at: number;
  readonly reason: Refusal;
  /** What is at its key, where that was looked at: null and 0 else. */
  readonly value: Uint8Array | null;
  readonly version: number;
}> {}

/** What was asked for. */
export class Got extends event("store/Got", StoreAnswer)<{ readonly entry: Entry }> {}

/** The write is done; `version` is that of the key now. */
export class Written extends event("store/Written", StoreAnswer)<{ readonly version: number }> {}

/** All operations are done, each with what it did. */
export class Applied extends event("store/Applied", StoreAnswer)<{
  readonly updated: readonly Updated[];
}> {}

/** What was at the keys at one instant, in the order in which they were asked for, each once. */
export class Entries extends event("store/Entries", StoreAnswer)<{
  readonly entries: readonly Entry[];
  /** Of a scan: where to go on; null at its end. */
  readonly next: Key | null;
}> {}

/** A page of keys. */
export class Browsed extends event("store/Browsed", StoreAnswer)<{
  readonly keys: readonly Key[];
  /** Where to go on, more than `from`; null at the end. */
  readonly next: number | null;
}> {}

/** The transaction is committed. */
export class Committed extends event("store/Committed", StoreAnswer) {}

/** The transaction has not happened and will not: something that it has read has changed, or another one was faster. */
export class Aborted extends event("store/Aborted", StoreAnswer)<{
  /** A key that certainly has no more the version with which it was read, where that is known: it will not have it again. */
  readonly outdated?: Key;
}> {}

// --- requests of Registers -------------------------------------------------------------------------

/** Reads a key. `within`: how long to try; default 10 s. */
export class Get extends request("store/Get", answers(Got, Refused, Busy, NotDone))<{
  readonly key: Key;
  readonly within?: Millis;
}> {}

/** Writes a key, for ever. */
export class Put extends request("store/Put", answers(Written, Refused, Busy, NotDone, Ambiguous))<{
  readonly key: Key;
  readonly value: Uint8Array;
  readonly within?: Millis;
}> {}

/** Deletes a key; done where it was absent, too. */
export class Delete extends request(
  "store/Delete",
  answers(Written, Refused, Busy, NotDone, Ambiguous),
)<{ readonly key: Key; readonly within?: Millis }> {}

// --- requests of Store -----------------------------------------------------------------------------

/**
 * Does operations at once, or nothing, in their order. All keys have to lie in one group, as those of one key do: else
 * it is not done (`scattered`).
 */
export class Apply extends request(
  "store/Apply",
  answers(Applied, Refused, Busy, NotDone, Ambiguous),
)<{ readonly updates: readonly Update[]; readonly within?: Millis }> {}

/** Reads keys as they are at one instant: a read-only transaction, in whatever groups they lie. */
export class Read extends request("store/Read", answers(Entries, Refused, Busy, NotDone))<{
  readonly keys: readonly Key[];
  /**
   * Whether it is enough that each key for itself is as it was at an instant between asking and answer, which takes
   * half as long: for transactions that write, whose commit looks at it again. Default false.
   */
  readonly apart?: boolean;
  /**
   * For a transaction that commits with what it reads here: how often it was aborted before. Where others wait for the same
   * keys it waits its turn; from 3 on it makes others wait, for 300 ms at most, so that nobody is overtaken without end.
   */
  readonly attempt?: number;
  readonly within?: Millis;
}> {}

/** A key as it was read by a transaction. */
export interface Seen {
  readonly key: Key;
  /** The version of the `Entry` that it has read. */
  readonly version: number;
}

/** What a transaction does to a key. */
export interface Writing {
  readonly key: Key;
  readonly write: TxWrite;
}

/** Commits a transaction: writes all, at one instant at which all that was read still holds; or nothing. */
export class Commit extends request(
  "store/Commit",
  answers(Committed, Aborted, Refused, Busy, NotDone, Ambiguous),
)<{
  /** Each key once. */
  readonly reads: readonly Seen[];
  /** Each key once; may have been read, too. */
  readonly writes: readonly Writing[];
  /**
   * Whether it stands in line for its first key before it locks anything, where others were in the way of such lately: for whoever
   * has not read in turn (`Read.attempt`), which is a line already. Default false.
   */
  readonly queues?: boolean;
  readonly within?: Millis;
}> {}

/** Reads keys in their order, at one instant; only where keys are ordered: else it is `hashed`. */
export class Scan extends request("store/Scan", answers(Entries, Refused, Busy, NotDone))<{
  /** From here on. */
  readonly from: Key;
  /** Up to here, not included; null to the end. */
  readonly to: Key | null;
  /** At most so many keys; default and at most 1,000. */
  readonly limit?: number;
  readonly within?: Millis;
}> {}

/**
 * Goes through all keys, wherever they lie, in the order of their positions: a page of about `limit` keys and where to go
 * on. Works for hashed keys, too, and needs no memory between pages: a place is a number of 48 bits, good at every
 * provider. What is there all the time is met exactly once, however long it takes; there is no instant at which the
 * whole page held.
 */
export class Browse extends request("store/Browse", answers(Browsed, Refused, Busy, NotDone))<{
  /** Where to begin: 0, or the `next` of the page before. */
  readonly from: number;
  /** About so many keys; default and at most 1,000. Keys at one place are never torn apart. */
  readonly limit?: number;
  readonly within?: Millis;
}> {}

// --- watches ---------------------------------------------------------------------------------------

/** Which keys are watched: one key, or all that begin with a prefix. */
export type Watched = { readonly key: Key } | { readonly prefix: Key };

/**
 * Watches keys: `Changes` come from now on, until `Unwatch`. `watch` is a name that its user gives, which no other
 * watch at this provider has. A second one of that name takes the place of the first.
 */
export class Watch extends event("store/Watch")<{
  readonly watch: string;
  readonly what: Watched;
}> {}

/** Ends a watch. */
export class Unwatch extends event("store/Unwatch")<{ readonly watch: string }> {}

/** A change of a key. */
export interface Change {
  readonly key: Key;
  /** Null where the key was deleted, or has expired. */
  readonly value: Uint8Array | null;
  readonly version: number;
}

/**
 * Keys have changed, in that order. Of one key no change is left out and none comes twice; changes of keys that lie in
 * different groups come in any order.
 */
export class Changes extends event("store/Changes")<{
  readonly watch: string;
  readonly changes: readonly Change[];
}> {}

/**
 * Changes were missed: those who watch were too slow, or out of reach for too long. `entries` is what is there now, of keys
 * that are in the part of the watch of which changes were missed; others of that part are absent. It comes at the beginning of
 * a watch, too, for each part of it.
 */
export class Resync extends event("store/Resync")<{
  readonly watch: string;
  readonly entries: readonly Entry[];
  /** The part: positions from `lo` to before `hi`; null is the end of all. `positionOf` says where a key lies. */
  readonly lo: Octets;
  readonly hi: Octets | null;
}> {}

/** A watch was not begun, because there are too many at this provider: nothing comes of it. */
export class WatchRefused extends event("store/WatchRefused")<{ readonly watch: string }> {}

// --- the ports -------------------------------------------------------------------------------------

/** Single keys, read and written as a whole: what every store can do. */
export const Registers = port("Registers", { requests: [Get, Put, Delete] });

/** Keys and transactions over them. Provider: `StoreClient`. */
export const Store = port("Store", {
  requests: [Get, Put, Delete, Apply, Read, Commit, Scan, Browse, Watch, Unwatch],
  indications: [Changes, Resync, WatchRefused],
});

/** The response class of a request that has several answers: at run time their root, for the compiler their union. */
function answers<const C extends readonly EventClass<StoreAnswer>[]>(
  ...classes: C
): EventClass<C[number]["prototype"]>;
function answers(): EventClass {
  return StoreAnswer;
}

/**
 * The machine that a group replicates, given by its user: what a command does to a table, and what a query
 * finds in it.
 *
 * A machine is a function of its arguments and of nothing else: no clock, no chance, no state of its own
 * (D1). All it keeps stands in the table, so that a snapshot has all of it. Keys are strings of characters up to
 * U+00FF, one for each byte, in the order of their bytes; `utf8Key` makes one of any text.
 */

import { isAscii, octetsOf, textBytes } from "./bytes.ts";

/** A table to read. */
export interface TableReader {
  /** The value of a key. Not to be changed. */
  get(key: string): Uint8Array | undefined;
  /** The keys from `from` (included) to `to` (not included), in order; at most `limit`. */
  keys(from?: string, to?: string, limit?: number): string[];
}

/** A table to write. */
export interface TableWriter extends TableReader {
  /** Sets the value of a key. The array is the table's from then on: nobody may change it any more. */
  put(key: string, value: Uint8Array): void;
  /** Removes a key. */
  delete(key: string): void;
}

/** What a command is applied to, and when. */
export interface Applying {
  readonly command: Uint8Array;
  readonly table: TableWriter;
  /** Its place in the log. */
  readonly index: number;
  /** The group's time in milliseconds: never back, no wall clock. */
  readonly time: number;
  /** The version of the rules to apply by; one of the machine's own. */
  readonly version: number;
  /**
   * Makes another group of the same members, with a table of these cells. It is as durable as this command, begins with this
   * group's time and version, and elects a leader of its own. Each id is given to one group ever, as with `Found`.
   *
   * @throws KithError `KITH_PAXOS_INVARIANT` where this group has made one of that id before
   */
  readonly spawn: (gid: string, cells: ReadonlyMap<string, Uint8Array>) => void;
}

/** What a query is asked of, and when. */
export interface Querying {
  readonly query: Uint8Array;
  readonly table: TableReader;
  /** Up to where the table is applied. */
  readonly index: number;
  readonly time: number;
  readonly version: number;
}

/** A deterministic machine. */
export interface Machine {
  /** The versions of its rules that this code can apply, ascending. */
  readonly versions: readonly number[];
  /**
   * Applies a command. What it throws stops the group at this entry, with nothing of it applied and all data
   * kept: for what cannot be, not for what is refused, which is a result like others.
   *
   * @returns the result for who proposed it
   */
  apply(applying: Applying): Uint8Array;
  /** Answers a query, which changes nothing. What it throws refuses the query, and stops nothing. */
  query(querying: Querying): Uint8Array;
}

/** A key of a table for any text, in the order of its UTF-8 bytes. */
export function utf8Key(text: string): string {
  return isAscii(text) ? text : octetsOf(textBytes(text));
}

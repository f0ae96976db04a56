/**
 * The log of a replica, in memory: the entries after a base, which is what a snapshot or a cut has
 * taken away. Without a gap; terms never fall; what is committed is never truncated.
 */

import { ensure } from "./errors.ts";
import { type Entry, type Index, sizeOf, type Term } from "./entry.ts";

/** A log. Plain data; changed only by the functions of this file. */
export interface Log {
  /** The index before the first entry. */
  base: Index;
  /** The term of the entry at the base; 0 where the base is 0. */
  baseTerm: Term;
  readonly entries: Entry[];
  /** About how many bytes they have. */
  bytes: number;
}

/** An empty log that goes on after a base. */
export function emptyLog(base: Index = 0, baseTerm: Term = 0): Log {
  return { base, baseTerm, entries: [], bytes: 0 };
}

/** The index of the last entry; the base where there is none. */
export function lastIndex(log: Log): Index {
  return log.base + log.entries.length;
}

/** The term of the last entry. */
export function lastTerm(log: Log): Term {
  return log.entries.at(-1)?.term ?? log.baseTerm;
}

/** The entry at an index. */
export function entryAt(log: Log, index: Index): Entry | undefined {
  return log.entries[index - log.base - 1];
}

/** The term at an index; undefined where the log does not say, before its base or after its end. */
export function termAt(log: Log, index: Index): Term | undefined {
  return index === log.base ? log.baseTerm : entryAt(log, index)?.term;
}

/** Entries from an index on, up to `to` and about `bytesMax` bytes, but at least one where there is one. */
export function slice(log: Log, from: Index, to: Index, bytesMax: number): Entry[] {
  const found: Entry[] = [];
  let bytes = 0;
  for (let index = from; index <= to; index++) {
    const entry = entryAt(log, index);
    if (entry === undefined) break;
    bytes += sizeOf(entry);
    if (bytes > bytesMax && found.length > 0) break;
    found.push(entry);
  }
  return found;
}

/** Adds an entry at the end. */
export function append(log: Log, entry: Entry): void {
  ensure(
    entry.index === lastIndex(log) + 1 && entry.term >= lastTerm(log),
    "G2",
    () => `entry ${entry.index}.${entry.term} was to follow ${lastIndex(log)}.${lastTerm(log)}`,
  );
  log.entries.push(entry);
  log.bytes += sizeOf(entry);
}

/** Takes away the entries from an index on. */
export function truncate(log: Log, from: Index): void {
  remove(log, Math.max(0, from - log.base - 1), Infinity);
}

function remove(log: Log, begin: number, count: number): void {
  for (const entry of log.entries.splice(begin, count)) log.bytes -= sizeOf(entry);
}

/** Takes away the entries up to an index, which becomes the base. */
export function cut(log: Log, to: Index): void {
  const term = termAt(log, to);
  ensure(term !== undefined, "G3", () => `the log was cut at ${to}, which it does not have`);
  remove(log, 0, to - log.base);
  log.base = to;
  log.baseTerm = term;
}

/** The first index behind which entries of at most so many bytes stand. */
export function firstWithin(log: Log, bytesMax: number): Index {
  let index = lastIndex(log);
  for (let bytes = 0; index > log.base; index--) {
    const entry = entryAt(log, index);
    bytes += entry === undefined ? 0 : sizeOf(entry);
    if (bytes > bytesMax) break;
  }
  return index;
}

/** The first index of the run of entries with the term at `index`, as far as the log knows. */
export function firstOfTerm(log: Log, index: Index): Index {
  const term = termAt(log, index);
  let first = index;
  while (first - 1 > log.base && termAt(log, first - 1) === term) first--;
  return first;
}

/** The last index whose term is at most `term`; the base where all are later. */
export function lastUpToTerm(log: Log, term: Term): Index {
  let index = lastIndex(log);
  while (index > log.base && (termAt(log, index) ?? 0) > term) index--;
  return index;
}

/** Whether a log that ends with `term` at `index` has at least what this one has (L1). */
export function isUpToDate(log: Log, term: Term, index: Index): boolean {
  const own = lastTerm(log);
  return term > own || (term === own && index >= lastIndex(log));
}

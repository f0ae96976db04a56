/**
 * The line at keys that many want at once (algorithms.md §6.5.8): who reads for a transaction that was aborted often has its
 * keys kept until it has committed, and others wait their turn, first come, first served.
 *
 * It stands before the log, at the leader, in memory, and is advice: whatever comes past it is right all the same, since
 * a commit looks at its versions when it is applied. It only saves what would be in vain. A key is kept for `holdMs` at most, so
 * that nobody waits for who is gone, nor two for each other for long. Plain data.
 */

import type { Millis } from "@kith/core";
import type { Command } from "./command.ts";
import type { Position } from "./position.ts";
import type { Reading, Wanted } from "./query.ts";
import { nameOf, type TxName } from "./rows.ts";

/** A key that is kept. */
export interface Hold {
  /** By which its keys belong together. */
  readonly id: number;
  readonly until: Millis;
  /** What was read there: by that its holder is known. Null until it was. */
  version: number | null;
  /** Once it has prepared. */
  tx: TxName | null;
}

/** Who waits. */
export interface Waiter<W> {
  readonly who: W;
  readonly keys: readonly Position[];
  /** Whether its keys are kept for it when its turn has come. */
  readonly holds: boolean;
  /** The transaction for which they are kept, where it is known already. */
  readonly tx?: TxName;
}

/** The line of a group. Plain data. */
export interface Line<W> {
  queue: Waiter<W>[];
  readonly holds: Map<Position, Hold>;
  lastHold: number;
}

/** Who may go on, and the hold that it has; 0 for none. */
export interface Turn<W> {
  readonly who: W;
  readonly hold: number;
  /** The transaction that enters; null where it is another one whose turn has come. */
  readonly tx: TxName | null;
}

/** What to do with a command. */
export type Verdict =
  /** It passes; when it is answered, these holds are over. */
  | { readonly passes: true; readonly ends: readonly number[] }
  /** It would spoil what somebody has read: it waits. */
  | { readonly passes: false; readonly keys: readonly Position[] };

/** How long keys are kept, in milliseconds. */
export const holdMs = 300;
/** How many may wait at a group. */
export const lineMax = 1000;

const goesOn: Verdict = { passes: true, ends: [] };

/** A line in which nobody waits. */
export function newLine<W>(): Line<W> {
  return { queue: [], holds: new Map(), lastHold: 0 };
}

/** Whether nobody waits and no key is kept. */
export function isOver({ queue, holds }: Line<unknown>): boolean {
  return queue.length === 0 && holds.size === 0;
}

/** Whether somebody has one of the keys, or waits for it. */
export function isWanted({ queue, holds }: Line<unknown>, keys: readonly Position[]): boolean {
  return keys.some((key) => holds.has(key) || queue.some((waiter) => waiter.keys.includes(key)));
}

/** Lets those go on whose turn has come. */
export function proceed<W>(line: Line<W>, now: Millis): Turn<W>[] {
  const { holds } = line;
  for (const [key, { until }] of holds) if (until <= now) holds.delete(key);
  const turns: Turn<W>[] = [];
  const wanted = new Set<Position>();
  line.queue = line.queue.filter(({ who, keys, holds: keeps, tx = null }) => {
    const waits = keys.some((key) => holds.has(key) || wanted.has(key));
    if (waits) {
      for (const key of keys) wanted.add(key);
      return true;
    }
    const id = keeps ? ++line.lastHold : 0;
    if (keeps)
      for (const key of keys) holds.set(key, { id, until: now + holdMs, version: null, tx });
    turns.push({ who, hold: id, tx });
    return false;
  });
  return turns;
}

/** Who enters has kept these keys already, from when it read them: what it has is what was read. Those holds are over. */
export function resume({ holds }: Line<unknown>, wanted: readonly Wanted[]): boolean {
  let had = false;
  for (const { position, expected } of wanted) {
    const hold = holds.get(position);
    if (hold === undefined || hold.tx !== null || hold.version !== expected) continue;
    holds.delete(position);
    had = true;
  }
  return had;
}

/** A transaction comes no more. @returns who has waited for it */
export function leave<W>(line: Line<W>, name: TxName): W[] {
  const left = line.queue.filter(({ tx }) => tx === name);
  line.queue = line.queue.filter(({ tx }) => tx !== name);
  for (const [key, { tx }] of line.holds) if (tx === name) line.holds.delete(key);
  return left.map(({ who }) => who);
}

/** Whether a hold is not over. */
export function isHeld({ holds }: Line<unknown>, id: number): boolean {
  for (const hold of holds.values()) if (hold.id === id) return true;
  return false;
}

/** A holder has read its keys; null where it got no answer that it can use. */
export function wasRead(
  line: Line<unknown>,
  id: number,
  readings: readonly Reading[] | null,
): void {
  if (readings === null || readings.some(({ lockedBy }) => lockedBy !== null)) {
    end(line, [id]);
    return;
  }
  for (const { position, present, version } of readings) {
    const hold = line.holds.get(position);
    if (hold?.id === id) hold.version = present ? version : 0;
  }
}

/** These holds are over. */
export function end({ holds }: Line<unknown>, ids: readonly number[]): void {
  for (const [key, { id }] of holds) if (ids.includes(id)) holds.delete(key);
}

/** Looks at a command: whether it is a holder's, and whether it has to wait. */
export function look(line: Line<unknown>, command: Command): Verdict {
  switch (command.kind) {
    case "execute": {
      const { reads, operations } = command;
      const read = new Map(reads.map(({ position, version }) => [position, version]));
      const keys = [...new Set([...reads, ...operations].map(({ position }) => position))];
      const { own, spoils } = compare(line, keys, (key) => read.get(key));
      return spoils ? { passes: false, keys } : { passes: true, ends: own.map(({ id }) => id) };
    }
    case "prepare": {
      // It never waits: it may have locks elsewhere.
      const { parts, ticket } = command;
      const name = nameOf(ticket);
      for (const { position, expected } of parts) {
        const hold = line.holds.get(position);
        if (hold?.tx === null && expected !== null && hold.version === expected) hold.tx = name;
      }
      return goesOn;
    }
    case "finish": {
      const name = nameOf(command.tx);
      const ends = [...line.holds.values()].filter(({ tx }) => tx === name).map(({ id }) => id);
      return { passes: true, ends };
    }
    case "cancel":
    case "expire":
    case "expire-session":
    case "force-abort":
    case "forget":
    case "found":
    case "open":
    case "split":
      return goesOn;
  }
}

function compare(
  { holds }: Line<unknown>,
  keys: readonly Position[],
  expected: (key: Position) => number | undefined,
): { readonly own: readonly Hold[]; readonly spoils: boolean } {
  const own: Hold[] = [];
  let spoils = false;
  for (const key of keys) {
    const hold = holds.get(key);
    if (hold === undefined) continue;
    const version = expected(key);
    if (version === undefined) spoils = true;
    // Who has read another version comes in vain, and hears so at once.
    else if (version === hold.version) own.push(hold);
  }
  return { own, spoils };
}

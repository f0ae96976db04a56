/**
 * Reads that have met a prepared transaction, at the leader of its group: they wait there until it has ended, and are answered
 * then. Who asked would have to ask again and again otherwise, and guess when. They wait `parkedMs` at most each time that they meet
 * one: then they are answered as it is, and who asked finds out what has become of the transaction. Plain data.
 */

import type { Millis } from "@kith/core";
import type { Asked } from "@kith/paxos";
import { decodeAnswer } from "./query.ts";
import type { TxName } from "./rows.ts";

/** How long a read waits, in milliseconds. */
export const parkedMs = 250;
/** How many wait in all groups. */
const parkedMax = 1000;

interface One {
  readonly asked: Asked;
  /** Transactions that it has met. */
  readonly by: readonly TxName[];
  readonly until: Millis;
}

/** Reads that wait. Plain data. */
export type Parked = Set<One>;

/** None. */
export function noneParked(): Parked {
  return new Set();
}

/** Takes in a read, if it has met a transaction. @returns whether it waits now */
export function park(parked: Parked, asked: Asked, found: Uint8Array, now: Millis): boolean {
  if (parked.size >= parkedMax) return false;
  const answer = decodeAnswer(found);
  if (answer.kind !== "readings") return false;
  const by = answer.readings.flatMap(({ lockedBy }) => lockedBy ?? []);
  if (by.length === 0) return false;
  parked.add({ asked, by, until: now + parkedMs });
  return true;
}

/** Takes out those who wait for a transaction in a group; null: whatever they wait for there. */
export function released(parked: Parked, gid: string, tx: TxName | null): Asked[] {
  return taken(parked, ({ asked, by }) => asked.gid === gid && (tx === null || by.includes(tx)));
}

/** Takes out those who have waited for long. */
export function expired(parked: Parked, now: Millis): Asked[] {
  return taken(parked, ({ until }) => until <= now);
}

function taken(parked: Parked, isOver: (one: One) => boolean): Asked[] {
  const out: Asked[] = [];
  for (const one of parked) {
    if (!isOver(one)) continue;
    parked.delete(one);
    out.push(one.asked);
  }
  return out;
}

/**
 * A partial view: references to some peers with their ages in rounds, and what Cyclon (Voulgaris, Gavidia,
 * van Steen 2005) does with it. Pure: chance comes in as an argument.
 *
 * Invariants (CY1): at most `max` entries, none about oneself, no peer twice, whatever its incarnation.
 * Of two incarnations of one process the later one stays, and of two references to one life the younger.
 */

import { outlives, type PeerRef } from "@kith/network";

/** A reference to a peer. */
export interface Entry {
  readonly peer: PeerRef;
  /** How many rounds ago the peer itself made it; fractions count. */
  readonly age: number;
}

/** Draws a shuffled copy. */
export type Shuffle = <T>(list: readonly T[]) => T[];

/**
 * The view so many rounds later, without what is older than `ageMax` rounds.
 *
 * Ages run on evenly, in fractions of a round. If each peer added a whole one at its own time, then of two
 * copies of a reference the one that was not aged yet would win, again and again, and the reference would
 * stay young for ever. And a peer that is gone makes no references, so all to it grow old together: in a
 * system smaller than its views, where nothing has to make room, they would go round for ever otherwise.
 */
export function aged(view: readonly Entry[], rounds: number, ageMax: number): readonly Entry[] {
  // Twice at one instant: they are as old as they were.
  if (rounds === 0 && view.every(({ age }) => age <= ageMax)) return view;
  const older: Entry[] = [];
  for (const { peer, age } of view)
    if (age + rounds <= ageMax) older.push({ peer, age: age + rounds });
  return older;
}

/** The oldest entry; of several, the one that a shuffle puts first. */
export function oldest(view: readonly Entry[], shuffle: Shuffle): Entry | undefined {
  let found: Entry | undefined;
  for (const entry of shuffle(view))
    if (found === undefined || entry.age > found.age) found = entry;
  return found;
}

/**
 * Takes in what another peer has sent. There is room for what is new while the view is not full, and then in the place of
 * what was sent away in the same exchange; what finds none is dropped.
 *
 * @param sent what this exchange has sent away, and no other: two that cross must not undo one another
 */
export function merge(
  view: readonly Entry[],
  incoming: readonly Entry[],
  sent: readonly Entry[],
  self: PeerRef,
  max: number,
): Entry[] {
  const merged = view.slice();
  const given = sent.map(({ peer }) => peer.peerId);
  for (const entry of incoming) {
    if (isSelf(entry.peer, self)) continue;
    let rivals = 0;
    let wins = true;
    for (const other of merged) {
      if (!rival(other.peer, entry.peer)) continue;
      rivals++;
      wins &&= younger(entry, other);
    }
    if (rivals > 0) {
      if (!wins) continue;
      for (let at = merged.length - 1; at >= 0; at--) {
        const other = merged[at];
        if (other !== undefined && rival(other.peer, entry.peer)) merged.splice(at, 1);
      }
      merged.push(entry);
    } else if (merged.length < max) {
      merged.push(entry);
    } else {
      const at = replaceable(merged, given);
      if (at >= 0) merged[at] = entry;
    }
  }
  return merged;
}

/** Where an entry stands that was sent away; each gives its place once. */
function replaceable(view: readonly Entry[], given: number[]): number {
  for (let peerId = given.shift(); peerId !== undefined; peerId = given.shift()) {
    const at = view.findIndex(({ peer }) => peer.peerId === peerId);
    if (at >= 0) return at;
  }
  return -1;
}

/** Whether a reference is about oneself, in this or an earlier life. */
export function isSelf(peer: PeerRef, self: PeerRef): boolean {
  return peer.peerId === self.peerId;
}

/** Whether two references cannot stand in one view. */
function rival(a: PeerRef, b: PeerRef): boolean {
  if (a.peerId === b.peerId) return true;
  return a.incarnation !== b.incarnation && sameAddress(a, b);
}

function younger(one: Entry, other: Entry): boolean {
  if (outlives(one.peer, other.peer)) return true;
  return !outlives(other.peer, one.peer) && one.age < other.age;
}

function sameAddress(a: PeerRef, b: PeerRef): boolean {
  return a.port === b.port && a.host === b.host;
}

/** Complains where a view is none; undefined where it is one (CY1). */
export function misfit(view: readonly Entry[], self: PeerRef, max: number): string | undefined {
  if (view.length > max) return `it has ${view.length} entries, and may have ${max}`;
  if (view.some(({ peer }) => isSelf(peer, self))) return "it holds a reference to oneself";
  if (new Set(view.map(({ peer }) => peer.peerId)).size < view.length)
    return "a peer is in it twice";
  return undefined;
}

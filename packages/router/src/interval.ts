/**
 * Intervals of keys: what of one a peer covers, what is left over, and how that is shared out. A part that is
 * handed on is shorter than the whole, so the sharing out ends.
 */

import { distance } from "@kith/membership";
import type { PeerRef } from "@kith/network";
import type { Interval } from "./port.ts";
import { ahead, type RouterState } from "./state.ts";

/** Into how many parts a peer divides what is left over. */
const fanout = 8;

/** How many keys it has. */
export function keysOf({ first, last }: Interval, size: number): number {
  return distance(first, last, size) + 1;
}

/** What a peer covers that owns the first key: up to itself, or the whole. */
export function covers(state: RouterState, { first, last }: Interval): Interval {
  const { self, size, view } = state;
  const alone = view.predecessor !== null && view.predecessor.peerId === self.peerId;
  const whole = alone || distance(first, self.peerId, size) >= distance(first, last, size);
  return { first, last: whole ? last : self.peerId };
}

/** What is left of the gaps when a part was covered. */
export function without(gaps: readonly Interval[], part: Interval, size: number): Interval[] {
  return gaps.flatMap((gap) => {
    const keys = keysOf(gap, size);
    const from = distance(gap.first, part.first, size);
    // The part begins before the gap, or in it.
    const begin = from < keys ? from : 0;
    const end = from < keys ? from + keysOf(part, size) : keysOf(part, size) - (size - from);
    if (end <= begin) return [gap];
    const rest: Interval[] = [];
    if (begin > 0) rest.push({ first: gap.first, last: (gap.first + begin - 1) % size });
    if (end < keys) rest.push({ first: (gap.first + end) % size, last: gap.last });
    return rest;
  });
}

/** One part of what is left over, and who is to begin with it: the peer right before it, or null for this one. */
export interface Share {
  readonly part: Interval;
  readonly via: PeerRef | null;
}

/** Shares out what lies behind this peer, by the entries of the table that lie in it. */
export function shares(state: RouterState, { first, last }: Interval): Share[] {
  const { size, entries } = state;
  const end = ahead(state, last);
  const inside = entries.map(({ peer }) => peer).filter(({ peerId }) => ahead(state, peerId) < end);
  const step = Math.max(1, Math.ceil(inside.length / (fanout - 1)));
  const cuts = inside.filter((_, at) => at % step === step - 1);
  const found: Share[] = [];
  let begin = first;
  let via: PeerRef | null = null;
  for (const cut of cuts) {
    if (ahead(state, cut.peerId) < ahead(state, begin)) continue;
    found.push({ part: { first: begin, last: cut.peerId }, via });
    begin = (cut.peerId + 1) % size;
    via = cut;
  }
  return [...found, { part: { first: begin, last }, via }];
}

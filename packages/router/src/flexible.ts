/**
 * The flexible routing table (Nagao, Shudo 2011): no slots. Every peer that is heard of is taken up; where
 * there are too many, the one goes that leaves the most even spacing, measured by the logarithm of the distance. With
 * c · log n entries a way has O(log n) hops, and where all peers fit in, one.
 *
 * A refresh looks up a point at a distance whose logarithm is uniform: so each scale is known as well as any other.
 */

import type { PeerRef } from "@kith/network";
import { ahead, type Entry, isNeighbour, removeAt, type RouterState } from "./state.ts";
import { successorFinger, type Table } from "./table.ts";

/**
 * How much further from the key one may be that is nearer in time. A hop over a full table leaves about a tenth of the
 * way, and four times that is less than half of it still: so no hop halves less. Measured on 500 peers in five regions:
 * ways take an eighth less time, and 5 % more hops; with twice they take 3 % less, with eight times a fifth, and 12 % more hops.
 */
const detourMax = 4;
/** How many times nearer in time it has to be, to be worth it. */
const gainMin = 3;

/** The rules of a flexible table with room for so many. */
export function flexible(max: number): Table {
  return {
    refuses: (state, peer, place, scale) =>
      state.entries.length === max && isLeast(state, peer, place, scale),
    trim(state) {
      while (state.entries.length > max && evict(state));
    },
    refresh(state, draw) {
      const [first] = state.view.successors;
      if (first === undefined || first.peerId === state.self.peerId) return null;
      const { self, size } = state;
      const near = Math.log(ahead(state, first.peerId));
      const far = Math.exp(near + draw.float() * (Math.log(size) - near));
      const key = (self.peerId + Math.min(size - 1, Math.max(1, Math.floor(far)))) % size;
      return { kind: "lookup", key };
    },
    alike(state, closest, other, key) {
      if (closest.roundTrip === null || other.roundTrip === null) return false;
      const left = (entry: Entry): number => ahead(state, key) - ahead(state, entry.peer.peerId);
      return (
        left(other) <= detourMax * left(closest) && other.roundTrip * gainMin < closest.roundTrip
      );
    },
    finger: successorFinger,
    fingerTold: () => undefined,
  };
}

/** Whether one at that place would be the one that `evict` throws out. */
function isLeast(state: RouterState, peer: PeerRef, place: number, scale: number): boolean {
  const { scales } = state;
  if (place === 0 || isNeighbour(state, peer)) return false;
  const own = scaleAt(state, place) - scaleAt(state, place - 1);
  const last = scales.length - 1;
  // Its neighbours have it between them; the first entry is never thrown out.
  if (place > 1 && scale - scaleAt(state, place - 2) <= own && mayGo(state, place - 1))
    return false;
  if (place <= last && scaleAt(state, place + 1) - scale < own && mayGo(state, place)) return false;
  if (
    place < last &&
    scaleAt(state, last + 1) - scaleAt(state, last - 1) < own &&
    mayGo(state, last)
  )
    return false;
  for (let at = 1; at < last; at++) {
    const gap = (scales[at + 1] ?? 0) - (scales[at - 1] ?? 0);
    if (gap > own || at === place || at === place - 1) continue;
    if ((gap < own || at < place) && mayGo(state, at)) return false;
  }
  return true;
}

function mayGo(state: RouterState, at: number): boolean {
  const entry = state.entries[at];
  return entry !== undefined && !isNeighbour(state, entry.peer);
}

/** Throws out the entry whose neighbours in the table are closest together on the scale; false where none may go. */
function evict(state: RouterState): boolean {
  const { scales } = state;
  const last = scales.length - 1;
  let least = Infinity;
  let victim = -1;
  for (let at = 1; at < last; at++) {
    const gap = (scales[at + 1] ?? 0) - (scales[at - 1] ?? 0);
    if (gap >= least || !mayGo(state, at)) continue;
    least = gap;
    victim = at;
  }
  if (last > 0 && scaleAt(state, last + 1) - scaleAt(state, last - 1) < least && mayGo(state, last))
    victim = last;
  if (victim < 0) return false;
  removeAt(state, victim);
  return true;
}

/** Where an entry stands on the scale; behind the last one, once round. Read beyond its end, a list of floats would make objects. */
function scaleAt({ scales, size }: RouterState, at: number): number {
  return at < scales.length ? (scales[at] ?? 0) : Math.log(size);
}

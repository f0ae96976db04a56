/**
 * The flexible routing table (Nagao, Shudo 2011): no slots. Every peer that is heard of is taken up; where
 * there are too many, the one goes that leaves the most even spacing, measured by the logarithm of the distance. With
 * c · log n entries a way has O(log n) hops, and where all peers fit in, one.
 *
 * A refresh looks up a point at a distance whose logarithm is uniform: so each scale is known as well as any other.
 */

import { ahead, type Entry, isNeighbour, type RouterState } from "./state.ts";
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

/** Throws out the entry whose neighbours in the table are closest together on the scale; false where none may go. */
function evict(state: RouterState): boolean {
  const { entries } = state;
  const whole = Math.log(state.size);
  let least = Infinity;
  let victim = -1;
  for (let at = 1; at < entries.length; at++) {
    const before = entries[at - 1];
    const entry = entries[at];
    if (before === undefined || entry === undefined) continue;
    const gap = (entries[at + 1]?.scale ?? whole) - before.scale;
    if (gap >= least || isNeighbour(state, entry.peer)) continue;
    least = gap;
    victim = at;
  }
  if (victim < 0) return false;
  entries.splice(victim, 1);
  return true;
}

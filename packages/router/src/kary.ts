/**
 * k-ary fingers (Ghodsi 2006; Chord is k = 2). The ring ahead of a peer is cut into levels: the nearest k-th of
 * the level before it is left for the next one, and the rest is cut into k - 1 slots. Any peer of a slot is a valid
 * finger for it; a few are kept, the first behind the slot's start among them. That makes (k - 1) · log_k n
 * entries, and ways of at most ⌈log_k n⌉ long steps.
 */

import { distance } from "@kith/membership";
import { ahead, type Entry, isNeighbour, keepEntries, type RouterState } from "./state.ts";
import { successorFinger, type Table } from "./table.ts";

/** A slot: from `start` on, in distance from the peer, `width` points. */
interface Slot {
  readonly start: number;
  readonly width: number;
}

/** The slot of a peer at this distance, 1 to size. */
export function slotAt(far: number, k: number, size: number): Slot {
  let width = size / k;
  // The last level's slots may be narrower than a point; a peer lies in exactly one all the same.
  while (far < width) width /= k;
  return { start: Math.floor(far / width) * width, width };
}

/** The rules of k-ary fingers with so many candidates for each. */
export function kary(k: number, candidates: number): Table {
  const slotOf = (state: RouterState, entry: Entry): Slot =>
    slotAt(ahead(state, entry.peer.peerId), k, state.size);
  return {
    trim(state, added) {
      const { start } = slotOf(state, added);
      const slot = state.entries.filter((entry) => slotOf(state, entry).start === start);
      // A table that another provider has filled may have many too many.
      const spare = slot.slice(1).filter(({ peer }) => !isNeighbour(state, peer));
      const kept = slot.length - spare.length;
      if (slot.length <= candidates) return;
      const best = spare.toSorted(
        (a, b) =>
          (a.roundTrip ?? Infinity) - (b.roundTrip ?? Infinity) ||
          ahead(state, a.peer.peerId) - ahead(state, b.peer.peerId),
      );
      const out = new Set(best.slice(Math.max(0, candidates - kept)));
      keepEntries(state, (entry) => !out.has(entry));
    },
    refresh(state, draw) {
      const { self, size, view } = state;
      const last = view.successors.at(-1);
      if (last === undefined || last.peerId === self.peerId) return null;
      // Slots nearer than the successors are known.
      const near = distance(self.peerId, last.peerId, size);
      let levels = 1;
      for (let width = size / k; width > near; width /= k) levels++;
      const width = size / k ** draw.between(1, levels);
      const key = (self.peerId + Math.max(1, Math.ceil(draw.between(1, k - 1) * width))) % size;
      return { kind: "lookup", key };
    },
    alike(state, closest, other) {
      const { start } = slotOf(state, closest);
      return slotOf(state, other).start === start;
    },
    finger: successorFinger,
    fingerTold: () => undefined,
  };
}

/**
 * Chord# (Schütt, Schintke, Reinefeld 2006, 2008): fingers by counting peers. Finger 0 is the successor, and finger i is
 * finger i-1 of one's finger i-1, twice as many peers ahead. So there are log2 n fingers and hops however the
 * identifiers are distributed, as they are where keys keep their order; and one question renews one of them.
 */

import { samePeer } from "@kith/network";
import { ahead, isNeighbour, keepEntries, type RouterState } from "./state.ts";
import { successorFinger, type Table } from "./table.ts";

/** More than any ring has levels. */
const levelsMax = 64;

/** The rules of Chord#'s fingers. */
export function chordSharp(): Table {
  return {
    trim: keep,
    refresh(state) {
      const successor = successorFinger(state, 0);
      if (successor === null) return null;
      state.fingers[0] = successor;
      // One level in each round, from the nearest on, then from the start again.
      const level = state.rounds % state.fingers.length;
      const peer = state.fingers[level];
      return peer === undefined ? null : { kind: "ask", peer, level };
    },
    alike: () => false,
    finger: (state, level) => state.fingers[level] ?? successorFinger(state, level),
    fingerTold(state, level, peer) {
      const base = state.fingers[level];
      if (base === undefined || level + 1 >= levelsMax) return;
      // Once round: the levels end here.
      const beyond =
        peer === null ||
        peer.peerId === state.self.peerId ||
        ahead(state, peer.peerId) <= ahead(state, base.peerId);
      state.fingers = beyond
        ? state.fingers.slice(0, level + 1)
        : [...state.fingers.slice(0, level + 1), peer, ...state.fingers.slice(level + 2)];
      keep(state);
    },
  };
}

function keep(state: RouterState): void {
  keepEntries(
    state,
    ({ peer }) => isNeighbour(state, peer) || state.fingers.some((one) => samePeer(one, peer)),
  );
}

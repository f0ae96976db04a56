/** A peer of the overlay under scenarios, and what has to hold for it. */

export {
  livesInOrder,
  lookupsEnd,
  nobodyDeclared,
  oneRing,
  oneRingFrom,
  ringPath,
  swaps,
  trueFrom,
  unfair,
  verdictsAlternate,
  verdictsAreTrue,
  wakesCalmly,
} from "./judge.ts";
export { Peer, type PeerInit } from "./peer.ts";

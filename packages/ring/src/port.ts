/**
 * The Ring port: a peer's neighbours in the order of identifiers.
 *
 * **A view is a hint, never authority.** Two peers may believe for a while that the same key is theirs, and
 * a key may be nobody's: under partitions no ring can rule that out. Use a view to find whom to ask; who owns data and
 * who may write is decided elsewhere (algorithms.md §0, §6.5).
 *
 * What holds for every provider:
 *
 * - **R1** Once faults stop, following successors from any peer passes every peer once.
 * - **R2** While peers only join, no key is ever two peers' own. That is `RelaxedRing`'s promise; where four
 *   join a `ChordRing` at once, two may own a key until both have stabilised.
 * - **R3** Some time after the last fault, predecessor and successor are the neighbours in the sorted order.
 * - **R5** No reference is taken up again in a life that was seen to end.
 */

import { event, type Millis, port } from "@kith/core";
import type { PeerRef } from "@kith/network";

/**
 * Begins a ring of one. Only for whoever has the authority to found a cluster: an answer that did not
 * come gives nobody that authority.
 */
export class FoundRing extends event("ring/Found") {}

/** Joins the ring of one of these peers; tried one after the other, again and again, until it is done. */
export class JoinRing extends event("ring/Join")<{ readonly introducers: readonly PeerRef[] }> {}

/** Leaves: tells the neighbours, and is of no ring from then on. `RingLeft` says when it is done. */
export class LeaveRing extends event("ring/Leave") {}

/**
 * Peers that may be closer than the neighbours, or lead to such: from T-Man, a router, a merger. They
 * are asked before they are believed. Those from far away are named to newcomers as short cuts.
 */
export class Consider extends event("ring/Consider")<{ readonly peers: readonly PeerRef[] }> {}

/** How far a peer is with its ring. */
export type RingStatus =
  /** Of no ring: not begun, or left. */
  | "out"
  /** It has asked to join, and no one has taken it in. */
  | "joining"
  /** It has a successor, or looks for one in the place of one that has failed. */
  | "in";

/** The neighbours as this peer sees them: a hint. Comes whenever they have changed. */
export class RingView extends event("ring/View")<{
  readonly self: PeerRef;
  readonly status: RingStatus;
  /** The peer before; oneself in a ring of one; null while it is not known. Keys in (predecessor, self] are taken for one's own. */
  readonly predecessor: PeerRef | null;
  /** The peers behind, the nearest first; oneself alone in a ring of one; empty while they are not known. */
  readonly successors: readonly PeerRef[];
  /** Grows with each change. */
  readonly version: number;
  /** Since when predecessor and first successor are the same, in monotonic milliseconds of this peer. */
  readonly stableSince: Millis;
}> {}

/** The identifier is another peer's: this peer cannot join under it. */
export class JoinRefused extends event("ring/JoinRefused")<{
  readonly reason: "id-in-use";
  readonly by: PeerRef;
}> {}

/** The leave is done: the neighbours were told, and have had time to ask. */
export class RingLeft extends event("ring/Left") {}

/** Keeps the neighbours. Providers: `RelaxedRing`, `ChordRing`. */
export const Ring = port("Ring", {
  requests: [FoundRing, JoinRing, LeaveRing, Consider],
  indications: [RingView, JoinRefused, RingLeft],
});

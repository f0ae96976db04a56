/**
 * The ports by which a peer finds others: Bootstrap for the first ones, PeerSampling for random ones from
 * then on, and Nearness for those close by on the ring.
 *
 * **What they say are hints, never authority.** A peer that is named may be gone, and one that is not
 * named may live. In particular nobody may conclude from an empty answer that there is no cluster yet:
 * whether one may be founded is for those to decide who own that decision (algorithms.md §6.5.12).
 * Therefore `FindPeers` is never answered with an empty list; it goes on asking instead.
 */

import { event, port, request } from "@kith/core";
import type { PeerRef } from "@kith/network";

/** Some peers of the cluster: at least one, none twice, not the asker. They lived a while ago. */
export class PeersFound extends event("membership/PeersFound")<{
  readonly peers: readonly PeerRef[];
}> {}

/**
 * Asks for some peers of the cluster. Answered as soon as somebody has named one; nobody answers that
 * there is none. Ask with a timeout where you do not want to wait for ever, and draw no conclusion from it.
 */
export class FindPeers extends request("membership/FindPeers", PeersFound) {}

/** This peer takes part: servers shall name it to others, from now on and as long as this process lives. */
export class Register extends event("membership/Register")<{ readonly peer: PeerRef }> {}

/** Takes that back. The servers forget the peer when its time is over. */
export class Unregister extends event("membership/Unregister")<{ readonly peer: PeerRef }> {}

/** Finds the first peers to talk to. Provider: `BootstrapClient`, with `BootstrapServer` at the other end. */
export const Bootstrap = port("Bootstrap", { requests: [FindPeers, Register, Unregister] });

/** Peers to begin with. May come again and again; those that answer are enough. */
export class Introduce extends event("membership/Introduce")<{
  readonly peers: readonly PeerRef[];
}> {}

/** Peers that are drawn at random from all, about one fresh set per round. None twice, not oneself. */
export class Sample extends event("membership/Sample")<{ readonly peers: readonly PeerRef[] }> {}

/** Draws random peers of the whole system, gone ones among them for a while. Provider: `Cyclon`. */
export const PeerSampling = port("PeerSampling", {
  requests: [Introduce],
  indications: [Sample],
});

/** The peers closest by on the ring among all that were heard of. Contact one before you believe in it. */
export class Nearest extends event("membership/Nearest")<{
  /** Clockwise, the nearest first. */
  readonly successors: readonly PeerRef[];
  /** Counterclockwise, the nearest first. In small systems one peer is in both. */
  readonly predecessors: readonly PeerRef[];
}> {}

/** Finds the neighbours on the ring, by gossip alone. Provider: `TMan`. */
export const Nearness = port("Nearness", { requests: [Introduce], indications: [Nearest] });

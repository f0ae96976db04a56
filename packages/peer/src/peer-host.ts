/**
 * The process of some virtual peers: they share its Timer and Network, one failure detector (which probes
 * each remote process once for all of them), and one client and server of Bootstrap.
 *
 * Invariant: a peer that has failed for good, or was stopped, is not among those that its detector tells
 * others to live here.
 */

import { type Child, Component } from "@kith/core";
import { AdaptiveDetector, Arrived, FailureDetector } from "@kith/fd";
import { BootstrapClient, BootstrapServer } from "@kith/membership";
import { formatPeer, parsePeer, type PeerRef, self } from "@kith/network";
import { Overlay } from "./overlay.ts";

/** What a process has to know. */
export interface PeerHostInit {
  /** The identities of its peers, none twice in the whole cluster. */
  readonly peerIds: readonly number[];
  /** Whether the first of them founds the ring. */
  readonly founds: boolean;
  /** Processes that run a Bootstrap server, in any incarnation: every host does. */
  readonly servers: readonly PeerRef[];
  /** Peers to try first, such as those of an earlier life. */
  readonly known?: readonly PeerRef[];
}

/**
 * A peer of a process: its address and incarnation, with an identity of its own.
 *
 * @param rebirth how often it has begun anew in this life of the process
 */
export function virtualPeer(process: PeerRef, peerId: number, rebirth = 0): PeerRef {
  return { ...process, peerId, ...(rebirth === 0 ? {} : { rebirth }) };
}

/** Hosts virtual peers, each at `Peer-` and its identity. */
export class PeerHost extends Component {
  protected readonly living = this.requires(FailureDetector);
  readonly #detector = this.create(AdaptiveDetector, {}, { name: "Detector" });
  /** Its peers by their identities; whoever extends the class may wire them. */
  protected readonly peers: ReadonlyMap<number, Child<Overlay>>;

  constructor({ peerIds, founds, servers, known = [] }: PeerHostInit) {
    super();
    const process = parsePeer(this.setting(self));
    const client = this.create(BootstrapClient, { servers }, { name: "Bootstrap" });
    this.create(BootstrapServer, {}, { name: "BootstrapServer" });
    this.offers(this.#detector.ports.detector);
    this.offers(client.ports.bootstrap);
    const [first] = peerIds;
    const peers = new Map<number, Child<Overlay>>();
    for (const peerId of peerIds) {
      const peer = virtualPeer(process, peerId);
      const isFounder = founds && peerId === first;
      // A server does not name the peers of the process that asks.
      const founder =
        founds && !isFounder && first !== undefined ? [virtualPeer(process, first)] : [];
      const settings = [self.of(formatPeer(peer))];
      const init = { founds: isFounder, known: [...known, ...founder] };
      peers.set(peerId, this.create(Overlay, init, { name: `Peer-${peerId}`, settings }));
    }
    this.peers = peers;
    this.connect(this.#detector.ports.detector, this.living);
    // Before any of them begins: one that they hear of and the detector does not would count as gone for good.
    this.onStart(() => {
      for (const peerId of peerIds)
        this.living.trigger(new Arrived({ peer: virtualPeer(process, peerId) }));
    });
  }
}

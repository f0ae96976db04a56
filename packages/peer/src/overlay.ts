/**
 * The overlay stack of one virtual peer: ring, router, merger, peer sampling and T-Man, wired up, with the entry that
 * leads it into the ring. The failure detector, the Bootstrap and the ports of the world are not its own: all
 * peers of a process share them, and `PeerHost` offers them.
 *
 * It speaks for the peer that the setting `self` names. Of the Network that it shares it sees what is
 * addressed to that peer; of the detector's verdicts, those that its own components have asked for.
 *
 * Invariant: while it runs, the detector counts it among those who live in this process.
 */

import { Component } from "@kith/core";
import { Arrived, Departed, FailureDetector } from "@kith/fd";
import { Cyclon, TMan } from "@kith/membership";
import { Network, parsePeer, peerKey, self } from "@kith/network";
import { RelaxedRing, RingGossip, RingMerger } from "@kith/ring";
import { FlexibleRouter } from "@kith/router";
import { Entry, type EntryInit } from "./entry.ts";

/** One virtual peer. Each part has a place of its own, such as `Ring`, and can be swapped there. */
export class Overlay extends Component {
  readonly detector = this.requires(FailureDetector);
  readonly #ring = this.create(RelaxedRing, {}, { name: "Ring" });
  readonly #router = this.create(FlexibleRouter, {}, { name: "Router" });
  readonly #cyclon = this.create(Cyclon, {}, { name: "Cyclon" });
  readonly #tman = this.create(TMan, {}, { name: "TMan" });
  readonly #merger = this.create(RingMerger, {}, { name: "Merger" });
  readonly ring = this.exposes(this.#ring.ports.ring);
  readonly router = this.exposes(this.#router.ports.router);
  readonly sampling = this.exposes(this.#cyclon.ports.sampling);
  readonly nearness = this.exposes(this.#tman.ports.nearness);
  readonly merger = this.exposes(this.#merger.ports.merger);

  constructor(init: EntryInit) {
    super();
    const peer = parsePeer(this.setting(self));
    this.narrows(Network, peerKey(peer));
    this.offers(this.#ring.ports.ring);
    this.offers(this.#router.ports.router);
    this.offers(this.#cyclon.ports.sampling);
    this.offers(this.#tman.ports.nearness);
    // Not left to the offers, which wire a component when it starts: a ring of one tells its view once, and that may be before.
    this.connect(this.#ring.ports.ring, this.#router.ports.ring);
    this.connect(this.#ring.ports.ring, this.#merger.ports.ring);
    this.create(RingGossip, {}, { name: "Gossip" });
    this.create(Entry, init, { name: "Entry" });
    this.onStart(() => this.detector.trigger(new Arrived({ peer })));
    this.onStop(() => this.detector.trigger(new Departed({ peer })));
  }
}

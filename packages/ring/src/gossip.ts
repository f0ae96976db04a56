/**
 * Joins a ring and T-Man: what T-Man has found may be closer than the ring's neighbours, and the ring's
 * neighbours are where T-Man begins (algorithms.md §2.3, §2.4). So a ring also mends what no stabilisation
 * would: two laps, or two rings of which one peer of either has heard.
 *
 * Invariant: nothing is believed here. The ring is asked to `Consider`, and contacts whom it takes up; T-Man gets
 * those alone that the ring's detector watches, for a reference that is given to it counts as young.
 */

import { Component } from "@kith/core";
import {
  inOpen,
  Introduce,
  Nearest,
  Nearness,
  PeerSampling,
  ringSize,
  Sample,
} from "@kith/membership";
import type { PeerRef } from "@kith/network";
import { Consider, Ring, RingView } from "./port.ts";

/** How many of each side are considered: only the closest can be a neighbour, and it may be gone. */
const consideredMax = 3;

/** Tells a ring what T-Man and peer sampling have found, and T-Man who the ring's neighbours are. All are hints. */
export class RingGossip extends Component {
  readonly ring = this.requires(Ring);
  readonly nearness = this.requires(Nearness);
  readonly sampling = this.requires(PeerSampling);
  readonly #size = this.setting(ringSize);
  /** The ends of the gap that only a closer successor stands in; null while they are not known. */
  #gap: readonly [self: PeerRef, successor: PeerRef] | null = null;

  constructor() {
    super();
    // Random peers are short cuts for newcomers.
    this.sampling.on(Sample, ({ peers }) => this.ring.trigger(new Consider({ peers })));
    this.nearness.on(Nearest, ({ successors, predecessors }) => {
      if (!this.#hasCloser(successors) && !this.#hasCloser(predecessors)) return;
      const closest = [successors, predecessors].flatMap((side) => side.slice(0, consideredMax));
      this.ring.trigger(new Consider({ peers: [...new Set(closest)] }));
    });
    this.ring.on(RingView, ({ self, predecessor, successors: [successor] }) => {
      this.#gap = successor === undefined ? null : [self, successor];
      const peers: PeerRef[] = [];
      for (const peer of [predecessor, successor])
        if (peer !== null && peer !== undefined && peer.peerId !== self.peerId) peers.push(peer);
      if (peers.length > 0) this.nearness.trigger(new Introduce({ peers }));
    });
  }

  #hasCloser(side: readonly PeerRef[]): boolean {
    let at = 0;
    for (const peer of side) {
      if (at++ >= consideredMax) return false;
      if (this.#isCloser(peer)) return true;
    }
    return false;
  }

  /** Whether the ring might take this one up: at rest nobody is closer than its successor, and it need not be asked. */
  #isCloser({ peerId }: PeerRef): boolean {
    if (this.#gap === null) return true;
    const [self, successor] = this.#gap;
    return inOpen(peerId, self.peerId, successor.peerId, this.#size);
  }
}

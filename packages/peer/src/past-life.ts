/**
 * What is left of the earlier lives of a virtual peer that has begun anew within its process: what is still addressed to one of them
 * is told to the present one as lost. So whoever calls an earlier life is answered by the later one, as after a restart of the whole
 * process, where the Network sees to that.
 */

import { Component } from "@kith/core";
import { dropped, Message, Network, peerKey, type PeerRef } from "@kith/network";
import { Losses, PeerLoss } from "./peer-network.ts";

/** How many earlier lives are remembered; whoever has heard of none since asks the ring. */
const pastMax = 16;

/** One earlier life of a virtual peer; a part of the present one. */
export class PastLife extends Component {
  constructor({ peer }: { readonly peer: PeerRef }) {
    super();
    this.narrows(Network, peerKey(peer));
    this.create(Mislaid, {});
  }
}

class Mislaid extends Component {
  readonly network = this.requires(Network);
  readonly losses = this.requires(Losses);

  constructor() {
    super();
    this.network.on(Message, (message) => {
      const { peerId } = message.to;
      const loss = dropped(message, { reason: "wrong-incarnation", detail: "" });
      this.losses.trigger(new PeerLoss({ peerId, dropped: loss }));
    });
  }
}

/** The lives of a peer before this one, within this life of its process: the latest of them. */
export function pastLives(peer: PeerRef): PeerRef[] {
  const { rebirth = 0, ...first } = peer;
  const count = Math.min(rebirth, pastMax);
  return Array.from({ length: count }, (_, i) => {
    const past = rebirth - 1 - i;
    return past === 0 ? first : { ...first, rebirth: past };
  });
}

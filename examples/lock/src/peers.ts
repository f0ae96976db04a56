/** The peers of a fixed group, each in the last life that was heard of: what is sent to an earlier one is lost. */

import type { PeerRef } from "@kith/network";

/** An address book of a group. */
export class Peers {
  readonly all: readonly number[];
  /** Those who have not said anything in this life of ours; they may not know of it. */
  readonly silent = new Set<number>();
  readonly #refs = new Map<number, PeerRef>();

  constructor(peers: readonly PeerRef[], self: number) {
    this.all = peers.map(({ peerId }) => peerId);
    for (const peer of peers) {
      this.#refs.set(peer.peerId, peer);
      if (peer.peerId !== self) this.silent.add(peer.peerId);
    }
  }

  /** Where a peer is now; undefined for one that is not of the group. */
  get(id: number): PeerRef | undefined {
    return this.#refs.get(id);
  }

  /** Somebody lives. */
  heard(from: PeerRef): void {
    this.silent.delete(from.peerId);
    const known = this.#refs.get(from.peerId);
    if (known !== undefined && known.incarnation < from.incarnation) {
      this.#refs.set(from.peerId, from);
    }
  }
}

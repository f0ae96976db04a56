/**
 * The peers of a fixed group, each in the last life that was heard of: what is sent to another one is lost. What a peer
 * is told about the others when it starts is a guess, until they say something.
 */

import type { PeerRef } from "@kith/network";

/** An address book of a group. */
export class Peers {
  readonly all: readonly number[];
  /** Those who have not said anything in this life of ours; they may not know of it. */
  readonly silent = new Set<number>();
  readonly #refs = new Map<number, PeerRef>();
  readonly #guessed = new Set<number>();

  constructor(peers: readonly PeerRef[], self: number) {
    this.all = peers.map(({ peerId }) => peerId);
    for (const peer of peers) {
      this.#refs.set(peer.peerId, peer);
      this.#guessed.add(peer.peerId);
      if (peer.peerId !== self) this.silent.add(peer.peerId);
    }
  }

  /** Where a peer is now; undefined for one that is not of the group. */
  get(id: number): PeerRef | undefined {
    return this.#refs.get(id);
  }

  /** Somebody lives. */
  heard(from: PeerRef): void {
    const { peerId, incarnation } = from;
    this.silent.delete(peerId);
    const known = this.#refs.get(peerId);
    if (known === undefined) return;
    if (this.#guessed.delete(peerId) || known.incarnation < incarnation) {
      this.#refs.set(peerId, from);
    }
  }
}

/**
 * The peers of a fixed group, each in the last life that was heard of: what is sent to another one is lost. What a peer
 * is told about the others when it starts is a guess, until they say something. Plain data, so that it can stand in the
 * state of whoever talks to the group.
 */

import { isLater, type PeerRef } from "./peer-ref.ts";

/** A group, as one of its peers knows it. */
export interface Group {
  /** Where each peer is now, by its identity, in the order in which the group was given. */
  readonly peers: Map<number, PeerRef>;
  /** Those who have not said anything yet: they may not know of this life. */
  readonly silent: Set<number>;
  /** Those of whose lives nothing is known but what was given. */
  readonly guessed: Set<number>;
}

/** A group of which nobody has said anything, as one of it sees it. */
export function groupOf(peers: readonly PeerRef[], self: number): Group {
  const ids = peers.map(({ peerId }) => peerId);
  return {
    peers: new Map(peers.map((peer) => [peer.peerId, peer])),
    silent: new Set(ids.filter((id) => id !== self)),
    guessed: new Set(ids),
  };
}

/** Somebody of a group has said something; of others nothing is kept. An earlier life does not replace a later one. */
export function heardFrom({ peers, silent, guessed }: Group, from: PeerRef): void {
  const known = peers.get(from.peerId);
  if (known === undefined) return;
  silent.delete(from.peerId);
  if (guessed.delete(from.peerId) || isLater(from, known)) peers.set(from.peerId, from);
}

/**
 * How many peers an operation has to reach, so that any two operations share more than `forgetful` of them: at least one
 * that has not forgotten. 0 gives a majority. (Malkhi and Reiter, "Byzantine quorum systems", 1998, with peers that
 * forget instead of peers that lie.)
 */
export function quorumOf({ peers }: Group, forgetful = 0): number {
  return Math.floor((peers.size + forgetful) / 2) + 1;
}

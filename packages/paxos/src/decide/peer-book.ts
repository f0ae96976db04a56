/**
 * Where the peers of a fixed list are now. A peer that was never heard of is tried at its address in its first
 * life; where it lives another one by now, the connection or its answer says which. Later lives win.
 */

import { inLife, isLater, type PeerRef } from "@kith/network";
import type { PeerAddress } from "../config.ts";

/** The references by peerId. Plain data. */
export type PeerBook = Map<number, PeerRef>;

/** Takes note of where a peer is, and in which life its whole process is. */
export function met(book: PeerBook, peer: PeerRef): void {
  const known = book.get(peer.peerId);
  if (known !== undefined && isLater(known, peer)) return;
  book.set(peer.peerId, peer);
  if (known?.incarnation !== peer.incarnation) lives(book, peer);
}

/** All peers at an address are of one process, and so in one life: the latest that was heard of. */
function lives(book: PeerBook, { host, port, incarnation }: PeerRef): void {
  for (const [peerId, one] of book)
    if (one.port === port && one.host === host && one.incarnation < incarnation)
      book.set(peerId, inLife(one, { incarnation }));
}

/** The peers of the process of one, itself among them. */
export function sharing(book: PeerBook, { peerId, host, port }: PeerRef): Set<number> {
  const all = new Set([peerId]);
  for (const one of book.values()) if (one.port === port && one.host === host) all.add(one.peerId);
  return all;
}

/**
 * Takes note of where a peer should be, unless more is known. In which life, it says itself: who writes down the members
 * of a group may have references of any, which would be believed for ever where that life is not to come.
 */
export function heardOf(book: PeerBook, { peerId, host, port }: PeerAddress): void {
  if (!book.has(peerId)) book.set(peerId, { peerId, host, port, incarnation: 1 });
}

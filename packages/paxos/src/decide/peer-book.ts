/**
 * Where the peers of a fixed list are now. A peer that was never heard of is tried at its address in its first
 * life; where it lives another one by now, the connection or its answer says which. Later lives win.
 */

import type { PeerRef } from "@kith/network";
import type { PeerAddress } from "../config.ts";

/** The references by peerId. Plain data. */
export type PeerBook = Map<number, PeerRef>;

/** Takes note of where a peer is. */
export function met(book: PeerBook, peer: PeerRef): void {
  const known = book.get(peer.peerId);
  if (known === undefined || known.incarnation <= peer.incarnation) book.set(peer.peerId, peer);
}

/** Takes note of where a peer should be, unless more is known. */
export function heardOf(book: PeerBook, { peerId, host, port }: PeerAddress): void {
  if (!book.has(peerId)) book.set(peerId, { peerId, host, port, incarnation: 1 });
}

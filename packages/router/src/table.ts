/**
 * What differs between the providers: which of the peers that were heard of are kept, which one is looked for
 * in a round of refreshing, and which are as good as the closest one for a hop. All else they share.
 */

import type { Draw } from "@kith/core";
import type { PeerRef } from "@kith/network";
import type { Entry, RouterState } from "./state.ts";

/** What a round of refreshing does. */
export type Refresh =
  /** Looks a key up: its owner and that one's neighbours become known. */
  | { readonly kind: "lookup"; readonly key: number }
  /** Asks a peer for its finger. */
  | { readonly kind: "ask"; readonly peer: PeerRef; readonly level: number };

/** The rules of a table. Pure: they change the state alone. */
export interface Table {
  /**
   * Whether one that would be taken up at that place would be thrown out at once: then it need not be. `scale` is that of
   * its distance. Left out by a table that does not know beforehand.
   */
  readonly refuses?: (state: RouterState, peer: PeerRef, place: number, scale: number) => boolean;
  /** Throws out what is too much, after a peer was taken up. */
  trim(state: RouterState, added: Entry): void;
  /** What to do in this round; null for nothing. */
  refresh(state: RouterState, draw: Draw): Refresh | null;
  /** Whether a hop to the other would be about as good as one to the closest before the key. */
  alike(state: RouterState, closest: Entry, other: Entry, key: number): boolean;
  /** Which finger it tells others at that level; null for none. */
  finger(state: RouterState, level: number): PeerRef | null;
  /** Somebody has told a finger. */
  fingerTold(state: RouterState, level: number, peer: PeerRef | null): void;
}

/** The only finger that every peer has: its successor. */
export function successorFinger({ view, self }: RouterState, level: number): PeerRef | null {
  const [first] = view.successors;
  return level === 0 && first !== undefined && first.peerId !== self.peerId ? first : null;
}

/**
 * Chord as corrected and proven by Zave (2012, 2017): peers stabilise periodically, and nothing else moves
 * a pointer. Slower than the relaxed ring, and simpler: there is no state of a join but the list.
 *
 * The rules that differ from the Chord that was published, and that the proof needs: no pointer is taken up
 * to a peer that has not just answered; a successor list is taken over as a whole, from a live peer; the only reason
 * to remove a successor is that it has failed. The invariant (a live member in every list, and enough
 * members that no list skips) holds for rings of more peers than a list is long; below that, joins at one
 * instant rely on their members being in order already.
 */

import { samePeer } from "@kith/network";
import type { Effects, RingProtocol } from "./effects.ts";
import {
  Goto,
  is,
  IdInUse,
  Join,
  JoinOk,
  Leaving,
  Linked,
  NewSuccessor,
  Stabilise,
  Stabilised,
} from "./messages.ts";
import {
  ask,
  asked,
  bidFarewell,
  consider,
  left,
  linked,
  refused,
  restored,
  seek,
  sendOn,
  stabilise as compare,
  told,
} from "./relaxed.ts";
import {
  between,
  identical,
  includes,
  listFrom,
  type RingState,
  successorOf,
  trimmed,
  trusted,
  usable,
  without,
} from "./state.ts";

/** The plain Chord ring. */
export const chord: RingProtocol = {
  receive(state, message, effects) {
    // The most frequent ones first.
    if (is(message, Stabilise)) asked(state, message, effects);
    else if (is(message, Stabilised)) told(state, message, effects);
    else if (is(message, Join)) joined(state, message, effects);
    else if (is(message, JoinOk)) accepted(state, message, effects);
    else if (is(message, Goto)) sentOn(state, message, effects);
    else if (is(message, IdInUse)) refused(state, message, effects);
    else if (is(message, NewSuccessor)) consider(state, message.from, effects);
    else if (is(message, Linked)) linked(state, message);
    else if (is(message, Leaving)) left(state, message, effects, failed);
  },
  failed,
  restored,
  stabilise: compare,
  retry,
};

/** Names a place; the one who takes it says so when it first stabilises. */
function joined(state: RingState, message: Join, effects: Effects): void {
  const { from, fix } = message;
  const { self, predecessor } = state;
  const successor = successorOf(state);
  const taken = [self, ...(predecessor === null ? [] : [predecessor])].some(
    (one) => one.peerId === from.peerId && !identical(one, from),
  );
  if (taken) {
    effects.send(new IdInUse(effects.to(from)));
    return;
  }
  if (bidFarewell(state, from, effects)) return;
  if (state.status !== "in" || successor === null || !usable(state, from)) return;
  const envelope = { ...effects.to(from), predecessor: null };
  const before = predecessor !== null && samePeer(from, predecessor);
  const orphaned = fix && !trusted(state, predecessor);
  if (before || orphaned || (predecessor !== null && between(state, from, predecessor, self)))
    effects.send(new JoinOk({ ...envelope, successors: listFrom(state) }));
  else if (!fix && between(state, from, self, successor))
    effects.send(new JoinOk({ ...envelope, successors: state.successors }));
  else sendOn(state, message, effects);
}

function accepted(state: RingState, { successors }: JoinOk, effects: Effects): void {
  if (state.status === "out" || successorOf(state) !== null) return;
  const list = trimmed(state, successors);
  if (list.length === 0) return;
  state.status = "in";
  state.asking = null;
  state.candidates = [];
  state.successors = list;
  compare(state, effects);
}

function sentOn(state: RingState, { from, peer, back }: Goto, effects: Effects): void {
  if (state.asking === null || !samePeer(state.asking, from)) return;
  if (usable(state, peer) && trusted(state, peer) && !samePeer(peer, state.self))
    ask(state, peer, effects, back);
}

/** Drops who has failed: the next in the list is the successor. */
function failed(
  state: RingState,
  peer: Parameters<RingProtocol["failed"]>[1],
  effects: Effects,
): void {
  const successor = successorOf(state);
  const wasSuccessor = successor !== null && samePeer(successor, peer);
  state.successors = without(state.successors, peer);
  state.candidates = without(state.candidates, peer);
  state.followers = without(state.followers, peer);
  if (state.status !== "in") return;
  const { predecessor, self } = state;
  if (predecessor !== null && samePeer(predecessor, peer) && includes(state.ended, peer))
    state.predecessor = null;
  if (!wasSuccessor) return;
  if (state.successors.length === 0) retry(state, effects);
  else compare(state, effects);
  if (successorOf(state) !== null && samePeer(successorOf(state) ?? peer, self))
    state.predecessor = self;
}

function retry(state: RingState, effects: Effects): void {
  if (state.status === "joining") {
    seek(state, effects);
    return;
  }
  if (state.status !== "in" || state.successors.length > 0) return;
  const { predecessor, self } = state;
  const last = [...state.candidates, predecessor, ...state.followers].find(
    (one) => one !== null && trusted(state, one) && usable(state, one) && !samePeer(one, self),
  );
  state.candidates = [];
  state.successors = [last ?? self];
  if (last === undefined) state.predecessor = self;
  compare(state, effects);
}

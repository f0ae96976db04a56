/**
 * The relaxed ring (Mejías, Van Roy 2008 to 2010), with stabilisation after Zave (2012, 2017) as the
 * backstop. A peer joins in two steps of two parties each, without locks: the successor takes it in, then
 * the predecessor learns of it. Between the two, or where those two cannot talk, the newcomer sits on a
 * *branch*: two peers have one successor, and the successor knows both (`followers`).
 *
 * A peer owns the keys in (predecessor, self]. Joining moves the boundary at the successor first, so that
 * no key is ever two peers' own (R2); for the time of one message it is nobody's.
 *
 * Rules that keep it so:
 * - The predecessor moves only towards this peer, or away from one who has failed.
 * - A successor is taken up only from that peer's own answer, with its list as a whole.
 * - Whoever fails as successor is replaced by asking the next (`Join` with `fix`); whoever fails as
 *   predecessor is kept in mind until its own predecessor has come, or a follower stands in.
 */

import { distance, inHalfOpen } from "@kith/membership";
import { type PeerRef, samePeer } from "@kith/network";
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
  Successors,
} from "./messages.ts";
import {
  between,
  closestBefore,
  doubtPredecessor,
  end,
  follow,
  forgetFollowers,
  identical,
  includes,
  listFrom,
  type RingState,
  sameList,
  successorOf,
  trimmed,
  trusted,
  usable,
  without,
} from "./state.ts";

/** How often a newcomer asks the same one, until it turns to the next introducer. */
const askings = 3;

/** The relaxed ring. */
export const relaxed: RingProtocol = {
  receive(state, message, effects) {
    const before = state.successors;
    // The most frequent ones first.
    if (is(message, Stabilise)) asked(state, message, effects);
    else if (is(message, Stabilised)) told(state, message, effects);
    else if (is(message, Join)) joined(state, message, effects);
    else if (is(message, JoinOk)) accepted(state, message, effects);
    else if (is(message, Goto)) sentOn(state, message, effects);
    else if (is(message, IdInUse)) refused(state, message, effects);
    else if (is(message, NewSuccessor)) inserted(state, message, effects);
    else if (is(message, Linked)) linked(state, message);
    else if (is(message, Successors)) listed(state, message);
    else if (is(message, Leaving)) left(state, message, effects, failed);
    // Those before have the list of this one behind their own.
    const hops = is(message, Successors) ? message.hops : state.successorsMax;
    if (!sameList(before, state.successors)) passOn(state, effects, hops);
  },
  failed,
  restored,
  stabilise,
  retry,
};

// --- joining -----------------------------------------------------------------------------------------

function joined(state: RingState, message: Join, effects: Effects): void {
  const { from, fix } = message;
  const { self, predecessor, granted } = state;
  const successor = successorOf(state);
  if (bidFarewell(state, from, effects)) return;
  // Who has no successor cannot take in a newcomer, who tries again. One who mends is taken in all the
  // same: where every second peer has gone, all mend at once, and would wait for each other for ever.
  const able = state.status === "in" && (successor !== null || fix);
  if (!able || !usable(state, from)) {
    if (from.peerId === self.peerId && !identical(from, self))
      effects.send(new IdInUse(effects.to(from)));
    return;
  }
  if (predecessor !== null && from.peerId === predecessor.peerId) {
    if (!identical(from, predecessor)) {
      // Of two lives of one peer the earlier has been forgotten before this is asked.
      effects.send(new IdInUse(effects.to(from)));
      return;
    }
    const before = granted !== null && samePeer(granted.peer, from) ? granted.predecessor : null;
    take(state, from, before, effects);
    return;
  }
  const closer = predecessor === null ? fix : between(state, from, predecessor, self);
  const instead = fix && predecessor !== null && !trusted(state, predecessor);
  if (closer || instead) {
    // Of the predecessor that has failed nobody shall take over anything.
    const before = closer ? predecessor : null;
    state.granted = { peer: from, predecessor: before };
    state.predecessor = from;
    take(state, from, before, effects);
    return;
  }
  sendOn(state, message, effects);
}

/**
 * Sends an asker on its way: forward by a short cut or the end of the list, then to the first behind its place,
 * and from there back.
 */
export function sendOn(state: RingState, { from, fix, back, short }: Join, effects: Effects): void {
  const { self, predecessor, size, successors } = state;
  const list = listFrom(state);
  const on = (peer: PeerRef, backwards: boolean): void =>
    effects.send(new Goto({ ...effects.to(from), peer, back: backwards, successors: list }));
  if (fix || back) {
    // Only who lies nearer to the asker's place is worth asking, or this would go round.
    if (trusted(state, predecessor) && !samePeer(predecessor, self)) on(predecessor, true);
    return;
  }
  // Not the asker itself, of whom an earlier life with the same incarnation (a disk was set back) may be listed here.
  const behind = successors.find(
    (peer) => !samePeer(peer, from) && inHalfOpen(from.peerId, self.peerId, peer.peerId, size),
  );
  const last = successors.at(-1);
  if (behind !== undefined && !samePeer(behind, self)) on(behind, true);
  else if (last !== undefined && !samePeer(last, self))
    on((short ? shortCut(state, last, from) : undefined) ?? last, false);
}

/** A peer that halves the rest of the way at least: what gains less is not worth that it may be gone. */
function shortCut(state: RingState, last: PeerRef, target: PeerRef): PeerRef | undefined {
  const { size, ways } = state;
  const rest = distance(last.peerId, target.peerId, size);
  const near = ways.filter(
    (peer) =>
      distance(peer.peerId, target.peerId, size) <= rest / 2 &&
      usable(state, peer) &&
      trusted(state, peer),
  );
  return closestBefore(state, target.peerId, near);
}

function take(state: RingState, peer: PeerRef, before: PeerRef | null, effects: Effects): void {
  follow(state, peer);
  effects.send(
    new JoinOk({ ...effects.to(peer), predecessor: before, successors: listFrom(state) }),
  );
}

function accepted(state: RingState, message: JoinOk, effects: Effects): void {
  const { from, predecessor, successors } = message;
  const successor = successorOf(state);
  // Late, or twice: this peer has found a place already.
  if (state.status === "out" || successor !== null) return;
  const list = trimmed(state, successors);
  if (list.length === 0) return;
  const newcomer = state.status === "joining";
  state.status = "in";
  state.asking = null;
  state.candidates = [];
  state.successors = list;
  const better =
    predecessor !== null &&
    usable(state, predecessor) &&
    (state.predecessor === null || between(state, predecessor, state.predecessor, state.self));
  if (better && newcomer) {
    state.predecessor = predecessor;
    const told = { ...effects.to(predecessor), before: from, successors: listFrom(state) };
    effects.send(new NewSuccessor(told));
  }
}

function sentOn(state: RingState, { from, peer, back, successors }: Goto, effects: Effects): void {
  if (state.asking === null || !samePeer(state.asking, from)) return;
  const unreachable = !usable(state, peer) || !trusted(state, peer);
  if (state.status === "in" && unreachable) {
    // Its own successor cannot be reached: it stays behind the next one, on a branch.
    const list = trimmed(state, successors);
    if (list.length === 0) return;
    state.asking = null;
    state.candidates = [];
    state.successors = list;
    effects.send(new Linked({ ...effects.to(from), successor: from }));
    return;
  }
  if (unreachable || samePeer(peer, state.self)) return;
  ask(state, peer, effects, back);
}

export function ask(state: RingState, peer: PeerRef, effects: Effects, back = false): void {
  state.asking = peer;
  state.back = back;
  const { cluster, status, asked: turns } = state;
  // Every second turn goes the sure way.
  const short = turns % 2 === 1;
  effects.send(new Join({ ...effects.to(peer), cluster, fix: status === "in", back, short }));
}

export function refused(state: RingState, { from }: IdInUse, effects: Effects): void {
  if (state.status !== "joining") return;
  state.status = "out";
  state.asking = null;
  effects.refusedBy = from;
}

/** The second step of a join: the newcomer stands between this peer and its successor so far. */
function inserted(state: RingState, message: NewSuccessor, effects: Effects): void {
  const { from, before, successors } = message;
  if (state.status !== "in" || !usable(state, from)) return;
  const successor = successorOf(state);
  if (successor !== null && !between(state, from, state.self, successor)) return;
  if (successor === null && !includes(state.candidates, before)) return;
  adopt(state, from, successors, effects);
}

/** Takes a peer as successor that has just spoken, with its list as a whole. */
function adopt(state: RingState, peer: PeerRef, list: readonly PeerRef[], effects: Effects): void {
  const former = successorOf(state);
  const successors = trimmed(state, list);
  const [first] = successors;
  if (first === undefined || !samePeer(first, peer)) return;
  state.successors = successors;
  state.candidates = [];
  state.asking = null;
  const { self } = state;
  if (former !== null && !samePeer(former, self) && !samePeer(former, peer))
    effects.send(new Linked({ ...effects.to(former), successor: peer }));
  effects.send(new Linked({ ...effects.to(peer), successor: peer }));
  // The ring of one is over; who stands before this peer is not known yet.
  if (state.predecessor !== null && samePeer(state.predecessor, self)) state.predecessor = null;
}

export function linked(state: RingState, { from, successor }: Linked): void {
  if (samePeer(successor, state.self)) follow(state, from);
  else state.followers = without(state.followers, from);
}

/** Tells the predecessor that the list has changed. */
function passOn(state: RingState, effects: Effects, hops: number): void {
  const { predecessor, self } = state;
  if (hops <= 1 || state.successors.length === 0) return;
  if (!trusted(state, predecessor) || samePeer(predecessor, self)) return;
  const successors = listFrom(state);
  effects.send(new Successors({ ...effects.to(predecessor), successors, hops: hops - 1 }));
}

function listed(state: RingState, { from, successors }: Successors): void {
  const successor = successorOf(state);
  if (successor === null || !samePeer(successor, from)) return;
  const list = trimmed(state, successors);
  if (list[0] !== undefined && samePeer(list[0], from)) state.successors = list;
}

// --- stabilising -------------------------------------------------------------------------------------

export function stabilise(state: RingState, effects: Effects): void {
  forgetFollowers(state);
  if (state.status === "in") doubtPredecessor(state);
  const { self, cluster, predecessor } = state;
  const successor = successorOf(state);
  if (state.status !== "in" || successor === null) return;
  if (!samePeer(successor, self))
    effects.send(new Stabilise({ ...effects.to(successor), cluster, linked: true }));
  // Alone by its list, but somebody stands before it: that one is the way into the ring.
  else if (predecessor !== null && !samePeer(predecessor, self) && trusted(state, predecessor))
    effects.send(new Stabilise({ ...effects.to(predecessor), cluster, linked: false }));
}

/** Rectifies, and tells the neighbours. */
export function asked(
  state: RingState,
  { from, linked: follows }: Stabilise,
  effects: Effects,
): void {
  if (bidFarewell(state, from, effects)) return;
  // Who is of no ring yet is nobody's neighbour: silence says so.
  if (state.status !== "in" || !usable(state, from) || samePeer(from, state.self)) return;
  if (follows) {
    follow(state, from);
    const { predecessor } = state;
    if (
      predecessor === null ||
      !trusted(state, predecessor) ||
      between(state, from, predecessor, state.self)
    )
      state.predecessor = from;
  }
  const successors = listFrom(state);
  effects.send(new Stabilised({ ...effects.to(from), predecessor: state.predecessor, successors }));
}

/** A neighbour, or one that was considered, has told its neighbours. */
export function told(state: RingState, message: Stabilised, effects: Effects): void {
  const { from, predecessor, successors } = message;
  if (state.status !== "in" || !usable(state, from)) return;
  const successor = successorOf(state);
  if (successor === null) return;
  if (samePeer(from, successor)) {
    const list = trimmed(state, successors);
    if (list[0] === undefined || !samePeer(list[0], from)) return;
    // At rest it is the same list again and again: then the one that is there stays.
    const before = state.successors;
    if (list.length !== before.length || list.some((one, at) => one !== before[at]))
      state.successors = list;
  } else if (between(state, from, state.self, successor)) {
    adopt(state, from, successors, effects);
  }
  if (predecessor !== null) consider(state, predecessor, effects);
}

/** Asks one who may be a closer successor: only its own answer makes it one. */
export function consider(state: RingState, peer: PeerRef, effects: Effects): void {
  const successor = successorOf(state);
  if (state.status !== "in" || successor === null) return;
  // Hardly any that is considered is closer, so that comes first.
  if (!between(state, peer, state.self, successor) || samePeer(peer, state.self)) return;
  if (!usable(state, peer) || !trusted(state, peer)) return;
  effects.send(new Stabilise({ ...effects.to(peer), cluster: state.cluster, linked: false }));
}

// --- failing -----------------------------------------------------------------------------------------

function failed(state: RingState, peer: PeerRef, effects: Effects): void {
  const successor = successorOf(state);
  const wasSuccessor = successor !== null && samePeer(successor, peer);
  const wasAsked = state.asking !== null && samePeer(state.asking, peer);
  state.successors = without(state.successors, peer);
  state.candidates = without(state.candidates, peer);
  state.followers = without(state.followers, peer);
  if (state.granted !== null && samePeer(state.granted.peer, peer)) state.granted = null;
  if (state.status !== "in") return;
  if (state.predecessor !== null && samePeer(state.predecessor, peer)) {
    // A follower that is left stands nearest. Without one the range stays as it is, and the
    // predecessor's predecessor will come.
    const follower = closestBefore(state, state.self.peerId, state.followers);
    if (follower !== undefined) state.predecessor = follower;
    else if (successor !== null && samePeer(successor, state.self)) state.predecessor = state.self;
    else if (includes(state.ended, peer)) state.predecessor = null;
  }
  if (wasSuccessor) {
    state.candidates = state.successors;
    state.successors = [];
  }
  if (wasSuccessor || (wasAsked && state.successors.length === 0)) mend(state, effects);
}

/** Asks the next candidate to be the successor. */
function mend(state: RingState, effects: Effects): void {
  const { predecessor, self } = state;
  const [next, ...others] = state.candidates.filter((peer) => usable(state, peer));
  if (next !== undefined) {
    // The one that is asked becomes the last to be asked again.
    state.candidates = [...others, next];
    ask(state, next, effects);
    return;
  }
  state.asking = null;
  // Nobody is left behind: the ring closes at whoever is left before.
  const last = [predecessor, ...state.followers].find(
    (peer): peer is PeerRef => peer !== null && trusted(state, peer) && !samePeer(peer, self),
  );
  if (last !== undefined) {
    state.candidates = [last];
    ask(state, last, effects);
    return;
  }
  state.successors = [self];
  state.predecessor = self;
}

/** A newcomer asks again, and every third time the next of its introducers. */
export function seek(state: RingState, effects: Effects): void {
  const { introducers, asking } = state;
  // Where every one of them has ended, asking is the way to hear of a later life.
  const alive = introducers.filter((peer) => usable(state, peer));
  const list = alive.length > 0 ? alive : introducers;
  const turn = ++state.asked;
  // In turn: the one that was asked may be gone, or may have sent on to one that is. Turns are counted, not
  // askings: of three introducers every third asking would be the same one's, and that one may be dead.
  const next = list[Math.floor(turn / askings) % Math.max(1, list.length)];
  const again = asking !== null && usable(state, asking) && turn % askings !== 0 ? asking : next;
  if (again !== undefined) ask(state, again, effects, again === asking && state.back);
}

function retry(state: RingState, effects: Effects): void {
  if (state.status === "joining") {
    seek(state, effects);
  } else if (state.status === "in" && state.successors.length === 0) {
    mend(state, effects);
  }
}

export function restored(state: RingState, peer: PeerRef, effects: Effects): void {
  if (state.status !== "in" || !usable(state, peer)) return;
  if (state.successors.length > 0) consider(state, peer, effects);
  else if (!includes(state.candidates, peer)) state.candidates = [peer, ...state.candidates];
}

// --- leaving -----------------------------------------------------------------------------------------

/** One leaves: as if it had crashed, but for good, and with its successors as candidates. */
export function left(
  state: RingState,
  { from, successors }: Leaving,
  effects: Effects,
  fail: RingProtocol["failed"],
): void {
  end(state, from);
  const successor = successorOf(state);
  if (successor !== null && samePeer(successor, from)) {
    const rest = without(state.successors, from);
    const named = successors.filter((peer) => !samePeer(peer, from) && !includes(rest, peer));
    state.successors = [from, ...trimmed(state, [...rest, ...named])];
  }
  fail(state, from, effects);
}

/** Tells one who still asks a peer that has left: the first farewell may have missed it. */
export function bidFarewell(state: RingState, to: PeerRef, effects: Effects): boolean {
  if (state.left) effects.send(new Leaving({ ...effects.to(to), successors: [] }));
  return state.left;
}

/** What a peer that leaves says to all its neighbours. */
export function leave(state: RingState, effects: Effects): void {
  const { self, predecessor } = state;
  const told: PeerRef[] = [];
  for (const peer of [...state.successors.slice(0, 1), predecessor, ...state.followers])
    if (peer !== null && !samePeer(peer, self) && !includes(told, peer)) told.push(peer);
  const successors = without(state.successors, self);
  for (const to of told) effects.send(new Leaving({ ...effects.to(to), successors }));
  Object.assign(state, {
    status: "out",
    predecessor: null,
    successors: [],
    candidates: [],
    followers: [],
    granted: null,
    asking: null,
    left: true,
  });
}

/**
 * What a peer knows of its ring, as plain data, and the rules that both providers share: which references
 * may be taken up, who is closer, how one is forgotten.
 *
 * Invariants (`contradiction`): the successor is the first of the list; nobody is in a list twice; one who
 * was seen to end (`ended`) is in none; in a ring of one, predecessor and successor are oneself.
 */

import type { Millis } from "@kith/core";
import { distance, inOpen } from "@kith/membership";
import {
  inLife,
  isLater,
  type Life,
  outlives,
  type PeerRef,
  samePeer,
  sameProcess,
} from "@kith/network";
import type { RingStatus } from "./port.ts";

/** All that a ring knows. */
export interface RingState {
  readonly self: PeerRef;
  readonly size: number;
  readonly successorsMax: number;
  readonly cluster: string;
  status: RingStatus;
  predecessor: PeerRef | null;
  /** The peers behind, the nearest first; empty while a successor is looked for. */
  successors: readonly PeerRef[];
  /** Those who may become the successor, while there is none. */
  candidates: readonly PeerRef[];
  /** Everyone who believes that this peer is its successor: the predecessor, and the ends of branches. */
  followers: readonly PeerRef[];
  /** Who has said so in this period, and in those before; the latest first. */
  heard: readonly (readonly PeerRef[])[];
  /** For how many periods the predecessor has not been among the followers. */
  unheard: number;
  /** Whom the failure detector suspects; the latest last. */
  suspects: readonly PeerRef[];
  /** Who has left, or lives in a later incarnation: in this life none of them comes back. The latest last. */
  ended: readonly PeerRef[];
  /** The latest lives that were told of, one for each address and for each peer that has begun anew there; the latest told last. */
  latest: readonly PeerRef[];
  /** The last newcomer that was taken in, and its predecessor: its `JoinOk` may get lost. */
  granted: { readonly peer: PeerRef; readonly predecessor: PeerRef | null } | null;
  /** Peers from elsewhere on the ring, unproven: short cuts for newcomers. The latest first. */
  ways: readonly PeerRef[];
  /** Whom a newcomer asks, and who comes next if that one does not answer. */
  introducers: readonly PeerRef[];
  asking: PeerRef | null;
  /** Whether the asking goes back only. */
  back: boolean;
  asked: number;
  /** Whether a retry is under way. */
  retrying: boolean;
  /** It has left, and does not come back in this life. */
  left: boolean;
  version: number;
  stableSince: Millis;
}

/** How many suspects and ended lives are remembered. */
const suspectsMax = 16;
const endedMax = 128;
const latestMax = 64;
const followersMax = 16;
const waysMax = 24;
/** After so many periods without a word a follower is none. */
const followerPeriods = 4;

/** What a ring that is not of any knows. */
export function emptyRing(
  made: Pick<RingState, "self" | "size" | "successorsMax" | "cluster">,
): RingState {
  const { self, size, successorsMax, cluster } = made;
  // Written out: an object that is spread into one of so many fields becomes a table of three times the size.
  return {
    self,
    size,
    successorsMax,
    cluster,
    status: "out",
    predecessor: null,
    successors: [],
    candidates: [],
    followers: [],
    heard: [],
    unheard: 0,
    suspects: [],
    ended: [],
    latest: [],
    granted: null,
    ways: [],
    introducers: [],
    asking: null,
    back: false,
    asked: 0,
    retrying: false,
    left: false,
    version: 0,
    stableSince: 0,
  };
}

/** The peer behind; null while there is none. */
export function successorOf({ successors }: RingState): PeerRef | null {
  return successors[0] ?? null;
}

/** Whether a list has this peer in this life. A loop: every message asks this many times. */
export function includes(list: readonly PeerRef[], peer: PeerRef): boolean {
  for (const one of list) if (samePeer(one, peer)) return true;
  return false;
}

/** Whether two references are to one life at one address: an identifier may have been given twice. */
export function identical(a: PeerRef, b: PeerRef): boolean {
  return samePeer(a, b) && sameProcess(a, b);
}

/** The list without this peer in this life. */
export function without(list: readonly PeerRef[], peer: PeerRef): PeerRef[] {
  return list.filter((one) => !samePeer(one, peer));
}

/** Whether the peer is not suspected. */
export function trusted(state: RingState, peer: PeerRef | null): peer is PeerRef {
  return peer !== null && !includes(state.suspects, peer);
}

/** Whether a reference may be taken up: not an ended life (R5), nor another peer under one's own identifier. */
export function usable(state: RingState, peer: PeerRef): boolean {
  const { self, ended, latest } = state;
  if (peer.peerId === self.peerId) return identical(peer, self);
  for (const one of ended) if (samePeer(one, peer) || outlives(one, peer)) return false;
  // At rest it is the latest of its address itself, and nobody else need be looked at.
  if (latest.includes(peer)) return true;
  for (const one of latest) if (outlives(one, peer)) return false;
  return true;
}

/** Whether x lies strictly between a and b, clockwise. */
export function between(state: RingState, x: PeerRef, a: PeerRef, b: PeerRef): boolean {
  return inOpen(x.peerId, a.peerId, b.peerId, state.size);
}

/** A successor list: usable and trusted, none twice, up to the first that is oneself, and not too long. */
export function trimmed(state: RingState, list: readonly PeerRef[]): PeerRef[] {
  const kept: PeerRef[] = [];
  for (const peer of list) {
    if (samePeer(peer, state.self)) {
      if (kept.length === 0) kept.push(peer);
      break;
    }
    if (!usable(state, peer) || !trusted(state, peer)) continue;
    if (kept.some(({ peerId }) => peerId === peer.peerId)) continue;
    kept.push(peer);
    if (kept.length >= state.successorsMax) break;
  }
  return kept;
}

/** Whether two lists name the same peers in the same order. */
export function sameList(a: readonly PeerRef[], b: readonly PeerRef[]): boolean {
  if (a === b) return true;
  return a.length === b.length && a.every((peer, i) => b[i] !== undefined && samePeer(peer, b[i]));
}

/** This peer and those behind it. */
export function listFrom({ self, successors }: RingState): PeerRef[] {
  return [self, ...without(successors, self)];
}

/** Of these, the one from which it is the shortest way clockwise to the point; undefined of none. */
export function closestBefore(
  state: Pick<RingState, "size">,
  point: number,
  list: readonly PeerRef[],
): PeerRef | undefined {
  let found: PeerRef | undefined;
  for (const peer of list)
    if (
      peer.peerId !== point &&
      (found === undefined ||
        distance(peer.peerId, point, state.size) < distance(found.peerId, point, state.size))
    )
      found = peer;
  return found;
}

/** Adds to a list whose oldest members may be forgotten. */
function remember(list: readonly PeerRef[], peer: PeerRef, max: number): PeerRef[] {
  return [...without(list, peer), peer].slice(-max);
}

/** Notes that somebody believes that this peer is its successor. */
export function follow(state: RingState, peer: PeerRef): void {
  if (samePeer(peer, state.self) || !usable(state, peer)) return;
  const { followers } = state;
  const [last] = followers.slice(-1);
  // At rest the same one says so again and again: the list stays the same, and nothing that hangs on it is looked at.
  if (last === undefined || !samePeer(last, peer))
    state.followers = remember(followers, peer, followersMax);
  const [now = [], ...before] = state.heard;
  state.heard = [remember(now, peer, followersMax), ...before];
}

/** Forgets followers that have not said so for some periods: their farewell may have been lost. */
export function forgetFollowers(state: RingState): void {
  const unheard = (one: PeerRef): boolean => !state.heard.some((all) => includes(all, one));
  if (state.followers.some(unheard))
    state.followers = state.followers.filter((one) => !unheard(one));
  state.heard = [[], ...state.heard].slice(0, followerPeriods);
}

/**
 * Gives up a predecessor that does not say any more that this peer is its successor, where another one does: it has
 * left, and its farewell was lost. Else its live process would keep it here for ever, and all who join would be sent to it.
 */
export function doubtPredecessor(state: RingState): void {
  const { predecessor, followers, self } = state;
  const claims =
    predecessor === null || samePeer(predecessor, self) || includes(followers, predecessor);
  state.unheard = claims ? 0 : state.unheard + 1;
  const follower = closestBefore(state, self.peerId, followers);
  if (state.unheard < followerPeriods || follower === undefined) return;
  state.predecessor = follower;
  state.unheard = 0;
}

/** Notes peers from elsewhere, which may be short cuts. */
export function noteWays(state: RingState, peers: readonly PeerRef[]): void {
  const ways = peers.slice(0, waysMax);
  for (const one of state.ways) {
    if (ways.length >= waysMax) break;
    if (!peers.some(({ peerId }) => peerId === one.peerId)) ways.push(one);
  }
  state.ways = ways;
}

/** Notes a suspicion. */
export function suspect(state: RingState, peer: PeerRef): void {
  state.suspects = remember(state.suspects, peer, suspectsMax);
}

/**
 * Notes that this life of a peer is over (R5). An introducer is asked in its later life from now on, once that
 * is known: where all have restarted, a newcomer would have nobody to ask.
 */
export function end(state: RingState, peer: PeerRef, later?: Life): void {
  state.ended = remember(state.ended, peer, endedMax);
  state.suspects = without(state.suspects, peer);
  if (later !== undefined)
    state.introducers = state.introducers.map((one) =>
      samePeer(one, peer) ? inLife(one, later) : one,
    );
}

/**
 * Takes note of the lives that are told of, and forgets the earlier ones: whoever has heard of a later life at an
 * address takes up none before it, from however stale a list (R5).
 *
 * @param fail forgets one whose life is over
 */
export function learnLives(
  state: RingState,
  told: readonly PeerRef[],
  fail: (past: PeerRef) => void,
): void {
  for (const peer of told) {
    // At rest all lists name the same few.
    if (state.latest.includes(peer) || !isNews(state, peer)) continue;
    const others = state.latest.filter((one) => !outlives(peer, one));
    state.latest = [...others, peer].slice(-latestMax);
    for (const past of earlierLives(state, peer)) {
      // Of another peer of its process no more is known than that it begins in the first life there.
      end(state, past, past.peerId === peer.peerId ? peer : { incarnation: peer.incarnation });
      fail(past);
    }
  }
}

/** Whether a reference shows a life of which nothing was known: of its process, or of a peer that has begun anew there. */
function isNews({ latest }: RingState, peer: PeerRef): boolean {
  const { incarnation, rebirth, host, port } = peer;
  let news = true;
  for (const one of latest) {
    if (one.port !== port || one.host !== host) continue;
    if (one.incarnation > incarnation) return false;
    if (one.incarnation < incarnation) continue;
    if (rebirth === undefined || (one.peerId === peer.peerId && !isLater(peer, one))) news = false;
  }
  return news;
}

/** The known references to earlier lives at an address. */
function earlierLives(state: RingState, peer: PeerRef): PeerRef[] {
  const { predecessor, successors, candidates, followers, suspects, introducers } = state;
  const earlier: PeerRef[] = [];
  for (const list of [successors, candidates, followers, suspects, introducers])
    for (const one of list)
      if (outlives(peer, one) && !includes(earlier, one) && !samePeer(one, state.self))
        earlier.push(one);
  if (predecessor !== null && outlives(peer, predecessor) && !includes(earlier, predecessor))
    earlier.push(predecessor);
  return earlier;
}

/** Complains where the state contradicts itself; undefined where it does not. */
export function contradiction(state: RingState): string | undefined {
  const { self, successors, predecessor, followers, ended, status, successorsMax } = state;
  if (successors.length > successorsMax) return `it has ${successors.length} successors`;
  for (let at = 1; at < successors.length; at++)
    for (let before = 0; before < at; before++)
      if (successors[at]?.peerId === successors[before]?.peerId)
        return "a successor is in the list twice";
  if (successors.length > 1 && includes(successors, self)) return "it is among its own successors";
  for (const list of [successors, followers])
    for (const peer of list)
      if (includes(ended, peer)) return `peer ${peer.peerId} has ended, and is used (R5)`;
  if (includes(followers, self)) return "it follows itself";
  if (status === "out" && (successors.length > 0 || predecessor !== null))
    return "it is of no ring, and has neighbours";
  return undefined;
}

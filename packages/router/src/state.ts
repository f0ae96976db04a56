/**
 * What a router knows, as plain data that a swap carries to any other provider, and the rules of its table:
 * which references are taken up, and how one is forgotten.
 *
 * Invariants (`contradiction`): the entries stand in clockwise order from this peer, none twice, none of them
 * this peer; none is of an earlier life than its process is known to have; everything is bounded.
 */

import type { Millis, ReplyToken } from "@kith/core";
import { distance, inHalfOpen } from "@kith/membership";
import { addressOf, formatLife, isLater, type PeerRef, samePeer } from "@kith/network";
import type { RingStatus } from "@kith/ring";
import type { Goal, Outcome, Packet } from "./messages.ts";
import type { Covered, Interval, Located, Sent } from "./port.ts";
import type { Table } from "./table.ts";

/** A peer of the table. */
export interface Entry {
  readonly peer: PeerRef;
  /** Whether it has spoken itself. */
  heard: boolean;
  /** Its predecessor's identifier, as it was told last: its keys begin behind that. Null where it is not known. */
  after: number | null;
  /** Smoothed, and its mean deviation, in milliseconds; null before the first. */
  roundTrip: Millis | null;
  deviation: Millis;
  /** Hops to it in a row that it has not acknowledged. */
  misses: number;
}

/** What the ring has told. */
export interface Neighbourhood {
  readonly status: RingStatus;
  readonly predecessor: PeerRef | null;
  readonly successors: readonly PeerRef[];
}

/** Who is told the outcome of a call. */
export type Asker =
  | { readonly kind: "lookup"; readonly token: ReplyToken<Located> }
  | { readonly kind: "send"; readonly token: ReplyToken<Sent> }
  | { readonly kind: "interval"; readonly token: ReplyToken<Covered> }
  /** Nobody: the table is refreshed. */
  | { readonly kind: "refresh" };

/** An ask of this peer that has no answer yet. */
export interface Call {
  readonly seq: number;
  readonly asker: Asker;
  readonly key: number;
  readonly goal: Goal;
  attempt: number;
  /** Whether something has left, so that it may have been delivered. */
  left: boolean;
  /** What is still to be covered, of an interval. */
  gaps: Interval[];
  by: PeerRef[];
}

/** A hop that waits for its acknowledgement. */
export interface Leg {
  readonly packet: Packet;
  readonly to: PeerRef;
  readonly sent: Millis;
  /** How many hops of this packet have failed here. */
  readonly tries: number;
}

/** A reply that waits for its acknowledgement. */
export interface Report {
  readonly target: PeerRef;
  readonly outcome: Outcome;
  /** Who has brought the packet: it reaches the source perhaps. */
  readonly via: PeerRef | null;
}

/** All that a router knows. */
export interface RouterState {
  readonly self: PeerRef;
  readonly size: number;
  readonly cluster: string;
  view: Neighbourhood;
  /** The neighbours of a peer that has left the ring: what comes late is forwarded to them. */
  former: Neighbourhood | null;
  /** The table, clockwise from this peer. */
  entries: Entry[];
  /**
   * How far each entry lies behind this peer, and the logarithm of that, which a flexible table compares. Beside the
   * entries, not in them: what is searched and compared all the time lies together.
   */
  distances: number[];
  scales: number[];
  /** Chord#: the finger of each level; empty elsewhere. */
  fingers: PeerRef[];
  /** Chord#: the finger that was asked and has not answered. */
  asked: { readonly level: number; readonly peer: PeerRef } | null;
  /** Who has not answered lately, or has left, until when in monotonic milliseconds. */
  avoided: Map<string, Millis>;
  /** The latest life that was heard of, for each address. */
  lives: Map<string, number>;
  /** The last numbers that were given. */
  seq: number;
  hop: number;
  reply: number;
  /** Rounds of refreshing since this peer came into the ring. */
  rounds: number;
  calls: Map<number, Call>;
  legs: Map<number, Leg>;
  reports: Map<number, Report>;
  /** Packets that were passed on, so that the copy of a retry is not; since when. */
  passed: Map<string, Millis>;
  /** Payloads that were delivered (RT4); since when. */
  delivered: Map<string, Millis>;
}

/** How many are avoided, and how many addresses are remembered. */
const avoidedMax = 64;
const livesMax = 512;
/** Whoever is silent is not taken up from hearsay for so long. */
const silenceMillis = 30_000;
/** Whoever has left is not for so long. */
const leftMillis = 600_000;
/** So many hops in a row that are not acknowledged are silence; of one that has never spoken, the first is. */
const missesMax = 2;

/** What a router knows at first. */
export function emptyState(made: Pick<RouterState, "self" | "size" | "cluster">): RouterState {
  const { self, size, cluster } = made;
  // Written out: an object that is spread into one of so many fields becomes a table of three times the size.
  return {
    self,
    size,
    cluster,
    view: { status: "out", predecessor: null, successors: [] },
    former: null,
    entries: [],
    distances: [],
    scales: [],
    fingers: [],
    asked: null,
    avoided: new Map(),
    lives: new Map(),
    seq: 0,
    hop: 0,
    reply: 0,
    rounds: 0,
    calls: new Map(),
    legs: new Map(),
    reports: new Map(),
    passed: new Map(),
    delivered: new Map(),
  };
}

/** Names a peer in one life. */
export function nameOf(peer: PeerRef): string {
  return `${peer.peerId}#${formatLife(peer)}`;
}

/** Whether this peer takes a key for its own: nobody does who is of no ring. */
export function owns({ view, self, size }: RouterState, key: number): boolean {
  if (view.status !== "in") return false;
  if (key === self.peerId) return true;
  return view.predecessor !== null && inHalfOpen(key, view.predecessor.peerId, self.peerId, size);
}

/** How far a point lies behind this peer, clockwise: 1 to size; its own identifier is once round. */
export function ahead({ self, size }: RouterState, point: number): number {
  return distance(self.peerId, point, size) || size;
}

/** Where the first entry stands that is not before the point. */
export function indexOf(state: RouterState, point: number): number {
  const { distances } = state;
  const at = ahead(state, point);
  let low = 0;
  let high = distances.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((distances[middle] ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Takes an entry out of the table. */
export function removeAt(state: RouterState, at: number): void {
  state.entries.splice(at, 1);
  state.distances.splice(at, 1);
  state.scales.splice(at, 1);
}

/** Takes out of the table what is not to be kept. */
export function keepEntries(state: RouterState, kept: (entry: Entry) => boolean): void {
  for (let at = state.entries.length - 1; at >= 0; at--) {
    const entry = state.entries[at];
    if (entry !== undefined && !kept(entry)) removeAt(state, at);
  }
}

/** The entry of a peer in this life. */
export function entryOf(state: RouterState, peer: PeerRef): Entry | undefined {
  const entry = state.entries[indexOf(state, peer.peerId)];
  return entry !== undefined && samePeer(entry.peer, peer) ? entry : undefined;
}

/** Whether the ring names this peer as a neighbour: such an entry is never evicted. */
export function isNeighbour({ view }: RouterState, peer: PeerRef): boolean {
  const { predecessor, successors } = view;
  return (
    (predecessor !== null && samePeer(predecessor, peer)) ||
    successors.some((one) => samePeer(one, peer))
  );
}

/** What is known about a peer beside its reference. */
export interface Hearing {
  /** Whether it comes from the peer itself, or from the ring, which has talked to it. */
  readonly firstHand: boolean;
  /** Its predecessor's identifier; null or left out where it is not told. */
  readonly after?: number | null;
  readonly now: Millis;
}

/**
 * Takes a reference up, where it may be. What is then too much is for the table to say.
 *
 * @param refuses whether the table would throw one out at once that is taken up at that place
 * @returns whether it is new
 */
export function learn(
  state: RouterState,
  peer: PeerRef,
  hearing: Hearing,
  refuses?: Table["refuses"],
): boolean {
  const { firstHand, after = null, now } = hearing;
  if (peer.peerId === state.self.peerId || peer.peerId >= state.size) return false;
  const at = indexOf(state, peer.peerId);
  const known = state.entries[at];
  const same = known !== undefined && samePeer(known.peer, peer);
  if (same) {
    if (after !== null) known.after = after;
    // By far the most frequent: nothing is new.
    if (!firstHand || (known.heard && known.misses === 0)) return false;
    known.misses = 0;
    known.heard = true;
  }
  // Hearsay of one that finds no room; who is not known under another life has nothing to lose by it.
  if (!firstHand && known?.peer.peerId !== peer.peerId) {
    const scale = Math.log(ahead(state, peer.peerId));
    if (refuses?.(state, peer, at, scale) === true) return false;
  }
  const address = addressOf(peer);
  const life = state.lives.get(address);
  if (life !== undefined && peer.incarnation < life) return false;
  if (firstHand && life !== peer.incarnation) begin(state, address, peer.incarnation);
  // Mostly nobody is avoided, and no name need be made.
  if (state.avoided.size > 0) {
    if (firstHand) state.avoided.delete(nameOf(peer));
    else if ((state.avoided.get(nameOf(peer)) ?? now) > now) return false;
  }
  if (same) return false;
  // The table may have lost earlier lives just now.
  const place = indexOf(state, peer.peerId);
  const other = state.entries[place];
  if (other?.peer.peerId === peer.peerId) {
    // Of two lives the later; hearsay of an earlier one is old.
    if (isLater(other.peer, peer) && !firstHand) return false;
    removeAt(state, place);
  }
  const distance = ahead(state, peer.peerId);
  const scale = Math.log(distance);
  if (firstHand && refuses?.(state, peer, place, scale) === true) return false;
  const heard = firstHand;
  const entry: Entry = { peer, heard, after, roundTrip: null, deviation: 0, misses: 0 };
  state.entries.splice(place, 0, entry);
  state.distances.splice(place, 0, distance);
  state.scales.splice(place, 0, scale);
  return true;
}

/** A later life at an address: all that is known of earlier ones there is over. */
function begin(state: RouterState, address: string, incarnation: number): void {
  state.lives.delete(address);
  state.lives.set(address, incarnation);
  trim(state.lives, livesMax);
  const over = ({ peer }: Entry): boolean =>
    peer.incarnation < incarnation && addressOf(peer) === address;
  keepEntries(state, (entry) => !over(entry));
}

/** Forgets a peer: it is silent, or about to leave. */
export function avoid(
  state: RouterState,
  peer: PeerRef,
  why: "silent" | "left",
  now: Millis,
): void {
  keepEntries(state, (entry) => !samePeer(entry.peer, peer));
  // Those behind it were counted from it.
  const at = state.fingers.findIndex((one) => samePeer(one, peer));
  if (at >= 0) state.fingers = state.fingers.slice(0, at);
  state.avoided.delete(nameOf(peer));
  state.avoided.set(nameOf(peer), now + (why === "silent" ? silenceMillis : leftMillis));
  trim(state.avoided, avoidedMax);
}

/** A hop to this peer was not acknowledged. */
export function missed(state: RouterState, peer: PeerRef, now: Millis): void {
  const entry = entryOf(state, peer);
  if (entry === undefined) return;
  entry.misses++;
  // The ring judges its neighbours itself: one lost to the router might be its only way.
  const max = entry.heard ? missesMax : 1;
  if (entry.misses >= max && !isNeighbour(state, peer)) avoid(state, peer, "silent", now);
}

/** A hop to this peer was acknowledged after so many milliseconds. */
export function measured(state: RouterState, peer: PeerRef, millis: Millis): void {
  const entry = entryOf(state, peer);
  if (entry === undefined) return;
  const { roundTrip, deviation } = entry;
  if (roundTrip === null) {
    entry.roundTrip = millis;
    entry.deviation = millis / 2;
    return;
  }
  entry.deviation = 0.75 * deviation + 0.25 * Math.abs(roundTrip - millis);
  entry.roundTrip = 0.875 * roundTrip + 0.125 * millis;
}

/** Removes the oldest of a table that is too large. */
export function trim(table: Map<string, unknown>, max: number): void {
  for (const [oldest] of table) {
    if (table.size <= max) return;
    table.delete(oldest);
  }
}

/** About how many peers there are, by how close the successors lie. */
export function peersAbout({ self, size, view }: RouterState): number {
  const { successors } = view;
  const last = successors.at(-1);
  if (last === undefined || last.peerId === self.peerId) return 1;
  return (successors.length * size) / distance(self.peerId, last.peerId, size);
}

/** Complains where the state contradicts itself; undefined where it does not. */
export function contradiction(state: RouterState): string | undefined {
  const { entries, self, lives } = state;
  let before = 0;
  for (const [place, { peer }] of entries.entries()) {
    if (peer.peerId === self.peerId) return "it has itself in its table";
    const at = ahead(state, peer.peerId);
    if (at <= before) return `the entry ${nameOf(peer)} stands out of order, or twice`;
    before = at;
    if (state.distances[place] !== at || state.scales[place] !== Math.log(at))
      return `the entry ${nameOf(peer)} stands elsewhere than it lies`;
    if (peer.incarnation < (lives.get(addressOf(peer)) ?? 0))
      return `the entry ${nameOf(peer)} is of an earlier life`;
  }
  return undefined;
}

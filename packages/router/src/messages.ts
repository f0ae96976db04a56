/**
 * What routers say to each other. All providers use the same messages, so that tables of several kinds
 * route in one ring, and one can be swapped for another peer by peer.
 */

import { message, type PeerRef } from "@kith/network";
import type { Interval, RouteFailure } from "./port.ts";

/** A payload as plain data: the peers in between need not have its class. */
export interface Payload {
  readonly tag: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What is to be done where a packet arrives. */
export type Goal =
  /** Nothing: the source wants to know who it is. */
  | { readonly kind: "lookup" }
  /** The payload is delivered at the key's owner. */
  | { readonly kind: "key"; readonly payload: Payload }
  /** The payload is delivered at this very peer, whose identifier is the key. */
  | { readonly kind: "peer"; readonly peer: PeerRef; readonly payload: Payload }
  /** The payload is delivered at all owners from the key to `until`, both included. */
  | { readonly kind: "interval"; readonly until: number; readonly payload: Payload };

/** What is routed. */
export interface Packet {
  readonly source: PeerRef;
  /** Numbers the asks of one life of the source. */
  readonly seq: number;
  /** Counts the attempts of one ask. */
  readonly attempt: number;
  readonly key: number;
  readonly goal: Goal;
  /** Whether the receiver is thought to be the owner: from there on it goes back only. */
  readonly last: boolean;
  /** How many messages it has taken so far. */
  readonly hops: number;
  /** How many more it may take. */
  readonly ttl: number;
  /** Peers that have not answered on the way, at most four: others are preferred. */
  readonly excluded: readonly PeerRef[];
}

/** One hop of a packet. */
export class Hop extends message("router/Hop")<{
  readonly cluster: string;
  /** Numbers the hops of the sender, for the acknowledgement. */
  readonly hop: number;
  readonly packet: Packet;
}> {}

/** What the receiver of a hop does with it. */
export type Taking =
  /** It has it, and goes on with it. */
  | "taken"
  /** The same, but it is about to leave: it should get no more. */
  | "leaving"
  /** It has not: it is of no ring. */
  | "out"
  /** It has not: too much is under way there. */
  | "busy";

/** Acknowledges a hop. */
export class HopAck extends message("router/HopAck")<{
  readonly hop: number;
  readonly taking: Taking;
  /** The sender's predecessor: a better entry perhaps, and the end of the sender's keys. */
  readonly predecessor: PeerRef | null;
}> {}

/** What the end of a way says to the source. */
export interface Outcome {
  readonly seq: number;
  /** Null where all is well. */
  readonly failure: RouteFailure | null;
  readonly peer: PeerRef;
  /** The neighbours of that peer, for the source's table. */
  readonly predecessor: PeerRef | null;
  readonly successors: readonly PeerRef[];
  readonly hops: number;
  /** The part of an interval that this peer answers for. */
  readonly covered: Interval | null;
}

/** Tells the source the outcome, directly. */
export class Reply extends message("router/Reply")<{
  readonly cluster: string;
  /** Numbers the replies of the sender, for the acknowledgement. */
  readonly reply: number;
  readonly outcome: Outcome;
}> {}

/** Acknowledges a reply. */
export class ReplyAck extends message("router/ReplyAck")<{ readonly reply: number }> {}

/** An outcome on a detour, for a source that does not acknowledge: the receiver can perhaps reach it. */
export class Relay extends message("router/Relay")<{
  readonly cluster: string;
  readonly target: PeerRef;
  readonly outcome: Outcome;
}> {}

/** Asks for a finger (Chord#). */
export class AskFinger extends message("router/AskFinger")<{
  readonly cluster: string;
  readonly level: number;
}> {}

/** A finger: as many peers behind the sender as 2 to the power of the level; null where it has none. */
export class Finger extends message("router/Finger")<{
  readonly level: number;
  readonly peer: PeerRef | null;
}> {}

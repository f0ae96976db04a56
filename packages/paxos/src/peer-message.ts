/** What the replicas of one group say to each other. Plain data; many travel in one network message. */

import type { Millis } from "@kith/core";
import type { Config, ReplicaId } from "./config.ts";
import type { Entry, Index, Term } from "./entry.ts";

/** What stands before a log, in place of the entries that are gone. */
export interface Base {
  readonly index: Index;
  readonly term: Term;
  /** The group's time there. */
  readonly time: number;
  /** The membership there. */
  readonly config: Config;
}

/** A key of a machine's table, one character for each byte, and its value. */
export type Cell = readonly [key: string, value: Uint8Array];

/** Whether I would get your vote in `term`, which I have not begun yet. */
export interface PreVote {
  readonly kind: "pre-vote";
  readonly term: Term;
  readonly lastIndex: Index;
  readonly lastTerm: Term;
}

/** `term` is that of the question where granted, else that of the voter. */
export interface PreVoteAnswer {
  readonly kind: "pre-vote-answer";
  readonly term: Term;
  readonly granted: boolean;
}

/** Vote for me in `term`. */
export interface Vote {
  readonly kind: "vote";
  readonly term: Term;
  readonly lastIndex: Index;
  readonly lastTerm: Term;
  /** Whether the leader itself has asked me to take over: then nobody needs to be loyal to it. */
  readonly transfer: boolean;
}

/** The vote, or none. */
export interface VoteAnswer {
  readonly kind: "vote-answer";
  readonly term: Term;
  readonly granted: boolean;
}

/** Entries after `prevIndex`; without entries a heartbeat. */
export interface Append {
  readonly kind: "append";
  readonly term: Term;
  readonly prevIndex: Index;
  readonly prevTerm: Term;
  readonly entries: readonly Entry[];
  readonly commit: Index;
  /** The round that the answer confirms. */
  readonly round: number;
  /** Whether the group is quiet: the next heartbeat comes late. */
  readonly quiet: boolean;
}

/** My log has what yours has up to `match`, durably. */
export interface AppendAnswer {
  readonly kind: "append-answer";
  readonly term: Term;
  readonly match: Index;
  readonly round: number;
  /** The newest version of the machine's rules that I can apply. */
  readonly version: number;
  /** My monotonic clock; where there are leases, in answers to a round. */
  readonly clock?: Millis;
}

/** I do not have the entry at `prevIndex`, or have another one there; or your term is over. */
export interface AppendReject {
  readonly kind: "append-reject";
  readonly term: Term;
  readonly prevIndex: Index;
  /** The term of my entry there; 0 where my log is shorter. */
  readonly conflictTerm: Term;
  /** My first entry of that term, or the index after my last entry. */
  readonly conflictIndex: Index;
  readonly round: number;
}

/** A part of a snapshot. */
export interface SnapshotPart {
  readonly kind: "snapshot";
  readonly term: Term;
  readonly base: Base;
  /** Counts the parts from 0. */
  readonly part: number;
  readonly cells: readonly Cell[];
  readonly last: boolean;
  /** Over all cells up to here. */
  readonly digest: number;
}

/** The part is staged, or cannot be. */
export interface SnapshotAnswer {
  readonly kind: "snapshot-answer";
  readonly term: Term;
  readonly index: Index;
  readonly part: number;
  readonly taken: boolean;
}

/** Campaign now: you have all that I have. */
export interface TimeoutNow {
  readonly kind: "timeout-now";
  readonly term: Term;
}

/** You are no member any more; this is the committed membership that says so. */
export interface TooOld {
  readonly kind: "too-old";
  readonly term: Term;
  readonly config: Config;
}

/** What one replica says. */
export type Payload =
  | PreVote
  | PreVoteAnswer
  | Vote
  | VoteAnswer
  | Append
  | AppendAnswer
  | AppendReject
  | SnapshotPart
  | SnapshotAnswer
  | TimeoutNow
  | TooOld;

/** From which replica to which. */
export interface Route {
  readonly gid: string;
  readonly from: ReplicaId;
  readonly fromPeer: number;
  readonly to: ReplicaId;
  readonly toPeer: number;
}

/** A message between two replicas of a group. */
export type PeerMessage = Route & Payload;

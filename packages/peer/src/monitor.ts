/**
 * The Monitor port: the whole cluster at one glance, for people and dashboards.
 *
 * What it says is a hint and a little old: nothing that has to be right may depend on it, and no request of the store waits for
 * it. Nobody is asked while nobody looks.
 *
 * - **Bounded.** At most so many processes and peers are in a view (`complete` is false beyond); who does not answer in time is
 *   `silent`, with what it said last.
 * - **One round at a time.** Whoever asks while a round is under way gets the view of that round.
 */

import { event, type Millis, port, request } from "@kith/core";
import type { PeerRef } from "@kith/network";
import type { RingStatus } from "@kith/ring";
import type { ClusterPhase } from "./cluster.ts";

/** A group, as one of its members sees it. Plain data. */
export interface GroupReport {
  readonly gid: string;
  /** Positions from `lo` to before `hi`, one character for each byte; null is the end of all. */
  readonly lo: string;
  readonly hi: string | null;
  readonly epoch: number;
  readonly role: "follower" | "pre-candidate" | "candidate" | "leader";
  readonly term: number;
  /** The peer that leads, as far as this one knows. */
  readonly leader: number | null;
  /** The peers that have a replica. */
  readonly members: readonly number[];
  readonly applied: number;
  readonly commit: number;
  /** Why the replica has stopped; null where it has not. */
  readonly halted: string | null;
}

/** How a peer takes part. */
export type PeerState =
  /** It runs. */
  | "up"
  /** It was stopped, because one of its parts failed too often. */
  | "failed"
  /** It has not answered. What is said of it is what it said last. */
  | "silent";

/** A peer. Plain data. */
export interface PeerReport {
  readonly peer: PeerRef;
  readonly state: PeerState;
  /** Why it has failed; empty where it has not. */
  readonly reason: string;
  readonly ring: RingStatus;
  readonly predecessor: PeerRef | null;
  readonly successors: readonly PeerRef[];
  /** The groups of which it has a replica. */
  readonly groups: readonly GroupReport[];
  readonly counters: {
    /** Requests of the store that were taken here, by how they ended. */
    readonly done: number;
    /** Certainly not done: refused, aborted, too much, no time. */
    readonly notDone: number;
    /** Nobody knows. */
    readonly unknown: number;
    /** Under way, or waiting for the store to be founded. */
    readonly open: number;
    /** Parts of this peer that were restarted after a fault. */
    readonly restarts: number;
  };
}

/** A process. Plain data. */
export interface ProcessReport {
  /** The peer for which it speaks. */
  readonly process: PeerRef;
  readonly clusterId: string;
  /** Tells its storage from one that was put in its place; empty while it has none. */
  readonly disk: string;
  readonly phase: ClusterPhase;
  /** What it waits for, a sentence for people; empty where that is nothing. */
  readonly detail: string;
  /** How many other processes it is connected to. */
  readonly connections: number;
  readonly peers: readonly PeerReport[];
}

/** The cluster, as far as it has answered. */
export class ClusterView extends event("peer/ClusterView")<{
  /** The process that was asked, as it is. */
  readonly here: ProcessReport;
  /** All processes that are known, this one among them, by their addresses. */
  readonly processes: readonly (ProcessReport & { readonly silent: boolean })[];
  /** Whether all that were asked have answered, and none was left out. */
  readonly complete: boolean;
}> {}

/** Asks for the cluster; answered within 2 s. */
export class AskView extends request("peer/AskView", ClusterView) {}

/** What can be told of this process alone, at once. */
export class HereView extends event("peer/HereView")<{ readonly here: ProcessReport }> {}

/** Asks how this process is; answered within 200 ms, and nobody else is asked. */
export class AskHere extends request("peer/AskHere", HereView) {}

/** Shows the cluster. Provider: `PeerManager`. */
export const Monitor = port("Monitor", { requests: [AskView, AskHere] });

/** How long the others have to answer. */
export const monitorPatience: Millis = 1500;

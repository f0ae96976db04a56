/**
 * The Cluster port: which cluster a process belongs to, and how far it is with it.
 *
 * A cluster is founded once, by whoever was told to, and in no other way: a process that finds no cluster goes on asking
 * (algorithms.md §6.5.12). What was founded, the genesis, is decided by the founder, durable there before
 * anybody else hears of it, and never changes.
 */

import { event, type Millis, port } from "@kith/core";
import type { KnownGroup } from "@kith/store";
import type { PeerErrorCode } from "./errors.ts";

/** How a cluster is to be founded. Plain data. */
export interface Founders {
  /** How many peers have to be on the ring before groups are placed on them; at least 1. */
  readonly peers: number;
  /** How many groups divide the keys; default 8. More spread the load better, and cost more when idle. */
  readonly groups?: number;
  /** How many replicas each group has, 1 to 4, as far as there are peers; default 3. */
  readonly replicas?: number;
  /** Whether keys lie in their own order, so that they can be scanned; default false. For good. */
  readonly ordered?: boolean;
}

/** What was founded. Plain data; the same at all peers, for good. */
export interface Genesis {
  /** Names the cluster: 32 hexadecimal digits, drawn when it was founded. */
  readonly clusterId: string;
  readonly ordered: boolean;
  /** The groups at the beginning, with their members. */
  readonly groups: readonly KnownGroup[];
}

/** How far a process is. */
export type ClusterPhase =
  /** It reads what its storage says. */
  | "reading"
  /** It asks those whom it is to join. */
  | "asking"
  /** It belongs to a cluster; groups are not placed yet. */
  | "gathering"
  /** It knows the genesis; replicas are being founded here. */
  | "placing"
  /** It knows the genesis, and its replicas are founded: requests are served, given a majority of each group. */
  | "ready"
  /** It belongs to no cluster and will not: see `ClusterFailed`. */
  | "failed";

/** How far this process is with its cluster. Comes when that has changed. */
export class ClusterState extends event("peer/ClusterState")<{
  readonly phase: ClusterPhase;
  /** Empty while it is not known. */
  readonly clusterId: string;
  /** Tells this storage from one that was put in its place; empty while it was not written. */
  readonly disk: string;
  readonly genesis: Genesis | null;
  /** A sentence for people: what is waited for. Empty where that is nothing. */
  readonly detail: string;
}> {}

/** The process cannot belong to a cluster as it was told to; no peer of it was started. Stop it. */
export class ClusterFailed extends event("peer/ClusterFailed")<{
  readonly code: PeerErrorCode;
  /** A sentence for people. */
  readonly detail: string;
}> {}

/** Tells how far this process is with its cluster. Provider: `PeerManager`. */
export const Cluster = port("Cluster", { indications: [ClusterState, ClusterFailed] });

/** What a process has to know of its cluster. Plain data. */
export interface ClusterInit {
  /** Founds a cluster, on empty storage only. */
  readonly create?: Founders;
  /**
   * With `create`: goes on with the cluster of the storage where there is one already, instead of refusing; for what starts the process
   * again and again with the same words. Default false.
   */
  readonly resume?: boolean;
  /** Processes of the cluster, `host:port`: those that others join, in any order. */
  readonly join?: readonly string[];
  /** With `create` and `join`: how long those have to say that they have no cluster; default 30 s. */
  readonly createWithin?: Millis;
}

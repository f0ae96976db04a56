/**
 * What a watcher and the gate at a member say to each other: the watcher pulls. It asks for what has come after a version, and is
 * answered when there is something, or after a while with nothing. So nobody has to remember those who are slow.
 */

import { message } from "@kith/network";
import type { Millis } from "@kith/core";
import type { PeerAddress } from "@kith/paxos";
import type { Octets, Position } from "./position.ts";
import type { Descriptor } from "./rows.ts";

/** A key's state, or a change of it. */
export interface WatchedKey {
  readonly position: Position;
  /** Null where it is gone. */
  readonly value: Uint8Array | null;
  readonly version: number;
}

/** The members of a group; of two the one of the higher epoch is newer. */
export interface Membership {
  readonly epoch: number;
  readonly members: readonly PeerAddress[];
}

/** What has happened in a group after a version, in a part of it? */
export class WatchAsk extends message("store/WatchAsk")<{
  readonly client: string;
  /** Names the part of a watch at the client; a newer round takes the place of an older one. */
  readonly part: number;
  readonly round: number;
  readonly gid: string;
  /** What the client takes the group for. */
  readonly epoch: number;
  /** The epoch of the membership that it knows; 0 for one that nobody has told. */
  readonly config: number;
  /** Nothing is known where it is -1. */
  readonly after: number;
  readonly lo: Position;
  readonly hi: Position | null;
  /** What keys begin with. */
  readonly prefix: Octets;
  /** How long the answer may wait for something to happen. */
  readonly hold: Millis;
}> {}

/** The answer. */
export class WatchNews extends message("store/WatchNews")<{
  readonly client: string;
  readonly part: number;
  readonly round: number;
  /** Who the members are, where that is news; else null. */
  readonly members: Membership | null;
  readonly what:
    /** The group is not here, or too much is asked. */
    | { readonly kind: "elsewhere" }
    /** The group has given keys away since. */
    | { readonly kind: "divided"; readonly descriptors: readonly Descriptor[] }
    /** What is there is too much for one answer: from a position on it is to be asked for apart. */
    | { readonly kind: "large"; readonly at: Position }
    /** All that has changed, up to a version. */
    | { readonly kind: "changes"; readonly changes: readonly WatchedKey[]; readonly upTo: number }
    /** All that is there, at a version: changes were missed. */
    | { readonly kind: "state"; readonly entries: readonly WatchedKey[]; readonly upTo: number };
}> {}

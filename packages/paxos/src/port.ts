/**
 * The Consensus port: replicated groups, each with a log that a majority of its voters agrees on.
 *
 * What holds for every provider:
 *
 * - **Order.** A group applies its commands in one order, the same on all replicas, and none twice.
 * - **Durable.** A command that was answered with `Done` survives everything that leaves a majority of the disks.
 * - **Linearizable.** A query sees all that was done before it was asked.
 * - **Definite where it can be.** `NotLeader`, `Busy` and `Refused` say that the request was not executed and will
 *   not be. `Unknown`, and no answer in time, say that it may have been, or may yet be.
 * - **Bounded.** What waits in a group has bounds; beyond them the answer is `Busy`, at once.
 *
 * Any member answers; only the leader does what is asked, and the others say who that is.
 */

import { event, type EventClass, type Millis, port, request } from "@kith/core";
import type { PeerRef } from "@kith/network";
import type { Change, Config, Member, PeerAddress } from "./config.ts";

/** The root of all answers. */
export abstract class ConsensusAnswer extends event("paxos/Answer") {}

/** Not done: another one leads, as far as this one knows. Ask there. */
export class NotLeader extends event("paxos/NotLeader", ConsensusAnswer)<{
  readonly leader: Member | null;
}> {}

/** Not done: too much waits, or the group is about to change its leader. Ask again later. */
export class Busy extends event("paxos/Busy", ConsensusAnswer) {}

/** Not done, and asking again will not help unless something changes; `detail` says what. */
export class Refused extends event("paxos/Refused", ConsensusAnswer)<{
  readonly reason: "no-group" | "exists" | "halted" | "pending" | "lagging" | "invalid" | "epoch";
  readonly detail: string;
}> {}

/** It may have been done, or may yet be: this replica cannot know any more. */
export class Unknown extends event("paxos/Unknown", ConsensusAnswer) {}

/** The command was applied, or the query answered, with this result; `index` says up to where the table is applied. */
export class Done extends event("paxos/Done", ConsensusAnswer)<{
  readonly index: number;
  readonly result: Uint8Array;
}> {}

/** The replica is durable. */
export class Founded extends event("paxos/Founded", ConsensusAnswer) {}

/** Founds a group, of which this peer is a voter: to be asked at each founder, with the same peers in the same order. */
export class Found extends request("paxos/Found", answers(Founded, Refused))<{
  readonly gid: string;
  readonly peers: readonly PeerAddress[];
}> {}

/** Proposes a command. */
export class Propose extends request(
  "paxos/Propose",
  answers(Done, NotLeader, Busy, Refused, Unknown),
)<{
  readonly gid: string;
  readonly command: Uint8Array;
}> {}

/** Asks the machine a query, linearizably, without an entry in the log. */
export class Query extends request("paxos/Query", answers(Done, NotLeader, Busy, Refused))<{
  readonly gid: string;
  readonly query: Uint8Array;
}> {}

/**
 * Asks the machine a query of what this replica has applied so far, whoever leads: at once, without a round, and perhaps of the
 * past. `Done.index` says how far that is.
 */
export class Peek extends request("paxos/Peek", answers(Done, NotLeader, Busy, Refused))<{
  readonly gid: string;
  readonly query: Uint8Array;
}> {}

/** Asks for `Applied` of a group from now on, or for none any more, where the provider was not made with `announce`. */
export class Follow extends event("paxos/Follow")<{
  readonly gid: string;
  readonly on: boolean;
}> {}

/** The change of the membership is committed. */
export class Changed extends event("paxos/Changed", ConsensusAnswer)<{ readonly config: Config }> {}

/** Changes the membership by one; `expectedEpoch` guards against changing what one has not seen. */
export class ChangeMembers extends request(
  "paxos/ChangeMembers",
  answers(Changed, NotLeader, Busy, Refused, Unknown),
)<{
  readonly gid: string;
  readonly change: Change;
  readonly expectedEpoch?: number;
}> {}

/** The leader hands over; `LeaderChanged` tells when it has. */
export class Transferring extends event("paxos/Transferring", ConsensusAnswer) {}

/** Hands the leadership over to another voter. */
export class TransferLeadership extends request(
  "paxos/TransferLeadership",
  answers(Transferring, NotLeader, Refused),
)<{
  readonly gid: string;
  /** The replica id of the voter. */
  readonly to: number;
}> {}

/** Goes over to a newer version of the machine's rules; refused until all members have the code for it. */
export class Upgrade extends request(
  "paxos/Upgrade",
  answers(Done, NotLeader, Busy, Refused, Unknown),
)<{ readonly gid: string; readonly version: number }> {}

/** How another member of a group stands with its leader. Plain data. */
export interface Standing {
  readonly replicaId: number;
  /** The last entry that it is known to have, durably. */
  readonly match: number;
  /** How long it has not been heard of, in milliseconds. */
  readonly silent: Millis;
}

/** How a replica is. */
export class Status extends event("paxos/Status", ConsensusAnswer)<{
  readonly gid: string;
  readonly self: number;
  readonly role: "follower" | "pre-candidate" | "candidate" | "leader";
  readonly term: number;
  readonly leader: Member | null;
  readonly config: Config;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly commit: number;
  readonly applied: number;
  /** A hash over all that was applied: equal at equal indexes on all replicas. */
  readonly hash: number;
  readonly version: number;
  /** The group's time in milliseconds: where this replica leads, as an entry would have it now; else as it last had one. */
  readonly time: number;
  readonly quiet: boolean;
  readonly halted: string | null;
  /** Where it leads, how the others stand; else empty. */
  readonly others: readonly Standing[];
}> {}

/** Asks how the replica of this peer is. */
export class AskStatus extends request("paxos/AskStatus", answers(Status, Refused))<{
  readonly gid: string;
}> {}

/** The groups of which this peer has a replica, in no order. */
export class GroupsHere extends event("paxos/GroupsHere", ConsensusAnswer)<{
  readonly gids: readonly string[];
}> {}

/** Asks which groups are here: for who comes later than their news. Of those that come afterwards, news tell. */
export class AskGroups extends request("paxos/AskGroups", answers(GroupsHere)) {}

/** A hint: the present reference of a peer that may be a member of a group. */
export class PeerAt extends event("paxos/PeerAt")<{ readonly peer: PeerRef }> {}

/** Another replica leads the group, as far as this peer knows. */
export class LeaderChanged extends event("paxos/LeaderChanged")<{
  readonly gid: string;
  readonly term: number;
  readonly leader: Member | null;
  /** Whether it is this peer's. */
  readonly here: boolean;
}> {}

/** A membership is committed. */
export class MembersChanged extends event("paxos/MembersChanged")<{
  readonly gid: string;
  readonly config: Config;
}> {}

/** A command was applied at this peer; only where the provider was made with `announce`, or asked to `Follow` the group. */
export class Applied extends event("paxos/Applied")<{
  readonly gid: string;
  readonly index: number;
  readonly command: Uint8Array;
  readonly result: Uint8Array;
  /** What it has written into the table, in order; null for what is gone. */
  readonly written: readonly (readonly [key: string, value: Uint8Array | null])[];
}> {}

/** A command of a group has made another one, of which this peer has a replica now. */
export class GroupSpawned extends event("paxos/GroupSpawned")<{
  readonly gid: string;
  /** The group that has made it, and the place of the command in its log. */
  readonly parent: string;
  readonly index: number;
}> {}

/** The replica of this peer has stopped, with its data kept. */
export class GroupHalted extends event("paxos/GroupHalted")<{
  readonly gid: string;
  readonly reason: string;
}> {}

/** This peer is no member any more, and its data of the group are gone. */
export class GroupLeft extends event("paxos/GroupLeft")<{ readonly gid: string }> {}

/** Replicates machines. Providers: what `replicatedGroups` makes. */
export const Consensus = port("Consensus", {
  requests: [
    Found,
    Propose,
    Query,
    Peek,
    Follow,
    ChangeMembers,
    TransferLeadership,
    Upgrade,
    AskStatus,
    AskGroups,
    PeerAt,
  ],
  indications: [LeaderChanged, MembersChanged, Applied, GroupSpawned, GroupHalted, GroupLeft],
});

/** The response class of a request that has several answers: at run time their root, for the compiler their union. */
export function answers<const C extends readonly EventClass<ConsensusAnswer>[]>(
  ...classes: C
): EventClass<C[number]["prototype"]>;
export function answers(): EventClass {
  return ConsensusAnswer;
}

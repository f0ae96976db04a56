/**
 * The Multicast port: messages to all members of a group, in one order, and the group's views in the same order.
 *
 * What holds for every provider:
 *
 * - **Total** (V1). Messages and views have places in one sequence. What a member is given is a gapless piece of it,
 *   beginning with the view in which it is.
 * - **Uniform** (V2). What any member was given, also one that has crashed since, is given to all who stay.
 * - **In its view** (V3). A message is given in the view in which it was placed, and its sender is a member of that. So members
 *   that go from one view to the next together were given the same messages in between: virtual synchrony, as views are
 *   places like others.
 * - **In order of sending, once** (V4). The messages of a member come as it has sent them, without a gap, each once.
 * - **Definite** (V5). `Sequenced` comes when the sender itself is given its message; `NotMember` says that it never will be.
 * - **Bounded.** Too much that waits is answered `Busy`, at once. A member that falls too far behind is removed.
 *
 * A member is one life of a peer that has joined; after a restart, or when it was removed, a peer joins again as another.
 */

import { event, port, request } from "@kith/core";
import { answers, Busy, ConsensusAnswer, Unknown } from "../port.ts";

/** A member of a multicast group: a peer, in one life, since it last joined. Plain data. */
export interface Participant {
  readonly peerId: number;
  readonly incarnation: number;
  /** As in `PeerRef`, beside the incarnation. */
  readonly rebirth?: number;
  /** How often this life of it has joined. */
  readonly joined: number;
}

/** Who belongs to a group, from its place in the sequence on. */
export interface MulticastView {
  /** Counts the views of the group, from 1 on. */
  readonly number: number;
  /** In the order in which they joined. */
  readonly members: readonly Participant[];
}

/** This peer is a member, and was given the view that says so. */
export class Joined extends event("paxos/Joined", ConsensusAnswer)<{
  readonly view: MulticastView;
}> {}

/** Becomes a member; harmless for one. */
export class Join extends request("paxos/Join", answers(Joined, Busy)) {}

/** This peer is no member any more. */
export class NotMember extends event("paxos/NotMember", ConsensusAnswer) {}

/** Is no member any more, after what was sent before; harmless for one that is none. */
export class Leave extends request("paxos/Leave", answers(NotMember)) {}

/** The message was given to its sender, at this place. */
export class Sequenced extends event("paxos/Sequenced", ConsensusAnswer)<{
  readonly place: number;
}> {}

/** Sends a message to all members. */
export class Send extends request("paxos/Send", answers(Sequenced, NotMember, Busy, Unknown))<{
  readonly payload: Uint8Array;
}> {}

/** Removes a member that is gone, such as one that a failure detector suspects; harmless where it is none. */
export class Expel extends event("paxos/Expel")<{ readonly member: Participant }> {}

/** A message. */
export class Delivered extends event("paxos/Delivered")<{
  readonly place: number;
  readonly from: Participant;
  readonly payload: Uint8Array;
}> {}

/** Another view begins here. The first one that a member is given has it; in the last one it is missing. */
export class ViewChanged extends event("paxos/ViewChanged")<{
  readonly place: number;
  readonly view: MulticastView;
}> {}

/** This peer has fallen so far behind that what it misses is kept no more: it is no member, and may join again. */
export class FallenBehind extends event("paxos/FallenBehind") {}

/** Multicasts. Provider: `GroupMulticast`. */
export const Multicast = port("Multicast", {
  requests: [Join, Leave, Send, Expel],
  indications: [Delivered, ViewChanged, FallenBehind],
});

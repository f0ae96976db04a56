/**
 * What rings say to each other. Both providers use the same messages, so that a ring of one kind can
 * be swapped for the other peer by peer.
 */

import { type EventClass, isOf } from "@kith/core";
import { type Message, message, type PeerRef } from "@kith/network";

/** Wants to become the predecessor of the receiver: a newcomer, or one whose successor has failed. */
export class Join extends message("ring/JoinMessage")<{
  readonly cluster: string;
  /** Whether the sender is of the ring already, and mends it. */
  readonly fix: boolean;
  /** Whether it was sent back: the receiver lies behind the sender's place, and looks before itself alone. */
  readonly back: boolean;
  /** Whether a short cut may be named that nobody has tried: not where the last one may have led nowhere. */
  readonly short: boolean;
}> {}

/** The sender of a `Join` is taken in. */
export class JoinOk extends message("ring/JoinOk")<{
  /** Whoever was the predecessor before; null where that is not known, or not to be believed. */
  readonly predecessor: PeerRef | null;
  /** The successor to take, and those behind it. */
  readonly successors: readonly PeerRef[];
}> {}

/** Asks another one; the receiver of a `Join` is not the one to decide. */
export class Goto extends message("ring/Goto")<{
  readonly peer: PeerRef;
  /** Whether that peer lies behind the sender's place: from there on it goes back only, and so comes to an end. */
  readonly back: boolean;
  /** The sender and those behind it: for one who cannot reach that peer, and has to stay on a branch. */
  readonly successors: readonly PeerRef[];
}> {}

/** The identifier is taken. */
export class IdInUse extends message("ring/IdInUse") {}

/** A newcomer to its predecessor: it stands between that one and `before`. */
export class NewSuccessor extends message("ring/NewSuccessor")<{
  readonly before: PeerRef;
  readonly successors: readonly PeerRef[];
}> {}

/** The sender's successor is this one now: to the new one, and to the one before. */
export class Linked extends message("ring/Linked")<{ readonly successor: PeerRef }> {}

/** Those behind the sender have changed; passed on towards the predecessors. */
export class Successors extends message("ring/Successors")<{
  readonly successors: readonly PeerRef[];
  /** How many predecessors it still concerns. */
  readonly hops: number;
}> {}

/** Asks for the neighbours. From one whose successor the receiver is, it says so too. */
export class Stabilise extends message("ring/Stabilise")<{
  readonly cluster: string;
  /** Whether the receiver is the sender's successor; else it is only considered. */
  readonly linked: boolean;
}> {}

/** The neighbours of the sender. */
export class Stabilised extends message("ring/Stabilised")<{
  readonly predecessor: PeerRef | null;
  /** The sender, and those behind it. */
  readonly successors: readonly PeerRef[];
}> {}

/** The sender leaves; these are those behind it. */
export class Leaving extends message("ring/Leaving")<{
  readonly successors: readonly PeerRef[];
}> {}

/** Whether a message is of this class: as the kernel has it, by the tag where this package is there twice. */
export function is<M extends Message>(one: Message, cls: EventClass<M>): one is M {
  return isOf(one.constructor, cls);
}

/** All peers that a message of the ring names, its sender first. */
export function peersIn(one: Message): readonly PeerRef[] {
  const { from } = one;
  // The most frequent ones first.
  if (is(one, Stabilise)) return [from];
  if (is(one, Stabilised) || is(one, JoinOk))
    return one.predecessor === null
      ? [from, ...one.successors]
      : [from, one.predecessor, ...one.successors];
  if (is(one, Goto)) return [from, one.peer, ...one.successors];
  if (is(one, NewSuccessor)) return [from, one.before, ...one.successors];
  if (is(one, Successors) || is(one, Leaving)) return [from, ...one.successors];
  return [from];
}

/**
 * The AtomicCommit port: a transaction commits at all its resource managers, or aborts at all of them.
 *
 * - **One outcome** (PC1). All who are ever told what became of a transaction are told the same.
 * - **Unanimous** (PC2). It commits only if every manager has voted to.
 * - **Not blocking.** Where the transaction manager is gone, any manager that has voted, and whoever asks for the
 *   outcome, ends the transaction; it takes a majority of the acceptors.
 * - **Kept until it is taken.** A manager is told the outcome again, in later lives too, until it says `OutcomeTaken`,
 *   which it says when it would not need to be told again. It must bear to hear it twice.
 *
 * A manager that votes `prepared` has made durable what it needs to commit, and commits or aborts as it is told and not
 * otherwise. While it waits, it lets nobody see what it would commit.
 */

import { event, type Millis, port, request } from "@kith/core";
import type { PeerAddress } from "../config.ts";
import { answers, Busy, ConsensusAnswer, Unknown } from "../port.ts";

/** What became of a transaction. */
export class Ended extends event("paxos/Ended", ConsensusAnswer)<{
  readonly transaction: string;
  readonly committed: boolean;
}> {}

/** Begins a transaction, with this peer as its manager. */
export class Begin extends request("paxos/Begin", answers(Ended, Busy, Unknown))<{
  /** The resource managers, each once. */
  readonly managers: readonly PeerAddress[];
  /** What they are asked to vote about. */
  readonly body: Uint8Array;
}> {}

/** Asks what became of a transaction; one that is not decided is ended, which may abort it. */
export class AskOutcome extends request("paxos/AskOutcome", answers(Ended, Busy, Unknown))<{
  readonly transaction: string;
  /** The same as in its `Begin`. */
  readonly managers: readonly PeerAddress[];
  /** How long to try before the answer is `Unknown`, as it is where all managers have taken it; default 30 s. */
  readonly within?: Millis;
}> {}

/** This peer is asked, as a resource manager, whether a transaction can commit. */
export class VoteAsked extends event("paxos/VoteAsked")<{
  readonly transaction: string;
  readonly managers: readonly PeerAddress[];
  readonly body: Uint8Array;
}> {}

/** The vote of this peer; only the first one counts, and none that comes after the outcome. */
export class CastVote extends event("paxos/CastVote")<{
  readonly transaction: string;
  readonly prepared: boolean;
}> {}

/** The outcome of a transaction in which this peer is a resource manager. */
export class OutcomeKnown extends event("paxos/OutcomeKnown")<{
  readonly transaction: string;
  readonly committed: boolean;
}> {}

/** This peer need not be told that outcome again. */
export class OutcomeTaken extends event("paxos/OutcomeTaken")<{ readonly transaction: string }> {}

/** Commits transactions. Provider: `PaxosCommit`. */
export const AtomicCommit = port("AtomicCommit", {
  requests: [Begin, AskOutcome, CastVote, OutcomeTaken],
  indications: [VoteAsked, OutcomeKnown],
});

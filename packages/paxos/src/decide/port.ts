/**
 * The Decisions port: each instance, named by a text, is decided once for all peers.
 *
 * What holds for every provider:
 *
 * - **One value.** All peers that are told what an instance is decided as are told the same (PX1), for ever.
 * - **A proposed one.** It is a value that some peer has proposed (PX2).
 * - **Durable.** What was told survives everything that leaves a quorum of the acceptors' disks.
 * - **Ended by anyone.** Where a proposer crashed half-way, whoever proposes or learns next ends it.
 * - **Bounded.** Too much that is open is answered `Busy`, at once. What took too long is answered `Unknown`:
 *   it may have been decided, or may yet be.
 *
 * Decided instances are remembered for good. For a sequence without end use the replicated group.
 */

import { event, type Millis, port, request } from "@kith/core";
import { answers, Busy, ConsensusAnswer, Unknown } from "../port.ts";

/** What an instance is decided as; whose value it is, only a comparison can tell. */
export class Decided extends event("paxos/Decided", ConsensusAnswer)<{
  readonly instance: string;
  readonly value: Uint8Array;
}> {}

/** Proposes a value for an instance. The answer says what was decided, which may be another one. */
export class Decide extends request("paxos/Decide", answers(Decided, Busy, Unknown))<{
  readonly instance: string;
  readonly value: Uint8Array;
  /** How long to try before the answer is `Unknown`; default 30 s. */
  readonly within?: Millis;
}> {}

/** Asks what was decided, or waits until something is. Proposes nothing of its own. */
export class Learn extends request("paxos/Learn", answers(Decided, Busy, Unknown))<{
  readonly instance: string;
  /** How long to wait before the answer is `Unknown`; default 30 s. */
  readonly within?: Millis;
}> {}

/** This peer knows of a decision that it did not know before. */
export class DecisionKnown extends event("paxos/DecisionKnown")<{
  readonly instance: string;
  readonly value: Uint8Array;
}> {}

/** Decides. Providers: `SinglePaxos`, `FastPaxos`. */
export const Decisions = port("Decisions", {
  requests: [Decide, Learn],
  indications: [DecisionKnown],
});

/**
 * The Replicated port: commands and queries to one replicated group, wherever its leader is.
 *
 * - **Once.** A command is executed at most once, and `Executed` says that it was. For that the group's machine has
 *   sessions around it (`withSessions`); without them the machine itself has to bear repetitions.
 * - **Linearizable.** A query sees all that was executed before it was asked.
 * - **Bounded.** Too much that waits is `Busy`, at once, and not done. What took too long is `Unknown`: it may have been
 *   done, or may yet be.
 */

import { event, type Millis, port, request } from "@kith/core";
import { answers, Busy, ConsensusAnswer, Unknown } from "../port.ts";

/** What the machine has answered. */
export class Executed extends event("paxos/Executed", ConsensusAnswer)<{
  readonly result: Uint8Array;
}> {}

/** Executes a command. */
export class Execute extends request("paxos/Execute", answers(Executed, Busy, Unknown))<{
  readonly command: Uint8Array;
  /** How long to try before the answer is `Unknown`; default 30 s. */
  readonly within?: Millis;
}> {}

/** Asks the machine something. */
export class Inquire extends request("paxos/Inquire", answers(Executed, Busy, Unknown))<{
  readonly query: Uint8Array;
  /** How long to try before the answer is `Unknown`; default 30 s. */
  readonly within?: Millis;
}> {}

/** Uses a replicated group. Provider: `GroupClient`. */
export const Replicated = port("Replicated", { requests: [Execute, Inquire] });

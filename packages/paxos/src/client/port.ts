/**
 * The Replicated port: commands and queries to replicated groups, wherever their leaders are.
 *
 * - **Once.** A command is executed at most once, and `Executed` says that it was. For that the group's machine has
 *   sessions around it (`withSessions`); without them the machine itself has to bear repetitions.
 * - **Linearizable.** A query sees all that was executed before it was asked.
 * - **Bounded.** Too much that waits is `Busy`, at once, and not done. What took too long is `Unknown`: it may have been
 *   done, or may yet be.
 * - A group that the provider was not told of is `Refused`.
 * - `PeerAt` is a hint where a member is now.
 */

import { event, type Millis, port, request } from "@kith/core";
import type { PeerAddress } from "../config.ts";
import { answers, Busy, ConsensusAnswer, PeerAt, Refused, Unknown } from "../port.ts";

/** What the machine has answered. */
export class Executed extends event("paxos/Executed", ConsensusAnswer)<{
  readonly result: Uint8Array;
}> {}

/** Executes a command. */
export class Execute extends request("paxos/Execute", answers(Executed, Busy, Refused, Unknown))<{
  readonly gid: string;
  readonly command: Uint8Array;
  /** How long to try before the answer is `Unknown`; default 30 s. */
  readonly within?: Millis;
}> {}

/** Asks the machine something. */
export class Inquire extends request("paxos/Inquire", answers(Executed, Busy, Refused, Unknown))<{
  readonly gid: string;
  readonly query: Uint8Array;
  /** How long to try before the answer is `Unknown`; default 30 s. */
  readonly within?: Millis;
}> {}

/** There is such a group, with these members: some of them at least, to begin with. */
export class Know extends event("paxos/Know")<{
  readonly gid: string;
  readonly members: readonly PeerAddress[];
}> {}

/** Another member is asked from now on: the leader of the group, as far as it is known. */
export class Turned extends event("paxos/Turned")<{
  readonly gid: string;
  readonly peerId: number;
}> {}

/** Uses replicated groups. Provider: `GroupClient`. */
export const Replicated = port("Replicated", {
  requests: [Execute, Inquire, Know, PeerAt],
  indications: [Turned],
});

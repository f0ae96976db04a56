/**
 * Single-decree Paxos (the Synod; Lamport 1998, 2001): majorities, and the value of the highest vote among a majority.
 *
 * A value that is chosen in a ballot was voted for by a majority, of which every majority that promises a later
 * ballot has a member; so by induction every later ballot proposes that value (PX1).
 */

import { compareBallots } from "../decide/ballot.ts";
import type { Vote } from "../decide/acceptor.ts";
import type { Picked, Rule } from "../decide/rule.ts";

/** The rule of single-decree Paxos. */
export const singleRule: Rule = {
  open: false,
  quorum: (acceptors) => Math.floor(acceptors / 2) + 1,
  promises: (acceptors) => Math.floor(acceptors / 2) + 1,
  pick(votes): Picked {
    let highest: Vote | null = null;
    for (const vote of votes)
      if (vote !== null && (highest === null || compareBallots(vote.ballot, highest.ballot) > 0))
        highest = vote;
    return highest === null
      ? { kind: "free", seen: null }
      : { kind: "bound", value: highest.value };
  },
};

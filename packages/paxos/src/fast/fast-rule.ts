/**
 * Lamport's Fast Paxos (Lamport 2006): in a fast round everybody asks the acceptors for their votes, and a value that
 * three quarters of them vote for is chosen, one message delay earlier than otherwise.
 *
 * Two fast quorums and a classic one always have an acceptor in common. So among the votes that a later, classic
 * round finds in the highest round there is at most one value that a fast quorum can have chosen (FP1): the one for which
 * all votes are that the quorum of promises and some fast quorum share. Where there is none, nothing was chosen.
 */

import { type Ballot, compareBallots } from "../decide/ballot.ts";
import { sameValue, type Vote } from "../decide/acceptor.ts";
import type { Picked, Rule } from "../decide/rule.ts";
import { ensure } from "../errors.ts";

/** How many votes a value needs in a fast round: three quarters, rounded up. */
export function fastQuorum(acceptors: number): number {
  return acceptors - Math.floor(acceptors / 4);
}

/** How many it needs in a classic one: more than half. */
export function classicQuorum(acceptors: number): number {
  return Math.floor(acceptors / 2) + 1;
}

/**
 * The rule of Fast Paxos.
 *
 * @param isFast which rounds are fast; by default the first ballot, all others being there for its collisions
 */
export function fastRule(isFast: (ballot: Ballot) => boolean = ({ round }) => round === 0): Rule {
  return {
    open: true,
    quorum: (acceptors, ballot) =>
      isFast(ballot) ? fastQuorum(acceptors) : classicQuorum(acceptors),
    promises: classicQuorum,
    pick: (votes, acceptors) => pick(votes, acceptors, isFast),
  };
}

function pick(
  votes: readonly (Vote | null)[],
  acceptors: number,
  isFast: (ballot: Ballot) => boolean,
): Picked {
  const cast = votes.filter((vote) => vote !== null);
  let highest: Vote | null = null;
  for (const vote of cast)
    if (highest === null || compareBallots(vote.ballot, highest.ballot) > 0) highest = vote;
  if (highest === null) return { kind: "free", seen: null };
  const { ballot, value: seen } = highest;
  if (!isFast(ballot)) return { kind: "bound", value: seen };
  const tallies = tally(cast.filter((vote) => compareBallots(vote.ballot, ballot) === 0));
  // A single value is safe in that round, so it may be what a round below has chosen. Two are both safe only where
  // nothing was.
  if (tallies.length === 1) return { kind: "bound", value: seen };
  // Those who have not promised may all have voted for it.
  const silent = acceptors - votes.length;
  const choosable = tallies.filter(({ count }) => count + silent >= fastQuorum(acceptors));
  ensure(choosable.length <= 1, "FP1", () => `${choosable.length} values may have been chosen`);
  const [only] = choosable;
  return only === undefined ? { kind: "free", seen } : { kind: "bound", value: only.value };
}

/** How many votes each value has. */
export function tally(
  votes: readonly Vote[],
): readonly { readonly value: Uint8Array; readonly count: number }[] {
  const tallies: { value: Uint8Array; count: number }[] = [];
  for (const { value } of votes) {
    const known = tallies.find((one) => sameValue(one.value, value));
    if (known === undefined) tallies.push({ value, count: 1 });
    else known.count++;
  }
  return tallies;
}

/**
 * What Paxos Commit adds to single-decree Paxos (Gray and Lamport 2006): one instance for each resource manager of a
 * transaction, on the same acceptors, whose first ballot is the manager's own.
 *
 * - A manager asks for votes in the first ballot without promises, since nobody else may use it; a majority of votes
 *   chooses what it has said. Whoever ends the transaction for others takes a later ballot, with promises.
 * - Where nothing can have been chosen for a manager, that one aborts.
 * - One promise of an acceptor holds for all instances of a transaction.
 */

import { accept, type Acceptor, promise, type Vote } from "../decide/acceptor.ts";
import { type Ballot, noBallot, sameBallot } from "../decide/ballot.ts";
import { singleRule } from "../single/single-rule.ts";

/** A resource manager, by its peerId. */
export type ManagerId = number;

/** The acceptor of a transaction. Plain data. */
export interface Ballots {
  promised: Ballot;
  /** The last vote in each manager's instance. */
  readonly votes: Map<ManagerId, Vote>;
}

/** Values of the instances. */
export const prepared = new Uint8Array([1]);
export const aborted = new Uint8Array([0]);

/** Whether a value is `prepared`. */
export function isPrepared(value: Uint8Array): boolean {
  return value[0] === 1;
}

/** One that has not heard of its transaction. */
export function freshBallots(): Ballots {
  return { promised: noBallot, votes: new Map() };
}

/** Asks for the promise to take part in no ballot below this one, for any manager. @returns whether it is given */
export function promiseAll(ballots: Ballots, ballot: Ballot): boolean {
  const acceptor: Acceptor = { promised: ballots.promised, accepted: null };
  const granted = promise(acceptor, ballot);
  ballots.promised = acceptor.promised;
  return granted;
}

/** Asks for a vote in a manager's instance. @returns whether its vote in this ballot is for this value */
export function acceptFor(
  ballots: Ballots,
  manager: ManagerId,
  ballot: Ballot,
  value: Uint8Array,
): boolean {
  const acceptor: Acceptor = {
    promised: ballots.promised,
    accepted: ballots.votes.get(manager) ?? null,
  };
  const accepted = accept(acceptor, ballot, value);
  ballots.promised = acceptor.promised;
  if (acceptor.accepted !== null) ballots.votes.set(manager, acceptor.accepted);
  return accepted;
}

/** What has to be proposed for each manager after these promises; null while they are too few. */
export function proposal(
  managers: readonly ManagerId[],
  promises: readonly ReadonlyMap<ManagerId, Vote>[],
  acceptors: number,
): Map<ManagerId, Uint8Array> | null {
  if (promises.length < singleRule.promises(acceptors)) return null;
  return new Map(
    managers.map((manager) => {
      const votes = promises.map((told) => told.get(manager) ?? null);
      const picked = singleRule.pick(votes, acceptors);
      return [manager, picked.kind === "bound" ? picked.value : aborted];
    }),
  );
}

/** What the votes of acceptors say: all managers are prepared, or one is aborted; null where neither is chosen yet. */
export function outcomeOf(
  managers: readonly ManagerId[],
  votes: readonly ReadonlyMap<ManagerId, Vote>[],
  acceptors: number,
): "committed" | "aborted" | null {
  let all = true;
  for (const manager of managers) {
    const chosen = chosenFor(manager, votes, acceptors);
    if (chosen !== null && !isPrepared(chosen)) return "aborted";
    all &&= chosen !== null;
  }
  return all ? "committed" : null;
}

function chosenFor(
  manager: ManagerId,
  votes: readonly ReadonlyMap<ManagerId, Vote>[],
  acceptors: number,
): Uint8Array | null {
  const cast = votes.flatMap((told) => told.get(manager) ?? []);
  for (const { ballot, value } of cast) {
    // In a ballot there is one value for a manager.
    const same = cast.filter((vote) => sameBallot(vote.ballot, ballot));
    if (same.length >= singleRule.quorum(acceptors, ballot)) return value;
  }
  return null;
}

/**
 * Every run of Paxos Commit with few managers: all votes, of which any may be missing, in any order at any acceptor; and
 * leaders that end the transaction at any moment, each with a ballot of its own. What was sent once can arrive at any
 * time, any number of times, or never; acceptors may crash, and come back as their records have them.
 */

import type { Vote } from "../decide/acceptor.ts";
import { type Ballot, firstBallot } from "../decide/ballot.ts";
import {
  aborted,
  acceptFor,
  type Ballots,
  freshBallots,
  isPrepared,
  outcomeOf,
  prepared,
  promiseAll,
  proposal,
} from "./ballots.ts";
import { operationsFor, readCommits } from "./commit-records.ts";
import { committer } from "./committer.ts";

/** What a manager says in its own ballot, or that it says nothing. */
export type Said = "prepared" | "aborted" | "nothing";

/** What was met. */
export interface CommitsMet {
  readonly states: number;
  readonly committed: number;
  readonly aborted: number;
}

/** By manager: round and value of a vote, as text; `-` where there is none. */
type Votes = readonly string[];

interface Explored {
  readonly promised: number;
  readonly votes: Votes;
  /** By round: what it told of when it promised that round. */
  readonly told: readonly (Votes | null)[];
  /** By manager: all it has ever voted. */
  readonly history: readonly (readonly string[])[];
}

interface State {
  readonly acceptors: readonly Explored[];
  /** By round: what its leader asks votes for, by manager; round 0 is the managers' own. */
  readonly sent: readonly (Votes | null)[];
}

const count = 3;

/** Walks through all states. @throws what it finds wrong */
export function exploreCommit(said: readonly Said[], recoveries: number): CommitsMet {
  const managers = said.map((_, i) => i + 1);
  const rounds = recoveries + 1;
  const fresh: Explored = {
    promised: -1,
    votes: said.map(() => "-"),
    told: Array.from({ length: rounds }, () => null),
    history: said.map(() => []),
  };
  const start: State = {
    acceptors: Array.from({ length: count }, () => fresh),
    sent: Array.from({ length: rounds }, () => null),
  };
  const known = new Map<string, readonly Explored[]>();
  const seen = new Set<string>([keyOf(start)]);
  const open = [start];
  const met = { states: 0, committed: 0, aborted: 0 };
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    met.states++;
    const outcome = judge(state, said, managers);
    if (outcome !== null) met[outcome]++;
    const next: State[] = [];
    for (const [at, acceptor] of state.acceptors.entries()) {
      const key = `${JSON.stringify(acceptor)} ${JSON.stringify(state.sent)}`;
      let after = known.get(key);
      if (after === undefined) known.set(key, (after = afterAcceptor(acceptor, said, state.sent)));
      for (const one of after)
        next.push({
          sent: state.sent,
          acceptors: state.acceptors.map((it, i) => (i === at ? one : it)),
        });
    }
    for (let round = 1; round < rounds; round++) {
      if (state.sent[round] !== null) continue;
      for (const values of proposals(state, round, managers))
        next.push({
          acceptors: state.acceptors,
          sent: state.sent.map((it, i) => (i === round ? values : it)),
        });
    }
    for (const one of next) {
      const key = keyOf(one);
      if (seen.has(key)) continue;
      seen.add(key);
      open.push(one);
    }
  }
  return met;
}

/** What an acceptor may become. */
function afterAcceptor(of: Explored, said: readonly Said[], sent: State["sent"]): Explored[] {
  const next = [crashed(of)];
  for (const [i, what] of said.entries())
    if (what !== "nothing") next.push(...voted(of, 0, i, what === "prepared" ? "P" : "A"));
  for (const [round, values] of sent.entries()) {
    if (round > 0) next.push(...promised(of, round));
    if (values === null) continue;
    // All of them at once, as one message has them.
    let after: Explored[] = [of];
    for (const [i, value] of values.entries())
      after = after.flatMap((one) => voted(one, round, i, value));
    next.push(...after);
  }
  return next;
}

function promised(of: Explored, round: number): Explored[] {
  const ballots = ballotsOf(of);
  if (!promiseAll(ballots, ballotOf(round))) return [];
  const told = of.told.map((one, i) => (i === round ? (one ?? of.votes) : one));
  return [{ ...of, ...plain(ballots, of), told }];
}

function voted(of: Explored, round: number, i: number, value: string): Explored[] {
  const ballots = ballotsOf(of);
  if (!acceptFor(ballots, i + 1, ballotOf(round), value === "P" ? prepared : aborted)) return [];
  const vote = `${round}${value}`;
  const other = of.history[i]?.find((one) => one[0] === vote[0] && one !== vote);
  if (other !== undefined) throw new Error(`PX3: an acceptor votes for ${other} and ${vote}`);
  const history = of.history.map((one, at) =>
    at === i && !one.includes(vote) ? [...one, vote].sort() : one,
  );
  return [{ ...of, ...plain(ballots, of), history }];
}

/** Comes back as its records have it. */
function crashed(of: Explored): Explored {
  const name = "1.1.1";
  const self = { peerId: 1, host: "n1", port: 7000 };
  const options = { self, life: 1, acceptors: [self], seed: 1, now: 0 };
  const accepting = new Map([[name, { ...ballotsOf(of), managers: [self] }]]);
  const state = committer(options, {
    accepting,
    managing: new Map(),
    over: new Map(),
    finished: new Map(),
  });
  const rows = operationsFor(state, [name], []).flatMap((operation) =>
    operation.kind === "put" ? [{ key: operation.key, value: operation.value }] : [],
  );
  return { ...of, ...plain(readCommits(rows).accepting.get(name) ?? freshBallots(), of) };
}

/** What a leader may ask votes for, over all quorums of promises. */
function proposals(state: State, round: number, managers: readonly number[]): Votes[] {
  const told = state.acceptors.flatMap(({ told: by }) => {
    const votes = by[round];
    return votes === null || votes === undefined ? [] : [votesOf(votes)];
  });
  const found = new Map<string, Votes>();
  for (let subset = 1; subset < 2 ** told.length; subset++) {
    const quorum = told.filter((_, i) => (subset >> i) % 2 === 1);
    const values = proposal(managers, quorum, count);
    if (values === null) continue;
    const votes = managers.map((manager) =>
      isPrepared(values.get(manager) ?? aborted) ? "P" : "A",
    );
    found.set(votes.join(""), votes);
  }
  return [...found.values()];
}

/** The outcome, by what the acceptors have ever voted. @throws where there are two */
function judge(
  { acceptors }: State,
  said: readonly Said[],
  managers: readonly number[],
): "committed" | "aborted" | null {
  const outcomes = new Set<"committed" | "aborted">();
  let all = true;
  for (const i of said.keys()) {
    const ballots = acceptors.flatMap(({ history }) => history[i] ?? []);
    const chosen = new Set(
      ballots
        .filter((vote) => ballots.filter((other) => other === vote).length > count / 2)
        .map((vote) => vote[1]),
    );
    if (chosen.size > 1) throw new Error(`PC1: two values were chosen for manager ${i + 1}`);
    if (chosen.has("A")) outcomes.add("aborted");
    if (chosen.has("P") && said[i] !== "prepared")
      throw new Error(`PC2: manager ${i + 1} has not voted, and is prepared`);
    all &&= chosen.has("P");
  }
  if (all) outcomes.add("committed");
  // What the transaction's manager may conclude from any of the acceptors' votes in the first ballot.
  for (let subset = 1; subset < 2 ** count; subset++) {
    const heard = acceptors
      .filter((_, i) => (subset >> i) % 2 === 1)
      .map(({ history }) =>
        votesOf(history.map((by) => by.find((vote) => vote[0] === "0") ?? "-")),
      );
    const concluded = outcomeOf(managers, heard, count);
    if (concluded !== null) outcomes.add(concluded);
  }
  if (outcomes.size > 1) throw new Error("PC1: it is committed and aborted");
  const [outcome = null] = outcomes;
  if (outcome === "committed" && said.some((one) => one !== "prepared"))
    throw new Error("PC2: it is committed, and somebody has not voted so");
  return outcome;
}

function ballotsOf({ promised: round, votes }: Explored): Ballots {
  const fresh = freshBallots();
  return { promised: round < 0 ? fresh.promised : ballotOf(round), votes: new Map(votesOf(votes)) };
}

function plain(
  { promised: ballot, votes }: Ballots,
  of: Explored,
): Pick<Explored, "promised" | "votes"> {
  return {
    promised: ballot.round,
    votes: of.votes.map((_, i) => {
      const vote = votes.get(i + 1);
      return vote === undefined ? "-" : `${vote.ballot.round}${isPrepared(vote.value) ? "P" : "A"}`;
    }),
  };
}

function votesOf(votes: Votes): ReadonlyMap<number, Vote> {
  return new Map(
    votes.flatMap((vote, i) =>
      vote === "-"
        ? []
        : [
            [
              i + 1,
              { ballot: ballotOf(Number(vote[0])), value: vote[1] === "P" ? prepared : aborted },
            ],
          ],
    ),
  );
}

function ballotOf(round: number): Ballot {
  return round === 0 ? firstBallot : { round, proposer: round, life: 1 };
}

/** Acceptors are interchangeable. */
function keyOf({ acceptors, sent }: State): string {
  return `${acceptors
    .map((one) => JSON.stringify(one))
    .sort()
    .join()} ${JSON.stringify(sent)}`;
}

/** Every combination of what so many managers say, but for their order. */
export function allVotes(managers: number): readonly (readonly Said[])[] {
  const kinds: readonly Said[] = ["prepared", "aborted", "nothing"];
  if (managers === 0) return [[]];
  return allVotes(managers - 1).flatMap((rest) =>
    kinds
      .filter((one) => rest[0] === undefined || kinds.indexOf(one) <= kinds.indexOf(rest[0]))
      .map((one) => [one, ...rest]),
  );
}

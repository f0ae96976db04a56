/**
 * Every run of a few acceptors in a few rounds, for a rule of the family. What was sent once can arrive at any time, any
 * number of times, or never; so a state is what the acceptors hold and what was ever sent, and all of that follows from
 * the acceptors' votes and promises, and from what each round's coordinator has sent.
 *
 * Acceptors and values are interchangeable, so that states that differ by names only are one state. An acceptor that
 * crashes comes back as its records have it; what it said was flushed before. What an acceptor does in a state is asked of
 * the code once, and remembered: there are few states of one acceptor, and many of all.
 */

import { bytesText, textBytes } from "../bytes.ts";
import { accept, type Acceptor, freshAcceptor, promise, type Vote } from "./acceptor.ts";
import { type Ballot, firstBallot } from "./ballot.ts";
import { putInstance, readRows } from "./records.ts";
import type { Rule } from "./rule.ts";

/** What is explored. */
export interface Case {
  readonly rule: Rule;
  readonly acceptors: number;
  readonly rounds: number;
  /** Which rounds are fast: in those a coordinator who is free lets everybody ask for votes. */
  readonly fast: (round: number) => boolean;
}

/** What was met. */
export interface Met {
  readonly states: number;
  /** How many states have a value that was chosen. */
  readonly chosen: number;
  /** How many of those have votes for both values in one round. */
  readonly collided: number;
}

type Cast = readonly [round: number, value: string];

/** One acceptor: what it holds, and by round what it has ever said. */
interface Explored {
  readonly promised: number;
  readonly vote: Cast | null;
  /** By round: the last vote it told of when it promised that round; null where it has not. */
  readonly told: readonly (Cast | "none" | null)[];
  readonly voted: readonly (string | null)[];
}

/** A state: acceptors by number of their own states, and by round what its coordinator has asked for. */
interface State {
  readonly acceptors: readonly number[];
  readonly sent: readonly string[];
}

const values = ["x", "y"];
const nothing = "-";
const any = "*";

/** Walks through all states. @throws what it finds wrong */
export function explore(one: Case): Met {
  const known = new Known(one);
  const start: State = {
    acceptors: Array.from({ length: one.acceptors }, () => known.fresh),
    // Round 0 needs no promises: if it is fast, any value may be sent; else it has one owner, who sends one of them.
    sent: Array.from({ length: one.rounds }, (_, round) =>
      round === 0 && one.fast(0) ? any : nothing,
    ),
  };
  const seen = new Set<string>([known.keyOf(start)]);
  const open = [start];
  let chosenStates = 0;
  let collided = 0;
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    const { chosen, both } = known.outcome(state);
    if (chosen.length > 1)
      throw new Error(`PX1: two values were chosen: ${JSON.stringify(known.describe(state))}`);
    chosenStates += chosen.length;
    if (chosen.length === 1 && both) collided++;
    for (const next of after(one, known, state)) {
      const key = known.keyOf(next);
      if (seen.has(key)) continue;
      seen.add(key);
      open.push(next);
    }
  }
  return { states: seen.size, chosen: chosenStates, collided };
}

/** Everything that can happen next. */
function* after(one: Case, known: Known, { acceptors, sent }: State): Generator<State> {
  for (const [at, acceptor] of acceptors.entries()) {
    if (acceptors.indexOf(acceptor) < at) continue; // Another one in the same state does the same.
    for (const next of known.after(acceptor, sent))
      yield { sent, acceptors: acceptors.map((it, i) => (i === at ? next : it)) };
  }
  for (let round = 0; round < one.rounds; round++) {
    if (sent[round] !== nothing) continue;
    for (const what of known.proposable(acceptors, round))
      yield { acceptors, sent: sent.map((it, i) => (i === round ? what : it)) };
  }
}

/** What acceptors do in each of their states, by the code that runs. */
class Known {
  readonly fresh: number;
  readonly #case: Case;
  readonly #all: Explored[] = [];
  readonly #numbers = new Map<string, number>();
  /** By number: that of the state with the two values turned. */
  readonly #turned: number[] = [];
  readonly #after = new Map<string, readonly number[]>();
  readonly #proposable = new Map<string, ReadonlySet<string>>();

  constructor(one: Case) {
    this.#case = one;
    this.fresh = this.#number({
      promised: -1,
      vote: null,
      told: Array.from({ length: one.rounds }, () => null),
      voted: Array.from({ length: one.rounds }, () => null),
    });
  }

  /** What an acceptor's state may become, once this was sent. */
  after(number: number, sent: readonly string[]): readonly number[] {
    const key = `${number} ${sent.join("")}`;
    const before = this.#after.get(key);
    if (before !== undefined) return before;
    const of = this.#at(number);
    const next: (Explored | null)[] = [crashed(of)];
    for (const [round, asked] of sent.entries()) {
      if (round > 0) next.push(promised(of, round));
      for (const value of values)
        if (asked === any || asked === value) next.push(voted(of, round, value));
    }
    const numbers = next.flatMap((it) => (it === null ? [] : [this.#number(it)]));
    this.#after.set(key, numbers);
    return numbers;
  }

  /** What the coordinator of a round may send, over all quorums of promises. */
  proposable(acceptors: readonly number[], round: number): ReadonlySet<string> {
    if (round === 0) return new Set(values);
    const heard = toldBy(acceptors, (number) => this.#at(number).told[round] ?? null);
    const key = `${round} ${heard.map(String).sort().join(" ")}`;
    const before = this.#proposable.get(key);
    if (before !== undefined) return before;
    const found = new Set<string>();
    this.#proposable.set(key, found);
    const { rule, acceptors: count, fast } = this.#case;
    for (let subset = 1; subset < 2 ** heard.length; subset++) {
      const quorum = heard.filter((_, i) => (subset >> i) % 2 === 1);
      if (quorum.length < rule.promises(count)) continue;
      const picked = rule.pick(
        quorum.map((vote) => (vote === "none" ? null : voteOf(vote))),
        count,
      );
      if (picked.kind === "bound") found.add(bytesText(picked.value));
      else for (const value of fast(round) ? [any] : values) found.add(value);
    }
    return found;
  }

  /** Which values are chosen, and whether in some round both have votes. */
  outcome({ acceptors }: State): { readonly chosen: readonly string[]; readonly both: boolean } {
    const { rule, rounds, acceptors: count } = this.#case;
    const chosen = new Set<string>();
    let both = false;
    for (let round = 0; round < rounds; round++) {
      const counts = values.map(
        (value) => acceptors.filter((number) => this.#at(number).voted[round] === value).length,
      );
      both ||= counts.every((votes) => votes > 0);
      for (const [i, value] of values.entries())
        if ((counts[i] ?? 0) >= rule.quorum(count, ballotOf(round))) chosen.add(value);
    }
    return { chosen: [...chosen], both };
  }

  /** The same for states that differ by the names of acceptors and values only. */
  keyOf({ acceptors, sent }: State): string {
    const key = (numbers: readonly number[], words: readonly string[]): string =>
      `${words.join("")} ${[...numbers].sort((a, b) => a - b).join()}`;
    const plain = key(acceptors, sent);
    const turned = key(
      acceptors.map((number) => this.#turned[number] ?? 0),
      sent.map(turn),
    );
    return plain < turned ? plain : turned;
  }

  describe({ acceptors, sent }: State): unknown {
    return { sent, acceptors: acceptors.map((number) => this.#at(number)) };
  }

  #at(number: number): Explored {
    const of = this.#all[number];
    if (of === undefined) throw new Error(`there is no state ${number}`);
    return of;
  }

  #number(of: Explored): number {
    const key = JSON.stringify(of);
    const before = this.#numbers.get(key);
    if (before !== undefined) return before;
    const number = this.#all.push(of) - 1;
    this.#numbers.set(key, number);
    const cast = (vote: Cast | null): Cast | null => vote && [vote[0], turn(vote[1])];
    const mirror = {
      promised: of.promised,
      vote: cast(of.vote),
      told: of.told.map((vote) => (vote === "none" ? vote : cast(vote))),
      voted: of.voted.map((value) => value && turn(value)),
    };
    this.#turned[number] = number; // Its own, where it has no values.
    this.#turned[number] = this.#number(mirror);
    return number;
  }
}

function turn(value: string): string {
  return value === "x" ? "y" : value === "y" ? "x" : value;
}

function toldBy(
  acceptors: readonly number[],
  told: (number: number) => Explored["told"][number],
): (Cast | "none")[] {
  return acceptors.map(told).filter((vote) => vote !== null);
}

// --- the acceptor under test ---------------------------------------------------------------------

function promised(of: Explored, round: number): Explored | null {
  const acceptor = acceptorOf(of);
  if (!promise(acceptor, ballotOf(round))) return null;
  const last = acceptor.accepted === null ? "none" : castOf(acceptor.accepted);
  // A promise that is repeated is heard as the first one was: proposers do not listen to a second.
  return { ...stateOf(of, acceptor), told: set(of.told, round, of.told[round] ?? last) };
}

function voted(of: Explored, round: number, value: string): Explored | null {
  const acceptor = acceptorOf(of);
  if (!accept(acceptor, ballotOf(round), textBytes(value))) return null;
  const before = of.voted[round] ?? value;
  if (before !== value)
    throw new Error(`PX3: an acceptor votes for ${before} and ${value} in round ${round}`);
  return { ...stateOf(of, acceptor), voted: set(of.voted, round, value) };
}

/** Comes back as its records have it. */
function crashed(of: Explored): Explored {
  const row = putInstance("i", { ...acceptorOf(of), decided: null });
  if (row.kind !== "put") throw new Error("an instance is one row");
  const saved = readRows([{ key: row.key, value: row.value }]).instances.get("i");
  return stateOf(of, saved ?? freshAcceptor());
}

function acceptorOf({ promised: round, vote }: Explored): Acceptor {
  const { promised: none } = freshAcceptor();
  return {
    promised: round < 0 ? none : ballotOf(round),
    accepted: vote === null ? null : voteOf(vote),
  };
}

function stateOf(of: Explored, { accepted, promised: ballot }: Acceptor): Explored {
  return { ...of, promised: ballot.round, vote: accepted && castOf(accepted) };
}

function ballotOf(round: number): Ballot {
  return round === 0 ? firstBallot : { round, proposer: 1, life: 1 };
}

function voteOf([round, value]: Cast): Vote {
  return { ballot: ballotOf(round), value: textBytes(value) };
}

function castOf({ ballot, value }: Vote): Cast {
  return [ballot.round, bytesText(value)];
}

function set<T>(list: readonly T[], at: number, value: T): T[] {
  return list.map((one, i) => (i === at ? value : one));
}

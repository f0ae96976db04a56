/**
 * One peer's part in deciding instances: acceptor, proposer and learner, as a state machine without ports or clock.
 * Which protocol it is a `Rule` says.
 *
 * - PX1: an instance has one value. Whoever hears of two stops.
 * - PX2: that value was proposed by somebody.
 * - PX3: what an acceptor has promised or voted is durable before anybody hears of it: what it says of that is among
 *   the `replies`, which leave when the records of the same turn are flushed.
 * - A proposer uses a ballot once: the number of its life is part of it, and its round grows within a life.
 */

import { mix, type Millis } from "@kith/core";
import { ensure } from "../errors.ts";
import { accept, type Acceptor, freshAcceptor, promise, sameValue, type Vote } from "./acceptor.ts";
import { type Ballot, firstBallot, noBallot, sameBallot } from "./ballot.ts";
import type { Rule } from "./rule.ts";

/** What peers say to each other of an instance. */
export type Word = { readonly instance: string } & (
  | { readonly kind: "prepare"; readonly ballot: Ballot }
  | { readonly kind: "promised"; readonly ballot: Ballot; readonly accepted: Vote | null }
  | { readonly kind: "accept"; readonly ballot: Ballot; readonly value: Uint8Array }
  | { readonly kind: "accepted"; readonly ballot: Ballot; readonly value: Uint8Array }
  /** No promise, or no vote, in this ballot: `promised` is higher. */
  | { readonly kind: "refused"; readonly ballot: Ballot; readonly promised: Ballot }
  | { readonly kind: "ask" }
  /** Nothing is known to be decided here; this is the acceptor's last vote. */
  | { readonly kind: "undecided"; readonly accepted: Vote | null }
  | { readonly kind: "decided"; readonly value: Uint8Array }
);

/** A word on its way. */
export interface Letter {
  readonly to: number;
  readonly word: Word;
}

/** The settings of a provider of Decisions, each with what raising it costs. */
export interface DecideSettings {
  /** How long a proposer waits for answers before it tries a higher ballot. Raising it makes losses cost more. */
  readonly retry: Millis;
  /** The longest pause after a first refusal, doubled with each one up to 64 times. Raising it makes duels rarer. */
  readonly backoff: Millis;
  /** How many instances may be open here before one more is answered `Busy`. */
  readonly openMax: number;
  /** How many instances are remembered, decided ones too; a new one beyond them is answered `Busy`. */
  readonly instancesMax: number;
}

/** What holds where nothing else is said. */
export const defaultDecideSettings: DecideSettings = {
  retry: 500,
  backoff: 30,
  openMax: 1000,
  instancesMax: 100_000,
};

/** What a peer remembers of an instance: durable. */
export interface Instance extends Acceptor {
  decided: Uint8Array | null;
}

/** What a peer tries to have decided, or to learn. Gone with its life. */
export interface Attempt {
  /** What it proposes; null where it only wants to learn. */
  value: Uint8Array | null;
  phase: "first" | "prepare" | "accept" | "ask";
  ballot: Ballot;
  /** What is asked for in `ballot`, in its second phase. */
  proposed: Uint8Array | null;
  /** By acceptor: the votes they told of when they promised. */
  readonly promises: Map<number, Vote | null>;
  /** By acceptor: their votes, in this ballot or, of a learner, their last ones. */
  readonly votes: Map<number, Vote>;
  readonly refusals: Set<number>;
  /** The highest round that was heard of. */
  round: number;
  failures: number;
  deadline: Millis;
}

/** What has to happen after a turn. */
export interface DecideEffects {
  /** What has to be written, by instance. */
  readonly records: Map<string, Instance>;
  /** Whether the records have to be flushed before the replies leave. */
  readonly flush: boolean;
  /** What waits for the records. */
  readonly replies: readonly Letter[];
  /** What does not. */
  readonly requests: readonly Letter[];
  /** Instances whose value is known from now on. */
  readonly decided: readonly string[];
}

/** A peer. Plain data. */
export interface Decider {
  readonly self: number;
  readonly life: number;
  /** The acceptors' peerIds, the same at all peers for ever. */
  readonly acceptors: readonly number[];
  readonly settings: DecideSettings;
  readonly seed: number;
  draws: number;
  now: Millis;
  readonly instances: Map<string, Instance>;
  readonly attempts: Map<string, Attempt>;
  out: {
    readonly dirty: Set<string>;
    flush: boolean;
    readonly replies: Letter[];
    readonly requests: Letter[];
    readonly decided: string[];
  };
}

/** A peer with what its storage has of earlier lives. */
export function decider(
  options: Pick<Decider, "self" | "life" | "acceptors" | "seed" | "now"> & {
    readonly settings?: Partial<DecideSettings>;
  },
  durable: Iterable<readonly [string, Instance]>,
): Decider {
  const { self, life, acceptors, seed, now, settings } = options;
  const instances = new Map<string, Instance>();
  for (const [name, instance] of durable) instances.set(name, { ...instance });
  return {
    self,
    life,
    acceptors,
    seed,
    now,
    settings: { ...defaultDecideSettings, ...settings },
    draws: 0,
    instances,
    attempts: new Map(),
    out: nothing(),
  };
}

/** Whether there is room for an instance that is asked for here. */
export function hasRoom(state: Decider, name: string): boolean {
  if (state.attempts.has(name)) return true;
  const { openMax } = state.settings;
  return state.attempts.size < openMax && isRemembered(state, name);
}

/** Tries to have a value decided; where this peer proposes another one already, that one stays. */
export function propose(state: Decider, rule: Rule, name: string, value: Uint8Array): void {
  if (decisionOf(state, name) !== null) return;
  const open = state.attempts.get(name);
  if (open !== undefined && open.value !== null) return;
  const attempt = open ?? newAttempt(value);
  attempt.value = value;
  state.attempts.set(name, attempt);
  // A learner that has begun a ballot of its own goes on in that.
  if (open !== undefined && open.phase !== "ask") return;
  if (rule.open) askFirst(state, name, attempt, value);
  else prepare(state, name, attempt);
}

/** Asks what was decided; once somebody has voted, it sees to it that something is. */
export function learn(state: Decider, name: string): void {
  if (decisionOf(state, name) !== null || state.attempts.has(name)) return;
  const attempt = newAttempt(null);
  state.attempts.set(name, attempt);
  ask(state, name, attempt);
}

/** Gives up what nobody waits for any more. */
export function abandon(state: Decider, name: string): void {
  state.attempts.delete(name);
}

/** What was decided, as far as it is known here. */
export function decisionOf(state: Decider, name: string): Uint8Array | null {
  return state.instances.get(name)?.decided ?? null;
}

/** Hears a word of a peer. */
export function receive(state: Decider, rule: Rule, from: number, word: Word): void {
  const { instance: name } = word;
  switch (word.kind) {
    case "prepare":
    case "accept":
    case "ask":
      return asAcceptor(state, from, word);
    case "decided":
      return decide(state, name, word.value);
    case "promised":
    case "accepted":
    case "refused":
    case "undecided": {
      const attempt = state.attempts.get(name);
      if (attempt === undefined || !state.acceptors.includes(from)) return;
      if (word.kind === "undecided") onUndecided(state, rule, name, attempt, from, word.accepted);
      else if (!sameBallot(word.ballot, attempt.ballot)) return;
      else if (word.kind === "refused") onRefused(state, rule, attempt, from, word.promised);
      else if (word.kind === "promised")
        onPromised(state, rule, name, attempt, from, word.accepted);
      else onAccepted(state, rule, name, attempt, from, word);
    }
  }
}

/** Lets time pass. */
export function tick(state: Decider, now: Millis): void {
  state.now = now;
  for (const [name, attempt] of state.attempts) {
    if (now < attempt.deadline) continue;
    attempt.failures++;
    const idle = attempt.value === null && attempt.votes.size === 0;
    if (attempt.phase === "ask" && idle) ask(state, name, attempt);
    else prepare(state, name, attempt);
  }
}

/** What has to happen after the inputs so far. */
export function turn(state: Decider): DecideEffects {
  const { dirty, flush, replies, requests, decided } = state.out;
  const records = new Map<string, Instance>();
  for (const name of dirty) {
    const instance = state.instances.get(name);
    if (instance !== undefined) records.set(name, { ...instance });
  }
  state.out = nothing();
  return { records, flush, replies, requests, decided };
}

// --- the acceptor --------------------------------------------------------------------------------

function asAcceptor(
  state: Decider,
  from: number,
  word: Word & { readonly kind: "prepare" | "accept" | "ask" },
): void {
  const { instance: name } = word;
  const known = decisionOf(state, name);
  if (known !== null) return reply(state, from, { instance: name, kind: "decided", value: known });
  if (!state.acceptors.includes(state.self)) return;
  if (word.kind === "ask") {
    const accepted = state.instances.get(name)?.accepted ?? null;
    return reply(state, from, { instance: name, kind: "undecided", accepted });
  }
  if (!isRemembered(state, name)) return; // The proposer tries again, as if this were lost.
  const instance = state.instances.get(name) ?? { ...freshAcceptor(), decided: null };
  const { ballot } = word;
  const { promised, accepted } = instance;
  const granted =
    word.kind === "prepare" ? promise(instance, ballot) : accept(instance, ballot, word.value);
  if (instance.promised !== promised || instance.accepted !== accepted) {
    state.instances.set(name, instance);
    state.out.dirty.add(name);
    state.out.flush = true;
  }
  const vote = instance.accepted;
  if (word.kind === "prepare" && granted)
    return reply(state, from, { instance: name, kind: "promised", ballot, accepted: vote });
  // In the first ballot it may have voted for another value: that is what its proposer has to know.
  if (word.kind === "accept" && vote !== null && sameBallot(vote.ballot, ballot))
    return reply(state, from, { instance: name, kind: "accepted", ballot, value: vote.value });
  return reply(state, from, {
    instance: name,
    kind: "refused",
    ballot,
    promised: instance.promised,
  });
}

// --- the proposer --------------------------------------------------------------------------------

function askFirst(state: Decider, name: string, attempt: Attempt, value: Uint8Array): void {
  begin(state, attempt, "first", firstBallot);
  attempt.proposed = value;
  requestAll(state, { instance: name, kind: "accept", ballot: firstBallot, value });
}

function prepare(state: Decider, name: string, attempt: Attempt): void {
  const round = Math.max(attempt.round, 0) + 1;
  const ballot = { round, proposer: state.self, life: state.life };
  begin(state, attempt, "prepare", ballot);
  attempt.round = round;
  requestAll(state, { instance: name, kind: "prepare", ballot });
}

function onPromised(
  state: Decider,
  rule: Rule,
  name: string,
  attempt: Attempt,
  from: number,
  accepted: Vote | null,
): void {
  if (attempt.phase !== "prepare") return;
  attempt.promises.set(from, accepted);
  const count = state.acceptors.length;
  if (attempt.promises.size < rule.promises(count)) return;
  const picked = rule.pick([...attempt.promises.values()], count);
  const value = picked.kind === "bound" ? picked.value : (attempt.value ?? picked.seen);
  if (value === null) return begin(state, attempt, "ask", noBallot); // A learner, and nobody has voted.
  const { ballot } = attempt;
  begin(state, attempt, "accept", ballot);
  attempt.proposed = value;
  requestAll(state, { instance: name, kind: "accept", ballot, value });
}

function onAccepted(
  state: Decider,
  rule: Rule,
  name: string,
  attempt: Attempt,
  from: number,
  vote: Vote,
): void {
  const { phase, ballot, proposed } = attempt;
  if (phase === "accept")
    ensure(
      proposed !== null && sameValue(vote.value, proposed),
      "PX1",
      () => `another value was accepted in ballot ${ballot.round} of ${ballot.proposer}`,
    );
  else if (phase !== "first") return;
  attempt.votes.set(from, vote);
  if (count(state, rule, name, attempt) || phase !== "first") return;
  // Nothing can win any more: a collision.
  const all = state.acceptors.length;
  const votes = [...attempt.votes.values()];
  const most = Math.max(...votes.map(({ value }) => votesFor(votes, value)));
  if (most + all - votes.length < rule.quorum(all, ballot)) pause(state, attempt);
}

function onRefused(
  state: Decider,
  rule: Rule,
  attempt: Attempt,
  from: number,
  promised: Ballot,
): void {
  attempt.round = Math.max(attempt.round, promised.round);
  attempt.refusals.add(from);
  const all = state.acceptors.length;
  const needed =
    attempt.phase === "prepare" ? rule.promises(all) : rule.quorum(all, attempt.ballot);
  if (attempt.refusals.size === all - needed + 1) pause(state, attempt);
}

// --- the learner ---------------------------------------------------------------------------------

function ask(state: Decider, name: string, attempt: Attempt): void {
  begin(state, attempt, "ask", noBallot);
  requestAll(state, { instance: name, kind: "ask" });
}

function onUndecided(
  state: Decider,
  rule: Rule,
  name: string,
  attempt: Attempt,
  from: number,
  accepted: Vote | null,
): void {
  if (attempt.phase !== "ask" || accepted === null) return;
  attempt.round = Math.max(attempt.round, accepted.ballot.round);
  attempt.votes.set(from, accepted);
  count(state, rule, name, attempt);
}

/** Decides where a value has enough votes of one ballot. */
function count(state: Decider, rule: Rule, name: string, attempt: Attempt): boolean {
  const votes = [...attempt.votes.values()];
  for (const { ballot, value } of votes) {
    const same = votes.filter((vote) => sameBallot(vote.ballot, ballot));
    if (votesFor(same, value) < rule.quorum(state.acceptors.length, ballot)) continue;
    decide(state, name, value);
    for (const to of state.acceptors)
      if (to !== state.self) request(state, to, { instance: name, kind: "decided", value });
    return true;
  }
  return false;
}

function decide(state: Decider, name: string, value: Uint8Array): void {
  const instance = state.instances.get(name) ?? { ...freshAcceptor(), decided: null };
  const { decided } = instance;
  ensure(decided === null || sameValue(decided, value), "PX1", () => `${name} has two values`);
  if (decided !== null) return;
  if (!isRemembered(state, name) && !state.attempts.has(name)) return; // Others know it.
  instance.decided = value;
  // What it has promised and voted for is of no interest any more.
  instance.promised = noBallot;
  instance.accepted = null;
  state.instances.set(name, instance);
  state.attempts.delete(name);
  state.out.dirty.add(name);
  state.out.decided.push(name);
}

// --- helpers -------------------------------------------------------------------------------------

function newAttempt(value: Uint8Array | null): Attempt {
  return {
    value,
    phase: "ask",
    ballot: noBallot,
    proposed: null,
    promises: new Map(),
    votes: new Map(),
    refusals: new Set(),
    round: 0,
    failures: 0,
    deadline: 0,
  };
}

function begin(state: Decider, attempt: Attempt, phase: Attempt["phase"], ballot: Ballot): void {
  attempt.phase = phase;
  attempt.ballot = ballot;
  attempt.proposed = null;
  attempt.promises.clear();
  attempt.votes.clear();
  attempt.refusals.clear();
  wait(state, attempt);
}

/** Waits for answers; longer, the more often that was in vain. */
function wait(state: Decider, attempt: Attempt): void {
  const { retry } = state.settings;
  attempt.deadline = state.now + retry * Math.min(4, 1 + attempt.failures) + draw(state, retry);
}

/** There is no more to expect of this ballot: the next one follows soon, and not at the same time as another's. */
function pause(state: Decider, attempt: Attempt): void {
  const longest = state.settings.backoff * 2 ** Math.min(6, attempt.failures);
  attempt.deadline = Math.min(attempt.deadline, state.now + draw(state, longest));
}

function draw(state: Decider, bound: number): number {
  return mix(state.seed, state.draws++) % Math.max(1, Math.floor(bound));
}

function isRemembered(state: Decider, name: string): boolean {
  return state.instances.has(name) || state.instances.size < state.settings.instancesMax;
}

function votesFor(votes: readonly Vote[], value: Uint8Array): number {
  return votes.filter((vote) => sameValue(vote.value, value)).length;
}

function requestAll(state: Decider, word: Word): void {
  for (const to of state.acceptors) request(state, to, word);
}

function request(state: Decider, to: number, word: Word): void {
  state.out.requests.push({ to, word });
}

function reply(state: Decider, to: number, word: Word): void {
  state.out.replies.push({ to, word });
}

function nothing(): Decider["out"] {
  return { dirty: new Set(), flush: false, replies: [], requests: [], decided: [] };
}

/**
 * One peer's part in Paxos Commit (Gray and Lamport 2006), as a state machine without ports or clock: acceptor, resource
 * manager, and leader of transactions, be it as their manager or because that one is silent.
 *
 * - PC1: a transaction has one outcome. Whoever hears of two stops.
 * - PC2: it commits only where all managers have voted `prepared`: a manager that hears otherwise stops.
 * - PC3: a resource manager goes from working to prepared to committed or aborted, and never back. Its vote is durable
 *   before an acceptor hears of it, so that it votes the same in every life.
 * - An acceptor keeps its votes until all managers have taken the outcome, and knows then that the transaction is over.
 *   One that had forgotten would let a late leader abort what was committed.
 *
 * The set of managers stands in every message; an acceptor that knows another one for the transaction does not answer.
 */

import { mix, type Millis } from "@kith/core";
import type { PeerAddress } from "../config.ts";
import { firstBallot, noBallot, sameBallot } from "../decide/ballot.ts";
import { ensure } from "../errors.ts";
import { singleRule } from "../single/single-rule.ts";
import {
  aborted,
  acceptFor,
  freshBallots,
  isPrepared,
  type ManagerId,
  outcomeOf,
  prepared,
  promiseAll,
  proposal,
} from "./ballots.ts";
import {
  formatTransaction,
  isOver,
  lifeOf,
  noteBelow,
  noteOver,
  parseTransaction,
  type TransactionId,
} from "./transaction-id.ts";
import {
  type Accepting,
  type CommitSettings,
  type CommitEffects,
  type CommitWord,
  type Committer,
  defaultCommitSettings,
  type DurableCommits,
  type Leading,
  type Managing,
} from "./transactions.ts";

/** A peer with what its storage has. */
export function committer(
  options: Pick<Committer, "self" | "life" | "acceptors" | "seed" | "now"> & {
    readonly settings?: Partial<CommitSettings>;
  },
  durable: DurableCommits,
): Committer {
  const { self, life, acceptors, seed, now } = options;
  const settings = { ...defaultCommitSettings, ...options.settings };
  const state: Committer = {
    self,
    life,
    acceptors,
    settings,
    seed,
    draws: 0,
    now,
    lastSeq: 0,
    accepting: new Map(),
    managing: new Map(),
    leading: new Map(),
    over: new Map(durable.over),
    finished: new Map(durable.finished),
    out: nothing(),
  };
  for (const [name, one] of durable.accepting)
    state.accepting.set(name, { ...one, deadline: staleAt(state) });
  for (const [name, { managers, vote }] of durable.managing) {
    const deadline = now + draw(state, settings.patience);
    state.managing.set(name, { managers, vote, outcome: null, tellers: new Set(), deadline });
  }
  return state;
}

/** Begins a transaction. @returns its name; null where too many are open */
export function begin(
  state: Committer,
  managers: readonly PeerAddress[],
  body: Uint8Array,
): string | null {
  if (state.leading.size >= state.settings.openMax) return null;
  const { self, life } = state;
  const name = formatTransaction({ manager: self.peerId, life, seq: ++state.lastSeq });
  const lead = newLeading(managers, body);
  state.leading.set(name, lead);
  lead.deadline = state.now + state.settings.patience;
  lead.resend = state.now + state.settings.retry;
  askVotes(state, name, lead);
  return name;
}

/** Leads a transaction of another peer to its end. @returns false where too many are open */
export function end(state: Committer, name: string, managers: readonly PeerAddress[]): boolean {
  if (state.leading.has(name)) return true;
  if (isOver(state.over, parseTransaction(name))) {
    state.out.news.push({ kind: "ended", transaction: name, committed: null });
    return true;
  }
  if (state.leading.size >= state.settings.openMax) return false;
  const lead = newLeading(managers, new Uint8Array());
  state.leading.set(name, lead);
  prepare(state, name, lead);
  return true;
}

/** The vote of this peer. */
export function cast(state: Committer, name: string, isYes: boolean): void {
  const one = state.managing.get(name);
  if (one === undefined || one.vote !== null || one.outcome !== null) return;
  one.vote = isYes ? prepared : aborted;
  one.deadline = state.now + state.settings.patience + draw(state, state.settings.patience);
  state.out.dirty.add(name);
  state.out.flush = true;
  sendVote(state, name, one.managers, one.vote);
}

/** This peer has taken the outcome. */
export function take(state: Committer, name: string): void {
  const one = state.managing.get(name);
  if (one === undefined || one.outcome === null) return;
  finish(state, name, one);
}

/** Hears a word of a peer. */
export function receive(state: Committer, from: PeerAddress, word: CommitWord): void {
  const { transaction: name, managers } = word;
  const id = parseTransaction(name);
  if (word.kind === "begin" || word.kind === "over") {
    noteBelow(state.finished, id, word.doneBelow);
    if (noteBelow(state.over, id, word.doneBelow)) forgetBelow(state, lifeOf(id));
  }
  switch (word.kind) {
    case "begin":
      return onBegin(state, word, isFinished(state, id));
    case "vote":
    case "prepare":
    case "accept": {
      if (isOver(state.over, id)) return reply(state, from, { ...head(word), kind: "ended" });
      return asAcceptor(state, from, word);
    }
    case "outcome":
      return onOutcome(state, from, word, isFinished(state, id));
    case "over": {
      if (!isOver(state.over, id)) {
        noteOver(state.over, id);
        forget(state, name);
      }
      return reply(state, from, { ...head(word), kind: "ended" });
    }
    case "voted":
    case "promised":
    case "accepted":
    case "refused":
    case "taken":
    case "ended": {
      const lead = state.leading.get(name);
      if (lead !== undefined && sameManagers(lead.managers, managers))
        onAnswer(state, name, lead, from, word);
    }
  }
}

/** Lets time pass. */
export function tick(state: Committer, now: Millis): void {
  state.now = now;
  for (const [name, lead] of state.leading) {
    const waits = lead.phase === "collect" || lead.phase === "prepare" || lead.phase === "accept";
    if (waits && now >= lead.deadline) {
      lead.failures++;
      prepare(state, name, lead);
    } else if (now >= lead.resend) again(state, name, lead);
  }
  for (const [name, one] of state.managing) {
    if (one.outcome !== null || now < one.deadline) continue;
    // The leader is silent: this manager leads it to its end.
    one.deadline = now + 4 * state.settings.patience;
    end(state, name, one.managers);
  }
  for (const [name, one] of state.accepting) {
    if (now < one.deadline) continue;
    one.deadline = staleAt(state);
    end(state, name, one.managers);
  }
}

/** What has to happen after the inputs so far. */
export function turn(state: Committer): CommitEffects {
  const { out } = state;
  state.out = nothing();
  return out;
}

/** Whether time has to pass for something to happen. */
export function isBusy(state: Committer): boolean {
  return state.leading.size > 0 || state.managing.size > 0 || state.accepting.size > 0;
}

// --- the resource manager ------------------------------------------------------------------------

function onBegin(
  state: Committer,
  word: CommitWord & { readonly kind: "begin" },
  finished: boolean,
): void {
  const { transaction: name, managers, body } = word;
  if (finished || !managers.some(({ peerId }) => peerId === state.self.peerId)) return;
  const known = state.managing.get(name);
  if (known === undefined) {
    if (state.managing.size >= state.settings.openMax) return; // As if it were lost.
    const deadline = state.now + 4 * state.settings.patience;
    const tellers = new Set<number>();
    state.managing.set(name, { managers, vote: null, outcome: null, tellers, deadline });
    state.out.news.push({ kind: "vote-asked", transaction: name, managers, body });
  } else if (known.vote !== null) sendVote(state, name, known.managers, known.vote);
}

function onOutcome(
  state: Committer,
  from: PeerAddress,
  word: CommitWord & { readonly kind: "outcome" },
  finished: boolean,
): void {
  const { transaction: name, managers, committed } = word;
  adopt(state, name, committed);
  if (!managers.some(({ peerId }) => peerId === state.self.peerId)) return;
  if (finished) return reply(state, from, { ...head(word), kind: "taken" });
  const one = state.managing.get(name);
  if (one === undefined) {
    // It was never asked, or has not voted in an earlier life: there is nothing to undo.
    ensure(!committed, "PC2", () => `${name} has committed without the vote of this manager`);
    noteOver(state.finished, parseTransaction(name));
    state.out.dirtyLives.add(lifeOf(parseTransaction(name)));
    state.out.flush = true;
    return reply(state, from, { ...head(word), kind: "taken" });
  }
  ensure(
    one.outcome === null || one.outcome === committed,
    "PC1",
    () => `${name} has two outcomes`,
  );
  ensure(
    !committed || (one.vote !== null && isPrepared(one.vote)),
    "PC2",
    () => `${name} has committed, and this manager has not voted so`,
  );
  one.tellers.add(from.peerId);
  if (one.outcome !== null) return;
  one.outcome = committed;
  state.out.news.push({ kind: "outcome", transaction: name, committed });
}

/** Another leader knows the outcome: this one sees to it as well that all take it. */
function adopt(state: Committer, name: string, committed: boolean): void {
  const lead = state.leading.get(name);
  if (lead === undefined) return;
  const known = lead.committed ?? committed;
  ensure(known === committed, "PC1", () => `${name} has two outcomes`);
  if (lead.phase !== "tell" && lead.phase !== "over") tell(state, name, lead, committed);
}

/** The outcome is taken: nothing of it is needed here any more. */
function finish(state: Committer, name: string, one: Managing): void {
  const id = parseTransaction(name);
  state.managing.delete(name);
  noteOver(state.finished, id);
  state.out.dirty.add(name);
  state.out.dirtyLives.add(lifeOf(id));
  state.out.flush = true;
  const { managers } = one;
  for (const peerId of one.tellers) {
    const to = addressOf(state, managers, peerId);
    reply(state, to, { transaction: name, managers, kind: "taken" });
  }
}

function sendVote(
  state: Committer,
  name: string,
  managers: readonly PeerAddress[],
  value: Uint8Array,
): void {
  // A vote is a promise of this peer: it waits for the disk.
  for (const to of state.acceptors)
    reply(state, to, { transaction: name, managers, kind: "vote", value });
}

// --- the acceptor --------------------------------------------------------------------------------

function asAcceptor(
  state: Committer,
  from: PeerAddress,
  word: CommitWord & { readonly kind: "vote" | "prepare" | "accept" },
): void {
  const { transaction: name, managers } = word;
  if (!state.acceptors.some(({ peerId }) => peerId === state.self.peerId)) return;
  const known = state.accepting.get(name);
  if (known === undefined && state.accepting.size >= state.settings.openMax) return; // As if it were lost.
  const one: Accepting = known ?? { ...freshBallots(), managers, deadline: 0 };
  if (!sameManagers(one.managers, managers)) return;
  one.deadline = staleAt(state);
  state.accepting.set(name, one);
  state.out.dirty.add(name);
  state.out.flush = true;
  const ballot = word.kind === "vote" ? firstBallot : word.ballot;
  const refuse = (): void =>
    reply(state, from, { ...head(word), kind: "refused", ballot, promised: one.promised });
  if (word.kind === "vote") {
    if (!acceptFor(one, from.peerId, ballot, word.value)) return;
    tellVotes(state, name, one);
  } else if (word.kind === "prepare") {
    if (!promiseAll(one, ballot)) return refuse();
    reply(state, from, { ...head(word), kind: "promised", ballot, votes: new Map(one.votes) });
  } else {
    for (const [manager, value] of word.values)
      if (!acceptFor(one, manager, ballot, value)) return refuse();
    reply(state, from, { ...head(word), kind: "accepted", ballot });
  }
}

/** Tells the transaction's manager what the first ballot has brought, once it can decide something. */
function tellVotes(state: Committer, name: string, { managers, votes }: Accepting): void {
  const cast = managers.map(({ peerId }) => votes.get(peerId));
  const complete = cast.every((vote) => vote !== undefined);
  if (!complete && !cast.some((vote) => vote !== undefined && !isPrepared(vote.value))) return;
  const to = addressOf(state, managers, parseTransaction(name).manager);
  reply(state, to, { transaction: name, managers, kind: "voted", votes: new Map(votes) });
}

// --- the leader ----------------------------------------------------------------------------------

function onAnswer(
  state: Committer,
  name: string,
  lead: Leading,
  from: PeerAddress,
  word: CommitWord,
): void {
  const isAcceptor = state.acceptors.some(({ peerId }) => peerId === from.peerId);
  const of = lead.managers.map(({ peerId }) => peerId);
  const count = state.acceptors.length;
  if (word.kind === "taken" && lead.phase === "tell") {
    lead.taken.add(from.peerId);
    if (of.every((peerId) => lead.taken.has(peerId))) declareOver(state, name, lead);
  } else if (!isAcceptor) return;
  else if (word.kind === "ended") {
    if (lead.phase !== "over") {
      // Another leader was faster, and all have taken it.
      if (lead.phase !== "tell")
        state.out.news.push({ kind: "ended", transaction: name, committed: null });
      declareOver(state, name, lead);
    }
    lead.taken.add(from.peerId);
    if (state.acceptors.every(({ peerId }) => lead.taken.has(peerId))) state.leading.delete(name);
  } else if (word.kind === "voted" && lead.phase === "collect") {
    lead.heard.set(from.peerId, word.votes);
    const outcome = outcomeOf(of, [...lead.heard.values()], count);
    if (outcome !== null) tell(state, name, lead, outcome === "committed");
  } else if (word.kind === "promised" && lead.phase === "prepare") {
    if (!sameBallot(word.ballot, lead.ballot)) return;
    lead.heard.set(from.peerId, word.votes);
    const values = proposal(of, [...lead.heard.values()], count);
    if (values !== null) askAccept(state, name, lead, values);
  } else if (word.kind === "accepted" && lead.phase === "accept") {
    if (!sameBallot(word.ballot, lead.ballot)) return;
    lead.heard.set(from.peerId, new Map());
    if (lead.heard.size < singleRule.quorum(count, lead.ballot)) return;
    tell(state, name, lead, [...lead.values.values()].every(isPrepared));
  } else if (word.kind === "refused" && sameBallot(word.ballot, lead.ballot)) {
    lead.round = Math.max(lead.round, word.promised.round);
    lead.refusals.add(from.peerId);
    if (lead.refusals.size !== count - singleRule.promises(count) + 1) return;
    // Somebody else leads it to its end; not at the same time as that one.
    const pause = 30 * 2 ** Math.min(6, lead.failures);
    lead.deadline = Math.min(lead.deadline, state.now + draw(state, pause));
  }
}

function askVotes(state: Committer, name: string, { managers, body }: Leading): void {
  const doneBelow = lowestOpen(state);
  for (const to of managers)
    request(state, to, { transaction: name, managers, kind: "begin", body, doneBelow });
}

function prepare(state: Committer, name: string, lead: Leading): void {
  lead.round = Math.max(lead.round, 0) + 1;
  lead.ballot = { round: lead.round, proposer: state.self.peerId, life: state.life };
  startPhase(state, lead, "prepare");
  again(state, name, lead);
}

function askAccept(
  state: Committer,
  name: string,
  lead: Leading,
  values: ReadonlyMap<ManagerId, Uint8Array>,
): void {
  startPhase(state, lead, "accept");
  lead.values = values;
  again(state, name, lead);
}

function tell(state: Committer, name: string, lead: Leading, committed: boolean): void {
  startPhase(state, lead, "tell");
  lead.committed = committed;
  state.out.news.push({ kind: "ended", transaction: name, committed });
  again(state, name, lead);
}

function declareOver(state: Committer, name: string, lead: Leading): void {
  startPhase(state, lead, "over");
  lead.taken.clear();
  lead.failures = 0;
  again(state, name, lead);
}

/** Says what the phase says, to those who have not answered. */
function again(state: Committer, name: string, lead: Leading): void {
  lead.resend = state.now + state.settings.retry;
  const { managers, ballot, values, committed, phase } = lead;
  const top = { transaction: name, managers };
  const acceptors = state.acceptors.filter(({ peerId }) => !lead.heard.has(peerId));
  if (phase === "collect") askVotes(state, name, lead);
  else if (phase === "prepare")
    for (const to of acceptors) request(state, to, { ...top, kind: "prepare", ballot });
  else if (phase === "accept")
    for (const to of acceptors) request(state, to, { ...top, kind: "accept", ballot, values });
  else if (phase === "tell" && committed !== null) {
    // Who began it wants to know, too.
    const { manager } = parseTransaction(name);
    const told = managers.some(({ peerId }) => peerId === manager)
      ? managers
      : [...managers, addressOf(state, managers, manager)];
    for (const to of told)
      if (!lead.taken.has(to.peerId)) request(state, to, { ...top, kind: "outcome", committed });
  } else {
    // It only saves memory: who does not hear it in time hears it with the number below which all is done.
    if (lead.failures++ >= 10) state.leading.delete(name);
    const doneBelow = lowestOpen(state, name);
    for (const to of state.acceptors)
      if (!lead.taken.has(to.peerId))
        request(state, to, { ...top, kind: "over", doneBelow: mine(state, name) ? doneBelow : 0 });
  }
}

function startPhase(state: Committer, lead: Leading, phase: Leading["phase"]): void {
  lead.phase = phase;
  lead.heard.clear();
  lead.refusals.clear();
  const { patience } = state.settings;
  lead.deadline = state.now + patience * Math.min(4, 1 + lead.failures) + draw(state, patience);
}

/** The number below which all transactions of this life are over; one that is just over may be left out. */
function lowestOpen(state: Committer, but = ""): number {
  let lowest = state.lastSeq + 1;
  for (const [name, { phase }] of state.leading)
    if (name !== but && phase !== "over" && mine(state, name))
      lowest = Math.min(lowest, parseTransaction(name).seq);
  return lowest;
}

function mine(state: Committer, name: string): boolean {
  const { manager, life } = parseTransaction(name);
  return manager === state.self.peerId && life === state.life;
}

function isFinished(state: Committer, id: TransactionId): boolean {
  return isOver(state.finished, id) || isOver(state.over, id);
}

// --- what is over --------------------------------------------------------------------------------

/** Drops what an acceptor had of a transaction that is over. */
function forget(state: Committer, name: string): void {
  state.accepting.delete(name);
  state.out.dirty.add(name);
  state.out.dirtyLives.add(lifeOf(parseTransaction(name)));
  state.out.flush = true;
}

function forgetBelow(state: Committer, life: string): void {
  state.out.dirtyLives.add(life);
  for (const name of state.accepting.keys()) {
    const id = parseTransaction(name);
    if (lifeOf(id) === life && isOver(state.over, id)) forget(state, name);
  }
}

// --- helpers -------------------------------------------------------------------------------------

function newLeading(managers: readonly PeerAddress[], body: Uint8Array): Leading {
  return {
    managers,
    body,
    phase: "collect",
    ballot: noBallot,
    values: new Map(),
    heard: new Map(),
    refusals: new Set(),
    committed: null,
    taken: new Set(),
    round: 0,
    failures: 0,
    resend: 0,
    deadline: 0,
  };
}

/** Where a peer is, as far as the transaction says; the rest is known to who sends. */
function addressOf(
  state: Committer,
  managers: readonly PeerAddress[],
  peerId: number,
): PeerAddress {
  const known = [...state.acceptors, ...managers].find((peer) => peer.peerId === peerId);
  return known ?? { peerId, host: "", port: 0 };
}

function sameManagers(a: readonly PeerAddress[], b: readonly PeerAddress[]): boolean {
  return a.length === b.length && a.every(({ peerId }, i) => peerId === b[i]?.peerId);
}

function head({ transaction, managers }: CommitWord): Pick<CommitWord, "transaction" | "managers"> {
  return { transaction, managers };
}

/** Long after everybody else would have ended it. */
function staleAt(state: Committer): Millis {
  const { patience } = state.settings;
  return state.now + 8 * patience + draw(state, 8 * patience);
}

function draw(state: Committer, bound: number): number {
  return mix(state.seed, state.draws++) % Math.max(1, Math.floor(bound));
}

function request(state: Committer, to: PeerAddress, word: CommitWord): void {
  state.out.requests.push({ to, word });
}

function reply(state: Committer, to: PeerAddress, word: CommitWord): void {
  state.out.replies.push({ to, word });
}

function nothing(): Committer["out"] {
  return {
    dirty: new Set(),
    dirtyLives: new Set(),
    flush: false,
    replies: [],
    requests: [],
    news: [],
  };
}

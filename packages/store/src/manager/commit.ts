/**
 * Work on a transaction over several groups, an own one or one of another client that is in doubt (algorithms.md
 * §6.5.5, §6.5.6).
 *
 * All votes for it: committed. One against it: cancelled. Who cannot get a vote makes sure that there is one
 * (`force-abort`): then everyone who asks finds the same outcome, and to carry it out twice does no harm.
 */

import { encodeCommand, type Part } from "../command.ts";
import type { Position } from "../position.ts";
import { type Answer, encodeQuery } from "../query.ts";
import type { Result } from "../result.ts";
import { isYoung, ticketOf } from "./execute.ts";
import { nameOf } from "../rows.ts";
import { ask, byGroup, ensureSessions, execute, learn, lost, retry } from "./routing.ts";
import type { TxStatus } from "../status-messages.ts";
import { startRead } from "./read.ts";
import { type Call, close, type CommitJob, type Ended, type ManagerState, reply } from "./state.ts";

/** Goes on with a job whose sessions may be open by now. */
export function driveCommit(state: ManagerState, job: CommitJob): void {
  if (job.phase !== "sessions" || !ensureSessions(state, job.keys)) return;
  job.tx = { client: state.client, seq: state.nextSeq++ };
  state.openSeqs.add(job.tx.seq);
  job.sentAt = state.now;
  enter(state, job);
}

/**
 * Begins to prepare; where others were in its way at its keys lately, it stands in line for the first of them before. All who want that
 * key stand there, and who is let in finds nobody in its way at the others, or those who want only them.
 */
function enter(state: ManagerState, job: CommitJob): void {
  const { tx, keys, queues } = job;
  const [first] = keys;
  if (!queues || tx === null || first === undefined || !isHot(state, first))
    return begin(state, job);
  job.phase = "entering";
  for (const [gid, own] of byGroup(state, keys)) {
    const isLine = own.includes(first);
    const query = {
      kind: "enter",
      // Elsewhere it only looks whether it comes in vain.
      name: isLine ? nameOf(tx) : "",
      keys: own.map((position) => ({ position, expected: partOf(job, position).expected })),
    } as const;
    const purpose = isLine ? "enter" : "look";
    ask(state, { job: job.id, purpose, gid, keys: own }, encodeQuery(query));
  }
  return undefined;
}

function begin(state: ManagerState, job: CommitJob): void {
  job.phase = "preparing";
  job.deadline = Math.min(job.until, state.now + state.settings.commitMs);
  prepare(state, job, job.keys);
}

/** The line has let the transaction in; or it was found that it comes in vain. */
export function entered(state: ManagerState, job: CommitJob, call: Call, found: Answer): void {
  if (job.phase !== "entering") return undefined;
  if (found.kind === "outdated") {
    overtaken(state, job);
    // Nothing was sent but this, so nobody has to be told but the line.
    if (call.purpose === "look") leave(state, job);
    answer(state, job, { kind: "aborted", outdated: found.position });
    return end(state, job);
  }
  if (found.kind === "wrong-range") learn(state, call.gid, found.descriptors);
  // The line is advice: who hears nothing of it goes on without.
  return call.purpose === "enter" ? begin(state, job) : undefined;
}

function leave(state: ManagerState, { tx, keys }: CommitJob): void {
  const [first] = keys;
  if (tx === null || first === undefined) return;
  const query = encodeQuery({ kind: "enter", name: nameOf(tx), keys: [] });
  for (const gid of byGroup(state, [first]).keys())
    ask(state, { job: 0, purpose: "look", gid, keys: [] }, query);
}

/** So long after others were in its way there, a transaction stands in line for its first key. */
const hotMs = 1000;
const hotMax = 1024;

function isHot({ hot, now }: ManagerState, key: Position): boolean {
  return (hot.get(key) ?? 0) > now;
}

/** Others were in its way. */
function overtaken({ hot, now }: ManagerState, { keys: [first] }: CommitJob): void {
  if (first === undefined) return;
  hot.delete(first);
  hot.set(first, now + hotMs);
  for (const [oldest] of hot) {
    if (hot.size <= hotMax) break;
    hot.delete(oldest);
  }
}

/** Asks the manager of another client's transaction how far it is. */
export function askManager(state: ManagerState, job: CommitJob): void {
  const { tx, hint } = job;
  if (tx === null || hint === "") return recover(state, job);
  job.phase = "asking";
  job.atWork = false;
  job.askDue = state.now + state.settings.askMs;
  state.out.asks.push({ hint, tx });
}

/** The manager of a transaction has said how far it is. */
export function managerSaid(state: ManagerState, job: CommitJob, status: TxStatus): void {
  if (status === "C" || status === "X") return settle(state, job, status);
  if (job.phase !== "asking") return;
  if (status === "working") job.atWork = true;
  else recover(state, job);
}

/** Begins to find out, and to carry out, what became of a transaction. */
export function recover(state: ManagerState, job: CommitJob): void {
  job.phase = "recovering";
  forceAbort(state, job, unvoted(job));
  decide(state, job);
}

/** A group has answered. */
export function voted(state: ManagerState, job: CommitJob, call: Call, result: Result): void {
  const { kind } = result;
  if (kind === "votes") {
    for (const { position, state: vote } of result.votes) job.votes.set(position, vote);
    decide(state, job);
  } else if (kind === "finished" || kind === "finished-awaited") {
    if (kind === "finished-awaited" && job.own) overtaken(state, job);
    for (const key of call.keys) job.acks.add(key);
    if (job.keys.every((key) => job.acks.has(key))) end(state, job);
  } else if (kind === "wrong-range") {
    learn(state, call.gid, result.descriptors);
    retry(state, call, job.tries++);
  } else if (kind === "busy") retry(state, call, job.tries++);
  else if (kind === "no-session") {
    for (const key of call.keys) job.gone.add(key);
    recheck(state, job);
  } else if (kind === "forgotten") {
    // It was final everywhere. Its own manager has been answered, or it would not have been forgotten.
    answer(state, job, { kind: "unknown" });
    end(state, job);
  } else {
    if (kind === "unknown-session") lost(state, call);
    // No session, or a number that is too old: it can only be found out.
    if (job.phase === "preparing") recover(state, job);
  }
}

/** A group tells its registers, after another one had no session for the transaction. */
export function rechecked(state: ManagerState, job: CommitJob, call: Call, found: Answer): void {
  if (found.kind === "wrong-range") learn(state, call.gid, found.descriptors);
  if (found.kind !== "transactions") return retry(state, call, job.tries++);
  const states = new Map(
    found.transactions.flatMap((one) => one.states).map((one) => [one.position, one.state]),
  );
  for (const key of call.keys) job.rechecked.set(key, states.get(key) ?? "none");
  const others = job.keys.filter((key) => !job.gone.has(key));
  if (!others.every((key) => job.rechecked.has(key))) return;
  const seen = others.map((key) => job.rechecked.get(key));
  if (seen.includes("C")) settle(state, job, "C");
  // Prepared there still: it was never final, and where its session is gone it can never be prepared.
  else if (seen.some((one) => one === "P" || one === "A" || one === "X")) settle(state, job, "X");
  else nothingKnown(state, job);
}

/**
 * No group knows anything of the transaction, and one has no session for it. Where an own one is young, it was never
 * prepared there, or the session would be there still; and it can never be.
 */
function nothingKnown(state: ManagerState, job: CommitJob): void {
  if (job.own && isYoung(state, job)) return settle(state, job, "X");
  answer(state, job, { kind: "unknown" });
  return end(state, job);
}

/** Makes a call of the job again. */
export function commitAgain(state: ManagerState, job: CommitJob, call: Call): void {
  const { keys, purpose } = call;
  if (purpose === "enter") {
    if (job.phase === "entering") begin(state, job);
  } else if (purpose === "finish")
    finish(
      state,
      job,
      keys.filter((key) => !job.acks.has(key)),
    );
  else if (purpose === "recheck") recheckAt(state, job, keys);
  else if (job.phase === "preparing")
    prepare(
      state,
      job,
      keys.filter((key) => !job.votes.has(key)),
    );
  else if (job.phase === "recovering")
    forceAbort(
      state,
      job,
      unvoted(job).filter((key) => keys.includes(key)),
    );
}

/** Time has passed. */
export function commitTick(state: ManagerState, job: CommitJob): void {
  if (job.phase === "asking") {
    if (state.now < job.askDue) return;
    // Who is at work comes to an end by itself; but not for ever, where a group is out of its reach.
    if (job.atWork && state.now < job.deadline) askManager(state, job);
    else recover(state, job);
  } else if (
    (job.phase === "sessions" && state.now >= job.deadline) ||
    (job.phase === "entering" && state.now >= job.until)
  ) {
    answer(state, job, { kind: "failed", reason: "timeout" });
    end(state, job);
  } else if (job.phase === "preparing" && state.now >= job.deadline) recover(state, job);
  else if (job.phase === "recovering" && state.now >= job.deadline + state.settings.cancelMs)
    answer(state, job, { kind: "unknown" });
}

function prepare(state: ManagerState, job: CommitJob, open: readonly Position[]): void {
  const { tx, participants } = job;
  if (tx === null) return;
  const bodyHash = tx.seq + 1;
  for (const [gid, keys] of byGroup(state, open)) {
    const ticket = ticketOf(state, gid, tx.seq);
    if (ticket === undefined) return recover(state, job);
    const parts = keys.map((position) => partOf(job, position));
    const { hint } = state;
    const body = encodeCommand({ kind: "prepare", ticket, participants, parts, bodyHash, hint });
    const { token } = ticket;
    execute(state, { job: job.id, purpose: "work", gid, keys, token }, body);
  }
}

function partOf({ reads, writes }: CommitJob, position: Position): Part {
  const read = reads.find((one) => one.position === position);
  const write = writes.find((one) => one.position === position);
  return { position, expected: read?.version ?? null, write: write?.write ?? null };
}

function forceAbort(state: ManagerState, job: CommitJob, open: readonly Position[]): void {
  const { tx, participants } = job;
  if (tx === null) return;
  for (const [gid, keys] of byGroup(state, open)) {
    const body = encodeCommand({ kind: "force-abort", tx, participants, keys });
    execute(state, { job: job.id, purpose: "force-abort", gid, keys }, body);
  }
}

function finish(state: ManagerState, job: CommitJob, open: readonly Position[]): void {
  const { tx, participants, outcome } = job;
  if (tx === null || outcome === null) return;
  const committed = outcome === "C";
  for (const [gid, keys] of byGroup(state, open)) {
    const body = encodeCommand({ kind: "finish", tx, committed, participants, keys });
    execute(state, { job: job.id, purpose: "finish", gid, keys }, body);
  }
}

/** Looks at the registers elsewhere, after the answer that a session is gone. */
function recheck(state: ManagerState, job: CommitJob): void {
  recheckAt(
    state,
    job,
    job.keys.filter((key) => !job.gone.has(key)),
  );
}

function recheckAt(state: ManagerState, job: CommitJob, open: readonly Position[]): void {
  const { tx } = job;
  if (tx === null) return;
  if (open.length === 0 && job.outcome === null) return nothingKnown(state, job);
  for (const [gid, keys] of byGroup(state, open))
    ask(
      state,
      { job: job.id, purpose: "recheck", gid, keys },
      encodeQuery({ kind: "registers", tx, keys }),
    );
}

function unvoted({ keys, votes, gone }: CommitJob): Position[] {
  return keys.filter((key) => !votes.has(key) && !gone.has(key));
}

/** Finds the outcome in the votes that are known. */
function decide(state: ManagerState, job: CommitJob): void {
  if (job.outcome !== null) return;
  const votes = job.keys.map((key) => job.votes.get(key));
  if (votes.includes("C")) settle(state, job, "C");
  else if (votes.some((vote) => vote === "A" || vote === "X")) settle(state, job, "X");
  else if (votes.every((vote) => vote === "P")) settle(state, job, "C");
}

function settle(state: ManagerState, job: CommitJob, outcome: "C" | "X"): void {
  if (job.outcome !== null) return;
  job.outcome = outcome;
  job.phase = "finishing";
  if (job.own && outcome === "X") overtaken(state, job);
  answer(state, job, { kind: outcome === "C" ? "committed" : "aborted" });
  finish(state, job, job.keys);
}

function answer(state: ManagerState, job: CommitJob, ended: Ended): void {
  if (job.replied) return;
  job.replied = true;
  if (!job.own) return;
  const { readings } = job;
  if (readings === null) reply(state, job.asked, ended);
  else if (ended.kind === "committed") reply(state, job.asked, { kind: "readings", readings });
  // Nothing has been changed, whatever became of it: what was read did not hold, and is read again.
  else
    startRead(
      state,
      job.asked,
      readings.map(({ position }) => position),
      job.until,
    );
}

function end(state: ManagerState, job: CommitJob): void {
  if (job.own && job.tx !== null) state.openSeqs.delete(job.tx.seq);
  if (!job.own) state.recovered++;
  close(state, job);
}

/**
 * The transaction manager of a client (algorithms.md §6.5.4 to §6.5.7): gets work, speaks to groups, and says what
 * became of it. A state machine without a world; `state.ts` says what it knows.
 */

import { encodeCommand, type Operation } from "../command.ts";
import { decodeAnswer, encodeQuery, type KnownTx } from "../query.ts";
import { decodeResult } from "../result.ts";
import { type TxId, txOf } from "../rows.ts";
import type { TxStatus } from "../status-messages.ts";
import {
  askManager,
  commitAgain,
  commitTick,
  driveCommit,
  entered,
  managerSaid,
  rechecked,
  voted,
} from "./commit.ts";
import { driveExecute, executeAgain, executed, executeTick } from "./execute.ts";
import { push, readAgain, readTick, startRead, wasRead } from "./read.ts";
import { scanAgain, scanTick, startScan, wasScanned } from "./scan.ts";
import {
  ask,
  byGroup,
  execute,
  greeted,
  learn,
  opened,
  ownerOf,
  retry,
  sayHello,
} from "./routing.ts";
import {
  ackedBelow,
  type Call,
  close,
  type CommitJob,
  type ExecuteJob,
  type Job,
  jobsMax,
  type ManagerState,
  type ReadJob,
  reply,
  type Work,
  type Writing,
} from "./state.ts";

/** What a group has answered: what its machine gave, or that it gave nothing (in time, or at all). */
export type Heard = Uint8Array | "nothing";

const sweepMax = 100;
/** How exactly deadlines are kept. */
const lookMs = 50;

/**
 * Begins a piece of work.
 *
 * @param within how long it is tried, in milliseconds; default `withinMs` of the settings
 * @returns its number, by which its end is told in `out.replies`
 */
export function begin(
  state: ManagerState,
  work: Work,
  now: number,
  within = state.settings.withinMs,
): number {
  state.now = now;
  const asked = ++state.lastWork;
  const deadline = now + within;
  const reads = work.kind === "read" || work.kind === "scan";
  // Numbers are taken by what is open or was answered since the oldest one that is open; who reads needs none.
  if (state.jobs.size >= jobsMax || (!reads && state.nextSeq - ackedBelow(state) >= jobsMax))
    reply(state, asked, { kind: "failed", reason: "busy" });
  else if (work.kind === "read") {
    const keys = [...new Set(work.keys)];
    if (keys.length > 0) startRead(state, asked, keys, deadline, work.apart, work.turn);
    else reply(state, asked, { kind: "readings", readings: [] });
  } else if (work.kind === "scan") startScan(state, asked, work, deadline);
  else if (work.kind === "execute" && work.operations.length === 0)
    reply(state, asked, { kind: "done", outcomes: [] });
  else start(state, jobOf(state, asked, work, deadline));
  return asked;
}

/** Takes an answer. */
export function heard(state: ManagerState, number: number, what: Heard, now: number): void {
  state.now = now;
  const call = state.calls.get(number);
  if (call === undefined) return;
  state.calls.delete(number);
  if (what === "nothing") {
    if (call.job === 0 || state.jobs.has(call.job)) retry(state, call, 4);
  } else if (call.job === 0) heardByAll(state, call, what);
  else {
    const job = state.jobs.get(call.job);
    if (job !== undefined) heardBy(state, job, call, what);
  }
}

/**
 * Looks for transactions that have been prepared in a group for long, and finds out what became of them: what a
 * leader does for those who have nobody to wait for them.
 *
 * @param before the group's time, before which they came
 */
export function sweep(state: ManagerState, gid: string, before: number): void {
  const query = encodeQuery({ kind: "in-doubt", before, limit: sweepMax });
  ask(state, { job: 0, purpose: "inspect", gid, keys: [] }, query);
}

/** Lets time pass. */
export function tickManager(state: ManagerState, now: number): void {
  state.now = now;
  const due = state.retries.filter(({ at }) => at <= now);
  if (due.length > 0) state.retries = state.retries.filter(({ at }) => at > now);
  for (const call of due) again(state, call);
  for (const job of state.jobs.values()) {
    if (job.kind === "execute") executeTick(state, job);
    else if (job.kind === "commit") commitTick(state, job);
    else if (job.kind === "read") readTick(state, job);
    else scanTick(state, job);
  }
  if (now >= state.forgetAt) forgetAll(state);
}

/** When time has to pass again, at the latest; `Infinity` where nothing waits for it. */
export function nextDue(state: ManagerState): number {
  let due = state.jobs.size > 0 ? state.now + lookMs : Infinity;
  for (const { at } of state.retries) due = Math.min(due, at);
  if (state.sessions.size > 0 && ackedBelow(state) !== state.forgotten)
    due = Math.min(due, state.forgetAt);
  return due;
}

/**
 * Finds out what became of a transaction of any client, and carries it out everywhere.
 *
 * @returns the number of the job: where that is over, the transaction is final at all its keys. Null where nobody knows its keys
 */
export function conclude(
  state: ManagerState,
  { name, hint, participants }: KnownTx,
  now: number,
): number | null {
  state.now = now;
  const tx = txOf(name);
  const under = jobOn(state, tx);
  if (under !== undefined) return under.id;
  const keys = participants.map(({ position }) => position);
  if (keys.length === 0 || keys.some((key) => ownerOf(state, key) === undefined)) return null;
  const job = { ...commitJob(state, 0, Infinity), own: false, tx, participants, keys, hint };
  state.jobs.set(job.id, job);
  askManager(state, job);
  return job.id;
}

/** How far an own transaction is, for others; null for one of another client. */
export function statusOf(state: ManagerState, tx: TxId): TxStatus | null {
  if (tx.client !== state.client) return null;
  const job = jobOn(state, tx);
  // That somebody here looks for its outcome does not mean that it is at work.
  return job?.own === true ? (job.outcome ?? "working") : "unknown";
}

/** The manager of a transaction has said how far it is. */
export function told(state: ManagerState, tx: TxId, status: TxStatus, now: number): void {
  state.now = now;
  const job = jobOn(state, tx);
  if (job !== undefined && !job.own) managerSaid(state, job, status);
}

function jobOn(state: ManagerState, { client, seq }: TxId): CommitJob | undefined {
  for (const job of state.jobs.values())
    if (job.kind === "commit" && job.tx?.client === client && job.tx.seq === seq) return job;
  return undefined;
}

function start(state: ManagerState, job: ExecuteJob | CommitJob): void {
  state.jobs.set(job.id, job);
  drive(state, job);
}

function drive(state: ManagerState, job: Job): void {
  if (job.kind === "execute") driveExecute(state, job);
  else if (job.kind === "commit") driveCommit(state, job);
}

/** The job for a piece of work; a transaction whose keys all lie in one group is one command there. */
function jobOf(
  state: ManagerState,
  asked: number,
  work: Exclude<Work, { kind: "read" | "scan" }>,
  deadline: number,
): ExecuteJob | CommitJob {
  if (work.kind === "execute") return executeJob(state, asked, work.operations, deadline);
  const { reads, writes, queues = false } = work;
  const keys = [...new Set([...reads, ...writes].map(({ position }) => position))].sort();
  if (byGroup(state, keys).size === 1) {
    const operations = writes.map(operationOf);
    return { ...executeJob(state, asked, operations, deadline), keys, reads, commits: true };
  }
  const written = new Set(writes.map(({ position }) => position));
  return {
    ...commitJob(state, asked, deadline),
    queues,
    reads,
    writes,
    keys,
    participants: keys.map((position) => ({ position, writes: written.has(position) })),
  };
}

/** Nobody wants to hear what was there before a transaction. */
function operationOf({ position, write }: Writing): Operation {
  return write.kind === "put" && write.expiry === "never"
    ? { kind: "set", position, value: write.value }
    : { position, ...write };
}

function executeJob(
  state: ManagerState,
  asked: number,
  operations: ExecuteJob["operations"],
  deadline: number,
): ExecuteJob {
  return {
    kind: "execute",
    id: ++state.lastJob,
    asked,
    reads: [],
    operations,
    keys: [...new Set(operations.map(({ position }) => position))],
    deadline,
    commits: false,
    seq: 0,
    sentAt: -Infinity,
    phase: "sessions",
    cancelled: new Set(),
    because: "timeout",
    tries: 0,
    replied: false,
  };
}

function commitJob(state: ManagerState, asked: number, until: number): CommitJob {
  return {
    kind: "commit",
    id: ++state.lastJob,
    asked,
    tx: null,
    own: true,
    queues: false,
    reads: [],
    writes: [],
    participants: [],
    keys: [],
    deadline: Math.min(until, state.now + state.settings.commitMs),
    until,
    sentAt: -Infinity,
    phase: "sessions",
    votes: new Map(),
    gone: new Set(),
    rechecked: new Map(),
    outcome: null,
    acks: new Set(),
    hint: "",
    askDue: 0,
    atWork: false,
    tries: 0,
    replied: false,
    readings: null,
  };
}

function heardBy(state: ManagerState, job: Job, call: Call, what: Uint8Array): void {
  if (job.kind === "read") {
    const withLocks = wasRead(state, job, call, decodeAnswer(what));
    if (withLocks) lockToRead(state, job);
    return;
  }
  if (job.kind === "scan") return wasScanned(state, job, call, decodeAnswer(what));
  if (job.kind === "commit" && (call.purpose === "enter" || call.purpose === "look"))
    return entered(state, job, call, decodeAnswer(what));
  if (job.kind === "commit" && call.purpose === "recheck")
    return rechecked(state, job, call, decodeAnswer(what));
  const result = decodeResult(what);
  if (result.kind === "locked") push(state, call.gid, result.by);
  if (job.kind === "execute") executed(state, job, call, result);
  else voted(state, job, call, result);
}

/** A reader that others always get ahead of locks what it reads. */
function lockToRead(state: ManagerState, job: ReadJob): void {
  const readings = job.keys.flatMap((key) => job.first.get(key) ?? []);
  const keys = [...job.keys].sort();
  close(state, job);
  start(state, {
    ...commitJob(state, job.asked, job.deadline),
    reads: readings.map(({ position, present, version }) => ({
      position,
      version: present ? version : 0,
    })),
    keys,
    participants: keys.map((position) => ({ position, writes: false })),
    readings,
  });
}

function heardByAll(state: ManagerState, call: Call, what: Uint8Array): void {
  if (call.purpose === "hello") greeted(state, call, decodeAnswer(what));
  else if (call.purpose === "open") {
    const result = decodeResult(what);
    if (result.kind === "busy") retry(state, { ...call, purpose: "hello" }, 5);
    else if (opened(state, call, result)) for (const job of state.jobs.values()) drive(state, job);
  } else if (call.purpose === "inspect") {
    const found = decodeAnswer(what);
    if (found.kind === "wrong-range") learn(state, call.gid, found.descriptors);
    if (found.kind !== "transactions") return;
    for (const one of found.transactions)
      if (one.states.some((vote) => vote.state === "P")) conclude(state, one, state.now);
  }
}

function again(state: ManagerState, call: Call): void {
  if (call.job === 0) {
    if (call.purpose === "hello" || call.purpose === "open") sayHello(state, call.gid);
    return;
  }
  const job = state.jobs.get(call.job);
  if (job?.kind === "execute") executeAgain(state, job);
  else if (job?.kind === "commit") commitAgain(state, job, call);
  else if (job?.kind === "read") readAgain(state, job, call);
  else if (job?.kind === "scan") scanAgain(state, job, call);
}

/** Tells the groups that results are needed no more, where no command has told them. */
function forgetAll(state: ManagerState): void {
  state.forgetAt = state.now + state.settings.forgetMs;
  const acked = ackedBelow(state);
  if (acked === state.forgotten) return;
  state.forgotten = acked;
  const body = encodeCommand({ kind: "forget", client: state.client, ackedBelow: acked });
  for (const [gid, { token }] of state.sessions)
    if (token !== null) execute(state, { job: 0, purpose: "forget", gid, keys: [] }, body);
}

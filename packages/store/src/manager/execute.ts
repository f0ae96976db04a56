/**
 * Work on keys of one group: one command with one number, sent again until it is known what became of it.
 *
 * When time runs out, or a split has torn its keys apart, it is cancelled: whatever is answered then is what happened,
 * and it does not happen later either.
 */

import { encodeCommand, type Ticket } from "../command.ts";
import type { Result } from "../result.ts";
import { byGroup, ensureSessions, execute, learn, lost, retry, sessionOf } from "./routing.ts";
import {
  ackedBelow,
  type Call,
  close,
  type CommitJob,
  type Ended,
  type ExecuteJob,
  type ManagerState,
  reply,
} from "./state.ts";

/** Goes on with a job whose sessions may be open by now. */
export function driveExecute(state: ManagerState, job: ExecuteJob): void {
  if (job.phase !== "sessions") return;
  const groups = byGroup(state, job.keys);
  if (groups.size > 1) {
    job.because = "scattered";
    end(state, job, notDone(job));
    return;
  }
  if (!ensureSessions(state, job.keys)) return;
  job.seq = state.nextSeq++;
  state.openSeqs.add(job.seq);
  job.phase = "working";
  job.sentAt = state.now;
  send(state, job);
}

/** A group has answered. */
export function executed(state: ManagerState, job: ExecuteJob, call: Call, result: Result): void {
  const { kind } = result;
  if (kind === "done") end(state, job, job.commits ? { kind: "committed" } : result);
  // Also of a transaction: to run it again would change nothing.
  else if (kind === "refused" || kind === "aborted") end(state, job, result);
  else if (kind === "cancelled") {
    for (const key of call.keys) job.cancelled.add(key);
    if (job.keys.every((key) => job.cancelled.has(key))) end(state, job, notDone(job));
  } else if (kind === "wrong-range") {
    learn(state, call.gid, result.descriptors);
    if (job.phase === "working" && byGroup(state, job.keys).size !== 1) {
      job.because = "scattered";
      job.phase = "cancelling";
    }
    retry(state, call, job.tries++);
  } else if (kind === "locked" || kind === "busy") retry(state, call, job.tries++);
  else if (kind === "unknown-session") {
    lost(state, call);
    if (isYoung(state, job)) anew(state, job);
    // An earlier copy may have been executed, and the session may have ended since.
    else end(state, job, { kind: "unknown" });
  } else end(state, job, { kind: "unknown" });
}

/**
 * Whether a group that does not know the session has never done this: it would have noted that the session was used, and keep it
 * for longer than this has been under way. Nor will it: a session that is gone does not come back.
 */
export function isYoung(state: ManagerState, { sentAt }: ExecuteJob | CommitJob): boolean {
  return state.now - sentAt < state.settings.idleMs;
}

/** It was not done, and will not be, with this number: it is begun with another one, where there is still time. */
function anew(state: ManagerState, job: ExecuteJob): void {
  if (job.phase === "cancelling") return end(state, job, notDone(job));
  state.openSeqs.delete(job.seq);
  job.phase = "sessions";
  return driveExecute(state, job);
}

/** Makes a call of the job again. */
export function executeAgain(state: ManagerState, job: ExecuteJob): void {
  if (job.phase === "cancelling") cancel(state, job);
  else if (job.phase === "working") send(state, job);
}

/** Time has passed. */
export function executeTick(state: ManagerState, job: ExecuteJob): void {
  if (state.now < job.deadline) return;
  if (job.phase === "sessions") end(state, job, { kind: "failed", reason: "timeout" });
  else if (job.phase === "working") {
    job.phase = "cancelling";
    cancel(state, job);
  } else if (!job.replied && state.now >= job.deadline + state.settings.cancelMs) {
    job.replied = true;
    reply(state, job.asked, { kind: "unknown" });
  }
}

function send(state: ManagerState, job: ExecuteJob): void {
  const { operations, reads, keys } = job;
  for (const gid of byGroup(state, keys).keys()) {
    const ticket = ticketOf(state, gid, job.seq);
    if (ticket === undefined) return end(state, job, { kind: "unknown" });
    const { token } = ticket;
    const body = encodeCommand({ kind: "execute", ticket, reads, operations });
    execute(state, { job: job.id, purpose: "work", gid, keys, token }, body);
  }
}

function cancel(state: ManagerState, job: ExecuteJob): void {
  const open = job.keys.filter((key) => !job.cancelled.has(key));
  for (const [gid, keys] of byGroup(state, open)) {
    const ticket = ticketOf(state, gid, job.seq);
    if (ticket === undefined) return end(state, job, { kind: "unknown" });
    const { token } = ticket;
    const body = encodeCommand({ kind: "cancel", ticket, keys });
    execute(state, { job: job.id, purpose: "cancel", gid, keys, token }, body);
  }
}

/** So many results more may a group keep than it has to. */
const ackStep = 16;

/** By what a command is known in a group; undefined where there is no session. */
export function ticketOf(state: ManagerState, gid: string, seq: number): Ticket | undefined {
  const session = sessionOf(state, gid);
  const token = session?.token ?? null;
  if (session === undefined || token === null) return undefined;
  session.usedAt = state.now;
  const acked = ackedBelow(state);
  if (acked - session.acked >= ackStep) session.acked = acked;
  return { client: state.client, seq, ackedBelow: session.acked, token };
}

function notDone({ because, commits }: ExecuteJob): Ended {
  // A transaction that was torn apart is run again, as after any other conflict.
  if (commits && because === "scattered") return { kind: "aborted" };
  return because === "scattered" ? { kind: "scattered" } : { kind: "failed", reason: "timeout" };
}

function end(state: ManagerState, job: ExecuteJob, ended: Ended): void {
  if (!job.replied) reply(state, job.asked, ended);
  state.openSeqs.delete(job.seq);
  close(state, job);
}

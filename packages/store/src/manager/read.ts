/**
 * Work on a read-only transaction: keys as they are at one instant, without a lock and without an entry in any log
 * (algorithms.md §6.5.7).
 *
 * In one group one look is enough. Over several groups, every key is read, and after all of that every version again:
 * where none has changed, there was an instant between the rounds at which all of it held. Nobody reads what a
 * prepared transaction may be about to write: that one is waited for, and after a while its outcome is found out.
 */

import type { Millis } from "@kith/core";
import { type Answer, encodeQuery, type Reading, type ReadTurn } from "../query.ts";
import type { Position } from "../position.ts";
import { type TxName, txOf } from "../rows.ts";
import { ask, byGroup, learn, retry } from "./routing.ts";
import { type Call, close, type ManagerState, type ReadJob, reply, worksOn } from "./state.ts";

/** How often the rounds may differ before the read is done with locks. */
export const failuresMax = 3;

/** Begins to read. */
export function startRead(
  state: ManagerState,
  asked: number,
  keys: readonly Position[],
  deadline: Millis,
  apart = false,
  turn: ReadTurn | null = null,
): void {
  const job: ReadJob = {
    kind: "read",
    id: ++state.lastJob,
    asked,
    keys,
    apart,
    turn,
    deadline,
    round: 1,
    first: new Map(),
    second: new Map(),
    failures: 0,
    tries: 0,
  };
  state.jobs.set(job.id, job);
  begin(state, job);
}

function begin(state: ManagerState, job: ReadJob): void {
  job.round = 1;
  job.first.clear();
  job.second.clear();
  send(state, job, job.keys);
}

/** A group has answered. @returns whether it has to be done with locks */
export function wasRead(state: ManagerState, job: ReadJob, call: Call, found: Answer): boolean {
  if (found.kind === "wrong-range") {
    learn(state, call.gid, found.descriptors);
    retry(state, call, job.tries++);
    return false;
  }
  if (found.kind === "too-large" && call.keys.length > 1) {
    // In two parts, which are looked at again as those of several groups are.
    const half = call.keys.length >>> 1;
    for (const keys of [call.keys.slice(0, half), call.keys.slice(half)]) send(state, job, keys);
    return false;
  }
  if (found.kind !== "readings") {
    retry(state, call, job.tries++);
    return false;
  }
  const single =
    job.round === 1 && byGroup(state, job.keys).size === 1 && call.keys.length === job.keys.length;
  let waits = false;
  for (const reading of found.readings) {
    if (reading.lockedBy === null) continue;
    waits = true;
    push(state, call.gid, reading.lockedBy);
  }
  if (single) {
    // All at one place of one log, or all again.
    if (waits) retry(state, call, job.tries++);
    else end(state, job, found.readings);
    return false;
  }
  for (const reading of found.readings) {
    if (reading.lockedBy !== null) continue;
    if (job.round === 1) job.first.set(reading.position, reading);
    else job.second.set(reading.position, reading.version);
  }
  if (waits) {
    retry(state, call, job.tries++);
    return false;
  }
  return roundEnds(state, job);
}

/** Makes a call of the job again. */
export function readAgain(state: ManagerState, job: ReadJob, { keys }: Call): void {
  const done: ReadonlyMap<string, unknown> = job.round === 1 ? job.first : job.second;
  send(
    state,
    job,
    keys.filter((key) => !done.has(key)),
  );
}

/** Time has passed. */
export function readTick(state: ManagerState, job: ReadJob): void {
  if (state.now < job.deadline) return;
  reply(state, job.asked, { kind: "failed", reason: "timeout" });
  close(state, job);
}

function roundEnds(state: ManagerState, job: ReadJob): boolean {
  if (job.round === 1) {
    const open = job.keys.filter((key) => !job.first.has(key));
    if (open.length > 0) {
      if (job.turn === "begins") send(state, job, open);
      return false;
    }
    if (job.apart) {
      end(state, job, [...job.first.values()]);
      return false;
    }
    job.round = 2;
    send(state, job, job.keys);
    return false;
  }
  if (!job.keys.every((key) => job.second.has(key))) return false;
  if (job.keys.every((key) => job.first.get(key)?.version === job.second.get(key))) {
    end(state, job, [...job.first.values()]);
    return false;
  }
  job.failures++;
  state.reread++;
  if (job.failures >= failuresMax) return true;
  begin(state, job);
  return false;
}

function send(state: ManagerState, job: ReadJob, open: readonly string[]): void {
  const values = job.round === 1;
  const purpose = values ? "work" : "recheck";
  // Who waits for others waits for them in the same order everywhere, one group after the other; or nowhere.
  const inOrder = job.turn === "begins" && values;
  const groups = byGroup(state, inOrder ? [...open].sort() : open);
  const turn = values && (inOrder || groups.size === 1) ? job.turn : null;
  for (const [gid, keys] of groups) {
    ask(
      state,
      { job: job.id, purpose, gid, keys },
      encodeQuery({ kind: "read", keys, values, turn }),
    );
    if (inOrder) return;
  }
}

function end(state: ManagerState, job: ReadJob, readings: readonly Reading[]): void {
  const at = new Map(readings.map((one) => [one.position, one]));
  const inOrder = job.keys.flatMap((key) => at.get(key) ?? []);
  reply(state, job.asked, { kind: "readings", readings: inOrder });
  close(state, job);
}

/** Takes note of a lock that is in the way; of one that has been for too long, asks what it is about. */
export function push(state: ManagerState, gid: string, name: TxName): void {
  const tx = txOf(name);
  const since = state.locks.get(name);
  if (since === undefined) {
    state.locks.set(name, state.now);
    // The oldest ones go: those that are still in the way are met again.
    for (const [oldest] of state.locks) {
      if (state.locks.size <= locksMax) break;
      state.locks.delete(oldest);
    }
  } else if (state.now - since >= state.settings.pushMs && !worksOn(state, tx)) {
    state.locks.set(name, state.now);
    ask(
      state,
      { job: 0, purpose: "inspect", gid, keys: [] },
      encodeQuery({ kind: "registers", tx, keys: [] }),
    );
  }
}

const locksMax = 1024;

/**
 * Work on a scan: keys in their order, as they are at one instant (algorithms.md §6.5.0, ruling 4).
 *
 * Group by group, what lies there is read. Where one group had all of it, that was one instant. Over several, every piece is
 * looked at again after the last one was read: where keys, versions and the last deletion of each piece are the same, there
 * was an instant between the rounds at which all of it held.
 */

import type { Millis } from "@kith/core";
import { hintOf, type Position } from "../position.ts";
import { type Answer, encodeQuery, type Reading } from "../query.ts";
import { push } from "./read.ts";
import { ask, learn, ownerOf, retry } from "./routing.ts";
import {
  type Call,
  close,
  type ManagerState,
  reply,
  type ScanJob,
  type ScanPiece,
} from "./state.ts";

/** What is scanned. */
export interface Scanning {
  readonly from: Position;
  readonly to: Position | null;
  readonly limit: number;
  readonly browses?: boolean;
}

/** How many keys may lie at one hint, so that one can browse through them: only ordered keys lie close together. */
const atHintMax = 100_000;

/** Begins to scan. */
export function startScan(
  state: ManagerState,
  asked: number,
  { from, to, limit, browses = false }: Scanning,
  deadline: Millis,
): void {
  const job: ScanJob = {
    kind: "scan",
    id: ++state.lastJob,
    asked,
    from,
    to,
    limit,
    browses,
    deadline,
    at: from,
    pieces: [],
    seen: new Set(),
    round: 1,
    rounds: 0,
    tries: 0,
  };
  state.jobs.set(job.id, job);
  begin(state, job);
}

/** A group has answered. */
export function wasScanned(state: ManagerState, job: ScanJob, call: Call, found: Answer): void {
  // An answer to a round that was given up.
  if (call.round !== job.rounds) return;
  if (found.kind === "wrong-range") learn(state, call.gid, found.descriptors);
  if (found.kind !== "scanned") return retry(state, call, job.tries++);
  let waits = false;
  for (const { lockedBy } of found.readings) {
    if (lockedBy === null) continue;
    waits = true;
    push(state, call.gid, lockedBy);
  }
  if (waits) return retry(state, call, job.tries++);
  const { readings, next, deleteFloor } = found;
  if (job.round === 1) firstLook(state, job, { from: job.at, next, readings, deleteFloor });
  else secondLook(state, job, call, { from: call.keys[0] ?? "", next, readings, deleteFloor });
}

/** Makes a call of the job again. */
export function scanAgain(state: ManagerState, job: ScanJob, call: Call): void {
  if (call.round !== job.rounds) return;
  if (job.round === 1) return look(state, job);
  const piece = job.pieces.find(({ from }) => from === call.keys[0]);
  if (piece !== undefined) lookAgain(state, job, piece);
}

/** Time has passed. */
export function scanTick(state: ManagerState, job: ScanJob): void {
  if (state.now < job.deadline) return;
  reply(state, job.asked, { kind: "failed", reason: "timeout" });
  close(state, job);
}

function begin(state: ManagerState, job: ScanJob): void {
  job.rounds++;
  job.round = 1;
  job.at = job.from;
  job.pieces = [];
  look(state, job);
}

function look(state: ManagerState, job: ScanJob): void {
  const left = job.limit - countOf(job);
  // Below one: it goes on beyond what was asked for, up to the end of a hint.
  askFor(state, job, job.at, job.to, left > 0 ? left : job.limit, !job.browses);
}

function askFor(
  state: ManagerState,
  job: ScanJob,
  from: Position,
  to: Position | null,
  limit: number,
  values: boolean,
): void {
  const gid = ownerOf(state, from)?.gid;
  if (gid === undefined) return;
  ask(
    state,
    { job: job.id, purpose: "work", gid, keys: [from], round: job.rounds },
    encodeQuery({ kind: "scan", from, to, limit, values }),
  );
}

function firstLook(state: ManagerState, job: ScanJob, piece: ScanPiece): void {
  job.pieces.push(piece);
  const { next } = piece;
  const count = countOf(job);
  const isFull = count >= job.limit && !isWithinHint(job, next);
  const isOver = next === null || next === job.to || isFull;
  if (!isOver && count >= atHintMax) {
    reply(state, job.asked, { kind: "too-many" });
    return close(state, job);
  }
  if (!isOver) {
    job.at = next;
    return look(state, job);
  }
  if (job.pieces.length === 1 || job.browses) return end(state, job);
  job.round = 2;
  job.rounds++;
  job.seen.clear();
  for (const one of job.pieces) lookAgain(state, job, one);
}

/** Whether who browses would be where it began, if it ended here. */
function isWithinHint({ browses, from }: ScanJob, next: Position | null): boolean {
  return browses && next !== null && hintOf(next) <= hintOf(from);
}

function lookAgain(state: ManagerState, job: ScanJob, { from, next, readings }: ScanPiece): void {
  askFor(state, job, from, next ?? job.to, Math.max(1, readings.length), false);
}

function secondLook(state: ManagerState, job: ScanJob, call: Call, piece: ScanPiece): void {
  const first = job.pieces.find(({ from }) => from === piece.from);
  if (first === undefined || !same(first, piece, job.to)) return begin(state, job);
  job.seen.add(call.keys[0] ?? "");
  if (job.seen.size === job.pieces.length) end(state, job);
}

function same(first: ScanPiece, second: ScanPiece, to: Position | null): boolean {
  return (
    first.deleteFloor === second.deleteFloor &&
    (first.next ?? to) === (second.next ?? first.next ?? to) &&
    first.readings.length === second.readings.length &&
    first.readings.every(({ position, version }, i) => {
      const again = second.readings[i];
      return again?.position === position && again.version === version;
    })
  );
}

function countOf({ pieces }: ScanJob): number {
  return pieces.reduce((sum, { readings }) => sum + readings.length, 0);
}

function end(state: ManagerState, job: ScanJob): void {
  let readings: Reading[] = job.pieces.flatMap((piece) => piece.readings);
  const next = job.pieces.at(-1)?.next ?? null;
  if (job.browses && next !== null)
    readings = readings.filter(({ position }) => hintOf(position) < hintOf(next));
  reply(state, job.asked, {
    kind: "scanned",
    readings,
    next: next === job.to ? null : next,
  });
  close(state, job);
}

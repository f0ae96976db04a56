/**
 * A client of the store on consistent quorums, as a state machine without ports or clock (algorithms.md §6.2).
 *
 * - A phase is done when a majority of the members of *one* view have done it in that view. Answers that name different
 *   views do not count together. The phases of an operation may be done in different views.
 * - A write that was sent keeps its stamp and its value through all repetitions: another stamp would be another write.
 * - A read whose majority does not agree writes back what is newest, before it is answered.
 */

import type { Millis } from "@kith/core";
import { ensure } from "../errors.ts";
import type { Position } from "../position.ts";
import type { Phase, PhaseReply } from "./messages.ts";
import { compareStamps, type Stamped, unwritten } from "./stamp.ts";
import { isMember, majorityOf, noteView, type View, viewAt, viewName } from "./view.ts";

/** How an operation ended. */
export type AbdEnd =
  | { readonly kind: "done"; readonly has: Stamped }
  /** Nothing was written, and nothing will be. */
  | { readonly kind: "not-done" }
  /** It was written, or not, or may yet be. */
  | { readonly kind: "ambiguous" };

/** An operation that is not done. Plain data. */
export interface AbdOperation {
  readonly id: number;
  readonly position: Position;
  /** What is to be written; undefined in a read. */
  readonly value: Uint8Array | null | undefined;
  readonly until: Millis;
  phase: number;
  /** What it has sent to be kept; null in its first phase. */
  keep: Stamped | null;
  /** Of the answers to this phase: the view of each member's last one. */
  readonly answers: Map<number, { readonly view: string; readonly has: Stamped | null }>;
  askAt: Millis;
}

/** A client. Plain data. */
export interface Coordinator {
  /** The name of this life of this client. */
  readonly name: string;
  now: Millis;
  readonly retry: Millis;
  /** By chain: the newest view that is known. */
  readonly views: Map<string, View>;
  /** By the number of the operation. */
  readonly operations: Map<number, AbdOperation>;
  /** By the number of the phase: its operation. */
  readonly phases: Map<number, AbdOperation>;
  last: number;
  out: {
    readonly asks: { readonly to: number; readonly phase: Phase }[];
    readonly ends: { readonly id: number; readonly end: AbdEnd }[];
  };
}

/** A client that knows some views. @param name that no other client ever has, nor another life of this one */
export function coordinator(name: string, views: readonly View[], retry: Millis): Coordinator {
  return {
    name,
    now: 0,
    retry,
    views: new Map(views.map((view) => [view.rid, view])),
    operations: new Map(),
    phases: new Map(),
    last: 0,
    out: { asks: [], ends: [] },
  };
}

/** Begins an operation. @returns its number */
export function beginOperation(
  state: Coordinator,
  position: Position,
  value: Uint8Array | null | undefined,
  until: Millis,
): number {
  const operation: AbdOperation = {
    id: ++state.last,
    position,
    value,
    until,
    phase: 0,
    keep: null,
    answers: new Map(),
    askAt: 0,
  };
  state.operations.set(operation.id, operation);
  beginPhase(state, operation, null);
  return operation.id;
}

/** A member answers. */
export function answered(state: Coordinator, from: number, reply: PhaseReply): void {
  const { phase, view, has, known } = reply;
  for (const one of known) noteView(state.views, one);
  const operation = state.phases.get(phase);
  if (view !== null) noteView(state.views, view);
  if (operation === undefined) return;
  if (view === null) {
    operation.answers.delete(from);
    // Where it knows more, who has the key now is asked at once.
    if (known.length > 0 && !known.every((one) => isMember(one, from))) askAgain(state, operation);
    return;
  }
  if (!isMember(view, from)) return;
  const name = viewName(view);
  operation.answers.set(from, { view: name, has });
  const alike = [...operation.answers.values()].filter((one) => one.view === name);
  if (alike.length < majorityOf(view)) return;
  if (operation.keep === null)
    found(
      state,
      operation,
      alike.map((one) => one.has ?? unwritten),
    );
  else end(state, operation, { kind: "done", has: operation.keep });
}

/** A majority has said what it has. */
function found(state: Coordinator, operation: AbdOperation, all: readonly Stamped[]): void {
  let newest = unwritten;
  for (const one of all) if (compareStamps(one.stamp, newest.stamp) > 0) newest = one;
  const { value, id } = operation;
  if (value !== undefined) {
    const stamp = { count: newest.stamp.count + 1, writer: state.name, operation: id };
    return beginPhase(state, operation, { stamp, value });
  }
  if (all.every((one) => compareStamps(one.stamp, newest.stamp) === 0))
    return end(state, operation, { kind: "done", has: newest });
  return beginPhase(state, operation, newest);
}

function beginPhase(state: Coordinator, operation: AbdOperation, keep: Stamped | null): void {
  ensure(operation.keep === null, "Q5", () => `operation ${operation.id} was to be stamped twice`);
  state.phases.delete(operation.phase);
  operation.phase = ++state.last;
  operation.keep = keep;
  operation.answers.clear();
  state.phases.set(operation.phase, operation);
  ask(state, operation);
}

function end(state: Coordinator, operation: AbdOperation, how: AbdEnd): void {
  state.phases.delete(operation.phase);
  state.operations.delete(operation.id);
  state.out.ends.push({ id: operation.id, end: how });
}

/** Asks those who have not answered in the view that is the newest known. */
function ask(state: Coordinator, operation: AbdOperation): void {
  const { position, phase, keep, answers } = operation;
  operation.askAt = state.now + state.retry;
  const view = viewAt(state.views.values(), position);
  if (view === undefined) return;
  const name = viewName(view);
  for (const { peerId } of view.members)
    if (answers.get(peerId)?.view !== name)
      state.out.asks.push({ to: peerId, phase: { phase, position, keep } });
}

/** As `ask`, but not twice in a moment: members of an old view all say the same. */
function askAgain(state: Coordinator, operation: AbdOperation): void {
  if (operation.askAt - state.now > state.retry / 2) operation.askAt = state.now + state.retry / 10;
}

/** Lets time pass. */
export function tickCoordinator(state: Coordinator, now: Millis): void {
  state.now = now;
  for (const operation of [...state.operations.values()]) {
    const { value, keep, until, askAt } = operation;
    if (now >= until)
      end(state, operation, {
        kind: value === undefined || keep === null ? "not-done" : "ambiguous",
      });
    else if (now >= askAt) ask(state, operation);
  }
}

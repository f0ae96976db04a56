/**
 * The replicated group: what can be done with a replica. Each function takes an input; `turn` then
 * tells what has to happen. The caller has to
 *
 * - write the records of a turn as one batch, in order with those of other turns, and say `flushed` when they
 *   are durable; messages may leave at once, also before the write: what has to wait does not come out earlier;
 * - apply `apply` before it looks at `reads`;
 * - call `tick` when `dueAt` has come, or regularly.
 */

import { type Millis, mix } from "@kith/core";
import { memberOf } from "./config.ts";
import { closeWrite, ensureDurable, noteFlushed, send, sendAfter } from "./durability.ts";
import { campaign, onPreVote, onPreVoteAnswer, onVote, onVoteAnswer, tryWin } from "./election.ts";
import type { Content, Index, Term } from "./entry.ts";
import { ensure } from "./errors.ts";
import { lastIndex, slice } from "./log.ts";
import { hasRemovedItself, isGone } from "./membership.ts";
import { appendOwn, becomeFollower } from "./office.ts";
import type { PeerMessage } from "./peer-message.ts";
import { beginRounds, finishReads, type Refusal, startRound } from "./reads.ts";
import {
  advanceCommit,
  beat,
  hasQuorumContact,
  onAppend,
  onAppendAnswer,
  onAppendReject,
  replicate,
} from "./replication.ts";
import { cutLog, lookAtParts, onSnapshot, onSnapshotAnswer } from "./snapshots.ts";
import {
  committedConfig,
  configOf,
  type Effects,
  electionTimeout,
  type GroupState,
  type Leadership,
  noEffects,
  quietScale,
} from "./state.ts";
import { bestSuccessor, proceedTransfer } from "./transfer.ts";

/** What became of a proposal: where it stands in the log, or why it does not. */
export type Proposed =
  | { readonly accepted: true; readonly index: Index; readonly term: Term }
  | { readonly accepted: false; readonly reason: Refusal };

/** Proposes a command. It is done when an entry with this index *and term* is applied. */
export function propose(state: GroupState, data: Uint8Array): Proposed {
  return add(state, { kind: "command", data });
}

/** Raises the version by which the machine applies, once all members have said that they can. */
export function upgrade(state: GroupState, version: number): Proposed {
  const led = state.leadership;
  const ready =
    led !== null &&
    state.version >= version &&
    configOf(state).members.every(
      ({ replicaId }) =>
        replicaId === state.self || (led.progress.get(replicaId)?.version ?? 0) >= version,
    );
  if (led !== null && !ready) return { accepted: false, reason: "busy" };
  return add(state, { kind: "upgrade", version });
}

/** Takes a message of another replica. */
export function receive(state: GroupState, message: PeerMessage, now: Millis): void {
  state.now = now;
  // L8: it is for this very replica.
  if (message.gid !== state.gid || message.to !== state.self || state.halted !== null) return;
  if (isStranger(state, message)) return;
  if (message.term > state.term) {
    if (message.kind === "append" || message.kind === "snapshot")
      becomeFollower(state, message.term, message.from);
    else if (takesTerm(message)) becomeFollower(state, message.term, 0);
  } else if (message.term < state.term && isOutdated(state, message)) return;
  dispatch(state, message);
}

/** Lets time pass. @param stalled whether the process stood still, so that silence proves nothing */
export function tick(state: GroupState, now: Millis, stalled = false): void {
  state.now = now;
  if (state.halted !== null) return;
  const { leadership: led } = state;
  if (stalled) forgiveSilence(state);
  if (led === null) {
    if (now >= state.deadline) campaign(state, false);
    return;
  }
  const patience = state.settings.electionMax * quietScale(state);
  if (!hasQuorumContact(state, led, now - patience)) {
    becomeFollower(state, state.term, 0); // L10
    return;
  }
  if (now >= led.partsDue) lookAtParts(state, led);
  if (!state.quiet && isIdle(state, led)) state.quiet = true;
  if (now >= roundDue(led)) startRound(state, led);
}

/** When `tick` has something to do. */
export function dueAt(state: GroupState): Millis {
  if (state.halted !== null) return Infinity;
  const { leadership: led } = state;
  return led === null ? state.deadline : Math.min(roundDue(led), led.partsDue);
}

/** When all members are to be asked. */
function roundDue({ beatDue, allDue, reads }: Leadership): Millis {
  return reads.length > 0 ? Math.min(beatDue, allDue) : beatDue;
}

/** Says that all writes up to this one are durable, and with them the table up to `applied`. */
export function flushed(state: GroupState, write: number, applied: Index, now: Millis): void {
  state.now = now;
  noteFlushed(state, write);
  state.appliedDurable = Math.max(state.appliedDurable, applied);
  if (state.halted !== null) return;
  tryWin(state);
  if (state.leadership !== null) advanceCommit(state, state.leadership);
  cutLog(state);
}

/** Somebody wants something of a group whose leader may be gone: do not sleep longer than an election takes. */
export function rouse(state: GroupState, now: Millis): void {
  state.now = now;
  if (!state.quiet || state.leadership !== null) return;
  state.quiet = false;
  state.deadline = Math.min(state.deadline, now + electionTimeout(state));
}

/**
 * The connection to a process has ended: a hint that it is gone. Where it led, this replica campaigns as soon as voters
 * that have heard of the leader as lately as it has may promise their votes; a sign of life takes that back.
 */
export function suspect(state: GroupState, peerId: number, now: Millis): void {
  state.now = now;
  const leader = memberOf(configOf(state), state.leader);
  if (state.leadership !== null || leader?.peerId !== peerId || state.halted !== null) return;
  const { electionMin, heartbeat } = state.settings;
  // Apart from others who have the same hint.
  const spread = ((mix(state.seed, state.draws++) % 1000) / 1000) * 2 * heartbeat;
  const earliest = Math.max(state.contact + electionMin, now);
  state.deadline = Math.min(state.deadline, earliest + spread);
}

/** Stops the replica for good, with its data kept. */
export function halt(state: GroupState, reason: string): void {
  if (state.halted !== null) return;
  if (state.leadership !== null) becomeFollower(state, state.term, 0);
  state.halted = reason;
}

/** What has to happen after the inputs so far. */
export function turn(state: GroupState): Effects {
  const led = state.leadership;
  if (led !== null && state.halted === null) {
    replicate(state, led);
    proceedTransfer(state, led);
  }
  takeCommitted(state);
  if (led !== null) {
    finishReads(state, led);
    // Behind it: where a round has ended, the next one need not wait for something else to happen.
    if (state.halted === null) beginRounds(state, led);
  }
  if (state.halted === null && isGone(committedConfig(state), state.self)) leave(state, led);
  closeWrite(state);
  const { out } = state;
  state.out = noEffects();
  for (const message of out.messages) ensureDurable(state, message);
  ensure(
    (state.role === "leader") === (state.leadership !== null) &&
      state.commit <= lastIndex(state.log) &&
      state.applied <= state.commit &&
      state.stable <= lastIndex(state.log) &&
      state.log.base <= state.applied,
    "G3",
    () => `commit ${state.commit}, applied ${state.applied}, log to ${lastIndex(state.log)}`,
  );
  return out;
}

function add(state: GroupState, content: Content): Proposed {
  const refuse = (reason: Refusal): Proposed => ({ accepted: false, reason });
  if (state.halted !== null) return refuse("halted");
  const led = state.leadership;
  if (led === null) return refuse("not-leader");
  const { pendingMax, pendingBytesMax } = state.settings;
  const waiting = lastIndex(state.log) - state.commit;
  if (led.transfer !== null || waiting >= pendingMax || led.pendingBytes >= pendingBytesMax)
    return refuse("busy");
  const { index, term } = appendOwn(state, led, content);
  return { accepted: true, index, term };
}

function dispatch(state: GroupState, message: PeerMessage): void {
  const led = state.leadership;
  switch (message.kind) {
    case "pre-vote":
      return onPreVote(state, message);
    case "pre-vote-answer":
      return onPreVoteAnswer(state, message);
    case "vote":
      return onVote(state, message);
    case "vote-answer":
      return onVoteAnswer(state, message);
    case "append":
      return onAppend(state, message);
    case "append-answer":
      if (led !== null) onAppendAnswer(state, led, message);
      return;
    case "append-reject":
      if (led !== null) onAppendReject(state, led, message);
      return;
    case "snapshot":
      return onSnapshot(state, message);
    case "snapshot-answer":
      if (led !== null) onSnapshotAnswer(state, led, message);
      return;
    case "timeout-now":
      if (state.leadership === null) campaign(state, true);
      return;
    case "too-old":
      if (isGone(message.config, state.self)) {
        state.out.news.push({ kind: "removed", config: message.config });
        halt(state, "this replica was removed from its group");
      }
  }
}

/** Whether a message with a later term takes this replica into that term. */
function takesTerm(message: PeerMessage): boolean {
  switch (message.kind) {
    case "pre-vote": // Asks about a term that nobody has begun.
    case "vote": // Decides for itself: who is loyal stays in its term.
    case "too-old":
      return false;
    case "pre-vote-answer":
      return !message.granted;
    case "vote-answer":
    case "append":
    case "append-answer":
    case "append-reject":
    case "snapshot":
    case "snapshot-answer":
    case "timeout-now":
      return true;
  }
}

/** Answers what comes from a term that is over. @returns whether that is all there is to do */
function isOutdated(state: GroupState, message: PeerMessage): boolean {
  const { term } = state;
  const sender = { replicaId: message.from, peerId: message.fromPeer };
  switch (message.kind) {
    case "append":
    case "snapshot":
      // It learns from the answer that its term is over.
      sendAfter(state, 0, sender, {
        kind: "append-reject",
        term,
        prevIndex: 0,
        conflictTerm: 0,
        conflictIndex: 0,
        round: 0,
      });
      return true;
    case "vote":
      sendAfter(state, 0, sender, { kind: "vote-answer", term, granted: false });
      return true;
    case "pre-vote": // Is answered with the later term.
    case "too-old":
      return false;
    case "pre-vote-answer":
    case "vote-answer":
    case "append-answer":
    case "append-reject":
    case "snapshot-answer":
    case "timeout-now":
      return true;
  }
}

/** Whether the sender is no member any more; it is told so. The leader of the term may still go on. */
function isStranger(state: GroupState, message: PeerMessage): boolean {
  const config = committedConfig(state);
  if (!isGone(config, message.from)) return false;
  if (message.from === state.leader && message.term === state.term) return false;
  const asks = message.kind === "pre-vote" || message.kind === "vote" || message.kind === "append";
  if (asks) {
    const sender = { replicaId: message.from, peerId: message.fromPeer };
    send(state, sender, { kind: "too-old", term: state.term, config });
  }
  return true;
}

function takeCommitted(state: GroupState): void {
  if (state.applied === state.commit) return;
  const entries = slice(state.log, state.applied + 1, state.commit, Infinity);
  state.out.apply.push(...entries);
  state.applied = state.commit;
}

/** This replica is no member any more: hand over what it leads (L6), and stop. */
function leave(state: GroupState, led: Leadership | null): void {
  const config = committedConfig(state);
  if (led !== null && hasRemovedItself(state)) {
    beat(state, led); // With the commit.
    const id = bestSuccessor(state, led);
    const successor = id === undefined ? undefined : memberOf(config, id);
    if (successor !== undefined)
      sendAfter(state, 0, successor, { kind: "timeout-now", term: state.term });
  }
  state.out.news.push({ kind: "removed", config });
  halt(state, "this replica was removed from its group");
}

function isIdle(state: GroupState, led: Leadership): boolean {
  const last = lastIndex(state.log);
  return (
    state.now - led.busyAt >= state.settings.quietAfter &&
    state.commit === last &&
    led.reads.length === 0 &&
    led.transfer === null &&
    configOf(state).members.every(
      ({ replicaId }) => replicaId === state.self || led.progress.get(replicaId)?.match === last,
    )
  );
}

/** The process stood still: what others have said meanwhile waits, and is heard first. */
function forgiveSilence(state: GroupState): void {
  const { heartbeat, electionMax } = state.settings;
  state.deadline = Math.max(state.deadline, state.now + 2 * heartbeat);
  if (state.leadership === null) return;
  for (const progress of state.leadership.progress.values())
    progress.contact = Math.max(progress.contact, state.now - electionMax + 2 * heartbeat);
}

/**
 * Snapshots and the end of the log that nobody needs any more.
 *
 * L7: a snapshot comes in parts, each staged before the next is sent, and is installed all at once with the
 * log's new base; one that is not beyond the commit is ignored; the rest of the log stays only where the log
 * has the very entry at the snapshot's end. A log is cut only below what is applied *and durable*.
 * The parts themselves are the caller's: it reads them from a view, and stages them in its storage. It sends and takes few at
 * once, for all groups together, so that none is begun for a member that is not heard of (`replication.ts`), none waits for
 * parts of a leader that is one no more, and one that does not get through lets others go first.
 */

import type { Millis } from "@kith/core";
import { memberOf } from "./config.ts";
import { record, send, sendAfter } from "./durability.ts";
import { ensure } from "./errors.ts";
import type { Index } from "./entry.ts";
import { cut, entryAt, firstWithin, termAt, truncate } from "./log.ts";
import type { Base, PeerMessage, Route, SnapshotAnswer, SnapshotPart } from "./peer-message.ts";
import { heardLeader } from "./replication.ts";
import { configAt, configOf, type GroupState, type Leadership } from "./state.ts";

/** The base that a snapshot of the table as it is applied now has. */
export function snapshotBase(state: GroupState): Base {
  return baseAt(state, state.applied);
}

/** Whether a snapshot is being sent to a member. */
export function isSnapshotWanted(state: GroupState, to: number): boolean {
  return state.leadership?.progress.get(to)?.mode === "snapshot";
}

/** Sends a part. @returns whether it is still wanted */
export function sendPart(
  state: GroupState,
  to: number,
  part: Omit<SnapshotPart, "kind" | "term">,
): boolean {
  const { leadership: led } = state;
  const progress = led?.progress.get(to);
  const member = memberOf(configOf(state), to);
  if (led === null || progress?.mode !== "snapshot" || member === undefined) return false;
  led.partsDue = Math.min(led.partsDue, state.now + resendAfter(state));
  // Not of one that is sent again: who never answers is given up.
  if (part.part !== progress.part) progress.snapshotAt = state.now;
  progress.part = part.part;
  progress.partAt = state.now;
  send(state, member, { kind: "snapshot", term: state.term, ...part });
  return true;
}

/** A snapshot cannot be sent, or not taken: probe again, after the next heartbeat. */
export function giveUpSnapshot(state: GroupState, to: number): void {
  const progress = state.leadership?.progress.get(to);
  if (progress?.mode !== "snapshot") return;
  progress.mode = "probe";
  progress.probing = true;
}

/** Has parts sent again that may be lost, and gives up snapshots of which nothing was heard for long. */
export function lookAtParts(state: GroupState, led: Leadership): void {
  led.partsDue = Infinity;
  for (const [id, progress] of led.progress) {
    if (progress.mode !== "snapshot") continue;
    const end = progress.snapshotAt + 2 * state.settings.electionMax;
    if (state.now >= end) {
      giveUpSnapshot(state, id);
      // It may be heard of, and take none all the same: the next ones are others.
      progress.snapshotFrom = state.now + 2 * state.settings.electionMax;
      continue;
    }
    led.partsDue = Math.min(led.partsDue, end);
    const { part } = progress;
    if (part < 0) continue;
    if (state.now >= progress.partAt + resendAfter(state)) {
      progress.partAt = state.now;
      state.out.snapshots.push({ kind: "proceed", to: id, part, taken: null });
    }
    led.partsDue = Math.min(led.partsDue, progress.partAt + resendAfter(state));
  }
}

/** Not in step with the heartbeats: a queue that has just room for one of those would never take a part. */
function resendAfter({ settings }: GroupState): Millis {
  return 2.5 * settings.heartbeat;
}

/** A part was staged at the other side, or refused. */
export function onSnapshotAnswer(
  state: GroupState,
  led: Leadership,
  { from, part, taken }: Route & SnapshotAnswer,
): void {
  const progress = led.progress.get(from);
  if (progress === undefined) return;
  progress.contact = progress.snapshotAt = state.now;
  if (progress.mode === "snapshot")
    state.out.snapshots.push({ kind: "proceed", to: from, part, taken });
}

/** Takes a part from the leader of the term. */
export function onSnapshot(state: GroupState, message: PeerMessage & SnapshotPart): void {
  heardLeader(state, message.from, false);
  const { base, part, from } = message;
  if (base.index <= state.commit) {
    state.staging = null;
    sendAfter(
      state,
      0,
      { replicaId: from, peerId: message.fromPeer },
      {
        kind: "append-answer",
        term: state.term,
        match: Math.min(state.commit, state.stable),
        round: 0,
        version: state.version,
      },
    );
    return;
  }
  const staging =
    state.staging?.from === from && state.staging.index === base.index ? state.staging : null;
  if (part === staging?.part) {
    // A copy. That it is staged was said before, but may not have been heard.
    if (staging.staged) answerPart(state, message, true);
    return;
  }
  const next = staging === null ? 0 : staging.part + 1;
  if (part !== 0 && part < next) return;
  if (part !== 0 && part !== next) {
    answerPart(state, message, false);
    return;
  }
  state.staging = { from, index: base.index, part, staged: false };
  state.out.snapshots.push({ kind: "stage", message });
}

/** The caller has staged a part that is not the last, or cannot. */
export function partStaged(
  state: GroupState,
  message: PeerMessage & SnapshotPart,
  taken: boolean,
): void {
  const { staging } = state;
  if (!taken) state.staging = null;
  else if (staging?.index === message.base.index && staging.part === message.part)
    staging.staged = true;
  if (message.term === state.term) answerPart(state, message, taken);
}

/** Installs what was staged, with the last part. @returns false where it is not wanted any more */
export function install(state: GroupState, message: PeerMessage & SnapshotPart): boolean {
  const { base, from, fromPeer } = message;
  const wanted = state.staging?.from === from && state.staging.index === base.index;
  state.staging = null;
  if (!wanted || base.index <= state.commit || state.role === "leader") return false;
  const { log } = state;
  const keep = termAt(log, base.index) === base.term;
  const write = record(state, { kind: "install", base, keep, replaced: log.base });
  if (keep) {
    cut(log, base.index);
    state.configs = [base, ...state.configs.filter(({ index }) => index > base.index)];
  } else {
    truncate(log, log.base + 1);
    log.base = base.index;
    log.baseTerm = base.term;
    state.configs = [base];
    state.tails = [];
    // Nothing of the new log is durable before this write.
    state.stable = Math.min(state.stable, base.index - 1);
  }
  state.configs[0] = { index: base.index, config: base.config };
  state.commit = state.applied = base.index;
  state.time = Math.max(state.time, base.time);
  state.out.news.push({ kind: "members", config: base.config });
  const sender = { replicaId: from, peerId: fromPeer };
  sendAfter(state, write, sender, {
    kind: "append-answer",
    term: state.term,
    match: base.index,
    round: 0,
    version: state.version,
  });
  return true;
}

/** Cuts the log where it has become long or large, below what is applied and durable. */
export function cutLog(state: GroupState): void {
  const { keepEntries, cutEntries, keepBytes } = state.settings;
  const { log } = state;
  const counted = state.appliedDurable - keepEntries;
  let to = counted - log.base < cutEntries ? log.base : counted;
  if (log.bytes > keepBytes && state.appliedDurable > log.base)
    to = Math.max(to, Math.min(firstWithin(log, keepBytes / 2), state.appliedDurable));
  if (to <= log.base) return;
  const base = baseAt(state, to);
  ensure(to <= state.appliedDurable, "L7", () => `the log was cut at ${to}, which is not durable`);
  cut(log, to);
  state.configs = [
    { index: to, config: base.config },
    ...state.configs.filter(({ index }) => index > to),
  ];
  record(state, { kind: "base", base });
}

function answerPart(state: GroupState, message: PeerMessage & SnapshotPart, taken: boolean): void {
  const { from, fromPeer, base, part } = message;
  const sender = { replicaId: from, peerId: fromPeer };
  const { term } = state;
  sendAfter(state, 0, sender, { kind: "snapshot-answer", term, index: base.index, part, taken });
}

function baseAt(state: GroupState, index: Index): Base {
  const term = termAt(state.log, index);
  ensure(term !== undefined, "L7", () => `the log does not have ${index}`);
  const config = configAt(state, index);
  return { index, term, time: entryAt(state.log, index)?.time ?? state.time, config };
}

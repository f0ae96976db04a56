/**
 * Replication: appends from the leader, their answers, and the commit.
 *
 * - L3: entries that are there already are skipped; the first that conflicts is where the log is cut off.
 * - L4: what is committed by counting is of the leader's own term; its own copy counts as far as it is
 *   durable; learners count for nothing.
 * - A follower that fell behind is found by probing: one append at a time, going back a whole term at
 *   each refusal; from the first that fits on they are pipelined.
 */

import { isMajority, majorityReached, memberOf, type Member } from "./config.ts";
import { appendEntry, send, sendAfter, truncateFrom, writeOf } from "./durability.ts";
import { type Index, sizeOf } from "./entry.ts";
import { ensure } from "./errors.ts";
import { compareClocks } from "./lease.ts";
import { entryAt, firstOfTerm, lastIndex, slice, termAt } from "./log.ts";
import { becomeFollower, follow } from "./office.ts";
import type { Append, AppendAnswer, AppendReject, PeerMessage, Route } from "./peer-message.ts";
import {
  configOf,
  electionTimeout,
  type GroupState,
  type Leadership,
  type Progress,
  quietScale,
} from "./state.ts";

// --- at the leader ---------------------------------------------------------------------------------

/** Sends every member what it lacks. */
export function replicate(state: GroupState, led: Leadership): void {
  for (const member of configOf(state).members)
    if (member.replicaId !== state.self) replicateTo(state, led, member);
}

function replicateTo(state: GroupState, led: Leadership, member: Member): void {
  const progress = follow(state, led, member.replicaId);
  const { batchBytesMax, inflightMax } = state.settings;
  if (gathers(state, progress)) return;
  while (progress.next <= lastIndex(state.log)) {
    if (progress.mode === "snapshot") return;
    if (progress.mode === "probe" && progress.probing) return;
    if (progress.mode === "stream" && progress.inflight.length >= inflightMax) return;
    if (!sendEntries(state, led, member, progress, batchBytesMax)) return;
  }
}

/**
 * Whether what a follower lacks waits for more: some is on its way to it, and it is little (as Nagle has it for TCP). Then what
 * comes meanwhile goes together, and the more there is to do, the less each costs.
 */
function gathers({ settings, log, now }: GroupState, progress: Progress): boolean {
  const { mode, inflight, next, sentAt } = progress;
  if (mode !== "stream" || inflight.length === 0 || now - sentAt >= settings.gatherMax)
    return false;
  let bytes = 0;
  for (let index = next; index <= lastIndex(log); index++) {
    const entry = entryAt(log, index);
    bytes += entry === undefined ? 0 : sizeOf(entry);
    if (bytes >= settings.gatherBytes) return false;
  }
  return true;
}

function sendEntries(
  state: GroupState,
  led: Leadership,
  member: Member,
  progress: Progress,
  bytesMax: number,
): boolean {
  const prevIndex = progress.next - 1;
  const prevTerm = termAt(state.log, prevIndex);
  if (prevTerm === undefined || prevIndex < state.log.base) {
    if (takesSnapshots(state, progress)) beginSnapshot(state, led, member, progress);
    return false;
  }
  const entries = slice(state.log, progress.next, lastIndex(state.log), bytesMax);
  const last = prevIndex + entries.length;
  if (progress.mode === "stream") {
    progress.next = last + 1;
    progress.inflight.push(last);
    progress.sentAt = state.now;
  } else progress.probing = true;
  send(state, member, {
    kind: "append",
    term: state.term,
    prevIndex,
    prevTerm,
    entries,
    commit: state.commit,
    // Only a heartbeat begins a round: what it confirms has to be later than what asked for it.
    round: 0,
    quiet: state.quiet,
  });
  led.busyAt = state.now;
  return true;
}

/** Sends a heartbeat that confirms a round. @param asked to whom; null: to every member, and the next one is due later */
export function beat(
  state: GroupState,
  led: Leadership,
  asked: ReadonlySet<number> | null = null,
): void {
  for (const member of configOf(state).members) {
    if (member.replicaId === state.self || asked?.has(member.replicaId) === false) continue;
    const progress = follow(state, led, member.replicaId);
    // It may have been lost: the answer to this heartbeat will tell.
    progress.probing = false;
    // What is before the log can be asked of nobody but by the base, which a follower of that kind has not.
    const prevIndex = Math.max(
      progress.mode === "stream"
        ? progress.next - 1
        : Math.min(progress.next - 1, lastIndex(state.log)),
      state.log.base,
    );
    send(state, member, {
      kind: "append",
      term: state.term,
      prevIndex,
      prevTerm: termAt(state.log, prevIndex) ?? 0,
      entries: [],
      commit: state.commit,
      round: led.round,
      quiet: state.quiet,
    });
  }
  const { heartbeat, quietHeartbeat, gatherMax } = state.settings;
  if (asked === null) {
    led.beatDue = state.now + (state.quiet ? quietHeartbeat : heartbeat);
    led.allDue = Infinity;
  } else led.allDue = state.now + gatherMax;
}

/**
 * Whether a snapshot may get through to a member. A process sends few at once: who is gone, or takes none, must not keep
 * those waiting who are there, in whatever group. A heartbeat tells when it is back.
 */
function takesSnapshots(state: GroupState, { contact, snapshotFrom }: Progress): boolean {
  const patience = state.settings.electionMax * quietScale(state);
  return state.now - contact < patience && state.now >= snapshotFrom;
}

function beginSnapshot(
  state: GroupState,
  led: Leadership,
  member: Member,
  progress: Progress,
): void {
  progress.mode = "snapshot";
  progress.snapshotAt = state.now;
  led.partsDue = Math.min(led.partsDue, state.now + 2 * state.settings.electionMax);
  progress.part = -1;
  progress.inflight = [];
  state.out.snapshots.push({ kind: "send", to: member.replicaId });
}

/** A follower has what the leader has, up to an index. */
export function onAppendAnswer(
  state: GroupState,
  led: Leadership,
  { from, match, round, version, clock }: Route & AppendAnswer,
): void {
  if (memberOf(configOf(state), from) === undefined) return;
  const progress = follow(state, led, from);
  ensure(
    match <= lastIndex(state.log),
    "G2",
    () => `replica ${from} has ${match} of ${lastIndex(state.log)} entries`,
  );
  progress.contact = state.now;
  progress.version = version;
  if (clock !== undefined) compareClocks(state, led, progress, { from, round, clock });
  progress.round = Math.max(progress.round, round);
  progress.match = Math.max(progress.match, match);
  if (progress.mode === "stream") {
    while ((progress.inflight[0] ?? Infinity) <= match) progress.inflight.shift();
    progress.next = Math.max(progress.next, match + 1);
  } else if (progress.mode === "probe" ? match + 1 >= progress.next : match >= state.log.base) {
    progress.mode = "stream";
    progress.probing = false;
    progress.inflight = [];
    progress.next = progress.match + 1;
  }
  advanceCommit(state, led);
}

/** A follower's log does not fit: go back. */
export function onAppendReject(
  state: GroupState,
  led: Leadership,
  { from, prevIndex, conflictTerm, conflictIndex, round }: Route & AppendReject,
): void {
  if (memberOf(configOf(state), from) === undefined) return;
  const progress = follow(state, led, from);
  progress.contact = state.now;
  // It refused the entries, not the leader: for a round that is as good as a consent.
  progress.round = Math.max(progress.round, round);
  if (progress.mode === "snapshot") return;
  // Late, of an append before one that has fitted since, or of another probe.
  if (prevIndex <= progress.match) return;
  if (progress.mode === "probe" && prevIndex !== progress.next - 1) return;
  progress.mode = "probe";
  progress.probing = false;
  progress.inflight = [];
  progress.next =
    Math.max(progress.match, goBack(state, prevIndex, conflictTerm, conflictIndex)) + 1;
}

/** The index before which the next probe starts. */
function goBack(
  state: GroupState,
  prevIndex: Index,
  conflictTerm: number,
  conflictIndex: Index,
): Index {
  const { log } = state;
  if (conflictTerm > 0) {
    // The last entry of that term that the leader has may be common to both.
    for (
      let index = Math.min(prevIndex - 1, lastIndex(log));
      index >= Math.max(conflictIndex, log.base);
      index--
    )
      if (termAt(log, index) === conflictTerm) return index;
  }
  return Math.min(prevIndex, conflictIndex) - 1;
}

/** Commits what a majority has (L4). */
export function advanceCommit(state: GroupState, led: Leadership): void {
  const reached = majorityReached(configOf(state), (id) =>
    id === state.self ? state.stable : (led.progress.get(id)?.match ?? 0),
  );
  if (reached <= state.commit || termAt(state.log, reached) !== state.term) return;
  commitTo(state, reached);
}

/** Raises the commit; never lowers it. */
export function commitTo(state: GroupState, index: Index): void {
  if (index <= state.commit) return;
  ensure(
    index <= lastIndex(state.log),
    "G3",
    () => `${index} of ${lastIndex(state.log)} entries were to be committed`,
  );
  const led = state.leadership;
  if (led !== null) ensureMajority(state, led, index);
  for (let i = state.commit + 1; i <= index; i++) {
    const entry = entryAt(state.log, i);
    if (entry === undefined) continue;
    if (led !== null) led.pendingBytes = Math.max(0, led.pendingBytes - sizeOf(entry));
    if (entry.kind === "config") state.out.news.push({ kind: "members", config: entry.config });
  }
  state.commit = index;
}

/** Asserts what `advanceCommit` has found: of each voter by itself, and not by sorting. */
function ensureMajority(state: GroupState, led: Leadership, index: Index): void {
  const { members } = configOf(state);
  let short = 0;
  for (const { replicaId, voter } of members) {
    if (!voter) continue;
    const match = replicaId === state.self ? state.stable : led.progress.get(replicaId)?.match;
    short += (match ?? 0) >= index ? -1 : 1;
  }
  ensure(
    short < 0 && termAt(state.log, index) === state.term,
    "L4",
    () => `entry ${index} was to be committed in term ${state.term} without a durable majority`,
  );
}

/** Whether a majority of voters has been heard of lately (L10). */
export function hasQuorumContact(state: GroupState, led: Leadership, since: number): boolean {
  return isMajority(
    configOf(state),
    (id) => id === state.self || (led.progress.get(id)?.contact ?? -Infinity) >= since,
  );
}

// --- at a follower ---------------------------------------------------------------------------------

/** Takes what the leader of the term has sent. */
export function onAppend(state: GroupState, message: PeerMessage & Append): void {
  ensure(
    state.role !== "leader",
    "G1",
    () => `replica ${message.from} leads term ${state.term} beside replica ${state.self}`,
  );
  heardLeader(state, message.from, message.quiet);
  const { prevIndex, prevTerm, entries, round } = message;
  const sender = { replicaId: message.from, peerId: message.fromPeer };
  const { log } = state;
  const last = prevIndex + entries.length;
  const known = termAt(log, prevIndex);
  // Before the base everything is committed, and so the same everywhere.
  if (prevIndex >= log.base && known !== prevTerm) {
    const short = known === undefined;
    sendAfter(state, 0, sender, {
      kind: "append-reject",
      term: state.term,
      prevIndex,
      conflictTerm: short ? 0 : known,
      conflictIndex: short ? lastIndex(log) + 1 : firstOfTerm(log, prevIndex),
      round,
    });
    return;
  }
  for (const entry of entries) {
    if (entry.index <= log.base) continue;
    const own = termAt(log, entry.index);
    if (own === entry.term) continue;
    if (own !== undefined) truncateFrom(state, entry.index);
    appendEntry(state, entry);
  }
  commitTo(state, Math.min(message.commit, last));
  const match = Math.max(last, log.base);
  const answer = {
    kind: "append-answer",
    term: state.term,
    round,
    version: state.version,
    ...(round > 0 && state.settings.lease !== false ? { clock: state.now } : {}),
  } as const;
  // The round is confirmed at once; what is not durable yet is not claimed.
  if (match > state.stable && round > 0)
    sendAfter(state, 0, sender, { ...answer, match: Math.min(match, state.stable) });
  sendAfter(state, writeOf(state, match), sender, { ...answer, match });
}

/** Takes note of a sign of life from the leader of this term. */
export function heardLeader(state: GroupState, leader: number, quiet: boolean): void {
  if (state.role !== "follower" || state.leader !== leader)
    becomeFollower(state, state.term, leader);
  state.contact = state.now;
  state.quiet = quiet;
  state.deadline = state.now + electionTimeout(state);
}

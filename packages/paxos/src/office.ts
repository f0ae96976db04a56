/**
 * Coming into and going out of office: the roles of a replica, and what changes with them.
 *
 * Invariants: a leader has leadership, and nobody else has; a term is left for a higher one only; who
 * comes into office adds an entry of its own term before anything else (L9, and Ongaro's erratum of 2015).
 */

import type { ReplicaId } from "./config.ts";
import { appendEntry, setHard } from "./durability.ts";
import type { Content, Entry, Term } from "./entry.ts";
import { commandEntry, sizeOf } from "./entry.ts";
import { ensure } from "./errors.ts";
import { lastIndex } from "./log.ts";
import {
  configOf,
  electionTimeout,
  type GroupState,
  type Leadership,
  type Progress,
} from "./state.ts";

/** Follows a leader, or nobody known (0), in a term that is the present one or a later one. */
export function becomeFollower(state: GroupState, term: Term, leader: ReplicaId): void {
  if (term > state.term) setHard(state, term, 0);
  const led = state.leadership;
  state.role = "follower";
  state.granted.clear();
  state.invited = false;
  // The rest of it may never come, as another leader may have no need to send one: it must not take the place of others.
  state.staging = null;
  if (led !== null) {
    // Nobody can say any more whether these reads would see everything.
    for (const { id } of led.reads) state.out.reads.push({ id, outcome: "refused" });
    state.leadership = null;
    // It does not have to be loyal to itself.
    state.contact = state.now - state.settings.electionMax * 2;
    state.quiet = false;
    state.deadline = state.now + electionTimeout(state);
  }
  setLeader(state, leader);
}

/** Takes office: from now on everything this replica says in this term is said as its leader. */
export function becomeLeader(state: GroupState): void {
  ensure(
    state.role === "candidate" && state.vote === state.self,
    "G1",
    () => `replica ${state.self} takes office as ${state.role}`,
  );
  const noop = lastIndex(state.log) + 1;
  state.role = "leader";
  state.granted.clear();
  state.invited = false;
  state.quiet = false;
  state.staging = null;
  state.leadership = {
    noop,
    baseTime: state.time,
    since: state.now,
    progress: new Map(),
    round: 0,
    sent: [],
    reads: [],
    transfer: null,
    invited: false,
    beatDue: state.now,
    allDue: Infinity,
    partsDue: Infinity,
    busyAt: state.now,
    pendingBytes: 0,
  };
  for (const { replicaId } of configOf(state).members) follow(state, state.leadership, replicaId);
  setLeader(state, state.self);
  appendOwn(state, state.leadership, { kind: "noop" });
}

/** Group time: never back, and by the leader's own clock while it is in office. */
export function groupTime({ time, now, leadership: led }: GroupState): number {
  return led === null ? time : Math.max(time, led.baseTime + (now - led.since));
}

/** Adds an entry of the leader's own term. @returns the entry */
export function appendOwn(state: GroupState, led: Leadership, content: Content): Entry {
  const index = lastIndex(state.log) + 1;
  const { term } = state;
  const time = groupTime(state);
  const entry: Entry =
    content.kind === "command"
      ? commandEntry(index, term, time, content.data)
      : { ...content, index, term, time };
  if (entry.kind === "config") ensureSettled(state, led);
  led.pendingBytes += sizeOf(entry);
  wake(state, led);
  appendEntry(state, entry);
  return entry;
}

/** Asserts what allows a change of the membership: the change before it, and an entry of this term, are committed. */
function ensureSettled({ configs, commit }: GroupState, { noop }: Leadership): void {
  const before = configs.at(-1)?.index ?? 0;
  ensure(
    before <= commit && noop <= commit,
    "G5",
    () => `the membership changes at commit ${commit}, after one at ${before} and entry ${noop}`,
  );
}

/** Something happens in the group: back to the fast heartbeat. */
export function wake(state: GroupState, led: Leadership): void {
  led.busyAt = state.now;
  state.quiet = false;
  led.beatDue = Math.min(led.beatDue, state.now + state.settings.heartbeat);
}

/** What the leader knows of a member; made when it is first asked for. */
export function follow(state: GroupState, led: Leadership, replicaId: ReplicaId): Progress {
  let progress = led.progress.get(replicaId);
  if (progress === undefined) {
    progress = {
      match: 0,
      next: lastIndex(state.log) + 1,
      mode: "probe",
      probing: false,
      inflight: [],
      sentAt: state.now,
      round: 0,
      contact: state.now,
      version: 0,
      snapshotAt: state.now,
      snapshotFrom: -Infinity,
      part: -1,
      partAt: state.now,
      reading: null,
    };
    led.progress.set(replicaId, progress);
  }
  return progress;
}

function setLeader(state: GroupState, leader: ReplicaId): void {
  if (state.leader === leader) return;
  state.leader = leader;
  state.out.news.push({ kind: "leader", term: state.term, leader });
}

/**
 * The state of one replica of a group, and what a step of it asks for.
 *
 * The group is multi-Paxos in the shape that Raft gave it (Ongaro and Ousterhout 2014; Ongaro's thesis
 * 2014): terms are ballots, an election is phase 1 for all positions at once, an append is phase 2.
 * It is a state machine without ports and clock. Functions take the state, change it, and leave what has
 * to happen in `out`; `turn` of `group.ts` hands that over. The same state and inputs give the same.
 *
 * What is durable: term, vote, log, base and base configuration. A write gets a number; what depends
 * on it waits in `held` until that number is flushed, so that "persist, then answer" stands in one place
 * (`durability.ts`).
 */

import { type Millis, mix } from "@kith/core";
import { type Config, type ReplicaId, noConfig } from "./config.ts";
import type { Entry, Index, Term } from "./entry.ts";
import { ensure } from "./errors.ts";
import { append, emptyLog, type Log } from "./log.ts";
import type { Base, PeerMessage, SnapshotPart } from "./peer-message.ts";
import { defaultSettings, type GroupSettings } from "./settings.ts";

/** What has to be written, in order. */
export type LogRecord =
  | { readonly kind: "hard"; readonly term: Term; readonly vote: ReplicaId }
  | { readonly kind: "append"; readonly entry: Entry }
  | { readonly kind: "truncate"; readonly from: Index }
  /** The log begins after the base: what is before it is in the table. */
  | { readonly kind: "base"; readonly base: Base }
  /** The same with the table replaced by what was staged, all at once; `keep` where the log's rest stays. */
  | {
      readonly kind: "install";
      readonly base: Base;
      readonly keep: boolean;
      /** The base before it. */
      readonly replaced: Index;
    };

/** What became of a read. */
export interface ReadOutcome {
  readonly id: number;
  /**
   * Ready: the applied table may be read now. Leased: it may, but what was read is told only where `holdsLease` still says yes
   * afterwards, by the clock as it is then; else the read is asked again. Refused: this replica does not lead any more.
   */
  readonly outcome: "ready" | "leased" | "refused";
}

/** What others may want to know. */
export type GroupNews =
  | { readonly kind: "leader"; readonly term: Term; readonly leader: ReplicaId }
  | { readonly kind: "members"; readonly config: Config }
  /** The clock of that replica runs faster than leases allow: there are none any more. */
  | { readonly kind: "drift"; readonly replica: ReplicaId }
  /** This replica is no member any more, and never will be again. */
  | { readonly kind: "removed"; readonly config: Config };

/** How far the snapshot that comes in is. */
export interface Staging {
  readonly from: ReplicaId;
  readonly index: Index;
  readonly part: number;
  /** Whether that part is staged, and not only under way. */
  staged: boolean;
}

/** What has to be done about snapshots. */
export type SnapshotDeed =
  | { readonly kind: "send"; readonly to: ReplicaId }
  | { readonly kind: "stage"; readonly message: Readonly<PeerMessage & SnapshotPart> }
  | {
      /** A part was taken or refused; null: nothing was heard, and it may be lost. */
      readonly kind: "proceed";
      readonly to: ReplicaId;
      readonly part: number;
      readonly taken: boolean | null;
    };

/** What a turn asks for. Records are written as one batch; messages may leave at once. */
export interface Effects {
  messages: PeerMessage[];
  records: LogRecord[];
  /** The number of this write, to be told to `flushed`; 0 without records. */
  write: number;
  /** Committed entries, in order, to be applied now. */
  apply: Entry[];
  reads: ReadOutcome[];
  news: GroupNews[];
  snapshots: SnapshotDeed[];
}

/** What a leader knows of another member. */
export interface Progress {
  /** The last index that is known to be there, durably. */
  match: Index;
  /** The index of the next entry to send. */
  next: Index;
  /** Probe: one append at a time, until one fits. Stream: as fast as they come. Snapshot: none. */
  mode: "probe" | "stream" | "snapshot";
  /** In probe: an append is on its way. */
  probing: boolean;
  /** In stream: the last indexes of the appends on their way. */
  inflight: Index[];
  /** When the last of them was sent. */
  sentAt: Millis;
  /** The last round that it confirmed. */
  round: number;
  /** When it was last heard of. */
  contact: Millis;
  /** The newest version of the machine that it supports; 0 until it says so. */
  version: number;
  /** In snapshot: when it was last heard of, or began. */
  snapshotAt: Millis;
  /** Before that none is begun: one was given up. */
  snapshotFrom: Millis;
  /** In snapshot: the part that is on its way, and since when; -1 while none is. */
  part: number;
  partAt: Millis;
  /** Its clock as it was once, and when the leader sent what asked for that. */
  reading: { readonly at: Millis; readonly clock: Millis } | null;
}

/** A read that waits. */
export interface WaitingRead {
  readonly id: number;
  /** The commit when it came: the read has to see at least that. */
  index: Index;
  /** The round that confirms it; 0 until one has begun after it came. */
  round: number;
  /** The last round that had begun when it came. */
  readonly after: number;
}

/** A transfer of the leadership that is under way. */
export interface Transfer {
  readonly to: ReplicaId;
  readonly until: Millis;
  told: boolean;
}

/** What only a leader has. */
export interface Leadership {
  /** Its first entry: nothing is read or reconfigured until that is committed. */
  readonly noop: Index;
  /** The group's time when it took office, and its own clock then. */
  readonly baseTime: number;
  readonly since: Millis;
  readonly progress: Map<ReplicaId, Progress>;
  /** Number of the last round that began. */
  round: number;
  /** When the last rounds were sent; with leases only. */
  readonly sent: { readonly round: number; readonly at: Millis }[];
  reads: WaitingRead[];
  transfer: Transfer | null;
  /** Whether it has ever asked another one to take over. */
  invited: boolean;
  beatDue: Millis;
  /** When all are asked, where reads wait still for the few who were; infinite where all were. */
  allDue: Millis;
  /** When parts of snapshots have to be looked at again. */
  partsDue: Millis;
  /** When something last happened, for falling quiet. */
  busyAt: Millis;
  pendingBytes: number;
}

/** What a write contains, until it is flushed. */
export interface Tail {
  readonly write: number;
  /** The last index of the log with that write; less where the log was truncated since. */
  index: Index;
}

/** A message that waits for a write. */
export interface Held {
  readonly after: number;
  readonly message: PeerMessage;
}

/** What a replica is doing. */
export type Role = "follower" | "pre-candidate" | "candidate" | "leader";

/** One replica. Plain data. */
export interface GroupState {
  readonly gid: string;
  readonly self: ReplicaId;
  readonly peerId: number;
  readonly settings: GroupSettings;
  /** Keys the draws of election timers; another in each life of the replica. */
  readonly seed: number;
  draws: number;
  now: Millis;

  term: Term;
  vote: ReplicaId;
  readonly log: Log;
  /** The configurations of the log, oldest first; the first is that of the base. */
  configs: { readonly index: Index; readonly config: Config }[];

  /** Writes handed out, and those that are known to be durable. */
  written: number;
  flushed: number;
  /** The write with the present term and vote. */
  hardWrite: number;
  tails: Tail[];
  /** The last index of the log that is durable here. */
  stable: Index;
  held: Held[];

  role: Role;
  leader: ReplicaId;
  commit: Index;
  applied: Index;
  /** The applied index that is durable: the log is never cut beyond it. */
  appliedDurable: Index;
  /** The greatest group time seen. */
  time: number;
  /** When a leader was last heard of, or this life began. */
  contact: Millis;
  deadline: Millis;
  quiet: boolean;
  granted: Set<ReplicaId>;
  /** Whether the campaign was asked for by the leader. */
  invited: boolean;
  leadership: Leadership | null;
  /** The snapshot that is being staged. */
  staging: Staging | null;
  /** The newest version of the machine that this replica can apply. */
  version: number;
  /** The replica whose clock ran too fast for leases while this one led; 0 where none did. */
  drifting: ReplicaId;
  /** Why it has stopped for good, with its data kept; null where it has not. */
  halted: string | null;
  out: Effects;
}

/** What a replica has on its disk. */
export interface Durable {
  readonly term: Term;
  readonly vote: ReplicaId;
  readonly base: Base;
  readonly entries: readonly Entry[];
  /** Up to where the table on the disk is applied. */
  readonly applied: Index;
}

/** What a new life of a replica is made of. */
export interface ReplicaOptions {
  readonly gid: string;
  readonly self: ReplicaId;
  readonly peerId: number;
  readonly seed: number;
  readonly now: Millis;
  readonly version?: number;
  readonly settings?: Partial<GroupSettings>;
}

/** What the disk of a founding member holds. */
export function founded(config: Config): Durable {
  return {
    term: 0,
    vote: 0,
    base: { index: 0, term: 0, time: 0, config },
    entries: [],
    applied: 0,
  };
}

/**
 * What the disk of a member holds of a group that a command of another one makes. Its log begins after a first entry that
 * nobody sends: who lacks the group gets a snapshot. No term has begun in it.
 */
export function spawned(config: Config, time: number): Durable {
  return { term: 0, vote: 0, base: { index: 1, term: 0, time, config }, entries: [], applied: 1 };
}

/** What the disk of a replica holds that has been added to a group and knows nothing yet. */
export const joining: Durable = founded(noConfig);

/** An empty set of effects. */
export function noEffects(): Effects {
  return { messages: [], records: [], write: 0, apply: [], reads: [], news: [], snapshots: [] };
}

/** A replica at the beginning of a life, from what its disk holds. */
export function replica(options: ReplicaOptions, durable: Durable): GroupState {
  const settings = { ...defaultSettings, ...options.settings };
  const { gid, self, peerId, seed, now } = options;
  const log = emptyLog(durable.base.index, durable.base.term);
  const configs = [{ index: durable.base.index, config: durable.base.config }];
  ensure(
    log.base <= durable.applied && durable.applied <= log.base + durable.entries.length,
    "L7",
    () => `the table is applied to ${durable.applied}, and the log begins after ${log.base}`,
  );
  let { time } = durable.base;
  for (const entry of durable.entries) {
    append(log, entry);
    if (entry.kind === "config") configs.push({ index: entry.index, config: entry.config });
    time = Math.max(time, entry.time);
  }
  const state: GroupState = {
    gid,
    self,
    peerId,
    settings,
    seed,
    draws: 0,
    now,
    term: durable.term,
    vote: durable.vote,
    log,
    configs,
    written: 0,
    flushed: 0,
    hardWrite: 0,
    tails: [],
    // What recovery has read from the disk is durable.
    stable: log.base + log.entries.length,
    held: [],
    role: "follower",
    leader: 0,
    // What was applied was committed; more than that the next leader will say.
    commit: durable.applied,
    applied: durable.applied,
    appliedDurable: durable.applied,
    time,
    // A voter that has just come back stays loyal for a while: it may have answered a leader before.
    contact: now,
    deadline: 0,
    quiet: false,
    granted: new Set(),
    invited: false,
    leadership: null,
    staging: null,
    version: options.version ?? 1,
    drifting: 0,
    halted: null,
    out: noEffects(),
  };
  state.deadline = now + electionTimeout(state);
  return state;
}

/** The membership in force: the last one in the log, committed or not (L5). */
export function configOf(state: GroupState): Config {
  return state.configs.at(-1)?.config ?? noConfig;
}

/** The last membership that is committed. */
export function committedConfig(state: GroupState): Config {
  const { configs, commit } = state;
  for (let i = configs.length - 1; i > 0; i--) {
    const at = configs[i];
    if (at !== undefined && at.index <= commit) return at.config;
  }
  return configs[0]?.config ?? noConfig;
}

/** The membership at an index that is committed, and not before the log's base. */
export function configAt(state: GroupState, index: Index): Config {
  let [{ config } = { config: noConfig }] = state.configs;
  for (const at of state.configs) if (at.index <= index) ({ config } = at);
  return config;
}

/** How much slower everything is while the group is quiet. */
export function quietScale({ quiet, settings }: GroupState): number {
  return quiet ? Math.max(1, settings.quietHeartbeat / settings.heartbeat) : 1;
}

/** A time without a leader after which to campaign: drawn anew each time. */
export function electionTimeout(state: GroupState): Millis {
  const { electionMin, electionMax } = state.settings;
  const span = Math.max(1, Math.round((electionMax - electionMin) * 1000));
  const drawn = mix(state.seed, state.draws++) % span;
  return Math.round((electionMin + drawn / 1000) * quietScale(state) * 1000) / 1000;
}

/**
 * A replica as its host keeps it: the state of the protocol, the table, and who waits for what.
 *
 * A proposal is answered when the entry at its index is applied: done where that has its term. When an entry of a later
 * term is applied, at its index or before, it is certainly not done: no log has both of them, as terms in a log do not
 * go back. All of this is plain data, so that a swap carries it.
 */

import type { ReplyToken } from "@kith/core";
import { memberOf, type Member } from "./config.ts";
import type { Entry, Index, Term } from "./entry.ts";
import { lastIndex } from "./log.ts";
import { groupTime } from "./office.ts";
import type { Machine } from "./machine.ts";
import type { ReplicaId } from "./config.ts";
import {
  Changed,
  type ConsensusAnswer,
  Done,
  NotLeader,
  type Standing,
  Status,
  Unknown,
} from "./port.ts";
import { configAt, configOf, type GroupState, type Progress } from "./state.ts";
import { applyEntry, type Change, type Table } from "./table.ts";

/** Who waits for an entry. */
export interface Waiting {
  readonly term: Term;
  readonly token: ReplyToken<ConsensusAnswer>;
}

/** A query that waits for its round. */
export interface WaitingQuery {
  readonly token: ReplyToken<ConsensusAnswer>;
  readonly query: Uint8Array;
}

/** A replica of this process. Plain data. */
export interface Replica {
  readonly state: GroupState;
  table: Table;
  readonly proposals: Map<Index, Waiting>;
  readonly queries: Map<number, WaitingQuery>;
  lastQuery: number;
  /** Up to where the table that was last written is applied. */
  saved: Index;
  /** Whether the table shall be written with the next batch. */
  saveDue: boolean;
  /** Whether somebody wants to hear of each command. */
  followed: boolean;
}

/** An answer, and whom it is for. */
export interface Reply {
  readonly token: ReplyToken<ConsensusAnswer>;
  readonly answer: ConsensusAnswer;
}

/** A replica that nobody waits for yet. */
export function newReplica(state: GroupState, table: Table): Replica {
  return {
    state,
    table,
    proposals: new Map(),
    queries: new Map(),
    lastQuery: 0,
    saved: table.applied,
    saveDue: false,
    followed: false,
  };
}

/** The member that leads, as far as a replica knows. */
export function leaderOf(state: GroupState): Member | null {
  return memberOf(configOf(state), state.leader) ?? null;
}

/** Applies an entry and answers who waits for it. @throws what the machine throws */
export function applyTo(
  replica: Replica,
  machine: Machine,
  entry: Entry,
  twice: boolean,
  reply: (reply: Reply) => void,
): Change {
  const { proposals, table, state } = replica;
  const change = applyEntry(table, machine, entry, twice);
  const { result } = change;
  for (const { gid } of change.spawned) {
    table.children.set(gid, { ...configAt(state, entry.index), epoch: 1 });
    table.newChildren.push(gid);
  }
  // They are in the order of their terms.
  for (const [index, { term, token }] of proposals) {
    if (term >= entry.term) break;
    proposals.delete(index);
    reply({ token, answer: new NotLeader({ leader: leaderOf(replica.state) }) });
  }
  const waiting = proposals.get(entry.index);
  if (waiting === undefined) return change;
  proposals.delete(entry.index);
  const { token } = waiting;
  // Another entry stands where the proposal stood: it was truncated, and nobody will ever apply it.
  if (waiting.term !== entry.term)
    reply({ token, answer: new NotLeader({ leader: leaderOf(replica.state) }) });
  else if (entry.kind === "config") reply({ token, answer: new Changed({ config: entry.config }) });
  else reply({ token, answer: new Done({ index: entry.index, result: result ?? noBytes }) });
  return change;
}

/** Lets somebody wait for the entry that this leader has put at an index. Who waited for an earlier one there is told that it is gone from here. */
export function awaitEntry(
  replica: Replica,
  index: Index,
  token: Waiting["token"],
  reply: (reply: Reply) => void,
): void {
  const { proposals } = replica;
  const before = proposals.get(index);
  // Deleted, so that the order is that of the terms.
  if (before !== undefined && proposals.delete(index))
    reply({ token: before.token, answer: new Unknown() });
  proposals.set(index, { term: replica.state.term, token });
}

/** Answers all who wait: nobody here can know any more. */
export function answerUnknown(replica: Replica, upTo: Index, reply: (reply: Reply) => void): void {
  for (const [index, { token }] of replica.proposals) {
    if (index > upTo) continue;
    replica.proposals.delete(index);
    reply({ token, answer: new Unknown() });
  }
}

/** How a replica is. */
export function statusOf({ state, table }: Replica): Status {
  const { gid, self, role, term, log, commit, applied, quiet, halted } = state;
  return new Status({
    gid,
    self,
    role,
    term,
    leader: leaderOf(state),
    config: configOf(state),
    firstIndex: log.base + 1,
    lastIndex: lastIndex(log),
    commit,
    applied,
    hash: table.hash,
    version: table.version,
    time: groupTime(state),
    quiet,
    halted,
    others: standings(state),
  });
}

function standings({ leadership, self, now }: GroupState): Standing[] {
  const progress = leadership?.progress ?? new Map<ReplicaId, Progress>();
  return [...progress]
    .filter(([replicaId]) => replicaId !== self)
    .map(([replicaId, { match, contact }]) => ({ replicaId, match, silent: now - contact }));
}

/** Names a replica: for tables of work that is under way. */
export function nameOf(gid: string, replica: ReplicaId): string {
  return `${replica} ${gid}`;
}

const noBytes = new Uint8Array(0);

/**
 * The way to the storage: what all groups of a process write in a turn is one batch with one flush.
 *
 * A write says, for each group in it, which of the group's own writes it holds, and up to where its table is
 * applied; the group is told when that is durable. What is written without a flush is durable with
 * the next one that has one, since the storage keeps the order. How many writes are under way is bounded.
 */

import type { ReplyToken } from "@kith/core";
import { CommitInstall, type Operation, Write } from "@kith/storage";
import type { ReplicaId } from "./config.ts";
import type { PeerMessage } from "./peer-message.ts";
import type { ConsensusAnswer } from "./port.ts";

/** What is durable of a group when a write is. */
export type Written = Map<
  string,
  { readonly self: ReplicaId; readonly write: number; readonly applied: number }
>;

/** What the answer to a write is about. Plain data. */
export interface WriteContext {
  readonly groups: Written;
  /** Who waits to hear that a group is founded. */
  readonly founded: readonly ReplyToken<ConsensusAnswer>[];
}

/** What a turn writes and sends. */
export interface Batch {
  readonly operations: Operation[];
  readonly groups: Written;
  readonly messages: PeerMessage[];
  flush: boolean;
}

/** What of a host's state is about writes. Plain data. */
export interface WritesState {
  /** Writes that are not answered. */
  underWay: number;
  /** Whether a turn waits until there are fewer. */
  turnWaits: boolean;
  /** Operations that belong to no turn of a group. */
  births: Operation[];
  founding: ReplyToken<ConsensusAnswer>[];
  /** What was written without a flush. */
  unflushed: Written;
}

/** What writing needs of the host. */
export interface WritePorts {
  readonly write: (ask: Write, options: { context: WriteContext }) => void;
  readonly install: (ask: CommitInstall, options: { context: WriteContext }) => void;
}

const underWayMax = 64;

/** Nothing written. */
export function noWrites(): WritesState {
  return { underWay: 0, turnWaits: false, births: [], founding: [], unflushed: new Map() };
}

/** The writes of a host. */
export class Writes {
  // Asked for each time: a swap puts another object into its place.
  readonly #holder: () => WritesState;
  readonly #ports: WritePorts;

  constructor(state: () => WritesState, ports: WritePorts) {
    this.#holder = state;
    this.#ports = ports;
  }

  get #state(): WritesState {
    return this.#holder();
  }

  /** A batch to fill, with what waited for one; null while too many writes are under way. */
  begin(): Batch | null {
    const state = this.#state;
    if (state.underWay >= underWayMax) {
      state.turnWaits = true;
      return null;
    }
    const operations = state.births.splice(0);
    return { operations, groups: new Map(), messages: [], flush: operations.length > 0 };
  }

  /** Hands over what the batch holds so far. */
  commit(batch: Batch): void {
    const state = this.#state;
    const operations = batch.operations.splice(0);
    const groups = new Map(batch.groups);
    const { flush } = batch;
    batch.groups.clear();
    batch.flush = false;
    if (operations.length === 0 && groups.size === 0) return;
    const founded = flush ? state.founding.splice(0) : [];
    if (flush) {
      for (const [gid, before] of state.unflushed) if (!groups.has(gid)) groups.set(gid, before);
      state.unflushed = new Map();
    } else for (const [gid, written] of groups) state.unflushed.set(gid, written);
    state.underWay++;
    // Each operation names its namespace; what most of them name is written once.
    const namespace = operations[0]?.namespace ?? "paxos.none";
    this.#ports.write(new Write({ namespace, operations, flush }), {
      context: { groups, founded },
    });
  }

  /** Makes what is staged the table of a group, with the records that belong to it. */
  install(installing: number, operations: readonly Operation[], groups: Written): void {
    this.#state.underWay++;
    const ask = new CommitInstall({ install: installing, operations });
    this.#ports.install(ask, { context: { groups, founded: [] } });
  }

  /** A write was answered. @returns whether a turn has waited for that */
  answered(): boolean {
    const state = this.#state;
    state.underWay--;
    const waited = state.turnWaits;
    state.turnWaits = false;
    return waited;
  }
}

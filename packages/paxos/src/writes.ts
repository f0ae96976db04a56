/**
 * The way to the storage: what all groups of a process write in a turn is one batch with one flush.
 *
 * A write says, for each group in it, which of the group's own writes it holds, and up to where its table is
 * applied; the group is told when that is durable. What is written without a flush is durable with
 * the next one that has one, since the storage keeps the order. How many writes are under way is bounded.
 *
 * Each write appends to a log of its own, at its number. Where the storage refuses one, it so refuses all that were under way
 * behind it: what is on the disk is the beginning of what was written, as after a crash, and never has a hole. Where it was
 * busy, the same writes are asked again, in their order, and nothing else before them. Where it is full, nothing is written
 * until there is room again, and the replicas are read anew.
 */

import type { ReplyToken } from "@kith/core";
import { CommitInstall, type Operation, type StorageFailed, Write } from "@kith/storage";
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
  /** Its place in the order of all writes. */
  readonly place: number;
}

/** A write that the storage was too busy for. */
export interface Postponed {
  readonly namespace: string;
  readonly operations: readonly Operation[];
  readonly flush: boolean;
  readonly context: WriteContext;
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
  /** The number of the last write. */
  number: number;
  /** What was refused because the storage was busy. */
  again: Postponed[];
  /** Why the storage has refused a write for longer; null where it has not. */
  refused: string | null;
  /** Whether what was in memory is forgotten since. */
  dropped: boolean;
  /** When to ask again. */
  retryAt: number;
}

/** What writing needs of the host. */
export interface WritePorts {
  readonly write: (ask: Write, options: { context: WriteContext }) => void;
  readonly install: (ask: CommitInstall, options: { context: WriteContext }) => void;
}

const underWayMax = 64;
/** The log in which each write leaves its number. */
export const orderLog = "paxos.order";
const orderCutEvery = 256;
/** So much room there has to be for going on. */
const probeBytes = 64 * 1024;

/** Nothing written. */
export function noWrites(): WritesState {
  return {
    underWay: 0,
    turnWaits: false,
    births: [],
    founding: [],
    unflushed: new Map(),
    number: 0,
    again: [],
    refused: null,
    dropped: false,
    retryAt: Infinity,
  };
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

  /** A batch to fill, with what waited for one; null while too many writes are under way, or none is taken. */
  begin(): Batch | null {
    const state = this.#state;
    if (state.underWay >= underWayMax || state.again.length > 0 || state.refused !== null) {
      state.turnWaits = true;
      return null;
    }
    const operations = state.births.splice(0);
    return { operations, groups: new Map(), messages: [], flush: operations.length > 0 };
  }

  /** Hands over what the batch holds so far. */
  commit(batch: Batch): void {
    const state = this.#state;
    const { flush } = batch;
    batch.flush = false;
    if (batch.operations.length === 0 && batch.groups.size === 0) return;
    const operations = batch.operations.splice(0);
    const groups = new Map(batch.groups);
    batch.groups.clear();
    const founded = flush ? state.founding.splice(0) : [];
    if (flush) {
      for (const [gid, before] of state.unflushed) if (!groups.has(gid)) groups.set(gid, before);
      state.unflushed = new Map();
    } else for (const [gid, written] of groups) state.unflushed.set(gid, written);
    state.underWay++;
    // Each operation names its namespace; what most of them name is written once.
    const namespace = operations[0]?.namespace ?? "paxos.none";
    operations.push(...this.#place());
    this.#ports.write(new Write({ namespace, operations, flush }), {
      context: { groups, founded, place: state.number },
    });
  }

  /** Makes what is staged the table of a group, with the records that belong to it. */
  install(installing: number, operations: readonly Operation[], groups: Written): void {
    this.#state.underWay++;
    const ask = new CommitInstall({
      install: installing,
      operations: [...operations, ...this.#place()],
    });
    this.#ports.install(ask, { context: { groups, founded: [], place: this.#state.number } });
  }

  /** A write was answered. @returns whether a turn has waited for that */
  answered(): boolean {
    const state = this.#state;
    state.underWay--;
    const waited = state.turnWaits && state.again.length === 0 && state.refused === null;
    if (waited) state.turnWaits = false;
    return waited;
  }

  /**
   * The storage has refused a write; where it was only busy, the write is kept. Not one that installs a snapshot, for which
   * another one may come meanwhile. @returns whether it is
   */
  postpone({ code }: StorageFailed, ask: Write | CommitInstall, context: WriteContext): boolean {
    const { again, refused } = this.#state;
    const behind = code === "KITH_STORAGE_ARGUMENT" && again.length > 0;
    if ((code !== "KITH_STORAGE_BUSY" && !behind) || refused !== null || !(ask instanceof Write))
      return false;
    const { namespace, operations, flush = true } = ask;
    again.push({ namespace, operations, flush, context });
    return true;
  }

  /** Asks for the writes again that were postponed, when all before them are answered. */
  resume(): void {
    const state = this.#state;
    if (state.underWay > 0 || state.refused !== null) return;
    // Refusals may overtake each other.
    const writes = state.again.sort((a, b) => a.context.place - b.context.place);
    state.again = [];
    state.underWay = writes.length;
    for (const { namespace, operations, flush, context } of writes)
      this.#ports.write(new Write({ namespace, operations, flush }), { context });
  }

  /** The storage has refused a write. @returns whether it may take one later */
  refuse({ code, detail }: StorageFailed): boolean {
    const state = this.#state;
    // One that was behind a refused one does not fit the log of numbers.
    const isBehind = state.refused !== null || state.again.length > 0;
    const behind = code === "KITH_STORAGE_ARGUMENT" && isBehind;
    if (code !== "KITH_STORAGE_FULL" && code !== "KITH_STORAGE_BUSY" && !behind) return false;
    state.refused ??= detail;
    return true;
  }

  /** Forgets what was to be written: nothing of it has been promised. @returns who waits to hear of a founding */
  drop(): ReplyToken<ConsensusAnswer>[] {
    const state = this.#state;
    const waiting = state.again.flatMap(({ context }) => context.founded);
    state.births = [];
    state.unflushed = new Map();
    state.again = [];
    return [...state.founding.splice(0), ...waiting];
  }

  /** Asks whether there is room again, and makes durable all that was taken. */
  probe(last: number): void {
    const state = this.#state;
    state.underWay++;
    const record = new Uint8Array(probeBytes);
    const operations: Operation[] = [{ kind: "append", index: last + 1, record }];
    this.#ports.write(new Write({ namespace: orderLog, operations }), {
      context: { groups: new Map(), founded: [], place: last + 1 },
    });
  }

  /** The place of a write in the order of all. */
  #place(): Operation[] {
    const state = this.#state;
    const index = ++state.number;
    const namespace = orderLog;
    const place: Operation = { kind: "append", namespace, index, record: noRecord };
    return index % orderCutEvery === 0
      ? [place, { kind: "cut", namespace, to: index - 1 }]
      : [place];
  }
}

const noRecord = new Uint8Array(0);

/**
 * The port over which a scenario reaches the components of a node: it asks for operations, and is told
 * their outcomes and facts. Every world that runs scenarios offers it, as it offers Timer and Network;
 * so a scenario knows nothing of the world that it runs in, and what passes here is plain data.
 */

import { event, type EventClass, port } from "@kith/core";

/** What a process asks a node to do. The names are those of a history's lines. */
export interface Operation {
  /** What to do, such as `read`, `write`, `cas` or `txn`. */
  readonly op: string;
  /** The key that it is about, where there is one. */
  readonly key?: string | undefined;
  /** What is written, or what a transaction consists of: plain data. */
  readonly value?: unknown;
}

/** How an operation has ended: done, not done, or nobody knows. */
export type OutcomeType = "ok" | "fail" | "info";

/** A node is asked to perform an operation; it answers with `Performed` and the same `id`, once. */
export class Perform extends event("scenario/Perform")<
  Operation & {
    /** Names this call. */
    readonly id: number;
    /** The process that calls: it waits for the outcome before its next call. */
    readonly process: number;
  }
> {}

/** The outcome of an operation. */
export class Performed extends event("scenario/Performed")<{
  /** The call, as `Perform` named it. */
  readonly id: number;
  /** `fail` promises that it never took and never will take effect; `info` promises nothing. */
  readonly type: OutcomeType;
  /** What was read; where nothing is said, the value of the call stands in the history. */
  readonly value?: unknown;
  /** Why it failed, for people. */
  readonly error?: string | undefined;
}> {}

/**
 * What a component tells the invariants of a scenario. Facts are subclasses of it:
 * `class Granted extends event("lock/Granted", Fact)<{ fence: number }> {}`.
 */
export class Fact extends event("scenario/Fact") {}

/** The class of a fact. */
export type FactClass<F extends Fact = Fact> = EventClass<F>;

/** Offered to every component of a node while a scenario runs; any of them may state facts. */
export const Workload = port("Workload", {
  requests: [Performed, Fact],
  indications: [Perform],
});

/**
 * The history of a run: one line for each call of a process and one for each outcome, in the order in
 * which they happened. It is what the checkers of `@kith/testing/history` judge, which also know its
 * JSON lines; the shape is theirs.
 */

import type { OutcomeType } from "./port.ts";

/** A line of a history. */
export interface HistoryEvent {
  /** Who called; it has one open call, and no more calls after an `info`. */
  readonly process: number;
  readonly type: "invoke" | OutcomeType;
  readonly op: string;
  readonly key?: string;
  readonly value?: unknown;
  /** In nanoseconds since the beginning. */
  readonly time: number;
  readonly error?: string;
}

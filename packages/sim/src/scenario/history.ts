/**
 * The history of a run: one line for each call of a process and one for each outcome, in the order in
 * which they happened. It is what the checkers judge; as JSON lines it can be read by other tools too.
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

/** A history as JSON, one line per event. */
export function historyLines(history: readonly HistoryEvent[]): string {
  return history.map((line) => `${JSON.stringify(line)}\n`).join("");
}

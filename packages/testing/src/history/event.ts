/**
 * Histories: what clients asked of a service and what they were told, as a list of events in the order in
 * which they happened, one call and one return for each operation. The shape is that of Jepsen's histories.
 *
 * What holds in a history that the checkers take:
 *
 * - A process has one open operation at a time, and a return names the operation that it ends.
 * - `ok`: it has happened. `fail`: it certainly has not, and never will. `info`: nobody knows; it may
 *   happen at any later time, or never, and its process does nothing more.
 * - An operation that is open at the end is like one with `info`.
 *
 * As a file, a history is JSON lines, one event a line.
 */

import { testError } from "../errors.ts";

/** What an event says about its operation: it begins, or how it ended. */
export type HistoryEventType = "invoke" | "ok" | "fail" | "info";

/**
 * One call or return. By `op`, the value is:
 *
 * - `read`: what an `ok` read; in a set, the list of all elements; null where the key is absent
 * - `write`: what is written; null deletes
 * - `cas`: `[from, to]`; `ok` means that it was `from`, and is `to` now
 * - `add`: an element for a set, an amount for a counter
 * - `txn`: the steps of a transaction: `["r", key, value]`, `["append", key, value]`, `["w", key, value]`;
 *   what was read stands in the `ok`, and null before
 *
 * A return may leave `key` and, but for reads and transactions, `value` out.
 */
export interface HistoryEvent {
  /** Who does it, a whole number; not a thread for ever, as it ends with its first `info`. */
  readonly process: number;
  readonly type: HistoryEventType;
  readonly op: string;
  readonly key?: string;
  readonly value?: unknown;
  /** Nanoseconds since some beginning. For people: what decides is the order of the events. */
  readonly time: number;
  /** Why it failed, or why nobody knows. */
  readonly error?: string;
}

/**
 * Reads a history from JSON lines; empty lines are left out. Whether calls and returns fit together is looked
 * at by `operationsOf`, which every checker calls.
 *
 * @throws KithError `KITH_HISTORY_LINE`, which names the line
 */
export function parseHistory(text: string): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    if (line.trim() !== "") events.push(parseLine(line, number));
  }
  return events;
}

/** The history as JSON lines, as `parseHistory` reads them; each line ends in a line feed. */
export function formatHistory(events: readonly HistoryEvent[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}

function parseLine(line: string, number: number): HistoryEvent {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (cause) {
    throw testError("KITH_HISTORY_LINE", `Line ${number} of the history is no JSON.`, cause);
  }
  if (!isEvent(parsed)) {
    const what = `Line ${number} of the history is no event: ${line.slice(0, 200)}`;
    throw testError("KITH_HISTORY_LINE", what);
  }
  return parsed;
}

function isEvent(of: unknown): of is HistoryEvent {
  if (typeof of !== "object" || of === null) return false;
  const { process, type, op, key, time, error }: Partial<Record<keyof HistoryEvent, unknown>> = of;
  return (
    Number.isSafeInteger(process) &&
    (type === "invoke" || type === "ok" || type === "fail" || type === "info") &&
    typeof op === "string" &&
    typeof time === "number" &&
    Number.isFinite(time) &&
    (key === undefined || typeof key === "string") &&
    (error === undefined || typeof error === "string")
  );
}

/**
 * How long the checkers take, by the length of the history, by how many operations run side by side, and by how many
 * outcomes are unknown. One operation is one operation of the history.
 */

import {
  checkAppends,
  checkRegisters,
  complaint,
  type HistoryEvent,
  type Verdict,
} from "@kith/testing/history";
import type { Case } from "../harness.ts";
import { appendHistory, registerHistory, type Shape } from "./histories.ts";

const usual: Shape = { operations: 50_000, processes: 10, keys: 10, infos: 2, unique: true };

function judging(
  shape: Shape,
  make: (shape: Shape) => HistoryEvent[],
  check: (history: readonly HistoryEvent[]) => Verdict,
): Case {
  let history: HistoryEvent[] = [];
  return {
    unit: "operation",
    count: shape.operations,
    rounds: 3,
    prepare() {
      history = make(shape);
      return Promise.resolve();
    },
    run() {
      const wrong = complaint(check(history));
      if (wrong !== undefined) throw new Error(wrong);
    },
    facts: () => ({ unknown: history.filter(({ type }) => type === "info").length }),
  };
}

const blocks = (shape: Partial<Shape>): Case =>
  judging({ ...usual, ...shape }, registerHistory, checkRegisters);
const searched = (shape: Partial<Shape>): Case =>
  judging({ ...usual, ...shape }, registerHistory, (history) =>
    checkRegisters(history, { searchAlways: true }),
  );
const appends = (shape: Partial<Shape>): Case =>
  judging({ ...usual, ...shape }, appendHistory, checkAppends);

/** The suites of the checkers. */
export const checkerSuites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  "checkers, registers by blocks": {
    "50,000 operations, 10 side by side on 10 keys, 2 % unknown": blocks({}),
    "5,000 operations": blocks({ operations: 5000 }),
    "500,000 operations": blocks({ operations: 500_000 }),
    "100 side by side on 1 key": blocks({ processes: 100, keys: 1 }),
    "20 % unknown, on 1 key": blocks({ infos: 20, keys: 1 }),
  },
  "checkers, registers by search": {
    "50,000 operations, 10 side by side on 10 keys, 2 % unknown": searched({}),
    "5,000 operations": searched({ operations: 5000 }),
    "10 side by side on 1 key": searched({ keys: 1 }),
    "20 side by side on 1 key": searched({ processes: 20, keys: 1 }),
    "20 % unknown, on 1 key": searched({ infos: 20, keys: 1 }),
    "ten values, none unknown": searched({ unique: false, infos: 0 }),
    "ten values, 10 side by side on 1 key, none unknown": searched({
      unique: false,
      keys: 1,
      infos: 0,
    }),
  },
  "checkers, appends": {
    "50,000 transactions, 10 side by side on 10 keys, 2 % unknown": appends({}),
    "5,000 transactions": appends({ operations: 5000 }),
    "50 side by side": appends({ processes: 50 }),
    "on 1 key": appends({ keys: 1 }),
    "20 % unknown": appends({ infos: 20 }),
  },
};

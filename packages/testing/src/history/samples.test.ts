/**
 * Small random histories of each kind, right and wrong ones, and the comparison of a set of checkers with brute
 * force on them: what the tests of the checkers and of their planted bugs run.
 */

import type { HistoryEvent } from "./event.ts";
import type * as checkers from "./index.ts";
import { type Call, Dice, history } from "./clients.test.ts";
import {
  appendsBrute,
  counterBrute,
  longForkBrute,
  registersBrute,
  setBrute,
} from "./brute.test.ts";

export type Checkers = Pick<
  typeof checkers,
  | "checkRegisters"
  | "checkAppends"
  | "checkSet"
  | "checkCounter"
  | "checkLongFork"
  | "formatHistory"
>;

/** How the checkers did on some histories. */
export interface Comparison {
  valid: number;
  invalid: number;
  /** The first history on which a checker was wrong, and how. */
  mistake?: string;
}

/** A history of registers: `unique` values or a few, that are often the same, and null. */
export function registers(seed: number, unique: boolean, operations = 7): HistoryEvent[] {
  const dice = new Dice(seed);
  const wrong = dice.chance(60);
  const state = new Map<string, unknown>();
  const past: unknown[] = [null];
  let fresh = 0;
  const value = (): unknown => (unique ? ++fresh : dice.pick([null, 1, 2]));
  const known = (): unknown => dice.pick(past);
  return history(dice, {
    operations,
    processes: 1 + dice.below(4),
    infos: dice.pick([0, 10, 40]),
    next: () => {
      const key = dice.chance(80) ? "x" : "y";
      const kind = dice.below(10);
      if (kind < 5) return { op: "read", key };
      if (kind < 8) return { op: "write", key, value: value() };
      return { op: "cas", key, value: [known(), value()] };
    },
    effects: ({ op, key = "", value: given }) => [
      () => {
        const has = state.get(key) ?? null;
        if (op === "read") return { value: wrong && dice.chance(20) ? known() : has };
        if (wrong && dice.chance(10)) return op === "cas" && dice.chance(50) ? false : {};
        if (op === "cas") {
          const [from, to] = given as [unknown, unknown];
          if (from !== has && !(wrong && dice.chance(20))) return false;
          state.set(key, to);
          past.push(to);
          return {};
        }
        state.set(key, given);
        past.push(given);
        return wrong && dice.chance(5) ? false : {};
      },
    ],
  });
}

/** A history of list-append transactions: atomic ones, or such as take effect step by step and look at old versions. */
export function appends(seed: number, operations = 6): HistoryEvent[] {
  const dice = new Dice(seed);
  const wrong = dice.chance(70);
  const keys = dice.chance(50) ? ["x", "y"] : ["x", "y", "z"];
  const lists = new Map<string, unknown[]>();
  const past = new Map<string, unknown[][]>();
  let fresh = 0;
  return history(dice, {
    operations,
    processes: 1 + dice.below(4),
    infos: dice.pick([0, 10, 30]),
    next: () => ({
      op: "txn",
      value: Array.from({ length: 1 + dice.below(3) }, () => {
        const key = dice.pick(keys);
        return dice.chance(50) ? ["r", key, null] : ["append", key, ++fresh];
      }),
    }),
    effects: ({ value }) => {
      const steps = value as [string, string, unknown][];
      const done: unknown[] = [];
      const loose = wrong && dice.chance(40);
      const stale = wrong && dice.chance(20);
      const lossy = wrong && dice.chance(10);
      const parts = steps.map(([kind, key, of]) => () => {
        const has = lists.get(key) ?? [];
        if (kind === "r") {
          const found = stale && dice.chance(50) ? dice.pick(past.get(key) ?? [[]]) : has;
          done.push(["r", key, found.length === 0 && dice.chance(50) ? null : found]);
          return undefined;
        }
        done.push([kind, key, of]);
        if (lossy && dice.chance(50)) return undefined;
        const longer = wrong && dice.chance(5) ? [of, ...has] : [...has, of];
        if (wrong && dice.chance(3)) longer.push(of);
        lists.set(key, longer);
        past.set(key, [...(past.get(key) ?? [[]]), longer]);
        return undefined;
      });
      const end = () => (wrong && dice.chance(5) ? (false as const) : { value: done });
      if (loose) return [...parts, end];
      return [
        () => {
          for (const part of parts) part();
          return end();
        },
      ];
    },
  });
}

/** A history of a set, or of a counter. */
export function adds(seed: number, counter: boolean): HistoryEvent[] {
  const dice = new Dice(seed);
  const wrong = dice.chance(60);
  const signed = counter && dice.chance(30);
  let now: number[] = [];
  const past: number[][] = [[]];
  const answer = (of: number[]): unknown => (counter ? of.reduce((sum, one) => sum + one, 0) : of);
  let fresh = 0;
  return history(dice, {
    operations: 7,
    processes: 1 + dice.below(4),
    infos: dice.pick([0, 20]),
    next: () => {
      if (dice.chance(50)) return { op: "read", key: "s" };
      return { op: "add", key: "s", value: signed && dice.chance(50) ? -++fresh : ++fresh };
    },
    effects: ({ op, value }: Call) => [
      () => {
        if (op === "add") {
          if (wrong && dice.chance(15)) return dice.chance(70) ? {} : false;
          now = [...now, value as number];
          past.push(now);
          return wrong && dice.chance(5) ? false : {};
        }
        if (!wrong || dice.chance(60)) return { value: answer(now) };
        const old = dice.pick(past);
        const torn = dice.chance(50) ? old : [...now, fresh + dice.below(2)];
        return { value: answer(dice.chance(30) ? torn.filter(() => dice.chance(70)) : torn) };
      },
    ],
  });
}

/** A history of single writes, and of reads of all keys which may see only some of what was written. */
export function forks(seed: number): HistoryEvent[] {
  const dice = new Dice(seed);
  const wrong = dice.chance(50);
  const keys = ["a", "b", "c"];
  const written = new Set<string>();
  const unwritten = [...keys];
  return history(dice, {
    operations: 9,
    processes: 3,
    next: () => {
      const key = unwritten.pop();
      if (key !== undefined && dice.chance(40)) return { op: "txn", value: [["w", key, 1]] };
      if (key !== undefined) unwritten.push(key);
      const group = dice.chance(80) ? keys : ["b", "a"];
      return { op: "txn", value: group.map((one) => ["r", one, null]) };
    },
    effects: ({ value }) => [
      () => {
        const steps = value as [string, string, unknown][];
        for (const [kind, key] of steps) if (kind === "w") written.add(key);
        return {
          value: steps.map(([kind, key]) => {
            const there = written.has(key) && !(wrong && dice.chance(25));
            return [kind, key, kind === "w" || there ? 1 : null];
          }),
        };
      },
    ],
  });
}

/** Compares checkers with brute force on histories of every kind or of one, `count` of each; stops at the first mistake. */
export function compare(judge: Checkers, count: number, only?: string): Record<string, Comparison> {
  const { checkRegisters, checkAppends, checkSet, checkCounter, checkLongFork } = judge;
  const kinds: Record<string, Kind> = {
    "registers, unique": [(seed) => registers(seed, true), registersBrute, checkRegisters],
    "registers, unique, searched": [
      (seed) => registers(seed, true),
      registersBrute,
      (one) => checkRegisters(one, { searchAlways: true }),
    ],
    "registers, few values": [(seed) => registers(seed, false), registersBrute, checkRegisters],
    appends: [appends, appendsBrute, checkAppends],
    set: [(seed) => adds(seed, false), setBrute, checkSet],
    counter: [(seed) => adds(seed, true), counterBrute, checkCounter, "sound"],
    "long fork": [forks, longForkBrute, checkLongFork],
  };
  const comparisons: Record<string, Comparison> = {};
  for (const [name, kind] of Object.entries(kinds)) {
    if (only === undefined || only === name) comparisons[name] = compareKind(judge, kind, count);
  }
  return comparisons;
}

type Kind = readonly [
  sample: (seed: number) => HistoryEvent[],
  brute: (history: readonly HistoryEvent[]) => boolean,
  check: Checkers["checkSet"],
  /** The checker is not complete: it need not find all that is wrong. */
  sound?: "sound",
];

function compareKind(
  judge: Checkers,
  [sample, brute, check, sound]: Kind,
  count: number,
): Comparison {
  const result: Comparison = { valid: 0, invalid: 0 };
  const isRegister = sample(0).some(({ op }) => op === "write" || op === "cas");
  for (let seed = 0; seed < count; seed++) {
    const one = sample(seed);
    const right = brute(one);
    result[right ? "valid" : "invalid"]++;
    const mistake = (what: string): Comparison => ({
      ...result,
      mistake: `seed ${seed}: ${what}\n${judge.formatHistory(one)}`,
    });
    let verdict;
    try {
      verdict = check(one);
    } catch (error) {
      return mistake(String(error));
    }
    if (verdict.verdict === "undecided") {
      if (verdict.spent > 0) return mistake("undecided");
      continue;
    }
    if (verdict.verdict === "valid") {
      if (!right && sound === undefined) return mistake("not found to be wrong");
      continue;
    }
    if (right) return mistake(`found to be wrong: ${verdict.anomaly}`);
    if (isRegister && !standsAlone(one, verdict.operations, brute)) {
      return mistake("the operations named are not wrong by themselves");
    }
  }
  return result;
}

/** Whether some operations are wrong without all others. */
function standsAlone(
  all: readonly HistoryEvent[],
  operations: readonly checkers.Called[],
  brute: (history: readonly HistoryEvent[]) => boolean,
): boolean {
  const kept = new Set(operations.flatMap(({ invoked, returned }) => [invoked, returned]));
  return !brute(all.filter((_, at) => kept.has(at)));
}

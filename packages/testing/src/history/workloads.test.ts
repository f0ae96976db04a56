/** Bank, set, counter and long fork: their anomalies, and that to have looked at nothing is no pass. */

import { expect } from "chai";
import {
  checkBank,
  checkCounter,
  checkLongFork,
  checkSet,
  complaint,
  type HistoryEvent,
  type Verdict,
} from "./index.ts";

/** Operations one after another, or side by side where `from` and `to` say so. */
interface Sketch {
  readonly op: string;
  readonly value?: unknown;
  readonly told?: unknown;
  readonly from: number;
  readonly to: number;
  readonly end?: "ok" | "fail" | "info";
}

function events(...sketches: readonly Sketch[]): HistoryEvent[] {
  return sketches
    .flatMap(({ op, value, told, from, to, end = "ok" }, i): HistoryEvent[] => {
      const call = { process: i, op, ...(op === "txn" ? {} : { key: "k" }) };
      return [
        { ...call, type: "invoke", value, time: from },
        { ...call, type: end, value: told ?? value, time: to },
      ];
    })
    .sort((a, b) => a.time - b.time);
}

const add = (
  from: number,
  to: number,
  value: unknown,
  end: "ok" | "fail" | "info" = "ok",
): Sketch => ({
  op: "add",
  value,
  from,
  to,
  end,
});
const read = (from: number, to: number, told: unknown): Sketch => ({ op: "read", told, from, to });
const txn = (
  from: number,
  to: number,
  steps: readonly unknown[],
  end: "ok" | "fail" = "ok",
): Sketch => ({
  op: "txn",
  value: steps,
  from,
  to,
  end,
});

function named(verdict: Verdict): string {
  return verdict.verdict === "invalid" ? verdict.anomaly : verdict.verdict;
}

describe("a set", () => {
  const cases: Readonly<Record<string, readonly Sketch[]>> = {
    valid: [add(0, 1, 1), add(2, 8, 2), read(3, 4, [1]), add(3, 4, 3, "info"), read(9, 10, [2, 1])],
    "lost element": [add(0, 1, 1), read(2, 3, [])],
    "stale read": [add(0, 9, 1), read(1, 2, [1]), read(3, 4, []), read(5, 6, [1])],
    "long fork": [add(0, 9, 1), add(0, 9, 2), read(1, 8, [1]), read(2, 8, [2])],
    "unexpected element": [read(0, 1, [5])],
    "duplicate element": [add(0, 1, 1), read(2, 3, [1, 1])],
    "aborted element": [add(0, 1, 1, "fail"), read(2, 3, [1])],
    "element from the future": [read(0, 1, [1]), add(2, 3, 1)],
    undecided: [add(0, 1, 1)],
  };
  for (const [anomaly, sketches] of Object.entries(cases)) {
    it(`is judged: ${anomaly}`, () => {
      expect(named(checkSet(events(...sketches)))).equal(anomaly);
    });
  }

  it("has lost what was there before something that is seen", () => {
    const history = events(add(0, 1, 1), add(2, 3, 2), { ...read(0, 9, [2]) });
    expect(named(checkSet(history))).equal("lost element");
  });

  it("takes each element once, and reads of lists only", () => {
    expect(() => checkSet(events(add(0, 1, 1), add(2, 3, 1)))).throw("KITH_HISTORY_UNIQUE");
    expect(() => checkSet(events(read(0, 1, 7)))).throw("KITH_HISTORY_VALUE");
  });
});

describe("a counter", () => {
  const cases: Readonly<Record<string, readonly Sketch[]>> = {
    valid: [
      add(0, 1, 5),
      add(2, 9, 3),
      read(3, 4, 5),
      read(5, 6, 8),
      add(7, 8, 10, "info"),
      read(10, 11, 18),
    ],
    "out of bounds": [add(0, 1, 5), read(2, 3, 4)],
    "stale read": [add(0, 9, 5), read(1, 2, 5), read(3, 4, 0)],
    undecided: [add(0, 1, 1)],
  };
  for (const [anomaly, sketches] of Object.entries(cases)) {
    it(`is judged: ${anomaly}`, () => {
      expect(named(checkCounter(events(...sketches)))).equal(anomaly);
    });
  }

  it("may fall where amounts are below zero, but not below all of them", () => {
    const falling = [add(0, 9, 5), add(0, 9, -5), read(1, 2, 5), read(3, 4, -5)];
    expect(named(checkCounter(events(...falling)))).equal("valid");
    expect(named(checkCounter(events(...falling, read(5, 6, -6))))).equal("out of bounds");
  });

  it("does not count what failed", () => {
    expect(named(checkCounter(events(add(0, 1, 5, "fail"), read(2, 3, 5))))).equal("out of bounds");
  });

  it("takes numbers only", () => {
    expect(() => checkCounter(events(add(0, 1, "a"), read(2, 3, 1)))).throw("KITH_HISTORY_VALUE");
    expect(() => checkCounter(events(add(0, 1, 1), read(2, 3, "a")))).throw("KITH_HISTORY_VALUE");
  });
});

describe("a bank", () => {
  const options = { accounts: ["a", "b"], total: 20 };
  const all = (a: unknown, b: unknown): readonly unknown[] => [
    ["r", "a", a],
    ["r", "b", b],
  ];
  const cases: Readonly<Record<string, readonly Sketch[]>> = {
    valid: [
      txn(0, 1, all(10, 10)),
      txn(2, 3, [...all(10, 10), ["w", "a", 5], ["w", "b", 15]]),
      txn(4, 5, all(5, 15)),
    ],
    "wrong total": [txn(0, 1, all(10, 10)), txn(2, 3, all(5, 10))],
    overdraft: [txn(0, 1, all(-5, 25))],
    "no amount": [txn(0, 1, all(null, 20))],
    undecided: [txn(0, 1, [["r", "a", 10]]), txn(2, 3, all(1, 1), "fail")],
  };
  for (const [anomaly, sketches] of Object.entries(cases)) {
    it(`is judged: ${anomaly}`, () => {
      expect(named(checkBank(events(...sketches), options))).equal(anomaly);
    });
  }

  it("may lend, where that is allowed", () => {
    const history = events(txn(0, 1, all(-5, 25)));
    expect(named(checkBank(history, { ...options, overdraft: true }))).equal("valid");
  });

  it("leaves out what a transaction wrote itself", () => {
    const history = events(txn(0, 1, [["w", "a", 99], ...all(99, 10)]), txn(2, 3, all(10, 10)));
    expect(named(checkBank(history, options))).equal("valid");
  });
});

describe("single writes", () => {
  const both = (a: unknown, b: unknown): readonly unknown[] => [
    ["r", "a", a],
    ["r", "b", b],
  ];
  const writes = [txn(0, 9, [["w", "a", 1]]), txn(0, 9, [["w", "b", 2]])];
  const cases: Readonly<Record<string, readonly Sketch[]>> = {
    valid: [...writes, txn(1, 2, both(1, null)), txn(3, 4, both(1, 2))],
    "long fork": [...writes, txn(1, 2, both(1, null)), txn(3, 4, both(null, 2))],
    "unwritten value": [...writes, txn(1, 2, both(2, null))],
    undecided: [...writes, txn(1, 2, both(1, null))],
  };
  for (const [anomaly, sketches] of Object.entries(cases)) {
    it(`are judged: ${anomaly}`, () => {
      expect(named(checkLongFork(events(...sketches)))).equal(anomaly);
    });
  }

  it("refuse a second write of a key, and reading what failed", () => {
    const twice = [...writes, txn(0, 9, [["w", "a", 3]])];
    expect(() => checkLongFork(events(...twice))).throw("KITH_HISTORY_UNIQUE");
    const failed = [txn(0, 1, [["w", "a", 1]], "fail"), txn(2, 3, both(1, null))];
    expect(named(checkLongFork(events(...failed)))).equal("unwritten value");
  });
});

describe("a verdict", () => {
  it("that is not valid is a complaint", () => {
    expect(complaint(checkSet(events(add(0, 1, 1), read(2, 3, [1]))))).equal(undefined);
    expect(complaint(checkSet(events(add(0, 1, 1))))).match(/^undecided: nobody read/);
    expect(complaint(checkSet(events(read(0, 1, [5]))))).match(
      /^unexpected element: .*\n {2}\[0–1\]/,
    );
  });
});

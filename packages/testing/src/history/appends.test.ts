/** List-append transactions: the anomalies of Adya and of Elle, each in the smallest history that shows it. */

import { expect } from "chai";
import { checkAppends, type HistoryEvent, type Verdict } from "./index.ts";
import { appends } from "./samples.test.ts";

type Steps = readonly (readonly [kind: string, key: string, value: unknown])[];

/** A transaction of a history: who, from when to when, how it ended, and what it did. */
interface Sketch {
  readonly process?: number;
  readonly from?: number;
  readonly to?: number;
  readonly end?: "ok" | "fail" | "info";
  readonly steps: Steps;
}

/** Transactions that all run side by side, each of a process of its own, unless told otherwise. */
function transactions(...sketches: readonly Sketch[]): HistoryEvent[] {
  const events = sketches.flatMap(({ process, from = 0, to = 100, end = "ok", steps }, i) => {
    const call = { process: process ?? i + 1, op: "txn" };
    const asked = steps.map(([kind, key, value]) => [kind, key, kind === "r" ? null : value]);
    return [
      { ...call, type: "invoke", value: asked, time: from },
      { ...call, type: end, value: end === "ok" ? steps : asked, time: to },
    ] satisfies HistoryEvent[];
  });
  return events.sort((a, b) => a.time - b.time);
}

const t = (...steps: Steps): Sketch => ({ steps });
const at = (from: number, to: number, ...steps: Steps): Sketch => ({ from, to, steps });
const by = (process: number, from: number, to: number, ...steps: Steps): Sketch => ({
  process,
  from,
  to,
  steps,
});

const wrong: Readonly<
  Record<string, readonly [anomaly: string, history: readonly Sketch[], concerned?: number]>
> = {
  "dirty writes": [
    "G0",
    [
      t(["append", "x", 1], ["append", "y", 1]),
      t(["append", "x", 2], ["append", "y", 2]),
      t(["r", "x", [1, 2]], ["r", "y", [2, 1]]),
    ],
    2,
  ],
  "an aborted read": [
    "G1a (aborted read)",
    [{ steps: [["append", "x", 1]], end: "fail" }, t(["r", "x", [1]])],
    2,
  ],
  "an intermediate read": [
    "G1b (intermediate read)",
    [t(["append", "x", 1], ["append", "x", 2]), t(["r", "x", [1]])],
    2,
  ],
  "circular information flow": [
    "G1c",
    [t(["append", "x", 1], ["r", "y", [1]]), t(["append", "y", 1], ["r", "x", [1]])],
    2,
  ],
  "read skew": [
    "G-single",
    [
      t(["r", "x", []], ["r", "y", [1]]),
      t(["append", "x", 1], ["append", "y", 1]),
      t(["r", "x", [1]]),
    ],
    2,
  ],
  "write skew": [
    "G2",
    [t(["r", "x", []], ["append", "y", 1]), t(["r", "y", []], ["append", "x", 1])],
    2,
  ],
  "write skew that later reads show": [
    "G2",
    [
      t(["r", "x", []], ["append", "y", 1]),
      t(["r", "y", []], ["append", "x", 1]),
      t(["r", "x", [1]], ["r", "y", [1]]),
    ],
    2,
  ],
  "a long fork": [
    "G2",
    [
      t(["append", "x", 1]),
      t(["append", "y", 1]),
      t(["r", "x", [1]], ["r", "y", []]),
      t(["r", "x", []], ["r", "y", [1]]),
    ],
    4,
  ],
  "a lost update": [
    "lost update",
    [
      t(["r", "x", [0]], ["append", "x", 1]),
      t(["r", "x", [0]], ["append", "x", 2]),
      t(["append", "x", 0]),
    ],
    2,
  ],
  "writes against real time": [
    "G0-realtime",
    [at(0, 1, ["append", "x", 1]), at(2, 3, ["append", "x", 2]), at(4, 5, ["r", "x", [2, 1]])],
    2,
  ],
  "a read of what was called later": [
    "G1c-realtime",
    [at(0, 1, ["r", "x", [1]]), at(2, 3, ["append", "x", 1])],
    2,
  ],
  "a stale read": [
    "G-single-realtime",
    [at(0, 1, ["append", "x", 1]), at(2, 3, ["r", "x", []]), at(4, 5, ["r", "x", [1]])],
    2,
  ],
  "a stale read by way of a third": [
    "G-single-realtime",
    [
      at(0, 1, ["append", "x", 1]),
      at(2, 3, ["append", "y", 1]),
      at(0, 9, ["r", "x", []], ["r", "y", [1]]),
      at(10, 11, ["r", "x", [1]]),
    ],
    3,
  ],
  "a long fork of which one half is real time": [
    "G2-realtime",
    [
      t(["append", "x", 1]),
      at(1, 2, ["append", "y", 1]),
      t(["r", "x", [1]], ["r", "y", []]),
      at(3, 4, ["r", "x", []]),
    ],
    4,
  ],
  "a process that forgets what it has read": [
    "G-single-process",
    [t(["append", "x", 1]), by(9, 1, 2, ["r", "x", [1]]), by(9, 3, 4, ["r", "x", []])],
    3,
  ],
  "a process whose second append comes first": [
    "G0-process",
    [by(9, 1, 2, ["append", "x", 1]), by(9, 3, 4, ["append", "x", 2]), t(["r", "x", [2, 1]])],
    2,
  ],
  "a process that reads its own future": [
    "G1c-process",
    [by(9, 1, 2, ["r", "x", [1]]), by(9, 3, 4, ["append", "x", 1])],
    2,
  ],
  "an element twice": ["duplicate elements", [t(["append", "x", 1]), t(["r", "x", [1, 1]])], 2],
  "orders that do not fit": [
    "incompatible order",
    [t(["append", "x", 1]), t(["append", "x", 2]), t(["r", "x", [1, 2]]), t(["r", "x", [2]])],
    2,
  ],
  "appends of one transaction in reverse": [
    "incompatible order",
    [t(["append", "x", 1], ["append", "x", 2]), t(["r", "x", [2, 1]])],
    1,
  ],
  "appends of one transaction with another between": [
    "G0",
    [t(["append", "x", 1], ["append", "x", 2]), t(["append", "x", 3]), t(["r", "x", [1, 3, 2]])],
    2,
  ],
  "a transaction of which half is missing": [
    "G-single",
    [t(["append", "x", 1], ["append", "y", 1]), t(["r", "x", [1]], ["r", "y", []])],
    2,
  ],
  "an element of nobody": ["garbage read", [t(["r", "x", [7]])], 1],
  "two reads in a transaction that differ": [
    "internal",
    [t(["append", "x", 1]), t(["r", "x", []], ["r", "x", [1]])],
    1,
  ],
  "a transaction that does not see its own append": [
    "internal",
    [t(["append", "x", 1], ["r", "x", []])],
    1,
  ],
  "an append acknowledged and never seen": [
    "lost append",
    [at(0, 1, ["append", "x", 1]), at(0, 5, ["append", "x", 2]), at(6, 7, ["r", "x", [2]])],
    2,
  ],
};

function judge(sketches: readonly Sketch[]): Verdict {
  return checkAppends(transactions(...sketches));
}

describe("list-append transactions", () => {
  for (const [name, [anomaly, history, concerned]] of Object.entries(wrong)) {
    it(`with ${name} are ${anomaly}`, () => {
      const verdict = judge(history);
      if (verdict.verdict !== "invalid") return expect.fail(verdict.verdict);
      expect(verdict.anomaly, verdict.explanation).equal(anomaly);
      if (concerned !== undefined)
        expect(verdict.operations, verdict.explanation).length(concerned);
      return undefined;
    });
  }

  const right: Readonly<Record<string, readonly Sketch[]>> = {
    "an unknown one is seen late": [
      { steps: [["append", "x", 1]], from: 0, to: 1, end: "info" },
      at(2, 3, ["r", "x", []]),
      at(4, 5, ["r", "x", [1]]),
    ],
    "an unknown one is never seen": [
      { steps: [["append", "x", 1]], from: 0, to: 1, end: "info" },
      at(2, 3, ["r", "x", []]),
    ],
    "a transaction sees its own appends": [
      t(["append", "x", 1], ["r", "x", [1]], ["append", "x", 2], ["r", "x", [1, 2]]),
    ],
    "they run one after another": [
      at(0, 1, ["append", "x", 1], ["append", "y", 1]),
      at(2, 3, ["r", "x", [1]], ["append", "x", 2]),
      at(4, 5, ["r", "x", [1, 2]], ["r", "y", [1]]),
    ],
  };
  for (const [name, history] of Object.entries(right)) {
    it(`are right where ${name}`, () => {
      expect(judge(history).verdict).equal("valid");
    });
  }

  it("print the cycle in words", () => {
    const verdict = judge([
      at(0, 1, ["append", "x", 1]),
      at(2, 3, ["append", "y", 1]),
      at(0, 9, ["r", "x", []], ["r", "y", [1]]),
      at(10, 11, ["r", "x", [1]]),
    ]);
    expect(verdict.verdict === "invalid" && verdict.explanation.split("\n")).deep.equal([
      "These transactions come before one another in a circle.",
      "  T1 is process 3: read x = [], read y = [1]",
      "  T2 is process 1: append 1 to x",
      "  T3 is process 2: append 1 to y",
      "  T1 < T2: T1 read x without 1, which T2 appended",
      "  T2 < T3: T2 returned before T3 was called",
      "  T3 < T1: T1 read 1 in y, which T3 appended",
      "  So each of them comes before itself.",
    ]);
  });

  it("find write skew among many appends that no read shows", () => {
    const many = Array.from({ length: 20 }, (_, i) => t(["append", "x", i], ["append", "y", i]));
    const skewed = [t(["r", "x", []], ["append", "y", 99]), t(["r", "y", []], ["append", "x", 99])];
    expect(judge(many).verdict).equal("valid");
    const verdict = judge([...many, ...skewed]);
    if (verdict.verdict !== "invalid") return expect.fail(verdict.verdict);
    expect(verdict.anomaly).equal("G2");
    expect(verdict.operations).length(2);
    return undefined;
  });

  it("refuse what they cannot judge", () => {
    expect(() => judge([t(["append", "x", 1]), t(["append", "x", 1])])).throw(
      "KITH_HISTORY_UNIQUE",
    );
    expect(() => judge([t(["w", "x", 1])])).throw("KITH_HISTORY_VALUE");
    expect(() => judge([t(["r", "x", 7])])).throw("KITH_HISTORY_VALUE");
    const read: HistoryEvent = { process: 1, type: "invoke", op: "read", key: "x", time: 0 };
    expect(() => checkAppends([read])).throw("KITH_HISTORY_VALUE");
  });

  it("of a right store pass in long histories too", () => {
    // The seeds of samples that make no mistakes on purpose.
    let passed = 0;
    for (let seed = 0; seed < 12; seed++) {
      if (checkAppends(appends(seed, 400)).verdict === "valid") passed++;
    }
    expect(passed).within(2, 10);
  });
});

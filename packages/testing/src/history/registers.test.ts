/** Linearizability of registers: what the literature calls wrong, what is right though it looks odd, and long histories. */

import { expect } from "chai";
import { checkRegisters, type HistoryEvent, type Verdict } from "./index.ts";
import { registers } from "./samples.test.ts";

/**
 * A history from lines such as `1 write x 7`, `1 ok`, `2 read x`, `2 ok 7`, `3 cas x 7 8`, `3 info`: a
 * process, and what it calls or is told.
 */
function lines(text: string): HistoryEvent[] {
  const calls = new Map<number, { op: string; key: string; value: unknown }>();
  return text
    .trim()
    .split("\n")
    .map((line, time): HistoryEvent => {
      const [who, what = "", ...rest] = line.trim().split(" ");
      const process = Number(who);
      if (what === "ok" || what === "fail" || what === "info") {
        const { op = "", key = "", value } = calls.get(process) ?? {};
        const told = op === "read" ? JSON.parse(rest[0] ?? "null") : value;
        return { process, type: what, op, key, value: told, time };
      }
      const [key = "", ...values] = rest;
      const given = values.map((one) => JSON.parse(one));
      const value = what === "cas" ? given : (given[0] ?? null);
      calls.set(process, { op: what, key, value });
      return { process, type: "invoke", op: what, key, value, time };
    });
}

/** The verdict of both deciders, which have to agree. */
function judge(text: string): Verdict {
  const history = lines(text);
  const verdict = checkRegisters(history);
  expect(checkRegisters(history, { searchAlways: true }).verdict).equal(verdict.verdict);
  return verdict;
}

const right: Readonly<Record<string, string>> = {
  "a read beside a write sees the old value, a later one the new": `
    1 write x 1
    2 read x
    2 ok null
    2 read x
    2 ok 1
    1 ok`,
  "an unknown write takes effect late": `
    1 write x 1
    1 info
    2 read x
    2 ok null
    2 write x 2
    2 ok
    2 read x
    2 ok 1`,
  "an unknown write never takes effect": `
    1 write x 1
    1 info
    2 read x
    2 ok null`,
  "an unknown cas explains what a later one expects": `
    1 cas x null 1
    1 info
    2 cas x 1 2
    2 ok
    3 read x
    3 ok 2`,
  "an operation that is open at the end is like an unknown one": `
    1 write x 1
    2 read x
    2 ok 1`,
  "a failed operation is as if it had not been": `
    1 write x 1
    1 fail
    2 read x
    2 ok null`,
  "two unknown writes of one value take effect one after the other": `
    1 write x 1
    1 info
    2 write x 1
    2 info
    3 read x
    3 ok 1
    3 write x 2
    3 ok
    3 read x
    3 ok 1`,
  "a delete makes the key absent": `
    1 write x 1
    1 ok
    1 write x null
    1 ok
    2 read x
    2 ok null
    2 cas x null 3
    2 ok`,
  "the queue of Herlihy and Wing's figure, as registers: keys are judged apart": `
    1 write x 1
    2 write y 2
    1 ok
    2 ok
    1 read y
    1 ok 2
    2 read x
    2 ok 1`,
};

const wrong: Readonly<
  Record<string, readonly [anomaly: string, operations: number, text: string]>
> = {
  "a stale read": [
    "stale value",
    3,
    `
    1 write x 1
    1 ok
    1 write x 2
    1 ok
    2 read x
    2 ok 1`,
  ],
  "a lost write: the key is absent after it": [
    "stale value",
    2,
    `
    1 write x 1
    1 ok
    2 read x
    2 ok null`,
  ],
  "a new value, then the old one: Lamport's regular register": [
    "stale value",
    4,
    `
    1 write x 1
    1 ok
    1 write x 2
    2 read x
    2 ok 2
    2 read x
    2 ok 1
    1 ok`,
  ],
  "two readers who disagree about the order of two writes": [
    "stale value",
    4,
    `
    1 write x 1
    2 write x 2
    1 ok
    2 ok
    3 read x
    4 read x
    3 ok 1
    4 ok 2
    3 read x
    4 read x
    3 ok 2
    4 ok 1`,
  ],
  "a dirty read: the write failed": [
    "unwritten value",
    1,
    `
    1 write x 1
    1 fail
    2 read x
    2 ok 1`,
  ],
  "a value that nobody wrote": [
    "unwritten value",
    1,
    `
    1 read x
    1 ok 5`,
  ],
  "a read from the future": [
    "value from the future",
    2,
    `
    1 read x
    1 ok 1
    2 write x 1
    2 ok`,
  ],
  "two compare-and-sets that win from the same value": [
    "lost update",
    2,
    `
    1 cas x null 1
    2 cas x null 2
    1 ok
    2 ok`,
  ],
  "a compare-and-set that succeeds after its value was replaced": [
    "stale value",
    3,
    `
    1 write x 1
    1 ok
    1 write x 2
    1 ok
    2 cas x 1 3
    2 ok`,
  ],
  "an unknown write that takes effect twice": [
    "stale value",
    4,
    `
    1 write x 1
    1 info
    2 read x
    2 ok 1
    2 write x 2
    2 ok
    2 read x
    2 ok 1`,
  ],
  "two unknown writes of one value that take effect three times": [
    "not linearizable",
    7,
    `
    1 write x 1
    1 info
    2 write x 1
    2 info
    3 read x
    3 ok 1
    3 write x 2
    3 ok
    3 read x
    3 ok 1
    3 write x 3
    3 ok
    3 read x
    3 ok 1`,
  ],
  "a deleted key that comes back": [
    "not linearizable",
    3,
    `
    1 write x 1
    1 ok
    1 write x null
    1 ok
    2 read x
    2 ok 1
    2 write x null
    2 ok`,
  ],
};

describe("registers", () => {
  for (const [name, text] of Object.entries(right)) {
    it(`are right where ${name}`, () => {
      expect(judge(text).verdict).equal("valid");
    });
  }

  for (const [name, [anomaly, operations, text]] of Object.entries(wrong)) {
    it(`are wrong with ${name}`, () => {
      const verdict = judge(text);
      if (verdict.verdict !== "invalid") return expect.fail(verdict.verdict);
      expect(verdict.anomaly).equal(anomaly);
      expect(verdict.operations, verdict.explanation).length(operations);
      return undefined;
    });
  }

  it("explain themselves by the operations that cannot have happened together", () => {
    const verdict = judge(`
      1 write x 1
      1 ok
      3 write y 9
      3 ok
      1 write x 2
      1 ok
      2 read y
      2 ok 9
      2 read x
      2 ok 1`);
    expect(verdict.verdict === "invalid" && verdict.explanation).equal(
      [
        "A value was seen after another one had taken its place, or not seen when it was there. The key is x.",
        "  [0–1] process 1: write x = 1 (ok)",
        "  [4–5] process 1: write x = 2 (ok)",
        "  [8–9] process 2: read x = 1 (ok)",
      ].join("\n"),
    );
  });

  it("are cut down to a few operations out of many, by both deciders", () => {
    const history = registers(3, true, 2000);
    const end = history.length;
    const read = { process: 99_999, op: "read", key: "x", time: end };
    // What the first write wrote has been replaced long since.
    const first = history.find(
      ({ type, op, key }) => type === "ok" && op === "write" && key === "x",
    );
    history.push({ ...read, type: "invoke" }, { ...read, type: "ok", value: first?.value });
    for (const searchAlways of [false, true]) {
      const verdict = checkRegisters(history, { searchAlways });
      if (verdict.verdict !== "invalid") return expect.fail(verdict.verdict);
      expect(verdict.operations.length, verdict.explanation).below(6);
    }
    return undefined;
  });

  it("remain undecided where the search would take too long, which is no pass", () => {
    const calls = Array.from({ length: 8 }, (_, i) => `${i} write x ${i}`);
    const returns = Array.from({ length: 8 }, (_, i) => `${i} ok\n${i} read x\n${i} ok 3`);
    const history = lines([...calls, ...returns].join("\n"));
    const verdict = checkRegisters(history, { budget: 10, searchAlways: true });
    expect(verdict.verdict).equal("undecided");
    expect(verdict.verdict === "undecided" && verdict.spent).above(10);
  });

  it("have few configurations however many outcomes are unknown, where values are written once", () => {
    const text = Array.from(
      { length: 60 },
      (_, i) => `${i + 10} write x ${i + 10}\n${i + 10} info`,
    );
    const reads = Array.from({ length: 20 }, (_, i) => `1 read x\n1 ok ${i * 3 + 10}`);
    expect(judge([...text, ...reads].join("\n")).verdict).equal("valid");
  });
});

/** Histories as text, and what is refused in them. */

import { expect } from "chai";
import { formatHistory, type HistoryEvent, operationsOf, parseHistory } from "./index.ts";
import { adds, appends, registers } from "./samples.test.ts";

const invoke: HistoryEvent = {
  process: 1,
  type: "invoke",
  op: "write",
  key: "k",
  value: 7,
  time: 5,
};
const ok: HistoryEvent = { ...invoke, type: "ok", time: 9 };

function codeOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return undefined;
}

describe("a history", () => {
  it("is read as it was written", () => {
    for (let seed = 0; seed < 50; seed++) {
      for (const one of [registers(seed, true), appends(seed), adds(seed, false)]) {
        expect(parseHistory(formatHistory(one))).deep.equal(one);
      }
    }
  });

  it("takes the lines that the guide shows", () => {
    const text = `
{"process":3,"type":"invoke","op":"txn","value":[["r","x",null],["append","y",5]],"time":12}
{"process":3,"type":"ok","op":"txn","value":[["r","x",[1,2]],["append","y",5]],"time":40}
`;
    const [operation] = operationsOf(parseHistory(text));
    expect(operation).deep.equal({
      op: "txn",
      process: 3,
      outcome: "ok",
      invoked: 0,
      returned: 1,
      invokedAt: 12,
      returnedAt: 40,
      steps: [
        { kind: "r", key: "x", value: [1, 2] },
        { kind: "append", key: "y", value: 5 },
      ],
    });
  });

  it("leaves the end of an operation open that is unknown, or has none", () => {
    const info: HistoryEvent = { ...invoke, type: "info" };
    for (const history of [[invoke], [invoke, info]]) {
      const [operation] = operationsOf(history);
      expect(operation).include({ outcome: "info", returned: Infinity, returnedAt: Infinity });
    }
  });

  const lines: Readonly<Record<string, string>> = {
    "that is no JSON": "{",
    "that is no object": "7",
    "without a process": '{"type":"ok","op":"read","key":"k","time":0}',
    "with a process that is no whole number":
      '{"process":1.5,"type":"ok","op":"read","key":"k","time":0}',
    "of no known type": '{"process":1,"type":"maybe","op":"read","key":"k","time":0}',
    "without an op": '{"process":1,"type":"ok","key":"k","time":0}',
    "whose key is no text": '{"process":1,"type":"ok","op":"read","key":7,"time":0}',
    "without a time": '{"process":1,"type":"ok","op":"read","key":"k"}',
    "whose error is no text":
      '{"process":1,"type":"info","op":"read","key":"k","time":0,"error":{}}',
  };
  for (const [what, line] of Object.entries(lines)) {
    it(`refuses a line ${what}, and names it`, () => {
      const text = `${JSON.stringify(invoke)}\n\n${line}\n`;
      expect(codeOf(() => parseHistory(text))).equal("KITH_HISTORY_LINE");
      expect(() => parseHistory(text)).throw("Line 3");
    });
  }

  const malformed: Readonly<
    Record<string, readonly [code: string, history: readonly HistoryEvent[]]>
  > = {
    "two open operations of a process": ["KITH_HISTORY_OPEN", [invoke, invoke]],
    "a process that goes on after info": [
      "KITH_HISTORY_RETIRED",
      [invoke, { ...ok, type: "info" }, invoke],
    ],
    "a return after info": ["KITH_HISTORY_RETIRED", [invoke, { ...ok, type: "info" }, ok]],
    "a return without a call": ["KITH_HISTORY_RETURN", [ok]],
    "a second return": ["KITH_HISTORY_RETURN", [invoke, ok, ok]],
    "a return of another op": ["KITH_HISTORY_RETURN", [invoke, { ...ok, op: "read" }]],
    "a return of another key": ["KITH_HISTORY_RETURN", [invoke, { ...ok, key: "l" }]],
    "a transaction that returns other steps": [
      "KITH_HISTORY_RETURN",
      [
        { ...invoke, op: "txn", value: [["append", "x", 1]] },
        { ...ok, op: "txn", value: [["append", "x", 2]] },
      ],
    ],
    "a transaction that returns fewer steps": [
      "KITH_HISTORY_RETURN",
      [
        { ...invoke, op: "txn", value: [["append", "x", 1]] },
        { ...ok, op: "txn", value: [] },
      ],
    ],
    "an unknown operation": ["KITH_HISTORY_VALUE", [{ ...invoke, op: "pop" }]],
    "an operation without a key": [
      "KITH_HISTORY_VALUE",
      [{ process: 1, type: "invoke", op: "read", time: 0 }],
    ],
    "a value that is an object": ["KITH_HISTORY_VALUE", [{ ...invoke, value: {} }]],
    "a value that JSON cannot carry": ["KITH_HISTORY_VALUE", [{ ...invoke, value: NaN }]],
    "a cas without two values": ["KITH_HISTORY_VALUE", [{ ...invoke, op: "cas", value: [1] }]],
    "a cas with three values": ["KITH_HISTORY_VALUE", [{ ...invoke, op: "cas", value: [1, 2, 3] }]],
    "a transaction without steps": ["KITH_HISTORY_VALUE", [{ ...invoke, op: "txn", value: null }]],
    "a step of no known kind": [
      "KITH_HISTORY_VALUE",
      [{ ...invoke, op: "txn", value: [["pop", "x", 1]] }],
    ],
    "a step without a key": [
      "KITH_HISTORY_VALUE",
      [{ ...invoke, op: "txn", value: [["r", 1, 1]] }],
    ],
  };
  for (const [what, [code, history]] of Object.entries(malformed)) {
    it(`refuses ${what}`, () => {
      expect(codeOf(() => operationsOf(history))).equal(code);
    });
  }
});

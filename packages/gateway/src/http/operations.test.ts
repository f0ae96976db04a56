import { bytesText, textBytes } from "@kith/paxos";
import { expect } from "chai";
import fc from "fast-check";
import { keysOf, OperationError, parseOperations, perform } from "./operations.ts";

const found = new Map([
  ["n", { value: textBytes("5"), version: 3 }],
  ["t", { value: textBytes("text"), version: 4 }],
]);

describe("the operations of a transaction", () => {
  const run = (...json: object[]) => perform(parseOperations(json), found);

  it("see what those before them have written", () => {
    const done = run(
      { add: "n" },
      { put: "m", value: "1" },
      { add: "m", by: "2" },
      { get: "m" },
      { delete: "n" },
      { get: "n" },
    );
    if (!done.isDone) throw new Error(done.reason);
    expect(
      done.results.map(({ value }) => (value instanceof Uint8Array ? bytesText(value) : value)),
    ).deep.equal(["6", undefined, "3", "3", undefined, null]);
    expect(done.results[4]?.existed).equal(true);
    // Each key is written once, as it is at the end; what adds keeps the time to live.
    expect(done.writes.map(({ key, write }) => [key, write.kind])).deep.equal([
      ["n", "delete"],
      ["m", "put"],
    ]);
    const kept = run({ add: "n" });
    expect(kept.isDone && kept.writes[0]?.write).deep.include({ expiry: "keep" });
    const made = run({ delete: "n" }, { add: "n" });
    expect(made.isDone && made.writes[0]?.write).deep.include({ expiry: "never" });
  });

  it("end at the first that cannot be", () => {
    const reasons = [
      run({ add: "t" }),
      run({ put: "n", value: "9223372036854775807" }, { add: "n" }),
      run({ expect: "n", value: "6" }),
      run({ expect: "n", version: 4 }),
      run({ get: "n" }, { expect: "n", value: null }),
    ].map((done) => (done.isDone ? "done" : `${done.at} ${done.reason}`));
    expect(reasons).deep.equal([
      "0 not-an-integer",
      "1 overflow",
      "0 expectation",
      "0 expectation",
      "1 expectation",
    ]);
    expect(
      run({ expect: "n", value: "5", version: 3 }, { expect: "x", value: null, version: 0 }).isDone,
    ).equal(true);
  });

  it("take any JSON without another error than their own", () => {
    const shaped = fc.record(
      {
        get: fc.string(),
        put: fc.jsonValue(),
        value: fc.jsonValue(),
        base64: fc.string(),
        add: fc.string(),
        by: fc.oneof(fc.integer(), fc.string()),
        expect: fc.string(),
        version: fc.integer(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.array(fc.oneof(shaped, fc.jsonValue()))), (json) => {
        try {
          const operations = parseOperations(json);
          expect(keysOf(operations).length).greaterThan(0);
          perform(operations, new Map());
        } catch (error) {
          expect(error).instanceOf(OperationError);
        }
      }),
    );
  });
});

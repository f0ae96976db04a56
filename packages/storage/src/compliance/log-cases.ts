/** The log: indexes without a gap, truncated at one end and cut at the other. */

import type { Case } from "@kith/testing/compliance";
import { expect } from "chai";
import { LogRecords, ReadLog } from "../port.ts";
import { show, type StorageHarness } from "./harness.ts";
import { append, boundsOf, dice, logged, ns, one, refused, write } from "./steps.ts";

/** The cases about the log. */
export const logCases: readonly Case<StorageHarness>[] = [
  one("a log begins empty, and grows by one index after the other", function* (life) {
    expect(yield* boundsOf(life)).to.equal("1..0");
    expect(yield* logged(life)).to.equal("1:");
    yield* write(life, [append(1, "a"), append(2, "b")]);
    yield* write(life, [append(3, "c")]);
    expect(yield* boundsOf(life)).to.equal("1..3");
    expect(yield* logged(life)).to.equal("1:a b c");
  }),
  one("an index that leaves a gap or is there already is refused", function* (life) {
    yield* refused(life, [append(2, "b")]);
    yield* write(life, [append(1, "a")]);
    yield* refused(life, [append(1, "again")]);
    yield* refused(life, [append(3, "c")]);
    yield* refused(life, [append(2, "b"), append(4, "d")]);
    expect(yield* logged(life)).to.equal("1:a");
  }),
  one("a range of the log is read with both its ends, as far as it is there", function* (life) {
    yield* write(
      life,
      ["a", "b", "c", "d", "e"].map((record, i) => append(i + 1, record)),
    );
    expect(yield* logged(life, { from: 2, to: 4 })).to.equal("2:b c d");
    expect(yield* logged(life, { from: 5, to: 5 })).to.equal("5:e");
    expect(yield* logged(life, { from: 4, to: 99 })).to.equal("4:d e");
    expect(yield* logged(life, { from: 6 })).to.equal("6:");
    expect(yield* logged(life, { from: 4, to: 3 })).to.equal("4:");
    yield* write(life, [{ kind: "cut", to: 2 }]);
    expect(yield* logged(life, { from: 1, to: 3 })).to.equal("3:c");
  }),
  one("a read of the log stops at its size, but gives one record at least", function* (life) {
    yield* write(
      life,
      ["aaaa", "bbbb", "cccc"].map((record, i) => append(i + 1, record)),
    );
    expect(yield* logged(life, { bytesMax: 1 })).to.equal("1:aaaa …");
    expect(yield* logged(life, { bytesMax: 11 })).to.equal("1:aaaa bbbb …");
    expect(yield* logged(life, { bytesMax: 12 })).to.equal("1:aaaa bbbb cccc");
    expect(yield* logged(life, { to: 1, bytesMax: 1 })).to.equal("1:aaaa");
  }),
  one("truncation takes the records from an index on", function* (life) {
    yield* write(
      life,
      ["a", "b", "c", "d"].map((record, i) => append(i + 1, record)),
    );
    yield* write(life, [{ kind: "truncate", from: 3 }]);
    expect(yield* boundsOf(life)).to.equal("1..2");
    expect(yield* logged(life)).to.equal("1:a b");
    yield* write(life, [
      { kind: "truncate", from: 3 },
      { kind: "truncate", from: 50 },
    ]);
    expect(yield* boundsOf(life)).to.equal("1..2");
    yield* write(life, [{ kind: "truncate", from: 2 }, append(2, "B"), append(3, "C")]);
    expect(yield* logged(life)).to.equal("1:a B C");
    yield* write(life, [{ kind: "truncate", from: 1 }]);
    expect(yield* boundsOf(life)).to.equal("1..0");
  }),
  one("cutting takes the records up to an index", function* (life) {
    yield* write(
      life,
      ["a", "b", "c", "d"].map((record, i) => append(i + 1, record)),
    );
    yield* write(life, [{ kind: "cut", to: 2 }]);
    expect(yield* boundsOf(life)).to.equal("3..4");
    expect(yield* logged(life)).to.equal("3:c d");
    yield* write(life, [
      { kind: "cut", to: 1 },
      { kind: "cut", to: 0 },
    ]);
    expect(yield* boundsOf(life)).to.equal("3..4");
    yield* write(life, [append(5, "e"), { kind: "cut", to: 3 }]);
    expect(yield* logged(life)).to.equal("4:d e");
    yield* refused(life, [{ kind: "truncate", from: 3 }]);
    yield* write(life, [{ kind: "truncate", from: 4 }]);
    expect(yield* boundsOf(life)).to.equal("4..3");
    yield* write(life, [append(4, "D")]);
    expect(yield* logged(life)).to.equal("4:D");
  }),
  one("cutting beyond the end leaves an empty log that goes on there", function* (life) {
    yield* write(life, [append(1, "a"), { kind: "cut", to: 10 }]);
    expect(yield* boundsOf(life)).to.equal("11..10");
    yield* refused(life, [append(2, "b")]);
    yield* write(life, [append(11, "k")]);
    expect(yield* logged(life)).to.equal("11:k");
    yield* write(life, [{ kind: "cut", to: 7 }], "new namespace");
    expect(yield* boundsOf(life, { namespace: "new namespace" })).to.equal("8..7");
  }),
  one("a read that makes no sense is refused", function* (life) {
    yield* write(life, [append(1, "a")]);
    for (const wrong of [{ from: 0 }, { from: 1.5 }, { from: 1, bytesMax: 0 }]) {
      const [answer] = yield* life.all([new ReadLog({ namespace: ns, ...wrong })]);
      expect(answer).to.have.property("code", "KITH_STORAGE_ARGUMENT");
    }
  }),
  one("a thousand random batches do what they would do to a list", function* (life) {
    const roll = dice(7);
    let first = 1;
    let model: string[] = [];
    for (let round = 0; round < 1000; round++) {
      const last = first + model.length - 1;
      const kind = roll(12);
      if (kind === 0) {
        const from = first + roll(model.length + 3);
        model = model.slice(0, from - first);
        yield* write(life, [{ kind: "truncate", from }]);
      } else if (kind === 1) {
        const to = first - 1 + roll(6);
        model = model.slice(to + 1 - first);
        first = to + 1;
        yield* write(life, [{ kind: "cut", to }]);
      } else {
        const records = Array.from({ length: 1 + roll(3) }, (_, i) => `${round}.${i}`);
        model.push(...records);
        yield* write(
          life,
          records.map((record, i) => append(last + 1 + i, record)),
        );
      }
      if (round % 10 !== 0) continue;
      const { from, records } = yield* life.ask(
        new ReadLog({ namespace: ns, from: 1 }),
        LogRecords,
      );
      expect(`${from}:${records.map(show).join(" ")}`).to.equal(`${first}:${model.join(" ")}`);
    }
    expect(yield* boundsOf(life)).to.equal(`${first}..${first + model.length - 1}`);
  }),
];

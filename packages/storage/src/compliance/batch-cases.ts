/** Batches: all or nothing, over log, keys and namespaces, in the order of the requests. */

import { type Case, pass } from "@kith/testing/compliance";
import { expect } from "chai";
import {
  Flushed,
  ListNamespaces,
  Namespaces,
  ReadKey,
  StorageFailed,
  Write,
  Written,
} from "../port.ts";
import { bytes, type StorageHarness, the } from "./harness.ts";
import {
  append,
  boundsOf,
  del,
  logged,
  ns,
  one,
  put,
  refused,
  scanned,
  valueOf,
  write,
} from "./steps.ts";

/** The cases about batches and namespaces. */
export const batchCases: readonly Case<StorageHarness>[] = [
  one("log and keys are written together", function* (life) {
    yield* write(life, [append(1, "x"), put("applied", "1"), append(2, "y"), put("applied", "2")]);
    expect(yield* logged(life)).to.equal("1:x y");
    expect(yield* scanned(life)).to.equal("applied=2");
  }),
  one("a batch with one impossible operation does nothing at all", function* (life) {
    yield* write(life, [append(1, "x"), put("a", "1")]);
    yield* refused(life, [
      put("a", "2"),
      put("b", "1"),
      append(2, "y"),
      { kind: "truncate", from: 2 },
      append(7, "z"),
      put("c", "1"),
    ]);
    yield* refused(life, [put("a", "2", "other"), append(5, "y", "other")]);
    yield* refused(life, [{ kind: "delete-range" }, put(new Uint8Array(5000), "1")]);
    yield* refused(life, [{ kind: "drop" }, append(2, "y")]);
    expect(yield* logged(life)).to.equal("1:x");
    expect(yield* scanned(life)).to.equal("a=1");
    expect((yield* life.ask(new ListNamespaces(), Namespaces)).names).to.deep.equal([ns]);
  }),
  one("a batch may span namespaces, which else share nothing", function* (life) {
    yield* write(life, [
      put("k", "1"),
      put("k", "2", "suit"),
      put("k", "3", "suite2"),
      append(1, "r", "suit"),
    ]);
    expect(yield* scanned(life)).to.equal("k=1");
    expect(yield* scanned(life, { namespace: "suit" })).to.equal("k=2");
    expect(yield* scanned(life, { namespace: "suite2" })).to.equal("k=3");
    expect(yield* boundsOf(life)).to.equal("1..0");
    expect(yield* boundsOf(life, { namespace: "suit" })).to.equal("1..1");
    yield* write(life, [{ kind: "delete-range" }], "suit");
    expect(yield* scanned(life)).to.equal("k=1");
    expect(yield* scanned(life, { namespace: "suite2" })).to.equal("k=3");
  }),
  one(
    "namespaces are listed in order, from their first write until they are dropped",
    function* (life) {
      const names = function* () {
        return (yield* life.ask(new ListNamespaces(), Namespaces)).names.join(" ");
      };
      expect(yield* names()).to.equal("");
      yield* write(life, [
        put("k", "1", "b"),
        append(1, "r", "a"),
        { kind: "cut", to: 3, namespace: "c" },
      ]);
      yield* valueOf(life, "k", { namespace: "only read" });
      yield* write(
        life,
        [del("k"), { kind: "delete-range" }, { kind: "truncate", from: 1 }],
        "only deleted",
      );
      expect(yield* names()).to.equal("a b c");
      yield* write(life, [del("k")], "b");
      expect(yield* names()).to.equal("a b c");
      yield* write(life, [{ kind: "drop" }], "b");
      yield* write(life, [{ kind: "drop" }], "never there");
      expect(yield* names()).to.equal("a c");
    },
  ),
  one("a dropped namespace is empty, and can be written to again", function* (life) {
    yield* write(life, [append(1, "old"), { kind: "cut", to: 5 }, put("old", "1")]);
    yield* write(life, [{ kind: "drop" }]);
    expect(yield* boundsOf(life)).to.equal("1..0");
    expect(yield* scanned(life)).to.equal("");
    yield* write(life, [put("x", "1"), { kind: "drop" }, append(1, "new"), put("new", "1")]);
    expect(yield* logged(life)).to.equal("1:new");
    expect(yield* scanned(life)).to.equal("new=1");
  }),
  one("names of namespaces may be any strings of 1 to 128 units", function* (life) {
    const names = ["x".repeat(128), "ü/..\u0000", "__proto__"];
    for (const name of names)
      yield* write(life, [put("k", name.slice(0, 1) === "ü" ? "u" : "v")], name);
    for (const name of names)
      expect(yield* scanned(life, { namespace: name })).to.match(/^k=[uv]$/);
    yield* refused(life, [put("k", "v")], "");
    yield* refused(life, [put("k", "v")], "x".repeat(129));
    yield* refused(life, [put("k", "v", "")]);
  }),
  one(
    "requests of one turn take effect in their order, and reads see what is not flushed yet",
    function* (life) {
      const key = bytes("k");
      const answers = yield* life.all([
        new ReadKey({ namespace: ns, key }),
        new Write({ namespace: ns, operations: [put("k", "1")] }),
        new ReadKey({ namespace: ns, key }),
        new Write({ namespace: ns, operations: [put("k", "2")], flush: false }),
        new ReadKey({ namespace: ns, key }),
        new Write({ namespace: ns, operations: [del("k")] }),
        new ReadKey({ namespace: ns, key }),
      ]);
      const values = [0, 2, 4, 6].map((i) => Reflect.get(answers[i] ?? {}, "value"));
      expect(values).to.deep.equal([null, bytes("1"), bytes("2"), null]);
      the(answers[1], Flushed);
      the(answers[3], Written);
      the(answers[5], Flushed);
    },
  ),
  one("an empty batch changes nothing, and flushes what came before", function* (life) {
    yield* life.ask(
      new Write({ namespace: ns, operations: [put("k", "1")], flush: false }),
      Written,
    );
    yield* write(life, []);
    expect(yield* scanned(life)).to.equal("k=1");
  }),
  one(
    "each of many batches is answered once; those that are refused as Busy do nothing",
    function* (life) {
      const count = 20_000;
      const requests = Array.from(
        { length: count },
        (_, i) => new Write({ namespace: ns, operations: [put(String(100_000 + i), "1")] }),
      );
      const answers = yield* life.all(requests);
      const expected: string[] = [];
      for (const [i, answer] of answers.entries()) {
        if (answer instanceof Flushed) expected.push(String(100_000 + i));
        else expect(the(answer, StorageFailed).code).to.equal("KITH_STORAGE_BUSY");
      }
      expect(expected.length, "batches that were not refused").to.be.above(50);
      yield pass(1);
      const found = (yield* scanned(life, { bytesMax: 10_000_000 }))
        .split(" ")
        .map((entry) => entry.slice(0, 6));
      expect(found.length).to.equal(expected.length);
      expect(found.every((key, i) => key === expected[i])).to.equal(true);
      yield* write(life, [put("afterwards", "1")]);
    },
  ),
];

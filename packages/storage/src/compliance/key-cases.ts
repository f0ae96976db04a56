/** Keys and values: what is written can be read, in bytewise order, within bounds. */

import type { Case } from "@kith/testing/compliance";
import { expect } from "chai";
import { after, compareKeys } from "../keys.ts";
import { Entries, KeyValue, ReadKey, Scan } from "../port.ts";
import { bytes, show, type StorageHarness } from "./harness.ts";
import { del, dice, ns, one, put, refused, scanned, valueOf, write } from "./steps.ts";

/** The cases about keys. */
export const keyCases: readonly Case<StorageHarness>[] = [
  one("a value can be read, overwritten and deleted", function* (life) {
    expect(yield* valueOf(life, "a")).to.equal("null");
    yield* write(life, [put("a", "1"), put("b", "2")]);
    expect(yield* valueOf(life, "a")).to.equal("1");
    yield* write(life, [put("a", "longer"), del("b"), del("never there")]);
    expect(yield* valueOf(life, "a")).to.equal("longer");
    expect(yield* valueOf(life, "b")).to.equal("null");
  }),
  one("an empty key and an empty value are a key and a value", function* (life) {
    yield* write(life, [put("", "empty key"), put("empty value", "")]);
    expect(yield* valueOf(life, "")).to.equal("empty key");
    expect(yield* valueOf(life, "empty value")).to.equal("");
    expect(yield* scanned(life)).to.equal("=empty key empty value=");
  }),
  one("byte arrays are not shared, neither those given nor those received", function* (life) {
    const key = bytes("key");
    const value = bytes("value");
    yield* write(life, [put(key, value)]);
    key.fill(0);
    value.fill(0);
    const first = yield* life.ask(new ReadKey({ namespace: ns, key: bytes("key") }), KeyValue);
    expect(show(first.value)).to.equal("value");
    first.value?.fill(0);
    const { entries } = yield* life.ask(new Scan({ namespace: ns }), Entries);
    expect(show(entries[0]?.value)).to.equal("value");
    entries[0]?.key.fill(0);
    entries[0]?.value.fill(0);
    expect(yield* scanned(life)).to.equal("key=value");
  }),
  one("keys are ordered bytewise, without a sign, a prefix first", function* (life) {
    const keys = [
      [],
      [0],
      [0, 0],
      [0, 255],
      [1],
      [127],
      [127, 255],
      [128],
      [128, 0],
      [254],
      [255],
      [255, 0],
      [255, 255],
    ];
    const mixed = [7, 2, 11, 0, 9, 4, 12, 1, 6, 10, 3, 8, 5];
    yield* write(
      life,
      mixed.map((i) => put(bytes(...(keys[i] ?? [])), String(i))),
    );
    const up = yield* life.ask(new Scan({ namespace: ns }), Entries);
    expect(up.entries.map(({ value }) => Number(show(value)))).to.deep.equal(keys.map((_, i) => i));
    const down = yield* life.ask(new Scan({ namespace: ns, reverse: true }), Entries);
    expect(down.entries.map(({ value }) => Number(show(value)))).to.deep.equal(
      keys.map((_, i) => i).reverse(),
    );
  }),
  one("a scan takes its lower bound and not its upper one", function* (life) {
    yield* write(
      life,
      ["a", "b", "ba", "c", "d"].map((key) => put(key, "1")),
    );
    const [b, c, x] = [bytes("b"), bytes("c"), bytes("x")];
    expect(yield* scanned(life, { from: b, to: c })).to.equal("b=1 ba=1");
    expect(yield* scanned(life, { from: b, to: c, reverse: true })).to.equal("ba=1 b=1");
    expect(yield* scanned(life, { from: c })).to.equal("c=1 d=1");
    expect(yield* scanned(life, { to: b })).to.equal("a=1");
    expect(yield* scanned(life, { to: x, reverse: true, from: c })).to.equal("d=1 c=1");
    expect(yield* scanned(life, { from: b, to: b })).to.equal("");
    expect(yield* scanned(life, { from: c, to: b })).to.equal("");
    expect(yield* scanned(life, { from: after(b), to: after(c) })).to.equal("ba=1 c=1");
    expect(yield* scanned(life, { from: x })).to.equal("");
  }),
  one("a scan stops at its limit, and says whether there is more", function* (life) {
    yield* write(
      life,
      ["a", "b", "c"].map((key) => put(key, "1")),
    );
    expect(yield* scanned(life, { limit: 2 })).to.equal("a=1 b=1 …");
    expect(yield* scanned(life, { limit: 3 })).to.equal("a=1 b=1 c=1");
    expect(yield* scanned(life, { limit: 2, reverse: true })).to.equal("c=1 b=1 …");
    expect(yield* scanned(life, { limit: 1, to: bytes("b") })).to.equal("a=1");
  }),
  one("a scan stops at its size, but gives one entry at least", function* (life) {
    yield* write(
      life,
      ["a", "b", "c"].map((key) => put(key, "123456789")),
    );
    expect(yield* scanned(life, { bytesMax: 1 })).to.equal("a=123456789 …");
    expect(yield* scanned(life, { bytesMax: 29 })).to.equal("a=123456789 b=123456789 …");
    expect(yield* scanned(life, { bytesMax: 30 })).to.equal("a=123456789 b=123456789 c=123456789");
    expect(yield* scanned(life, { bytesMax: 10, reverse: true })).to.equal("c=123456789 …");
  }),
  one(
    "a range of keys is deleted from its lower bound up to, not including, its upper one",
    function* (life) {
      const all = ["a", "b", "c", "d", "e"].map((key) => put(key, "1"));
      yield* write(life, all);
      yield* write(life, [{ kind: "delete-range", from: bytes("b"), to: bytes("d") }]);
      expect(yield* scanned(life)).to.equal("a=1 d=1 e=1");
      yield* write(life, [{ kind: "delete-range", from: bytes("e") }]);
      expect(yield* scanned(life)).to.equal("a=1 d=1");
      yield* write(life, [{ kind: "delete-range", to: bytes("b") }]);
      expect(yield* scanned(life)).to.equal("d=1");
      yield* write(life, [{ kind: "delete-range", from: bytes("x"), to: bytes("b") }]);
      yield* write(life, [{ kind: "delete-range" }]);
      expect(yield* scanned(life)).to.equal("");
    },
  ),
  one("the operations of a batch work in their order", function* (life) {
    yield* write(life, [
      put("a", "1"),
      { kind: "delete-range" },
      put("a", "2"),
      put("b", "1"),
      del("b"),
      put("c", "1"),
      put("c", "2"),
    ]);
    expect(yield* scanned(life)).to.equal("a=2 c=2");
  }),
  one("a key that is too long is refused, the longest one is not", function* (life) {
    yield* write(life, [put(new Uint8Array(1024).fill(7), "1")]);
    expect(yield* valueOf(life, new Uint8Array(1024).fill(7))).to.equal("1");
    yield* refused(life, [put(new Uint8Array(1025).fill(7), "1")]);
  }),
  one("a value of a megabyte comes back as it was", function* (life) {
    const roll = dice(1);
    const value = new Uint8Array(1024 * 1024).map(() => roll(256));
    yield* write(life, [put("large", value)]);
    const read = yield* life.ask(new ReadKey({ namespace: ns, key: bytes("large") }), KeyValue);
    expect(compareKeys(read.value ?? bytes(), value)).to.equal(0);
  }),
  one("a thousand random batches do what they would do to a sorted list", function* (life) {
    const roll = dice(42);
    const model = new Map<string, string>();
    const key = (): string =>
      String.fromCharCode(97 + roll(6), 97 + roll(6), 97 + roll(6)).slice(0, 1 + roll(3));
    for (let round = 0; round < 1000; round++) {
      const operations = Array.from({ length: 1 + roll(8) }, () => {
        const [a, b] = [key(), key()];
        const kind = roll(10);
        if (kind === 0) {
          for (const held of [...model.keys()]) if (held >= a && held < b) model.delete(held);
          return { kind: "delete-range", from: bytes(a), to: bytes(b) } as const;
        }
        if (kind < 4) {
          model.delete(a);
          return del(a);
        }
        model.set(a, `${round}`);
        return put(a, `${round}`);
      });
      yield* write(life, operations);
      if (round % 20 !== 0) continue;
      const [from, to] = [key(), key()];
      const reverse = roll(2) === 0;
      const expected = [...model]
        .filter(([held]) => held >= from && held < to)
        .sort(([a], [b]) => (a < b ? -1 : 1));
      if (reverse) expected.reverse();
      expect(yield* scanned(life, { from: bytes(from), to: bytes(to), reverse })).to.equal(
        expected.map(([held, value]) => `${held}=${value}`).join(" "),
      );
    }
    expect(yield* scanned(life)).to.equal(
      [...model]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([held, value]) => `${held}=${value}`)
        .join(" "),
    );
  }),
];

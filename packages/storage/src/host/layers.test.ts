import { expect } from "chai";
import fc from "fast-check";
import { Tables } from "../index.ts";
import { compareKeys } from "../keys.ts";
import type { Entry, KeyRange, Operation } from "../operation.ts";
import { SortedMap } from "../sorted-map.ts";
import { KeyRanges } from "./key-ranges.ts";
import { type Below, gone, Layer, nothing } from "./layer.ts";
import { type Meta, Reading, type Rows, visited } from "./reading.ts";

const key = fc.uint8Array({ maxLength: 2, max: 4 });
const range = fc.record({ from: key, to: key }, { requiredKeys: [] });
const allKeys = keysUpTo(2, 4);

function keysUpTo(length: number, max: number): Uint8Array[] {
  if (length === 0) return [new Uint8Array(0)];
  const shorter = keysUpTo(length - 1, max);
  const longer = shorter
    .filter((one) => one.length === length - 1)
    .flatMap((one) => Array.from({ length: max + 1 }, (_, i) => new Uint8Array([...one, i])));
  return [...shorter, ...longer];
}

function within(key: Uint8Array, { from, to }: KeyRange): boolean {
  return (
    (from === undefined || compareKeys(from, key) <= 0) &&
    (to === undefined || compareKeys(key, to) < 0)
  );
}

describe("a set of ranges", () => {
  it("has the keys of all that were added, and gaps where none was", () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 6 }), range, (added, asked) => {
        const ranges = new KeyRanges();
        const before = added.map((one) => {
          ranges.add(one);
          const snapshot = ranges.snapshot();
          return { snapshot, then: [...snapshot.all] };
        });
        for (const { snapshot, then } of before) expect(snapshot.all).to.deep.equal(then);
        const gaps = ranges.gaps(asked);
        for (const one of allKeys) {
          const inside = added.some((range) => within(one, range));
          expect(ranges.has(one)).to.equal(inside);
          expect(gaps.some((gap) => within(one, gap))).to.equal(within(one, asked) && !inside);
        }
        for (const [i, { to }] of ranges.all.slice(0, -1).entries()) {
          expect(compareKeys(to ?? key0, ranges.all[i + 1]?.from ?? key0), "disjoint").to.be.below(
            0,
          );
        }
      }),
      { numRuns: 500 },
    );
  });
});

const key0 = new Uint8Array(0);

/** What a program can do to one namespace. */
type Step =
  | { readonly kind: "append" }
  | { readonly kind: "freeze" }
  | { readonly kind: "store" }
  | { readonly kind: "truncate"; readonly by: number }
  | { readonly kind: "cut"; readonly by: number }
  | { readonly kind: "install"; readonly keys: readonly Uint8Array[] }
  | Extract<Operation, { kind: "put" | "delete" | "delete-range" | "drop" }>;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("put" as const),
      key,
      value: fc.uint8Array({ minLength: 1, maxLength: 2 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("append" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), key }) },
  { weight: 2, arbitrary: range.map((of) => ({ kind: "delete-range" as const, ...of })) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("drop" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("truncate" as const, "cut" as const),
      by: fc.nat(5),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("install" as const),
      keys: fc.array(key, { maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom("freeze" as const, "store" as const) }),
  },
);

/** Layers over rows in memory: the reading part of an engine. */
class Stack {
  readonly #rows = new Map<number, SortedMap>();
  readonly #logs = new Map<number, Map<number, Uint8Array>>();
  #meta: Meta | undefined;
  #layers = [new Layer()];
  #last = 0;

  apply(operations: readonly Operation[]): void {
    this.#top.apply({ namespace: "n", operations, install: null }, () => this.#below());
  }

  install(entries: readonly Entry[]): void {
    const map = new SortedMap();
    for (const { key, value } of entries) map.set(key, value);
    this.#rows.set(++this.#last, map);
    this.#top.apply({ namespace: "n", operations: [], install: this.#last }, () => this.#below());
  }

  freeze(): void {
    if (this.#layers.length < 3) this.#layers.unshift(new Layer());
  }

  /** What a checkpoint does, by the reading itself. */
  store(): void {
    const reading = this.reading();
    const { first, last } = reading.bounds;
    const exists =
      this.#layers.map((layer) => layer.namespaces.get("n")).find((at) => at !== undefined)
        ?.exists ?? this.#meta !== undefined;
    const map = new SortedMap();
    for (const { key, value } of reading.entries({}, false)) map.set(key, value);
    const log = new Map<number, Uint8Array>();
    for (let i = first; i <= last; i++) log.set(i, reading.record(i) ?? key0);
    const id = ++this.#last;
    this.#rows.set(id, map);
    this.#logs.set(id, log);
    this.#meta = exists ? { name: "n", keys: id, log: id, first, last } : undefined;
    this.#layers = [new Layer()];
  }

  reading(): Reading {
    const rows: Rows = {
      value: (keys, key) => this.#rows.get(keys)?.get(key),
      entries: (keys, range, reverse) =>
        visited(this.#rows.get(keys) ?? new SortedMap(), range, reverse),
      record: (log, index) => this.#logs.get(log)?.get(index),
    };
    const layers = this.#layers.map((layer) => layer.namespaces.get("n"));
    return new Reading(
      layers.filter((at) => at !== undefined),
      this.#meta,
      rows,
    );
  }

  get #top(): Layer {
    return this.#layers[0] ?? new Layer();
  }

  #below(): Below {
    for (const layer of this.#layers.slice(1)) {
      const at = layer.namespaces.get("n");
      if (at !== undefined) return at;
    }
    return this.#meta === undefined ? nothing : { ...this.#meta, exists: true };
  }
}

describe("layers over rows", () => {
  it("read like tables in memory, wherever they were frozen or stored", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        range,
        fc.boolean(),
        (steps, asked, reverse) => {
          const tables = new Tables();
          const stack = new Stack();
          const both = (...operations: Operation[]): void => {
            if (tables.check("n", operations) !== null) return;
            tables.apply("n", operations);
            stack.apply(operations);
          };
          for (const one of steps) {
            const { first, last } = stack.reading().bounds;
            if (one.kind === "freeze") stack.freeze();
            else if (one.kind === "store") stack.store();
            else if (one.kind === "append")
              both({ kind: "append", index: last + 1, record: new Uint8Array([last + 1]) });
            else if (one.kind === "truncate")
              both({ kind: "truncate", from: Math.max(first, last + 1 - one.by) });
            else if (one.kind === "cut") both({ kind: "cut", to: first - 2 + one.by });
            else if (one.kind === "install") {
              const entries = one.keys.map((key) => ({ key, value: new Uint8Array([9]) }));
              const begun = tables.beginInstall("n");
              if ("code" in begun) throw new Error(begun.detail);
              tables.stage(begun.install, entries);
              tables.commitInstall(begun.install, []);
              stack.install(entries);
            } else both(one);
            compare(tables, stack.reading(), asked, reverse);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("keep what a snapshot has seen", () => {
    const layer = new Layer();
    const put = (value: number): void =>
      layer.apply(
        {
          namespace: "n",
          operations: [
            { kind: "put", key: key0, value: new Uint8Array([value]) },
            { kind: "append", index: value, record: new Uint8Array([value]) },
            { kind: "delete-range", from: new Uint8Array([value]) },
          ],
          install: null,
        },
        () => nothing,
      );
    put(1);
    const before = layer.namespaces.get("n")?.snapshot();
    put(2);
    layer.apply(
      { namespace: "n", operations: [{ kind: "cut", to: 1 }], install: null },
      () => nothing,
    );
    expect(before?.keys.get(key0)).to.deep.equal(new Uint8Array([1]));
    expect([before?.first, before?.last]).to.deep.equal([1, 1]);
    expect(before?.log.at(1)).to.deep.equal(new Uint8Array([1]));
    expect(before?.ranges.has(new Uint8Array([1]))).to.equal(true);
    expect(before?.keys.get(new Uint8Array([1])) === gone).to.equal(false);
  });
});

function compare(tables: Tables, reading: Reading, asked: KeyRange, reverse: boolean): void {
  expect({ first: reading.bounds.first, last: reading.bounds.last }).to.deep.equal(
    tables.bounds("n"),
  );
  for (const [range, backwards] of [
    [{}, false],
    [asked, reverse],
  ] as const) {
    const wanted = tables.scan({ namespace: "n", ...range, reverse: backwards });
    const entries = [...reading.entries(range, backwards)];
    expect(entries).to.deep.equal("entries" in wanted ? wanted.entries : wanted);
  }
  for (const key of allKeys.slice(0, 8)) {
    const value = tables.value("n", key);
    expect(reading.value(key) ?? null).to.deep.equal("value" in value ? value.value : value);
  }
  const log = tables.records({ namespace: "n", from: 1 });
  if ("code" in log) throw new Error(log.detail);
  const { first, last } = reading.bounds;
  const records = Array.from({ length: last - first + 1 }, (_, i) => reading.record(first + i));
  expect(records).to.deep.equal(log.records);
}

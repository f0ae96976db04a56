import { expect } from "chai";
import fc from "fast-check";
import { after, compareKeys, prefixEnd } from "./keys.ts";
import type { KeyRange } from "./operation.ts";
import { SortedMap } from "./sorted-map.ts";

const key = fc.uint8Array({ maxLength: 3, max: 5 });
const range = fc
  .record({ from: fc.option(key, { nil: undefined }), to: fc.option(key, { nil: undefined }) })
  .map(({ from, to }): KeyRange => ({
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  }));

function entries(map: SortedMap, of: KeyRange = {}, reverse = false): string[] {
  const found: string[] = [];
  map.scan(of, reverse, (k, v) => found.push(`${k.join()}=${v.join()}`) > 0);
  return found;
}

/** The same by brute force. */
class Model {
  readonly map = new Map<string, [Uint8Array, Uint8Array]>();

  entries({ from, to }: KeyRange = {}, reverse = false): string[] {
    const found = [...this.map.values()]
      .filter(
        ([k]) =>
          (from === undefined || compareKeys(k, from) >= 0) &&
          (to === undefined || compareKeys(k, to) < 0),
      )
      .sort(([a], [b]) => compareKeys(a, b))
      .map(([k, v]) => `${k.join()}=${v.join()}`);
    return reverse ? found.reverse() : found;
  }
}

describe("SortedMap", () => {
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("set" as const),
        key,
        value: fc.uint8Array({ maxLength: 2 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("delete" as const), key }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("range" as const), range }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("snapshot" as const) }) },
  );

  it("does what a sorted list would do, and leaves snapshots alone", () => {
    fc.assert(
      fc.property(
        fc.array(step, { size: "large", maxLength: 400 }),
        fc.array(fc.tuple(range, fc.boolean()), { maxLength: 5 }),
        (steps, scans) => {
          let map = new SortedMap();
          const model = new Model();
          const snapshots: [SortedMap, string[], number][] = [];
          for (const [i, one] of steps.entries()) {
            if (one.do === "set") {
              map.set(one.key, one.value);
              model.map.set(one.key.join(), [one.key, one.value]);
            } else if (one.do === "delete") {
              map.delete(one.key);
              model.map.delete(one.key.join());
            } else if (one.do === "range") {
              map.deleteRange(one.range);
              for (const gone of model.entries(one.range))
                model.map.delete(gone.slice(0, gone.indexOf("=")));
            } else {
              const copy = map.snapshot();
              snapshots.push([copy, model.entries(), map.bytes]);
              // Either of the two may be written to afterwards.
              if (i % 2 === 0) {
                const kept = map;
                map = copy;
                snapshots.push([kept, model.entries(), kept.bytes]);
                snapshots.splice(-2, 1);
              }
            }
          }
          expect(entries(map)).to.deep.equal(model.entries());
          expect(map.size).to.equal(model.map.size);
          expect(map.bytes).to.equal(
            [...model.map.values()].reduce((sum, [k, v]) => sum + k.length + v.length, 0),
          );
          for (const [of, reverse] of scans)
            expect(entries(map, of, reverse)).to.deep.equal(model.entries(of, reverse));
          for (const [k, v] of model.map.values()) expect(map.get(k)).to.equal(v);
          for (const [snapshot, expected, bytes] of snapshots) {
            expect(entries(snapshot)).to.deep.equal(expected);
            expect(snapshot.bytes).to.equal(bytes);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("grows to 200,000 keys without a quadratic cost, and empties again", () => {
    const map = new SortedMap();
    const keyOf = (n: number): Uint8Array => new Uint8Array([n >>> 16, n >>> 8, n]);
    const count = 200_000;
    for (let i = 0; i < count; i++) map.set(keyOf((i * 7919) % count), new Uint8Array(1));
    expect(map.size).to.equal(count);
    const snapshot = map.snapshot();
    map.deleteRange({ from: keyOf(10), to: keyOf(count - 10) });
    expect(entries(map)).to.have.length(20);
    map.deleteRange({});
    expect([map.size, map.bytes]).to.deep.equal([0, 0]);
    expect(snapshot.size).to.equal(count);
    expect(snapshot.get(keyOf(77_777))).to.deep.equal(new Uint8Array(1));
  });
});

describe("keys", () => {
  it("compares bytewise", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(Math.sign(compareKeys(a, b))).to.equal(Math.sign(Buffer.compare(a, b)));
      }),
    );
  });

  it("finds the next key, and the end of a prefix", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4 }), fc.uint8Array({ maxLength: 4 }), (a, b) => {
        expect(compareKeys(after(a), a)).to.be.above(0);
        if (compareKeys(b, a) > 0) expect(compareKeys(b, after(a))).to.be.at.least(0);
        const end = prefixEnd(a);
        const within = compareKeys(b, a) >= 0 && (end === undefined || compareKeys(b, end) < 0);
        expect(within).to.equal(b.length >= a.length && a.every((byte, i) => b[i] === byte));
      }),
    );
  });
});

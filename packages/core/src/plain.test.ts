import { expect } from "chai";
import { copyPlain } from "./index.ts";
import { codeOf } from "./kit.test.ts";

describe("plain data", () => {
  it("is null, undefined, booleans, numbers, bigints and strings", () => {
    for (const value of [null, undefined, true, false, 0, -0, NaN, Infinity, 1n, "", "text"]) {
      expect(copyPlain(value, "it")).to.satisfy((copy: unknown) => Object.is(copy, value));
    }
  });

  it("is arrays, objects, maps, sets and bytes, copied deeply", () => {
    const value = {
      list: [1, [2, { three: 3 }]],
      map: new Map<unknown, unknown>([
        ["a", { b: 1 }],
        [{ key: 1 }, "by object"],
      ]),
      set: new Set([1, "two"]),
      bytes: new Uint8Array([1, 2, 3]),
      nothing: undefined,
      bare: Object.assign(Object.create(null) as object, { x: 1 }),
    };
    const copy = copyPlain(value, "it");
    expect(copy).to.deep.equal({ ...value, bare: { x: 1 } });
    expect(copy.list).not.to.equal(value.list);
    expect(copy.list[1]).not.to.equal(value.list[1]);
    expect(copy.map.get("a")).not.to.equal(value.map.get("a"));
    expect(copy.set).not.to.equal(value.set);
    value.bytes[0] = 9;
    expect(copy.bytes[0]).to.equal(1);
  });

  it("keeps holes of arrays as undefined and drops what is no element", () => {
    // eslint-disable-next-line no-sparse-arrays -- that is the case
    expect(copyPlain([1, , 3], "it")).to.deep.equal([1, undefined, 3]);
  });

  it("keeps what is shared shared, and what is cyclic cyclic", () => {
    const shared = { n: 1 };
    const bytes = new Uint8Array(2);
    const value: { a: object; b: object; self?: unknown; bytes: Uint8Array[] } = {
      a: shared,
      b: shared,
      bytes: [bytes, bytes],
    };
    value.self = value;
    const copy = copyPlain(value, "it");
    expect(copy.a).to.equal(copy.b).and.not.equal(shared);
    expect(copy.self).to.equal(copy);
    expect(copy.bytes[0]).to.equal(copy.bytes[1]).and.not.equal(bytes);
  });

  it("copies the bytes of a host's own class, which may alias them in its slice", () => {
    const value = Buffer.from([1, 2, 3]);
    const copy = copyPlain<Uint8Array>(value, "it");
    value[0] = 9;
    expect([...copy]).to.deep.equal([1, 2, 3]);
    expect(Object.getPrototypeOf(copy)).to.equal(Uint8Array.prototype);
  });

  it("takes a key named like the prototype for a key", () => {
    const copy = copyPlain(
      JSON.parse('{"__proto__": {"evil": true}, "a": 1}') as Record<string, unknown>,
      "it",
    );
    expect((copy as { evil?: boolean }).evil).to.equal(undefined);
    expect(Object.keys(copy)).to.have.members(["__proto__", "a"]);
    expect(Object.getPrototypeOf(copy)).to.equal(Object.prototype);
  });

  it("is nothing else, and the error names the place", () => {
    class Point {
      readonly x = 1;
    }
    class Names extends Map<string, string> {}
    const cases: readonly (readonly [unknown, string])[] = [
      [() => 1, "it is a function"],
      [Symbol("s"), "it is a symbol"],
      [new Point(), "it is an instance of Point"],
      [new Date(0), "it is an instance of Date"],
      [new Names(), "it is an instance of Names"],
      [new (class extends Array<number> {})(), "it is an instance of a class without a name"],
      [Object.create(Object.create(null)), "it is an instance of a class without a name"],
      [[1, { a: { b: () => 1 } }], "it[1].a.b is a function"],
      [{ list: [[], [Promise.resolve()]] }, "it.list[1][0] is an instance of Promise"],
      [new Map([["k", new Point()]]), "it (at k) is an instance of Point"],
      [new Map([[new Point(), 1]]), "it (a key) is an instance of Point"],
      [new Set([new WeakMap()]), "it (a member) is an instance of WeakMap"],
    ];
    for (const [value, text] of cases) {
      expect(() => copyPlain(value, "it"), text).to.throw(text);
      expect(codeOf(() => copyPlain(value, "it"))).to.equal("KITH_NOT_PLAIN");
    }
    expect(codeOf(() => copyPlain(new Point(), "it", "KITH_INIT_NOT_PLAIN"))).to.equal(
      "KITH_INIT_NOT_PLAIN",
    );
  });

  it("finds its way back after parts that were fine", () => {
    expect(() => copyPlain({ a: { b: [1, 2] }, c: [{}, Symbol.iterator] }, "it")).to.throw(
      "it.c[1] is a symbol",
    );
  });
});

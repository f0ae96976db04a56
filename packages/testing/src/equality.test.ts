import { expect } from "chai";
import fc from "fast-check";
import { deepEqual } from "./equality.ts";
import { Ping, Pong } from "./fixtures.test.ts";

describe("deep equality", () => {
  const equal: readonly (readonly [string, unknown, unknown])[] = [
    ["numbers", 1, 1],
    ["NaN", NaN, NaN],
    ["strings", "a", "a"],
    ["bigints", 1n, 1n],
    ["null", null, null],
    ["arrays", [1, [2]], [1, [2]]],
    ["objects in any order of their fields", { a: 1, b: { c: 2 } }, { b: { c: 2 }, a: 1 }],
    ["objects without a prototype", Object.create(null), Object.create(null)],
    ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 2])],
    ["maps", new Map([["a", { b: 1 }]]), new Map([["a", { b: 1 }]])],
    ["sets in any order", new Set([{ a: 1 }, { a: 2 }]), new Set([{ a: 2 }, { a: 1 }])],
    ["events", new Ping({ n: 1 }), new Ping({ n: 1 })],
    ["errors", new RangeError("a"), new RangeError("a")],
  ];
  for (const [name, a, b] of equal) {
    it(`holds for ${name}`, () => expect(deepEqual(a, b)).to.be.true);
  }

  const different: readonly (readonly [string, unknown, unknown])[] = [
    ["numbers", 1, 2],
    ["zeros of different sign", 0, -0],
    ["a number and its text", 1, "1"],
    ["null and undefined", null, undefined],
    ["null and an object", null, {}],
    ["arrays of different length", [1], [1, 2]],
    ["an array with a hole and one without", [1, undefined], new Array(2).fill(1, 0, 1)],
    ["a missing field and an undefined one", {}, { a: undefined }],
    ["nested values", { a: { b: [1] } }, { a: { b: [2] } }],
    ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 3])],
    ["bytes of different length", new Uint8Array([1]), new Uint8Array([1, 2])],
    ["byte arrays of different width", new Uint8Array([1]), new Int8Array([1])],
    ["maps with other keys", new Map([["a", 1]]), new Map([["b", 1]])],
    ["maps with other values", new Map([["a", 1]]), new Map([["a", 2]])],
    ["maps of different size", new Map([["a", 1]]), new Map()],
    ["sets with other members", new Set([1]), new Set([2])],
    ["sets of different size", new Set([1]), new Set([1, 2])],
    ["an array and an object", [], {}],
    ["events of one shape", new Ping({ n: 1 }), new Pong({ n: 1 })],
    ["errors with other messages", new Error("a"), new Error("b")],
  ];
  for (const [name, a, b] of different) {
    it(`fails for ${name}`, () => {
      expect(deepEqual(a, b)).to.be.false;
      expect(deepEqual(b, a)).to.be.false;
    });
  }

  it("ends on cycles", () => {
    const ring = (n: number): object => {
      const one: { n: number; self?: object } = { n };
      one.self = one;
      return one;
    };
    expect(deepEqual(ring(1), ring(1))).to.be.true;
    expect(deepEqual(ring(1), ring(2))).to.be.false;
  });

  it("agrees with itself on copies, and sees every change of a leaf", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(deepEqual(value, structuredClone(value))).to.be.true;
        expect(deepEqual([value, 1], [structuredClone(value), 2])).to.be.false;
      }),
    );
  });
});

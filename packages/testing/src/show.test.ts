import { expect } from "chai";
import { show, showCause } from "./show.ts";
import { Done, Order, Ping, Value } from "./fixtures.test.ts";

describe("values as text", () => {
  const texts: readonly (readonly [unknown, string])[] = [
    [1, "1"],
    [-0, "-0"],
    [NaN, "NaN"],
    [10n, "10n"],
    ["a\n", '"a\\n"'],
    [true, "true"],
    [null, "null"],
    [undefined, "undefined"],
    [Symbol("s"), "Symbol(s)"],
    [Ping, "Ping"],
    [() => 1, "a function"],
    [[], "[]"],
    [[1, "a"], '[1, "a"]'],
    [{}, "{}"],
    [{ a: 1, b: { c: null } }, "{ a: 1, b: { c: null } }"],
    [new Uint8Array([1, 255]), "Uint8Array [1, 255]"],
    [new Map([["a", 1]]), 'Map { "a" → 1 }'],
    [new Set([1, 2]), "Set { 1, 2 }"],
    [new Ping({ n: 1 }), "Ping { n: 1 }"],
    [new Done(), "Done"],
    [new Value({ value: null }), "Value { value: null }"],
    [new Order({ items: ["a"] }), 'Order { items: ["a"] }'],
    [new RangeError("far\nout"), 'RangeError("far …")'],
    [{ a: { b: { c: { d: 1 }, e: [1] } } }, "{ a: { b: { c: { d: 1 }, e: [1] } } }"],
    [{ a: { b: { c: { d: { e: 1 } } } } }, "{ a: { b: { c: { d: {…} } } } }"],
    [[[[[[1]]]]], "[[[[[…]]]]]"],
  ];
  for (const [value, text] of texts) {
    it(text, () => expect(show(value)).to.equal(text));
  }

  it("cuts long lists and long texts", () => {
    const many = Array.from({ length: 23 }, (_, i) => i);
    expect(show(many)).to.match(/19, … 3 more\]$/);
    expect(show("x".repeat(1000)))
      .to.have.length(241)
      .and.match(/x…$/);
  });

  it("ends on cycles", () => {
    const ring: { self?: object } = {};
    ring.self = ring;
    expect(show(ring)).to.equal("{ self: (cycle) }");
  });

  it("shows what was thrown in one line", () => {
    expect(showCause(new TypeError("no\nway"))).to.equal("TypeError: no …");
    expect(showCause("text")).to.equal('"text"');
  });
});

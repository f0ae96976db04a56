import { DrawStream, streamKey } from "@kith/core";
import { expect } from "chai";
import fc from "fast-check";
import { constant, type Distribution, exponential, normal, oneOf, uniform, zipf } from "./index.ts";

function sample(distribution: Distribution, count = 20_000): number[] {
  const draw = new DrawStream(streamKey("test", distribution.text));
  return Array.from({ length: count }, () => distribution.draw(draw));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

describe("distributions", () => {
  it("have the mean that their name says", () => {
    expect(mean(sample(constant(7)))).to.equal(7);
    expect(mean(sample(uniform(10, 20)))).to.be.closeTo(15, 0.1);
    expect(mean(sample(uniform(0, 0.5)))).to.be.closeTo(0.25, 0.01);
    expect(mean(sample(exponential(100)))).to.be.closeTo(100, 3);
    expect(mean(sample(normal(100, 10)))).to.be.closeTo(100, 0.5);
  });

  it("have the shape that their name says", () => {
    const waits = sample(exponential(1));
    for (const x of [0.1, 0.5, 1, 2, 4])
      expect(waits.filter((wait) => wait > x).length / waits.length).to.be.closeTo(
        Math.exp(-x),
        0.02,
      );
    const bell = sample(normal(100, 10));
    expect(bell.filter((x) => Math.abs(x - 100) < 10).length / bell.length).to.be.closeTo(
      0.683,
      0.02,
    );
    expect(Math.min(...bell)).to.be.at.least(70);
  });

  it("follow Zipf's law for whole and broken exponents", () => {
    for (const exponent of [0, 0.5, 1, 1.3, 2]) {
      const drawn = sample(zipf(10, exponent), 50_000);
      const weights = Array.from({ length: 10 }, (_, i) => 1 / (i + 1) ** exponent);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [i, weight] of weights.entries())
        expect(drawn.filter((x) => x === i).length / drawn.length).to.be.closeTo(
          weight / total,
          0.012,
        );
    }
  });

  it("stay within their bounds", () => {
    fc.assert(
      fc.property(fc.integer({ min: -50, max: 50 }), fc.nat(100), (min, span) => {
        for (const x of sample(uniform(min, min + span), 20)) {
          expect(x).to.be.within(min, min + span);
          expect(Number.isSafeInteger(x)).to.equal(true);
        }
        for (const x of sample(zipf(span + 1), 20)) expect(x).to.be.within(0, span);
      }),
      { numRuns: 30 },
    );
  });

  it("choose by weight", () => {
    const draw = new DrawStream(streamKey("weights"));
    const drawn = Array.from({ length: 10_000 }, () =>
      oneOf(draw, [
        [3, "a"],
        [1, "b"],
        [0, "c"],
      ]),
    );
    expect(drawn.filter((x) => x === "a").length).to.be.closeTo(7500, 200);
    expect(drawn).not.to.include("c");
  });

  it("refuse what makes no sense", () => {
    expect(() => uniform(2, 1)).to.throw(/uniform\(2, 1\)/);
    expect(() => zipf(0)).to.throw(/zipf/);
    expect(() => exponential(-1)).to.throw(/exponential/);
    expect(() => normal(0, -1)).to.throw(/normal/);
  });
});

import { expect } from "chai";
import fc from "fast-check";
import { distance, inHalfOpen, inOpen } from "./space.ts";

const size = 16;
const id = fc.integer({ min: 0, max: size - 1 });

/** The points passed on the way from a (without it) to b (with it), by walking. */
function walk(a: number, b: number): number[] {
  const points: number[] = [];
  for (let x = (a + 1) % size; ; x = (x + 1) % size) {
    points.push(x);
    if (x === b) return points;
  }
}

describe("the identifier space", () => {
  it("has intervals that are those of a walk around the ring", () => {
    fc.assert(
      fc.property(id, id, id, (x, a, b) => {
        expect(inHalfOpen(x, a, b, size)).to.equal(walk(a, b).includes(x));
        expect(inOpen(x, a, b, size)).to.equal(walk(a, b).slice(0, -1).includes(x));
      }),
      { numRuns: 5000 },
    );
  });

  it("has the whole ring where both ends are one, with and without that end", () => {
    expect(inHalfOpen(7, 7, 7, size)).to.be.true;
    expect(inHalfOpen(8, 7, 7, size)).to.be.true;
    expect(inOpen(7, 7, 7, size)).to.be.false;
    expect(inOpen(8, 7, 7, size)).to.be.true;
  });

  it("has distances that add up to the ring, up to the largest of rings", () => {
    const large = Number.MAX_SAFE_INTEGER;
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        fc.pre(a !== b && a < large && b < large);
        expect(distance(a, b, large) + distance(b, a, large)).to.equal(large);
      }),
    );
  });
});

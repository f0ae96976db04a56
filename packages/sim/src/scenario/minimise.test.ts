import { expect } from "chai";
import fc from "fast-check";
import { minimise, minimiseRuns } from "./minimise.ts";

describe("delta debugging", () => {
  it("finds just what is needed, whatever stands between", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(60), { maxLength: 6 }),
        fc.integer({ min: 61, max: 90 }),
        (needed, length) => {
          const list = Array.from({ length }, (_, i) => i);
          const small = minimise(list, (part) => needed.every((one) => part.includes(one)));
          expect(small).to.deep.equal([...needed].sort((a, b) => a - b));
        },
      ),
      { numRuns: 100 },
    );
  });

  it("leaves nothing that could be taken out alone, also where parts stand for each other", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(9), { minLength: 1, maxLength: 40 }),
        fc.nat(30),
        (list, least) => {
          const holds = (part: readonly number[]): boolean =>
            part.reduce((sum, x) => sum + x, 0) >= least;
          fc.pre(holds(list));
          const small = minimise(list, holds);
          expect(holds(small)).to.equal(true);
          for (const i of small.keys())
            expect(holds(small.filter((_, j) => j !== i))).to.equal(false);
        },
      ),
    );
  });

  it("takes few tries where nearly all can go", () => {
    let tries = 0;
    const list = Array.from({ length: 1000 }, (_, i) => i);
    const small = minimise(list, (part) => {
      tries++;
      return part.includes(123) && part.includes(777);
    });
    expect(small).to.deep.equal([123, 777]);
    expect(tries).to.be.below(60);
  });

  it("takes out what has to go together, where it is a count that matters", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 7 }), fc.integer({ min: 1, max: 60 }), (of, length) => {
        const list = Array.from({ length }, (_, i) => i);
        const holds = (part: readonly number[]): boolean => part.length % of === length % of;
        const small = minimiseRuns(list, (part) => part.length > 0 && holds(part));
        expect(small).to.have.length(length % of === 0 ? Math.min(length, of) : length % of);
      }),
    );
  });

  it("gives what it has when the time is over", () => {
    const list = [1, 2, 3, 4, 5, 6, 7, 8];
    let left = 3;
    const small = minimise(
      list,
      (part) => part.includes(1),
      () => left-- <= 0,
    );
    expect(small).to.include(1);
  });
});

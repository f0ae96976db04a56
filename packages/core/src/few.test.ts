/** A map for few entries does what a `Map` does, whatever its size. */

import { expect } from "chai";
import fc from "fast-check";
import { Few } from "./few.ts";

const key = fc.integer({ min: 0, max: 14 });
const deed = fc.oneof(
  fc.record({ what: fc.constant("set" as const), key, value: fc.nat() }),
  fc.record({ what: fc.constant("delete" as const), key }),
  fc.record({ what: fc.constant("clear" as const) }),
);

describe("a map for few entries", () => {
  it("is a Map to whoever looks", () => {
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 60 }), (deeds) => {
        const few = new Few<number, number>();
        const map = new Map<number, number>();
        for (const one of deeds) {
          if (one.what === "set") {
            few.set(one.key, one.value);
            map.set(one.key, one.value);
          } else if (one.what === "delete") {
            expect(few.delete(one.key)).to.equal(map.delete(one.key));
          } else {
            few.clear();
            map.clear();
          }
          expect(few.size).to.equal(map.size);
          expect([...few]).to.deep.equal([...map]);
          expect(few.values()).to.deep.equal([...map.values()]);
          for (let k = 0; k < 15; k++) {
            expect(few.has(k)).to.equal(map.has(k));
            expect(few.get(k)).to.equal(map.get(k));
          }
        }
      }),
    );
  });

  it("begins with entries", () => {
    expect([...new Few([["a", 1] as const, ["b", 2] as const])]).to.deep.equal([
      ["a", 1],
      ["b", 2],
    ]);
  });
});

import { failingCases } from "@kith/testing/compliance";
import { expect } from "chai";
import { mergerCases, mergerCompliance, ringCompliance } from "./compliance/index.ts";
import { simulated, simulatedMerger } from "./kit.test.ts";

ringCompliance("RelaxedRing", () => simulated("relaxed"));
ringCompliance("ChordRing", () => simulated("chord"));
ringCompliance("RelaxedRing, swapped for ChordRing and back,", () => simulated("relaxed", "chord"));
mergerCompliance("RingMerger", () => simulatedMerger());

describe("the suite of Merger", () => {
  it("finds a provider that forgets whom it is to remember", (done) => {
    failingCases(
      mergerCases,
      () => simulatedMerger(false),
      (names) => {
        const cluster = mergerCases.filter(({ name }) => name.startsWith("MG2"));
        // Who merges nothing merges no strangers either, and without swaps nothing can be lost by them.
        const others = mergerCases.filter((one) => !cluster.includes(one)).slice(0, -1);
        expect(names).to.deep.equal(others.map(({ name }) => name));
        done();
      },
    );
  });
});

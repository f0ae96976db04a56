/**
 * The scenario of the ports' promises has to find all bugs that are planted into the simulated providers, and shrinking
 * to make them small.
 */

import { expect } from "chai";
import { contracts } from "./contracts.test.ts";
import { planFor, runPlan, runSeed, type RunResult, shrink } from "./index.ts";
import { mutants, planted } from "./planted.test.ts";

function namePattern(name: string | RegExp): RegExp {
  return typeof name === "string" ? new RegExp(`^${name}$`) : name;
}

/** The first of so many seeds that fails. */
function firstFailure(
  from: number,
  count: number,
): { readonly tried: number; readonly found: RunResult } | null {
  for (let seed = from; seed < from + count; seed++) {
    const found = runSeed(contracts, seed);
    if (found.failure !== null) return { tried: seed - from + 1, found };
  }
  return null;
}

const long = process.env["KITH_LONG"] !== undefined;

describe("planted bugs in the simulated providers", () => {
  for (const mutant of mutants) {
    const ranges = long ? [1, 10_001, 20_001, 30_001, 40_001] : [1];
    it(`are found: ${mutant.name}`, function () {
      this.timeout(300_000);
      planted(mutant, () => {
        for (const from of ranges) {
          const first = firstFailure(from, 200);
          expect(first?.found.failure?.invariant, `from seed ${from}`).to.match(
            namePattern(mutant.invariant),
          );
          if (long) console.log(`      found after ${first?.tried} seeds from ${from}`);
        }
      });
    });
  }

  const small = long ? mutants : mutants.filter(({ name }) => name.includes("incarnation"));
  for (const mutant of small) {
    it(`shrinks to few decisions: ${mutant.name}`, function () {
      this.timeout(120_000);
      planted(mutant, () => {
        const first = firstFailure(1, 200);
        if (first === null) throw new Error("not found");
        const began = process.cpuUsage().user;
        const { plan, result, decisions, runs } = shrink(contracts, first.found.plan);
        const seconds = (process.cpuUsage().user - began) / 1e6;
        if (long)
          console.log(
            `      ${decisions} decisions, ${plan.nodes} nodes, ${runs} runs, ${seconds.toFixed(1)} s`,
          );
        expect(result.failure?.invariant).to.equal(first.found.failure?.invariant);
        expect(decisions).to.be.at.most(12);
        expect(plan.nodes).to.be.at.most(4);
        expect(plan.faults.every(({ rate }) => rate === undefined)).to.equal(true);
      });
      // Without the bug the same plan is calm, and so is the seed.
      const healthy = planted(mutant, () => firstFailure(1, 200))?.found.plan;
      expect(runPlan(contracts, healthy ?? planFor(contracts, 1)).failure).to.equal(null);
    });
  }
});

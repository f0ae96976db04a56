/** The planted bugs of the repository are found, enough of them, and each can be planted and taken out. */

import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { plantedBugs } from "./planted.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

describe("the planted bugs", function () {
  this.timeout(60_000);

  it("are at least fifteen, and three of them need two rare steps", async () => {
    const bugs = await plantedBugs(root);
    expect(bugs.length).at.least(15);
    expect(bugs.filter(({ rareSteps }) => rareSteps > 1).length).at.least(3);
    expect(new Set(bugs.map(({ scenario, what }) => `${scenario}: ${what}`)).size).equal(
      bugs.length,
    );
    const scenarios = new Set(bugs.map(({ scenario }) => scenario));
    expect([...scenarios]).members([
      "contracts",
      "broadcast",
      "lock",
      "register",
      "group-chaos",
      "store-abd",
      "store-chaos",
      "peers",
      "gateway",
      "router-lookup",
      "overlay",
    ]);
  });

  it("are planted for a while, into a provider and into a copy of an example", async () => {
    const bugs = await plantedBugs(root);
    // The same way as the scenarios, so that both have the same framework.
    const { runSeed } = await import("@kith/sim/scenario");
    for (const [what, invariant] of [
      ["a timer that is off by one", "no timer is early"],
      ["a message is taken again", "in order"],
    ]) {
      const bug = bugs.find((one) => one.what === what);
      if (bug === undefined) throw new Error(`There is no bug "${what}".`);
      const { scenario, remove } = await bug.plant();
      try {
        const results = [1, 2, 3].map((seed) => runSeed(scenario, seed));
        const [first] = results.flatMap(({ failure }) => (failure === null ? [] : [failure]));
        expect(first?.invariant).equal(invariant);
      } finally {
        remove();
      }
    }
  });
});

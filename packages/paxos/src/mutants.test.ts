/** Bugs planted into a copy of this package: `group-chaos` finds each of them, and nothing without them. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Copies, type Mutant, readMutants } from "@kith/testing/planting";
import { expect } from "chai";

const folder = fileURLToPath(new URL("..", import.meta.url));
// `npm run mutants` hunts all; some of them are enough to see that the table and the scenario fit each other.
const all = process.env["KITH_PAXOS_PLANTED"] !== undefined;
const mutants = readMutants(path.join(folder, "mutants.json")).filter((_, i) => all || i % 4 === 0);

/** A few more than the seed that is known: another draw anywhere makes it another run. */
const seedsMax = 20;

describe("the replicated group with a planted bug", function () {
  this.timeout(900_000);
  let copies: Copies;
  before(() => {
    copies = new Copies(folder, path.resolve(folder, "../.."));
  });
  after(() => copies.remove());

  async function failing(bug: Mutant, from: number): Promise<boolean> {
    const file = path.join(copies.make(bug), "scenarios/group-chaos.ts");
    const { groupChaos } = (await import(
      pathToFileURL(file).href
    )) as typeof import("../scenarios/group-chaos.ts");
    // The same way as the copy, so that both have the same framework.
    const { runSeed } = await import("@kith/sim/scenario");
    for (let seed = from; seed < from + seedsMax; seed++)
      if (runSeed(groupChaos, seed).failure !== null) return true;
    return false;
  }

  for (const mutant of mutants)
    it(`is found where ${mutant.what}`, async () => {
      expect(await failing(mutant, mutant.seed)).equal(true);
    });
});

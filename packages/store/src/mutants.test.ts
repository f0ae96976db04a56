/** Bugs planted into a copy of this package: `store-chaos` finds each of them, and nothing without them. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Copies, type Mutant, readMutants } from "@kith/testing/planting";
import { expect } from "chai";

const folder = fileURLToPath(new URL("..", import.meta.url));
// `npm run mutants` hunts all; some of them are enough to see that the table and the scenario fit each other.
const all = process.env["KITH_STORE_PLANTED"] !== undefined;
const mutants = readMutants(path.join(folder, "mutants.json"));

/** A few more than the seed that is known: another draw anywhere makes it another run. */
const seedsMax = 20;

describe("the store with a planted bug", function () {
  this.timeout(900_000);
  let copies: Copies;
  before(() => {
    copies = new Copies(folder, path.resolve(folder, "../.."));
  });
  after(() => copies.remove());

  async function failing(bug: Mutant, from: number): Promise<boolean> {
    const file = path.join(copies.make(bug), "scenarios/store-chaos.ts");
    const { storeChaos } = (await import(
      pathToFileURL(file).href
    )) as typeof import("../scenarios/store-chaos.ts");
    // The same way as the copy, so that both have the same framework.
    const { runSeed } = await import("@kith/sim/scenario");
    for (let seed = from; seed < from + seedsMax; seed++)
      if (runSeed(storeChaos, seed).failure !== null) return true;
    return false;
  }

  for (const [i, mutant] of mutants.entries())
    if (all || i % 10 === 0)
      it(`is found where ${mutant.what}`, async () => {
        expect(await failing(mutant, mutant.seed)).equal(true);
      });

  it("can be planted everywhere", () => {
    for (const mutant of mutants) copies.check(mutant);
  });
});

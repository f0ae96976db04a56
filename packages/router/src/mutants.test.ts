/** Bugs planted into a copy of this package: `router-lookup` finds each of them, and nothing without them. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Copies, type Mutant, readMutants } from "@kith/testing/planting";
import { expect } from "chai";

const folder = fileURLToPath(new URL("..", import.meta.url));
const mutants = readMutants(path.join(folder, "mutants.json"));

/** A few more than the seed that is known: another draw anywhere makes it another run. */
const seedsMax = 20;

describe("the router with a planted bug", function () {
  this.timeout(300_000);
  let copies: Copies;
  before(() => {
    copies = new Copies(folder, path.resolve(folder, "../.."));
  });
  after(() => copies.remove());

  /** The first seed that fails in a copy; null where none of so many does. */
  async function failing(bug: Mutant | null, from: number, count: number): Promise<number | null> {
    const file = path.join(copies.make(bug), "scenarios/router-lookup.ts");
    const { routerLookup } = (await import(
      pathToFileURL(file).href
    )) as typeof import("../scenarios/router-lookup.ts");
    // The same way as the copy, so that both have the same framework.
    const { runSeed } = await import("@kith/sim/scenario");
    for (let seed = from; seed < from + count; seed++)
      if (runSeed(routerLookup, seed).failure !== null) return seed;
    return null;
  }

  for (const mutant of mutants)
    it(`is found where ${mutant.what}`, async () => {
      expect(await failing(mutant, mutant.seed, seedsMax)).not.equal(null);
    });

  it("is what is found: the same seeds pass in a copy without one", async () => {
    for (const seed of new Set(mutants.map((mutant) => mutant.seed)))
      expect(await failing(null, seed, 2)).equal(null);
  });
});

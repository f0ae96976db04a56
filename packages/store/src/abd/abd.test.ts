/** The store on consistent quorums under all faults; and bugs that are planted into copies of it. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { seedChecks } from "@kith/sim/scenario";
import { Copies, type Mutant, readMutants } from "@kith/testing/planting";
import { expect } from "chai";
import { storeAbd } from "../../scenarios/store-abd.ts";

const number = Number(process.env["KITH_FRESH"] ?? Date.now());
const folder = fileURLToPath(new URL("../..", import.meta.url));
// `npm run mutants` hunts all; a few of them show that the table and the scenario fit each other.
const all = process.env["KITH_STORE_PLANTED"] !== undefined;
const mutants = readMutants(path.join(folder, "mutants-abd.json"));

/** A few more than the seed that is known: another draw anywhere makes it another run. */
const seedsMax = 20;

describe("store-abd", function () {
  this.timeout(120_000);
  // 3: a client knew a view, and not what had been split off it. 616: a member told of an old view, not of the newest.
  for (const { name, check } of seedChecks(storeAbd, { number, fresh: 5, corpus: [3, 616] }))
    it(name, check);
});

describe("the store on quorums with a planted bug", function () {
  this.timeout(900_000);
  let copies: Copies;
  before(() => {
    copies = new Copies(folder, path.resolve(folder, "../.."));
  });
  after(() => copies.remove());

  async function failing(bug: Mutant): Promise<boolean> {
    const file = path.join(copies.make(bug), "scenarios/store-abd.ts");
    const copy = (await import(
      pathToFileURL(file).href
    )) as typeof import("../../scenarios/store-abd.ts");
    // The same way as the copy, so that both have the same framework.
    const { runSeed } = await import("@kith/sim/scenario");
    for (let seed = bug.seed; seed < bug.seed + seedsMax; seed++)
      if (runSeed(copy.storeAbd, seed).failure !== null) return true;
    return false;
  }

  for (const mutant of mutants.filter((_, i) => all || i % 5 === 1))
    it(`is found where ${mutant.what}`, async () => {
      expect(await failing(mutant)).equal(true);
    });
});

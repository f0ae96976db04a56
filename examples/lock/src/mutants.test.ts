/** Bugs planted into a copy of the lock service: its scenario finds each of them, and finds nothing without them. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import type { RunResult } from "@kith/sim/scenario";
import { Copies, type Mutant, readMutants } from "@kith/testing/planting";

const folder = fileURLToPath(new URL("..", import.meta.url));
const mutants = readMutants(path.join(folder, "mutants.json"));

describe("the lock service with a planted bug", function () {
  this.timeout(60_000);
  let copies: Copies;
  before(() => {
    copies = new Copies(folder, path.resolve(folder, "../.."));
  });
  after(() => copies.remove());

  /** Runs a seed of the scenario, in a copy. */
  async function run(bug: Mutant | null, seed: number): Promise<RunResult> {
    const file = path.join(copies.make(bug), "scenarios/lock.ts");
    const { lock } = (await import(
      pathToFileURL(file).href
    )) as typeof import("../scenarios/lock.ts");
    // The same way as the copy, so that both have the same framework.
    const { runSeed } = await import("@kith/sim/scenario");
    return runSeed(lock, seed);
  }

  for (const mutant of mutants) {
    it(`is found where ${mutant.what}`, async () => {
      expect((await run(mutant, mutant.seed)).failure).not.equal(null);
    });
  }

  it("is what is found: the same seeds pass without one", async () => {
    for (const seed of new Set(mutants.map((mutant) => mutant.seed))) {
      expect((await run(null, seed)).failure).equal(null);
    }
  });
});

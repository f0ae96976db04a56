/** Bugs planted into a copy of reliable broadcast: its scenario finds each of them, and finds nothing without them. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import type { RunResult } from "@kith/sim/scenario";
import { Copies, type Mutant, readMutants } from "@kith/testing/planting";

const folder = fileURLToPath(new URL("..", import.meta.url));
const mutants = readMutants(path.join(folder, "mutants.json"));

describe("reliable broadcast with a planted bug", function () {
  this.timeout(60_000);
  let copies: Copies;
  before(() => {
    copies = new Copies(folder, path.resolve(folder, "../.."));
  });
  after(() => copies.remove());

  /** Runs seeds of the scenario in a copy, until one fails; the last result. */
  async function run(bug: Mutant | null, from: number, count: number): Promise<RunResult> {
    const file = path.join(copies.make(bug), "scenarios/broadcast.ts");
    const { broadcast } = (await import(
      pathToFileURL(file).href
    )) as typeof import("../scenarios/broadcast.ts");
    // The same way as the copy, so that both have the same framework.
    const { runSeed } = await import("@kith/sim/scenario");
    let result = runSeed(broadcast, from);
    for (let seed = from + 1; seed < from + count && result.failure === null; seed++) {
      result = runSeed(broadcast, seed);
    }
    return result;
  }

  for (const mutant of mutants) {
    it(`is found where ${mutant.what}`, async () => {
      // A few more than the one that is known: another draw anywhere makes it another run.
      expect((await run(mutant, mutant.seed, 20)).failure).not.equal(null);
    });
  }

  it("is what is found: the same seeds pass without one", async () => {
    for (const seed of new Set(mutants.map((mutant) => mutant.seed))) {
      expect((await run(null, seed, 1)).failure).equal(null);
    }
  });
});

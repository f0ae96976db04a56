/** Bugs planted into a copy of the register: its scenario finds each of them, and finds nothing without them. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import { runSeed } from "@kith/sim/scenario";
import { Copies, readMutants } from "@kith/testing/planting";
import { register } from "../scenarios/register.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));
const mutants = readMutants(path.join(folder, "mutants.json"));

describe("the register with a planted bug", function () {
  this.timeout(60_000);
  let copies: Copies;
  before(() => {
    copies = new Copies(folder, path.resolve(folder, "../.."));
  });
  after(() => copies.remove());

  for (const mutant of mutants) {
    it(`is found where ${mutant.what}`, async () => {
      const file = path.join(copies.make(mutant), "scenarios/register.ts");
      const planted = (await import(pathToFileURL(file).href)) as { register: typeof register };
      expect(runSeed(planted.register, mutant.seed).failure).not.equal(null);
      expect(runSeed(register, mutant.seed).failure).equal(null);
    });
  }
});

/** Bugs planted into a copy of broadcast: its scenario finds each of them, and finds nothing without them. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import { runSeed } from "@kith/sim/scenario";
import { Copies, readMutants } from "@kith/testing/planting";
import { broadcast } from "../scenarios/broadcast.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));
const mutants = readMutants(path.join(folder, "mutants.json"));

describe("broadcast with a planted bug", function () {
  this.timeout(60_000);
  let copies: Copies;
  before(() => {
    copies = new Copies(folder, path.resolve(folder, "../.."));
  });
  after(() => copies.remove());

  for (const mutant of mutants) {
    it(`is found where ${mutant.what}`, async () => {
      const file = path.join(copies.make(mutant), "scenarios/broadcast.ts");
      const planted = (await import(pathToFileURL(file).href)) as { broadcast: typeof broadcast };
      expect(runSeed(planted.broadcast, mutant.seed).failure).not.equal(null);
      expect(runSeed(broadcast, mutant.seed).failure).equal(null);
    });
  }
});

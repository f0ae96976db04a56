/**
 * Bugs planted into copies of the overlay's packages. Here each is only planted, so that a text that has changed
 * shows at once; `npm run mutants -- overlay` hunts them, each in a process of its own.
 */

import path from "node:path";
import { fileURLToPath } from "node:url";
import { Copies, readMutants } from "@kith/testing/planting";
import { expect } from "chai";
import * as planted from "../scenarios/planted.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));
const packages = ["fd", "membership", "ring", "router", "peer"].map((name) => `packages/${name}`);

describe("bugs planted into the overlay", function () {
  this.timeout(60_000);

  it("find their places, and a scenario each", () => {
    const mutants = readMutants(path.join(folder, "mutants.json"));
    expect(mutants.length).to.be.at.least(12);
    const copies = new Copies(folder, path.resolve(folder, "../.."), packages);
    try {
      for (const mutant of mutants) {
        copies.make(mutant);
        expect(Object.keys(planted), mutant.what).to.include(mutant.scenario);
      }
    } finally {
      copies.remove();
    }
  });
});

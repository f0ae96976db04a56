/** The store under all faults: seeds that are new each time, and those that once failed. */

import { seedChecks } from "@kith/sim/scenario";
import { storeChaos } from "../scenarios/store-chaos.ts";

const number = Number(process.env["KITH_FRESH"] ?? Date.now());

describe("store-chaos", function () {
  this.timeout(900_000);
  const checks = seedChecks(storeChaos, {
    number,
    // A seed costs more than one of other scenarios.
    fresh: 10,
    // The scenario's own mistake: what closes a run was appended twice, where it had to be called again.
    corpus: [102],
  });
  for (const { name, check } of checks) it(name, check);
});

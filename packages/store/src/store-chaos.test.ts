/** The store under all faults: seeds that are new each time, and those that once failed. */

import { seedChecks } from "@kith/sim/scenario";
import { storeChaos } from "../scenarios/store-chaos.ts";

const number = Number(process.env["KITH_FRESH"] ?? Date.now());

describe("store-chaos", function () {
  this.timeout(900_000);
  const checks = seedChecks(storeChaos, { number, corpus: [], reaching: [] });
  for (const { name, check } of checks) it(name, check);
});

/** The register under all faults: seeds that are new each time, and those that once failed. `KITH_FRESH` gives the number of the fresh ones. */

import { seedChecks } from "@kith/sim/scenario";
import { register } from "../scenarios/register.ts";

const number = Number(process.env["KITH_FRESH"] ?? Date.now());

describe("the register under all faults", function () {
  this.timeout(300_000);
  const checks = seedChecks(register, { number });
  for (const { name, check } of checks) it(name, check);
});

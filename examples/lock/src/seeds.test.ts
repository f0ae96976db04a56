/** The lock service under all faults: seeds that are new each time, and those that once failed. `KITH_FRESH` gives the number of the fresh ones. */

import { seedChecks } from "@kith/sim/scenario";
import { lock } from "../scenarios/lock.ts";

const number = Number(process.env["KITH_FRESH"] ?? Date.now());

describe("the lock service under all faults", function () {
  this.timeout(300_000);
  const checks = seedChecks(lock, {
    number,
    // A client knew a later life of the server only by its reference, and waited for ever.
    corpus: [1873],
  });
  for (const { name, check } of checks) it(name, check);
});

/** The scenario of the Redis port, at a few seeds; `npx kith sim gateway --seeds A..B` runs more. */

import { seedChecks } from "@kith/sim/scenario";
import { gateway } from "../scenarios/gateway.ts";

const number = Number(process.env["KITH_FRESH"] ?? 1);

describe("clients of Redis at simulated peers", function () {
  this.timeout(600_000);
  for (const { name, check } of seedChecks(gateway, { number, fresh: 1 })) it(name, check);
});

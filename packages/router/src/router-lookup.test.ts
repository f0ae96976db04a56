/** The scenario of the routers: fresh seeds, those that once failed, and that it reaches what it is about. */

import { seedChecks } from "@kith/sim/scenario";
import { routerLookup } from "../scenarios/router-lookup.ts";

/** `KITH_FRESH` gives the number on which the fresh seeds hang. */
const number = Number(process.env["KITH_FRESH"] ?? Date.now());

describe("router-lookup", function () {
  this.timeout(300_000);
  // 91: nobody but the first peer founded a ring, which was gone for good. 380: lookups of keys whose owner was not known to
  // its own predecessor were held to succeed. Both were the scenario's own mistakes.
  const checks = seedChecks(routerLookup, { number, corpus: [91, 380] });
  for (const { name, check } of checks) it(name, check);
});

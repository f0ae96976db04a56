/** Bugs planted into a copy of this package: the scenario `gateway` finds each of them, and nothing without them. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { plantedChecks } from "@kith/testing/planting";

const folder = fileURLToPath(new URL("..", import.meta.url));
const file = "scenarios/gateway.ts";

describe("the Redis port with a planted bug", function () {
  this.timeout(600_000);
  const checks = plantedChecks({
    folder,
    root: path.resolve(folder, "../.."),
    // `npm run mutants` hunts all; some of them are enough to see that the table and the scenario fit each other.
    oneOf: process.env["KITH_GATEWAY_PLANTED"] === undefined ? 9 : 1,
    run: async (copy, seed) => {
      const at = pathToFileURL(path.join(copy, file)).href;
      const module = (await import(at)) as typeof import("../scenarios/gateway.ts");
      // The same way as the copy, so that both have the same framework.
      const { runSeed } = await import("@kith/sim/scenario");
      return runSeed(module.gateway, seed).failure;
    },
  });
  for (const { name, check } of checks) it(name, check);
});

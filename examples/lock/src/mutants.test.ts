/** Bugs planted into copies of the lock service: the scenario finds each of them, and finds nothing without them. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { plantedChecks } from "@kith/testing/planting";

const folder = fileURLToPath(new URL("..", import.meta.url));
const file = "scenarios/lock.ts";

describe("the lock service with a planted bug", function () {
  this.timeout(60_000);
  const checks = plantedChecks({
    folder,
    root: path.resolve(folder, "../.."),
    run: async (copy, seed) => {
      const at = pathToFileURL(path.join(copy, file)).href;
      const module = (await import(at)) as typeof import("../scenarios/lock.ts");
      // The same way as the copy, so that both have the same framework.
      const { runSeed } = await import("@kith/sim/scenario");
      return runSeed(module.lock, seed).failure;
    },
  });
  for (const { name, check } of checks) it(name, check);
});

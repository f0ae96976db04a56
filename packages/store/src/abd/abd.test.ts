/** The store on consistent quorums under all faults; and bugs that are planted into copies of it. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { seedChecks } from "@kith/sim/scenario";
import { plantedChecks } from "@kith/testing/planting";
import { storeAbd } from "../../scenarios/store-abd.ts";

const number = Number(process.env["KITH_FRESH"] ?? Date.now());
const folder = fileURLToPath(new URL("../..", import.meta.url));
const file = "scenarios/store-abd.ts";

describe("store-abd", function () {
  this.timeout(120_000);
  // 3: a client knew a view, and not what had been split off it. 616: a member told of an old view, not of the newest.
  for (const { name, check } of seedChecks(storeAbd, { number, fresh: 3, corpus: [3, 616] }))
    it(name, check);
});

describe("the store on quorums with a planted bug", function () {
  this.timeout(900_000);
  const checks = plantedChecks({
    folder,
    root: path.resolve(folder, "../.."),
    table: "mutants-abd.json",
    // `npm run mutants` hunts all; some of them are enough to see that the table and the scenario fit each other.
    oneOf: process.env["KITH_STORE_PLANTED"] === undefined ? 6 : 1,
    run: async (copy, seed) => {
      const at = pathToFileURL(path.join(copy, file)).href;
      const module = (await import(at)) as typeof import("../../scenarios/store-abd.ts");
      // The same way as the copy, so that both have the same framework.
      const { runSeed } = await import("@kith/sim/scenario");
      return runSeed(module.storeAbd, seed).failure;
    },
  });
  for (const { name, check } of checks) it(name, check);
});

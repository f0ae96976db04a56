/** Bugs planted into a copy of this package: `peers` finds each of them, and nothing without them. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { plantedChecks } from "@kith/testing/planting";

const folder = fileURLToPath(new URL("..", import.meta.url));
const file = "scenarios/peers.ts";

describe("whole peers with a planted bug", function () {
  this.timeout(900_000);
  const checks = plantedChecks({
    folder,
    root: path.resolve(folder, "../.."),
    // `npm run mutants` hunts all; some of them are enough to see that the table and the scenario fit each other.
    oneOf: process.env["KITH_PEERS_PLANTED"] === undefined ? 6 : 1,
    run: async (copy, seed, name) => {
      const at = pathToFileURL(path.join(copy, file)).href;
      const module = (await import(at)) as typeof import("../scenarios/peers.ts");
      // The same way as the copy, so that both have the same framework.
      const { runSeed } = await import("@kith/sim/scenario");
      return runSeed(name === "peerRenewal" ? module.peerRenewal : module.peers, seed).failure;
    },
  });
  for (const { name, check } of checks) it(name, check);
});

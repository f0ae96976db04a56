/** The store under all faults: seeds that are new each time, and those that once failed. */

import { seedChecks } from "@kith/sim/scenario";
import { storeChaos } from "../scenarios/store-chaos.ts";

const number = Number(process.env["KITH_FRESH"] ?? Date.now());

describe("store-chaos", function () {
  this.timeout(900_000);
  const checks = seedChecks(storeChaos, {
    number,
    // A seed costs more than one of other scenarios.
    fresh: 6,
    corpus: [
      // The scenario's own mistake: what closes a run was appended twice, where it had to be called again.
      102,
      // Too little was read of keys that are written once for a judge to decide.
      218875596,
      // A watcher told twice what the network had brought twice.
      18,
      // Most nodes are down most of the time: what closes a run is the larger part of it.
      33,
      // A member that was gone took all the places for snapshots of who led two groups, so that a third one stood still.
      161,
      235, 727, 944,
      // Nobody had read all accounts at once, so that no judge could say anything.
      91,
      // A crash took along that somebody was about to write, in the instant in which the write left.
      499,
    ],
  });
  for (const { name, check } of checks) it(name, check);
});

/**
 * The scenarios of the overlay: seeds that once failed, and some that are new each time. Here are those with few
 * peers, which cost little; `npm run swarm` runs them all, with 64 and 128 peers too.
 *
 * `KITH_FRESH` gives the number on which the fresh seeds hang.
 */

import { freshSeeds, runSeed } from "@kith/sim/scenario";
import { expect } from "chai";
import { smallChurn, smallMerge } from "../scenarios/small.ts";
import { overlayFreeze, overlayHalf, overlayRestart } from "../scenarios/trials.ts";

const number = Number(process.env["KITH_FRESH"] ?? Date.now());

/** What has failed once, and why. */
const corpus = [
  [smallChurn, 14, "an earlier life was taken up from a stale list"],
  [smallChurn, 34, "two rings knew nothing of each other but lives that were over"],
  [smallChurn, 113, "a predecessor that had left was kept, for its process lived on"],
  [smallChurn, 121, "all who joined were sent on to a peer that had left"],
  [smallChurn, 136, "two rings had forgotten each other"],
  [
    smallMerge,
    43,
    "the φ detector took a partition for a usual gap, and a crash went unnoticed for 80 s",
  ],
] as const;

describe("the overlay", function () {
  this.timeout(120_000);

  for (const [scenario, seed, why] of corpus)
    it(`holds where ${why}: ${scenario.name}, seed ${seed}`, () => {
      expect(runSeed(scenario, seed).failure).to.equal(null);
    });

  for (const [scenario, count] of [
    [smallChurn, 4],
    [smallMerge, 2],
    [overlayHalf, 1],
    [overlayFreeze, 1],
    [overlayRestart, 1],
  ] as const)
    it(`holds in ${scenario.name}, for ${count} fresh seeds of ${number}`, () => {
      for (const seed of freshSeeds(number, count))
        expect(runSeed(scenario, seed).failure, `seed ${seed} of ${number}`).to.equal(null);
    });
});

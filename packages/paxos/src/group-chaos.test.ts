/** The replicated group under all faults: seeds that are new each time, and those that once failed. */

import { seedChecks } from "@kith/sim/scenario";
import { groupChaos } from "../scenarios/group-chaos.ts";

const number = Number(process.env["KITH_FRESH"] ?? Date.now());

describe("group-chaos", function () {
  this.timeout(900_000);
  const checks = seedChecks(groupChaos, {
    number,
    corpus: [
      // A learner that had missed its removal was never told.
      29,
      // A learner that had stored nothing was promoted, and could vote for nobody.
      525,
      // An assertion took a later vote for the term of an answer.
      212,
      // The client of a life that reused an incarnation took the sessions of the one before for its own.
      1532442561,
      // Nobody ever changed the members.
      2030,
      // The part of a snapshot always came when the queue had room for a heartbeat only, and was not sent again.
      137,
      235, 841, 849,
      // The queues of the healed core were as short as before, so that it was too slow to finish.
      634,
      // A learner that was never committed had the id of a voter.
      200076,
      // Clients were given members with the life that each was thought to be in, and believed that more than the member.
      202,
      450,
    ],
    // A conflict is cut off a log in one of six runs; the other marks are less rare.
    reaching: [200101, 200028],
  });
  for (const { name, check } of checks) it(name, check);
});

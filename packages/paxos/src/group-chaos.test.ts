/** The replicated group under all faults: seeds that are new each time, and those that once failed. */

import { freshSeeds, reportOf, runSeed, Suite } from "@kith/sim/scenario";
import { expect } from "chai";
import { groupChaos } from "../scenarios/group-chaos.ts";

const number = Number(process.env["KITH_FRESH"] ?? Date.now());

/** Seeds that once failed. */
const corpus: readonly number[] = [
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
];

describe("group-chaos", function () {
  this.timeout(900_000);
  const suite = new Suite(groupChaos);
  const run = (seed: number): void => {
    const result = runSeed(groupChaos, seed);
    suite.add(reportOf(result));
    expect(result.failure, `seed ${seed}`).equal(null);
  };

  it(`holds for seeds that are fresh from ${number}`, () => {
    for (const seed of freshSeeds(number, 20)) run(seed);
  });

  it("holds for seeds that once failed", () => {
    for (const seed of corpus) run(seed);
  });

  it("reaches what it is there for, and most faults, in so few seeds already", () => {
    const { reached, unstruck, problems, operations, seeds } = suite.result();
    if (process.env["KITH_PAXOS_MARKS"] !== undefined) console.log(reached, operations, unstruck);
    expect(problems).deep.equal([]);
    expect(operations.ok / seeds).greaterThan(500);
  });
});

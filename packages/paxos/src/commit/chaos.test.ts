/** Paxos Commit under faults, by seeds; `KITH_COMMIT_SEEDS` says how many (default 4), from `KITH_PAXOS_FIRST` on. */

import { expect } from "chai";
import { commitChaos } from "./commit-run.test.ts";

const seeds = Number(process.env["KITH_COMMIT_SEEDS"] ?? 4);
const first = Number(process.env["KITH_PAXOS_FIRST"] ?? 1);

describe("Paxos Commit under faults", function () {
  this.timeout(600_000);
  it("has one outcome, which all who have voted are told, and keeps nothing", () => {
    const sum = { committed: 0, aborted: 0, orphaned: 0, crashes: 0 };
    for (let seed = first; seed < first + seeds; seed++) {
      try {
        const { committed, aborted, orphaned, crashes } = commitChaos(seed);
        sum.committed += committed;
        sum.aborted += aborted;
        sum.orphaned += orphaned;
        sum.crashes += crashes;
      } catch (cause) {
        throw new Error(`seed ${seed}`, { cause });
      }
    }
    if (process.env["KITH_PAXOS_MARKS"] !== undefined) console.log("     ", sum);
    for (const what of Object.values(sum)) expect(what).greaterThan(0);
  });
});

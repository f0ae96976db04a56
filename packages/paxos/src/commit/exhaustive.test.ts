/** Everything that can happen in a transaction of few managers, by the code that runs. */

import { expect } from "chai";
import { allVotes, exploreCommit } from "./explore-commit.test.ts";

describe("exhaustively, of a transaction", function () {
  this.timeout(300_000);
  const deep = process.env["KITH_PAXOS_DEEP"] !== undefined;
  const cases = [
    ...allVotes(2).map((said) => ({ said, recoveries: 1 })),
    ...allVotes(2)
      .slice(0, deep ? Infinity : 1)
      .map((said) => ({ said, recoveries: 2 })),
    ...(deep ? allVotes(3).map((said) => ({ said, recoveries: 1 })) : []),
  ];
  for (const { said, recoveries } of cases)
    it(`managers say ${said.join(", ")}; ${recoveries} may end it: it has one outcome`, () => {
      const { states, committed, aborted } = exploreCommit(said, recoveries);
      if (process.env["KITH_PAXOS_MARKS"] !== undefined)
        console.log("     ", { states, committed, aborted });
      expect(aborted).greaterThan(0);
      if (said.every((one) => one === "prepared")) expect(committed).greaterThan(0);
      else expect(committed).equal(0);
    });
});

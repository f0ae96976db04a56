/** Everything that can happen to a few acceptors in three rounds, by the code that runs. */

import { expect } from "chai";
import type { Case } from "./explore.test.ts";
import { explore, smallCases } from "./small-cases.test.ts";

describe("exhaustively, of an instance", function () {
  this.timeout(120_000);
  // The two largest ones wait for `KITH_PAXOS_DEEP`: their like with three acceptors is here.
  const deep = process.env["KITH_PAXOS_DEEP"] !== undefined;
  const isLarge = ({ acceptors, fast }: Case): boolean => acceptors > 3 && (fast(1) || fast(2));
  for (const [name, one] of smallCases.filter(([, it]) => deep || !isLarge(it)))
    it(`${name}: two values are proposed, one is chosen`, () => {
      const { states, chosen, collided } = explore(one);
      if (process.env["KITH_PAXOS_MARKS"] !== undefined)
        console.log("     ", { states, chosen, collided });
      expect(chosen).greaterThan(100);
      if (one.fast(0)) expect(collided).greaterThan(100);
    });
});

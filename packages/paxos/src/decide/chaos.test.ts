/**
 * Deciders under faults, by seeds; `KITH_DECIDE_SEEDS` says how many (default 8 of each provider), from
 * `KITH_PAXOS_FIRST` on.
 */

import { expect } from "chai";
import { FastPaxos } from "../fast/fast-paxos.ts";
import { SinglePaxos } from "../single/single-paxos.ts";
import { decideChaos } from "./chaos-run.test.ts";

const seeds = Number(process.env["KITH_DECIDE_SEEDS"] ?? 8);
const first = Number(process.env["KITH_PAXOS_FIRST"] ?? 1);

describe("deciders under faults", function () {
  this.timeout(600_000);
  for (const provider of [SinglePaxos, FastPaxos])
    it(`decide one value for each instance, all of them (${provider.name})`, () => {
      const sum = { decided: 0, contended: 0, crashes: 0, swaps: 0 };
      for (let seed = first; seed < first + seeds; seed++) {
        try {
          const { decided, contended, crashes, swaps } = decideChaos(seed, provider);
          sum.decided += decided;
          sum.contended += contended;
          sum.crashes += crashes;
          sum.swaps += swaps;
        } catch (cause) {
          throw new Error(`seed ${seed} of ${provider.name}`, { cause });
        }
      }
      if (process.env["KITH_PAXOS_MARKS"] !== undefined) console.log("     ", sum);
      for (const what of Object.values(sum)) expect(what).greaterThan(0);
    });
});

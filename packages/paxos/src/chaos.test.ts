/** The replicated group on simulated processes under faults; `KITH_PAXOS_CHAOS` says how many seeds. */

import { expect } from "chai";
import { chaos, type Happened, nothing } from "./chaos-run.test.ts";

const seeds = Number(process.env["KITH_PAXOS_CHAOS"] ?? 4);
const first = Number(process.env["KITH_PAXOS_FIRST"] ?? 1);
/** Seeds that have failed once; they run always. */
const corpus = [4, 17, 20];

describe("a replicated register under faults", function () {
  this.timeout(3_600_000);

  it(`is linearizable, and goes on after healing, ${seeds} seeds`, () => {
    const sum = nothing();
    const failed: string[] = [];
    const fresh = Array.from({ length: seeds }, (_, i) => first + i);
    for (const seed of new Set([...corpus, ...fresh])) {
      try {
        const happened = chaos(seed);
        for (const key of Object.keys(sum) as (keyof Happened)[]) sum[key] += happened[key];
        if (happened.writes + happened.reads < 0.6 * happened.asked)
          failed.push(
            `seed ${seed}: ${happened.writes + happened.reads} of ${happened.asked} were acknowledged`,
          );
      } catch (cause) {
        failed.push(`seed ${seed}: ${cause instanceof Error ? cause.stack : String(cause)}`);
      }
    }
    if (process.env["KITH_PAXOS_MARKS"] !== undefined) console.log(sum);
    expect(failed.join("\n")).equal("");
    expect(sum.writes + sum.reads).greaterThan(100 * seeds);
  });
});

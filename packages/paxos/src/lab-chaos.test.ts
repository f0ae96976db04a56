/** Random schedules over the pure group; `KITH_PAXOS_SEEDS` says how many. */

import { expect } from "chai";
import { type Marks, noOutcome } from "./marks.test.ts";
import { run } from "./schedule.test.ts";

const seeds = Number(process.env["KITH_PAXOS_SEEDS"] ?? 120);
const first = Number(process.env["KITH_PAXOS_FIRST"] ?? 1);

describe("random schedules over the pure group", function () {
  this.timeout(600_000);

  it(`keep the invariants and go on after healing, ${seeds} seeds`, () => {
    const sum = noOutcome();
    for (let seed = first; seed < first + seeds; seed++) {
      try {
        const marks = run(seed);
        for (const key of Object.keys(sum) as (keyof Marks)[]) sum[key] += marks[key];
      } catch (cause) {
        throw new Error(`seed ${seed}: ${String(cause)}`, { cause });
      }
    }
    if (process.env["KITH_PAXOS_MARKS"] !== undefined) console.log(sum);
    // A run that refuses everything would keep every invariant.
    expect(sum.accepted / sum.proposed).greaterThan(0.3);
    for (const [mark, count] of Object.entries(sum)) expect(count, mark).greaterThan(0);
  });
});

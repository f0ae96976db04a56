/** The store in three processes, while they are killed and stand still; `KITH_STORE_CHAOS_MS` and `_PAUSE_MS` make it longer. */

import { expect } from "chai";
import { runChaos } from "./chaos.ts";
import { judge } from "./judge.ts";

const long = Number(process.env["KITH_STORE_CHAOS_MS"] ?? 0);

describe("a store in three processes", function () {
  this.timeout(120_000 + long * 2);

  it("is strictly serializable while members are killed and stand still, and a group splits", async () => {
    const { history, acknowledged, unknown, kills, splits, servedByFew } = await runChaos({
      duration: long,
      answers: long > 0 ? 20_000 : 500,
      every: long > 0 ? 6000 : 600,
      pause: Number(process.env["KITH_STORE_PAUSE_MS"] ?? 1200),
    });
    expect(judge(history)).deep.equal([]);
    expect(servedByFew).equal(0);
    expect(kills).greaterThan(0);
    expect(splits).greaterThan(0);
    expect(acknowledged).least(500);
    expect(unknown * 10).lessThan(acknowledged);
  });
});

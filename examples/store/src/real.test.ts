/** The store in three processes, while they are killed and stand still. */

import { fileURLToPath } from "node:url";
import { type Bundle, bundled } from "@kith/testing/bundling";
import { expect } from "chai";
import { runChaos } from "./chaos.ts";
import { judge } from "./judge.ts";

describe("a store in three processes", function () {
  this.timeout(120_000);
  let bundle: Bundle | null = null;

  before(async () => {
    bundle = await bundled(fileURLToPath(new URL("main.ts", import.meta.url)));
  });
  after(() => bundle?.remove());

  it("is strictly serializable while members are killed and stand still, and a group splits", async () => {
    const { history, acknowledged, unknown, kills, splits, servedByFew, servedBeside } =
      await runChaos({
        duration: 0,
        answers: 200,
        every: 600,
        pause: 1000,
        people: 4,
        ...(bundle === null ? {} : { program: bundle.program }),
      });
    expect(judge(history)).deep.equal([]);
    expect(servedByFew).equal(0);
    expect(servedBeside).greaterThan(0);
    expect(kills).greaterThan(0);
    expect(splits).greaterThan(0);
    expect(acknowledged).least(200);
    expect(unknown * 10).lessThan(acknowledged);
  });
});

/**
 * Hot swap: what is carried, what is held, and what a swap may be made of. The properties SW1 to SW7
 * are those of Arad, Dowling and Haridi (2012); `swap-everywhere.test.ts` tests SW6 at every event,
 * `swap-failures.test.ts` tests SW5.
 */

import { expect } from "chai";
import {
  BusyOne,
  type Journal,
  Line,
  newJournal,
  Sink,
  WorkerOne,
  WorkerTwo,
} from "./fixtures/line.ts";
import { type Component, bare, launch, ManualWorld, run } from "./index.ts";
import { draw, streamKey } from "./random.ts";

const worker = "/Line-1/worker";

function expectWhole(journal: Journal, source: string, count: number): void {
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  expect(journal.from(source)).deep.equal(numbers.map((n) => `${source} ${n} ${n}`));
  const receipts = journal.receipts.filter((receipt) => receipt.startsWith(`${source} `));
  expect(receipts).deep.equal(numbers.map((n) => `${source} ${n}`));
}

describe("swaps under load", () => {
  const sources = ["a", "b", "c", "d"];
  const classes: (new () => Component)[] = [WorkerTwo, WorkerOne, BusyOne, WorkerTwo];

  for (const seed of [1, 2, 3, 4, 5]) {
    it(`loses, doubles and reorders nothing from four sources in 100 swaps at random, seed ${seed}`, async () => {
      const journal = newJournal();
      const world = new ManualWorld();
      const dice = draw(streamKey(seed), "swaps", new Map());
      const system = launch(Line, { sources, count: 500, busy: seed % 2 === 0 }, world);
      const swaps: Promise<unknown>[] = [];
      while (swaps.length < 100) {
        for (let steps = dice.below(90); steps > 0; steps--) world.step();
        const at = dice.below(4);
        if (at === 0) swaps.push(system.swap("/Line-1/sink", Sink));
        // WorkerOne takes no state of version 2, so that some swaps fail: they must not be seen either.
        else swaps.push(system.swap(worker, dice.pick(classes)));
      }
      world.settle();
      const results = await Promise.allSettled(swaps);
      expect(results.filter(({ status }) => status === "fulfilled").length).greaterThan(30);
      for (const source of sources) expectWhole(journal, source, 500);
      expect(system.deadLetters).deep.equal({});
    });
  }

  it("loses, doubles and reorders nothing on the real scheduler", async () => {
    const journal = newJournal();
    const system = await run(Line, { sources, count: 1_000_000, busy: true }, bare());
    const dice = draw(streamKey(7), "swaps", new Map());
    const results: PromiseSettledResult<unknown>[] = [];
    for (let n = 0; n < 100; n++) {
      for (let turns = dice.below(4); turns > 0; turns--) await new Promise(setImmediate);
      const both = [system.swap(worker, dice.pick(classes)), system.swap("/Line-1/sink", Sink)];
      results.push(...(await Promise.allSettled(both)));
    }
    await system.stop();
    expect(results.filter(({ status }) => status === "fulfilled").length).greaterThan(120);
    for (const source of sources) {
      const taken = journal.from(source);
      expect(taken.length).greaterThan(10);
      expect(taken).deep.equal(taken.map((_, i) => `${source} ${i + 1} ${i + 1}`));
    }
  });
});

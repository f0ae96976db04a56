/**
 * What a ring of one kind alone has to stand, in the simulator. Crashes, returns, links that fail, partitions and swaps are in the
 * scenarios of `examples/overlay`, where both kinds stand in one ring.
 */

import { expect } from "chai";
import { build, heal, imperfection } from "./kit.test.ts";

const kinds: readonly (readonly [string, (index: number) => "relaxed" | "chord"])[] = [
  ["RelaxedRing", () => "relaxed"],
  ["ChordRing", () => "chord"],
  ["a ring of both kinds", (index: number) => (index % 2 === 0 ? "relaxed" : "chord")],
];

for (const [name, kind] of kinds)
  describe(`${name} on trial`, function () {
    this.timeout(60_000);

    it("is one perfect ring of 1, 2, 3 and 24 peers that all join at once", () => {
      for (const nodes of [1, 2, 3, 24]) {
        const world = build(nodes, nodes, { kind });
        heal(world, 120_000);
        world.runFor(30_000);
        expect(imperfection(world), `${nodes} peers`).to.equal(undefined);
      }
    });

    it("costs at most five messages per peer and second at rest, all told", () => {
      const world = build(24, 6, { kind, merges: true });
      heal(world, 120_000);
      world.runFor(60_000);
      let messages = 0;
      world.rule({
        name: "count",
        judge: () => {
          messages++;
          return undefined;
        },
      });
      world.runFor(60_000);
      expect(messages / 60 / 24).to.be.below(5);
    });

    it("lets peers leave, several neighbours at once", () => {
      const world = build(16, 2, { kind });
      heal(world, 120_000);
      world.runFor(20_000);
      for (const index of [4, 5, 6, 11]) {
        const { system } = world.node(index);
        system.enter(() => system.instance.leave());
      }
      world.runFor(100);
      heal(world, 60_000);
      world.runFor(2000);
      expect([4, 5, 6, 11].every((index) => world.node(index).root.left)).to.equal(true);
    });
  });

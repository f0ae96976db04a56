/** What a ring has to stand, in the simulator. */

import { loss, partition, swapNemesis } from "@kith/sim";
import { expect } from "chai";
import { ChordRing, RelaxedRing } from "./index.ts";
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

    it("closes after a crash, and after the crash of half at one instant", () => {
      const world = build(24, 1, { kind });
      heal(world, 120_000);
      world.runFor(20_000);
      world.node(7).crash();
      heal(world, 60_000);
      world.runFor(20_000);
      for (const { index } of world.nodes)
        if (index % 2 === 1 && world.node(index).state === "up") world.node(index).crash();
      heal(world, 120_000);
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

    it("takes a restart in place for another peer (R5)", () => {
      const world = build(12, 3, { kind });
      heal(world, 120_000);
      world.runFor(20_000);
      for (const index of [3, 4, 9]) {
        world.node(index).crash();
        world.runFor(50);
        world.node(index).start();
      }
      heal(world, 120_000);
      world.runFor(20_000);
      for (const node of world.nodes)
        for (const { incarnation, peerId } of node.root.view?.successors ?? [])
          expect(incarnation, `${node.name} on ${peerId}`).to.equal(world.node(peerId - 1).lives);
    });

    it("heals where two cannot talk for a while, and both can talk to the others", () => {
      const world = build(10, 4, { kind });
      heal(world, 120_000);
      const mends = [world.rule(partition(["n3"], ["n4"])), world.rule(partition(["n7"], ["n8"]))];
      world.runFor(120_000);
      for (const mend of mends) mend();
      heal(world, 120_000);
    });

    it("is the same while it is swapped all the time, for its like and for the other kind", () => {
      const world = build(16, 5, { kind });
      let swaps = 0;
      const nemesis = swapNemesis(world, {
        every: 100,
        paths: ["/Peer-1/Ring", "/Peer-1/Detector"],
        replacement: (path) =>
          path.endsWith("Ring") ? { cls: swaps++ % 2 === 0 ? RelaxedRing : ChordRing } : undefined,
      });
      world.rule(loss(0.02));
      heal(world, 180_000);
      world.node(3).crash();
      world.node(9).crash();
      heal(world, 120_000);
      expect(nemesis.failed).to.deep.equal([]);
      expect(nemesis.swapped).to.be.above(50);
    });
  });

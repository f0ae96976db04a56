/** The counter among simulated nodes: with loss, crashes and swaps, and with mistakes that have to show. */

import { expect } from "chai";
import { loss, type SimNode, simulate, slowFlush, swapNemesis } from "@kith/sim";
import { Gossip } from "./counter.ts";
import { Node } from "./node.ts";

const nodes = 20;
const target = 40;
const counter = "/Node-1/Counter-1";
const init = { every: 200, pause: 50, target, join: ["n1:7000"] };

describe("the counter, simulated", () => {
  it("agrees on the total, with 1 % of the packets lost, whichever counters are replaced", () => {
    const world = simulate(Node, { seed: 42, nodes, init });
    world.rule(loss(0.01));
    swapNemesis(world, { every: 500, paths: [counter] });
    world.until(() => world.nodes.every(({ root }) => root.state.total === nodes * target));
    for (const { root, system } of world.nodes) {
      expect(root.state.own).to.equal(target);
      expect(system.deadLetters).to.deep.equal({});
    }
  });

  it("forgets nothing that was acknowledged, and tells nothing that it forgets, whoever crashes when", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const world = simulate(Node, {
        seed,
        nodes: 5,
        init: { ...init, every: 30, pause: 100 },
      });
      const shrunk: string[] = [];
      const told = new Map<number, number>();
      const listen = (node: SimNode<typeof Node>) =>
        node.system.inspect(({ kind, path, event }) => {
          if (kind !== "trigger" || path !== counter || !(event instanceof Gossip)) return;
          const own = event.counts.get(node.index + 1);
          if (own === undefined) return;
          // What earlier lives counted is counted by this one too.
          if (own < (told.get(node.index) ?? 0)) shrunk.push(`${node.name}: ${own}`);
          told.set(node.index, own);
        });
      const acknowledged = new Map<number, number>();
      world.boot();
      for (const node of world.nodes) {
        node.disk.faults.add(slowFlush(0.5, 10, 60));
        listen(node);
      }
      for (let crash = 0; crash < 20; crash++) {
        const node = world.node(crash % 5);
        world.runFor(100 + ((crash * 37 + seed * 11) % 100));
        acknowledged.set(
          node.index,
          Math.max(node.root.state.own, acknowledged.get(node.index) ?? 0),
        );
        node.crash();
        world.runFor(50);
        node.start();
        listen(node);
      }
      for (const { index, root } of world.nodes) {
        world.until(() => root.state.ready);
        expect(root.state.own).to.be.at.least(acknowledged.get(index) ?? 0);
      }
      // Each counts to its target and no further, however many lives that takes.
      world.until(() => world.nodes.every(({ root }) => root.state.total === 5 * target));
      world.runFor(2000);
      for (const { root } of world.nodes) expect(root.state.total).to.equal(5 * target);
      expect(shrunk, `seed ${seed}`).to.deep.equal([]);
    }
  });
});

/**
 * The counter and the lock service among simulated nodes, whose leader is killed again and again; `KITH_REPLICATED_SEEDS`
 * says how often (default 1).
 */

import { expect } from "chai";
import { loss, resets, type SimNode, simulate, slowFlush } from "@kith/sim";
import { CounterNode } from "./counter.ts";
import { LockNode } from "./lock.ts";

const seeds = Number(process.env["KITH_REPLICATED_SEEDS"] ?? 1);
const members = [1, 2, 3].map((peerId) => ({ peerId, host: `n${peerId}`, port: 7000 }));
const common = (index: number, found: boolean) => ({ members, found, name: `node-${index + 1}` });

/** Kills whoever leads, and starts it again on its data. @returns whether somebody did */
function killLeader(nodes: readonly SimNode<typeof CounterNode | typeof LockNode>[]): boolean {
  const leader = nodes.find((node) => node.state === "up" && node.root.state.leads);
  if (leader === undefined) return false;
  leader.crash();
  leader.start();
  return true;
}

describe("the replicated services, simulated", () => {
  it("count everything once, whoever is killed", () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const target = 60;
      // A member that founded its group finds that it is there, and founds nothing.
      const world = simulate(CounterNode, {
        seed,
        nodes: 3,
        initOf: ({ index }) => ({ ...common(index, true), target, pause: 20 }),
      }).boot();
      for (const rule of [loss(0.02), resets(0.005)]) world.rule(rule);
      for (const { disk } of world.nodes) disk.faults.add(slowFlush(0.2, 5, 40));
      let kills = 0;
      for (let round = 0; round < 4; round++) {
        world.runFor(4000);
        if (killLeader(world.nodes)) kills++;
      }
      const all = (): boolean => world.nodes.every(({ root }) => root.state.sum >= 3 * target);
      world.until(all, { within: 60_000 });
      world.runFor(1000);
      for (const { root } of world.nodes) {
        expect(root.state.own, `seed ${seed}`).to.equal(target);
        expect(root.state.sum).to.equal(3 * target);
      }
      expect(kills).to.be.greaterThan(1);
    }
  });

  it("let one at a time have a lock, with ever higher tokens, whoever is killed", () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const world = simulate(LockNode, {
        seed,
        nodes: 3,
        initOf: ({ index }) => ({ ...common(index, true), lease: 1500, work: 60, pause: 10 }),
      }).boot();
      world.rule(resets(0.005));
      let highest = 0;
      let turns = 0;
      let kills = 0;
      const holders = new Set<string>();
      while (world.time < 16_000) {
        world.runFor(5);
        const holding = world.nodes.filter((node) => node.state === "up" && node.root.holds);
        expect(holding.length, `holders at ${world.time} ms of seed ${seed}`).to.be.lessThan(2);
        const [one] = holding;
        if (one !== undefined && one.root.state.token !== highest) {
          expect(one.root.state.token).to.be.greaterThan(highest);
          highest = one.root.state.token;
          turns++;
          holders.add(one.name);
          // Now and then somebody is killed while it has the lock: it comes to another one by time.
          if (turns % 40 === 0) {
            one.crash();
            one.start();
          }
        }
        if (world.time >= 4000 * (kills + 1) && killLeader(world.nodes)) kills++;
      }
      expect(turns).to.be.greaterThan(30);
      expect(kills).to.be.greaterThan(1);
      expect(holders.size).to.equal(3);
    }
  });
});

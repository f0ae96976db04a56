/** Processes with a manager, simulated: they found a cluster, serve from every peer, and come back after all have crashed. */

import { Get, Written } from "@kith/store";
import { expect } from "chai";
import { ask, cluster, peerIdsOf, put, ready, textIn } from "./manager-kit.test.ts";

describe("a cluster of processes with a manager", () => {
  it("is founded once, and each peer serves each key", () => {
    const world = cluster({ seed: 1, nodes: 5 });
    ready(world);
    for (let node = 0; node < 5; node++)
      expect(ask(world, node, put(`key-${node}`, `of ${node}`))).instanceOf(Written);
    for (let node = 0; node < 5; node++)
      for (let key = 0; key < 5; key++)
        expect(textIn(ask(world, node, new Get({ key: `key-${key}` })))).equal(`of ${key}`);
    const ids = new Set(world.nodes.map(({ root }) => root.last?.clusterId));
    expect([...ids])
      .match(/^[0-9a-f]{32}$/)
      .and.length(1);
  });

  // Seeds in which the founder's peer was on its ring before the server began that names it to others: they knew of it 3 to 9 s later.
  for (const seed of [2, 16, 19, 24])
    it(`is placed within 3 s: seed ${seed}`, () => {
      const world = cluster({ seed, nodes: 4, founders: 3, groups: 3 });
      const isPlaced = (): boolean =>
        world.nodes.every(({ root }) => /^(placing|ready)$/.test(root.last?.phase ?? ""));
      world.until(isPlaced, { within: 3000 });
      expect(isPlaced()).equal(true);
    });

  it("serves the same data after a restart of all", () => {
    const world = cluster({ seed: 2, nodes: 5 });
    ready(world);
    for (let key = 0; key < 10; key++)
      expect(ask(world, key % 5, put(`key-${key}`, `value ${key}`))).instanceOf(Written);
    for (const node of world.nodes) node.crash();
    world.runFor(1000);
    for (const node of world.nodes) node.start();
    ready(world);
    for (let key = 0; key < 10; key++)
      expect(textIn(ask(world, (key + 1) % 5, new Get({ key: `key-${key}` })))).equal(
        `value ${key}`,
      );
    // The ring is one again, too, though all were gone at once.
    world.runFor(30_000);
    world.node(3).root.look();
    world.runFor(3000);
    const { seen } = world.node(3).root;
    expect(seen?.complete).equal(true);
    expect(seen?.processes.flatMap(({ peers }) => peers.map(({ ring }) => ring))).deep.equal(
      Array.from({ length: 5 }, () => "in"),
    );
  });

  it("has peers without replicas, which serve as well as the others", () => {
    const world = cluster({ seed: 3, nodes: 6, founders: 4 }, { boots: (index) => index < 4 });
    ready(world);
    world.node(4).start();
    world.node(5).start();
    ready(world);
    for (const index of [4, 5]) expect(world.node(index).root.last?.genesis).not.equal(null);
    expect(ask(world, 4, put("late", "yes"))).instanceOf(Written);
    expect(textIn(ask(world, 5, new Get({ key: "late" })))).equal("yes");
    expect(textIn(ask(world, 0, new Get({ key: "late" })))).equal("yes");
  });

  it("keeps what is asked before it is founded, and answers it then", () => {
    const world = cluster({ seed: 4, nodes: 3 }, { boots: (index) => index < 2 });
    world.boot();
    world.runFor(5000);
    const asker = [...world.node(1).root.askers.values()][0];
    asker?.ask(put("early", "bird"));
    asker?.ask(new Get({ key: "impatient", within: 1000 }));
    world.runFor(3000);
    expect(asker?.answers.map((answer) => answer.constructor.name)).deep.equal(["NotDone"]);
    world.node(2).start();
    ready(world);
    world.until(() => asker?.answers.length === 2);
    expect(asker?.answers[1]).instanceOf(Written);
  });

  it("has several peers in each process, whose storage and lives are their own", () => {
    const world = cluster({ seed: 5, nodes: 3, each: 4 });
    ready(world);
    for (let peer = 0; peer < 4; peer++)
      expect(ask(world, 1, put(`key-${peer}`, `${peer}`), peer)).instanceOf(Written);
    // One of the processes is killed and comes back, while the others go on.
    world.node(1).crash();
    for (let peer = 0; peer < 4; peer++)
      expect(textIn(ask(world, 2, new Get({ key: `key-${peer}`, within: 30_000 }), peer))).equal(
        `${peer}`,
      );
    world.node(1).start();
    ready(world);
    for (let peer = 0; peer < 4; peer++)
      expect(textIn(ask(world, 1, new Get({ key: `key-${peer}` }), peer))).equal(`${peer}`);
    expect(world.node(1).root.hostedIds).deep.equal(peerIdsOf(1, 3, 4));
  });

  // One peer of a process heard of another before the detector did, and took it for gone for good (seed 21).
  it("forms a ring of several peers of each process, whatever starts first", () => {
    for (let seed = 21; seed <= 23; seed++) ready(cluster({ seed, nodes: 3, each: 2 }));
  });
});

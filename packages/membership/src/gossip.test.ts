import { loss, swapNemesis } from "@kith/sim";
import { expect } from "chai";
import { misfit, viewMax } from "./index.ts";
import { build, peerAt, type World } from "./kit.test.ts";
import { aged, type Entry, merge } from "./view.ts";

const period = 5000;

function joined(nodes: number, seed: number): World {
  const world = build(nodes, seed);
  for (const { index, system } of world.nodes)
    world.at(1 + index * 20, () =>
      system.enter(() => system.instance.introduce(peerAt(0), peerAt(index === 1 ? 0 : 1))),
    );
  return world;
}

function views(world: World): Map<number, readonly Entry[]> {
  return new Map(
    world.nodes
      .filter(({ state }) => state === "up")
      .map(({ index, root }) => [index + 1, root.sampler.view]),
  );
}

function checkViews(world: World): void {
  for (const [id, view] of views(world))
    expect(misfit(view, peerAt(id - 1), viewMax.fallback), `CY1 at ${id}`).to.equal(undefined);
}

/** Whether everyone is reached from the first by following references one way, and against it. */
function stronglyConnected(world: World): boolean {
  const forward = new Map<number, number[]>();
  const backward = new Map<number, number[]>();
  for (const [id, view] of views(world))
    for (const { peer } of view) {
      forward.set(id, [...(forward.get(id) ?? []), peer.peerId]);
      backward.set(peer.peerId, [...(backward.get(peer.peerId) ?? []), id]);
    }
  const live = [...views(world).keys()];
  return [forward, backward].every((ways) => {
    const seen = new Set(live.slice(0, 1));
    for (const id of seen)
      for (const next of ways.get(id) ?? []) if (live.includes(next)) seen.add(next);
    return seen.size === live.length;
  });
}

describe("a view", () => {
  const self = peerAt(0);
  const entry = (index: number, age: number, incarnation = 1): Entry => ({
    peer: peerAt(index, incarnation),
    age,
  });

  it("keeps the younger of two references, and the later of two lives, whatever their ages", () => {
    const view = [entry(1, 5), entry(2, 1)];
    const merged = merge(view, [entry(1, 3), entry(2, 2), entry(3, 9, 2)], [], self, 10);
    expect(merged).to.have.deep.members([entry(1, 3), entry(2, 1), entry(3, 9, 2)]);
    expect(merge([entry(1, 0)], [entry(1, 9, 2)], [], self, 10)).to.deep.equal([entry(1, 9, 2)]);
    expect(merge([entry(1, 9, 2)], [entry(1, 0)], [], self, 10)).to.deep.equal([entry(1, 9, 2)]);
  });

  it("keeps the later of two lives that a peer has within one of its process, and its neighbours there", () => {
    const reborn = (age: number, rebirth: number): Entry => {
      const { peer } = entry(1, age);
      return { peer: { ...peer, rebirth }, age };
    };
    const { peer } = entry(1, 0);
    const neighbour: Entry = { peer: { ...peer, peerId: 77 }, age: 3 };
    for (const [older, newer] of [
      [entry(1, 0), reborn(9, 1)],
      [reborn(0, 1), reborn(9, 2)],
      [reborn(0, 2), entry(1, 9, 2)],
    ] as const) {
      expect(merge([older], [newer], [], self, 10)).to.deep.equal([newer]);
      expect(merge([newer], [older], [], self, 10)).to.deep.equal([newer]);
    }
    expect(merge([neighbour], [reborn(9, 1)], [], self, 10)).to.have.deep.members([
      neighbour,
      reborn(9, 1),
    ]);
  });

  it("takes nothing about oneself, in whatever life", () => {
    expect(merge([], [entry(0, 0), entry(0, 0, 2)], [], self, 10)).to.deep.equal([]);
  });

  it("gives the places of what this exchange has sent, each once, and no others", () => {
    const view = [1, 2, 3, 4].map((index) => entry(index, 0));
    const sent = [entry(2, 0), entry(9, 0), entry(4, 0)];
    const merged = merge(
      view,
      [5, 6, 7].map((index) => entry(index, 0)),
      sent,
      self,
      4,
    );
    expect(merged.map(({ peer }) => peer.peerId)).to.deep.equal([2, 6, 4, 7]);
  });

  it("ages, and loses what is too old", () => {
    let view: readonly Entry[] = [entry(1, 0), entry(2, 7)];
    for (let round = 0; round < 10; round++) view = aged(view, 1, 10);
    expect(view).to.deep.equal([entry(1, 10)]);
  });
});

describe("Cyclon", function () {
  this.timeout(120_000);

  it("makes a connected graph in which all are referred to about as often (CY1, CY2)", () => {
    for (const seed of [1]) {
      const world = joined(60, seed);
      for (let round = 0; round < 50; round++) {
        world.runFor(period);
        checkViews(world);
      }
      expect(stronglyConnected(world), `seed ${seed}`).to.be.true;
      const degrees = new Map<number, number>();
      for (const view of views(world).values()) {
        expect(view.length).to.be.within(18, 20);
        for (const { peer } of view) degrees.set(peer.peerId, (degrees.get(peer.peerId) ?? 0) + 1);
      }
      const all = world.nodes.map(({ index }) => degrees.get(index + 1) ?? 0);
      const mean = all.reduce((sum, one) => sum + one, 0) / all.length;
      const variance = all.reduce((sum, one) => sum + (one - mean) ** 2, 0) / all.length;
      expect(Math.sqrt(variance), `seed ${seed}`).to.be.below(Math.sqrt(20) * 1.5);
    }
  });

  it("keeps the number of references while nothing is lost (CY3)", () => {
    const world = joined(60, 3);
    world.runFor(60 * period);
    const count = (): number =>
      [...views(world).values()].reduce((sum, { length }) => sum + length, 0);
    const before = count();
    for (let round = 0; round < 20; round++) {
      world.runFor(period);
      expect(count()).to.be.within(before - 60 * 2, 60 * 20);
    }
  });

  it("stays connected where four of five crash at once, and forgets them in 3·c·Δ (CY4)", () => {
    const world = joined(60, 4);
    world.runFor(40 * period);
    for (const { index } of world.nodes) if (index % 5 !== 0) world.node(index).crash();
    expect(stronglyConnected(world)).to.be.true;
    world.runFor(3 * 20 * period);
    const gone = [...views(world).values()]
      .flat()
      .filter(({ peer }) => (peer.peerId - 1) % 5 !== 0);
    expect(gone).to.deep.equal([]);
    expect(stronglyConnected(world)).to.be.true;
  });

  it("replaces a reference to an earlier life by one to the later", () => {
    const world = joined(30, 5);
    world.runFor(20 * period);
    for (const index of [3, 7, 11]) {
      world.node(index).crash();
      world.node(index).start();
      const { system } = world.node(index);
      system.enter(() => system.instance.introduce(peerAt(0)));
    }
    world.runFor(3 * 20 * period);
    const old = [...views(world).values()]
      .flat()
      .filter(({ peer }) => peer.incarnation < world.node(peer.peerId - 1).lives);
    expect(old).to.deep.equal([]);
  });

  it("is the same while it is swapped all the time and messages are lost", () => {
    const world = joined(30, 6);
    world.rule(loss(0.1));
    const nemesis = swapNemesis(world, {
      every: 30,
      paths: ["/Process-1/Cyclon", "/Process-1/TMan", "/Process-1/Client"],
    });
    for (let round = 0; round < 30; round++) {
      world.runFor(period);
      checkViews(world);
    }
    expect(stronglyConnected(world)).to.be.true;
    expect(nemesis.failed).to.deep.equal([]);
    expect(nemesis.swapped).to.be.above(1000);
  });
});

describe("TMan", function () {
  this.timeout(60_000);

  it("finds the neighbours on the ring in O(log n) rounds, from one introducer", () => {
    const nodes = 64;
    const world = joined(nodes, 1);
    for (const { index, system } of world.nodes)
      world.at(10_000 + index, () =>
        system.enter(() => system.instance.introduceNear(peerAt(0), peerAt(1))),
      );
    const right = (): boolean =>
      world.nodes.every(({ index, root }) => {
        const nearest = root.nearest.at(-1);
        const successor = nearest?.successors[0]?.peerId;
        const predecessor = nearest?.predecessors[0]?.peerId;
        return (
          successor === ((index + 1) % nodes) + 1 &&
          predecessor === ((index - 1 + nodes) % nodes) + 1
        );
      });
    let rounds = 0;
    while (!right() && rounds < 60) {
      world.runFor(period);
      rounds++;
    }
    expect(rounds).to.be.below(20);
  });

  it("forgets who is gone", () => {
    const world = joined(20, 2);
    for (const { index, system } of world.nodes)
      system.enter(() => system.instance.introduceNear(peerAt(0), peerAt(index === 1 ? 0 : 1)));
    world.runFor(20 * period);
    for (let index = 0; index < 10; index++) world.node(index * 2).crash();
    world.runFor(3 * 20 * period);
    for (const node of world.nodes)
      if (node.state === "up")
        for (const { peerId } of node.root.nearest.at(-1)?.successors ?? [])
          expect(peerId % 2).to.equal(0);
  });
});

import { Component } from "@kith/core";
import type { PeerRef } from "@kith/network";
import { delay, loss, oneWay, simulate, type Simulation, swapNemesis } from "@kith/sim";
import { expect } from "chai";
import {
  Enter,
  Leave,
  MemberAlive,
  MemberChange,
  MemberDead,
  MemberLeft,
  Membership,
  MemberSuspected,
  Swim,
  type SwimState,
} from "./index.ts";
import {
  beats,
  emptySwim,
  learn,
  nextProbe,
  piggyback,
  refutation,
  suspicionMillis,
  tellings,
} from "./swim-state.ts";

const peerAt = (n: number, incarnation = 1): PeerRef => ({
  peerId: n,
  host: `n${n}`,
  port: 7000,
  incarnation,
});

describe("the rules of SWIM", () => {
  it("let alive news beat only lower numbers, and suspicions the same number of the living", () => {
    const all = ["alive", "suspect", "dead", "left"] as const;
    const won = all.flatMap((status) =>
      all.flatMap((known) =>
        [0, 1, 2]
          .filter((number) => beats({ status, number }, { status: known, number: 1 }))
          .map((number) => `${status}(${number}) ${known}(1)`),
      ),
    );
    expect(won).to.deep.equal([
      ...all.map((known) => `alive(2) ${known}(1)`),
      "suspect(1) alive(1)",
      "suspect(2) alive(1)",
      "suspect(2) suspect(1)",
      "dead(1) alive(1)",
      "dead(2) alive(1)",
      "dead(1) suspect(1)",
      "dead(2) suspect(1)",
      "left(1) alive(1)",
      "left(2) alive(1)",
      "left(1) suspect(1)",
      "left(2) suspect(1)",
    ]);
  });

  it("count an accuser once", () => {
    const state = emptySwim();
    const news = { peer: peerAt(2), status: "suspect", number: 0 } as const;
    learn(state, { peer: peerAt(2), status: "alive", number: 0 }, 0);
    const told = ["a", "a", "b", "b"].map((from) => learn(state, { ...news, from }, 0));
    expect(told).to.deep.equal(["changed", "old", "confirmed", "old"]);
  });

  it("shorten a suspicion with each confirmation, from six times the minimum", () => {
    const millis = [0, 1, 2, 3].map((count) => suspicionMillis(10, 1000, count));
    expect(millis).to.deep.equal([24_000, 11_381, 4000, 4000]);
    expect(suspicionMillis(3, 1000, 0), "where nobody could confirm").to.equal(4000);
    expect(suspicionMillis(1000, 1000, 2)).to.equal(12_000);
  });

  it("contradict with a number above that of the accusation, and only then", () => {
    const state = emptySwim();
    const mine = { peer: peerAt(1), status: "suspect", number: 4 } as const;
    expect(refutation(state, mine)).to.equal(5);
    expect(refutation(state, mine), "an old one").to.equal(null);
    expect(refutation(state, { ...mine, status: "alive", number: 9 })).to.equal(null);
    expect(state).to.include({ number: 5, health: 1 });
  });

  it("tell each piece of news so often and no more, and a suspect always", () => {
    const state = emptySwim();
    for (let n = 2; n <= 9; n++) learn(state, { peer: peerAt(n), status: "alive", number: 0 }, 0);
    let sent = 0;
    for (let i = 0; i < 100; i++) sent += piggyback(state, peerAt(99)).length;
    expect(sent).to.equal(8 * tellings(9));
    learn(state, { peer: peerAt(2), status: "suspect", number: 0, from: "x" }, 0);
    for (let i = 0; i < 100; i++) {
      const [first] = piggyback(state, peerAt(2));
      expect(first?.status).to.equal("suspect");
    }
  });

  it("probe everyone once before anyone twice", () => {
    const state = emptySwim();
    for (let n = 2; n <= 9; n++) learn(state, { peer: peerAt(n), status: "alive", number: 0 }, 0);
    for (let round = 0; round < 5; round++) {
      const seen = new Set<number>();
      for (let i = 0; i < 8; i++)
        seen.add(nextProbe(state, (keys) => [...keys].reverse())?.peer.peerId ?? 0);
      expect(seen.size).to.equal(8);
    }
  });

  it("do not let news of an earlier life bring it back, nor touch the later one", () => {
    const state = emptySwim();
    learn(state, { peer: peerAt(2, 5), status: "alive", number: 0 }, 0);
    expect(learn(state, { peer: peerAt(2, 4), status: "alive", number: 99 }, 0)).to.equal("old");
    expect(learn(state, { peer: peerAt(2, 4), status: "dead", number: 99 }, 0)).to.equal("old");
    expect([...state.members.values()].map(({ status }) => status)).to.deep.equal(["alive"]);
  });
});

class Process extends Component {
  readonly swim = this.create(Swim, {}, { name: "Swim" });
  readonly membership = this.requires(Membership);
  readonly view = new Map<string, string>();
  readonly told: string[] = [];

  constructor({ seeds }: { readonly seeds: readonly PeerRef[] }) {
    super();
    this.connect(this.swim.ports.membership, this.membership);
    this.membership.on(MemberChange, (change) => {
      const name = `${change.peer.host}#${change.peer.incarnation}`;
      const what =
        change instanceof MemberAlive
          ? "alive"
          : change instanceof MemberSuspected
            ? "suspected"
            : change instanceof MemberDead
              ? "dead"
              : change instanceof MemberLeft
                ? "left"
                : "?";
      this.view.set(name, what);
      this.told.push(`${name} ${what}`);
    });
    this.onStart(() => this.membership.trigger(new Enter({ seeds })));
  }

  leave(): void {
    this.membership.trigger(new Leave());
  }

  get state(): SwimState {
    return (this.swim as unknown as { core: { instance: Swim } }).core.instance.state;
  }
}

type World = Simulation<typeof Process>;

function build(nodes: number, seed: number, transport: "stream" | "datagram" = "stream"): World {
  return simulate(Process, {
    seed,
    nodes,
    transport,
    init: { seeds: [peerAt(1), peerAt(2)] },
  }).boot();
}

function all(world: World, name: string, what: string): boolean {
  return world.nodes.every(
    (node) =>
      node.state !== "up" || node.name === name.split("#")[0] || node.root.view.get(name) === what,
  );
}

function count(world: World, what: string): number {
  return world.nodes
    .filter(({ state }) => state === "up")
    .reduce((sum, { root }) => sum + root.told.filter((one) => one.endsWith(what)).length, 0);
}

/** FD5: nobody knows a higher number of a member than that member. */
function ownNumbers(world: World): void {
  for (const { state, root } of world.nodes) {
    if (state === "down") continue;
    for (const { peer, number } of root.state.members.values()) {
      const node = world.node(peer.peerId - 1);
      if (node.state === "down" || node.lives !== peer.incarnation) continue;
      expect(number, `the number of ${node.name}`).to.be.at.most(node.root.state.number);
    }
  }
}

describe("Swim", function () {
  this.timeout(60_000);

  it("lets everybody know everybody, and suspects nobody at rest", () => {
    const world = build(20, 1);
    world.until(() => world.nodes.every(({ root }) => root.view.size === 19), { within: 20_000 });
    world.runFor(60_000);
    expect(count(world, "suspected")).to.equal(0);
    ownNumbers(world);
  });

  it("finds out who has crashed, and tells all", () => {
    const world = build(12, 2);
    world.runFor(20_000);
    world.node(6).crash();
    world.until(() => all(world, "n7#1", "dead"), { within: 60_000 });
    world.runFor(60_000);
    expect(count(world, "dead")).to.equal(11);
  });

  it("survives the crash of half at one instant", () => {
    const world = build(20, 3);
    world.runFor(20_000);
    for (let index = 0; index < 20; index += 2) world.node(index).crash();
    world.until(
      () => [1, 3, 5, 7, 9, 11, 13, 15, 17, 19].every((n) => all(world, `n${n}#1`, "dead")),
      { within: 240_000 },
    );
    world.runFor(30_000);
    expect(count(world, "dead")).to.equal(100);
  });

  it("does not have to suspect who leaves", () => {
    const world = build(12, 4);
    world.runFor(20_000);
    const { system, root } = world.node(5);
    system.enter(() => root.leave());
    world.until(() => all(world, "n6#1", "left"), { within: 30_000 });
    world.node(5).stop();
    world.runFor(60_000);
    expect(count(world, "dead")).to.equal(0);
  });

  it("takes a restart within 100 ms for one end and one beginning", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const world = build(8, seed);
      world.runFor(20_000);
      world.node(3).crash();
      world.runFor(10 * seed);
      world.node(3).start();
      world.until(() => all(world, "n4#1", "dead") && all(world, "n4#2", "alive"), {
        within: 60_000,
      });
      world.runFor(60_000);
      expect(all(world, "n4#1", "dead"), "the old life stays dead").to.be.true;
      expect(count(world, "n4#2 suspected")).to.equal(0);
      ownNumbers(world);
    }
  });

  it("asks others before it suspects: one direction cut, and nobody is called dead", () => {
    const world = build(8, 5);
    world.runFor(20_000);
    const heal = world.rule(oneWay("n1", "n2"));
    world.runFor(120_000);
    heal();
    expect(count(world, "dead")).to.equal(0);
    ownNumbers(world);
  });

  it("calls nobody dead under a loss of 30 % for ten minutes", () => {
    const world = build(8, 6);
    world.runFor(20_000);
    world.rule(loss(0.3));
    for (let second = 0; second < 600; second++) {
      world.runFor(1000);
      ownNumbers(world);
    }
    expect(count(world, "dead")).to.equal(0);
  });

  it("is frozen for 5 s: on waking it calls nobody dead and is a member again", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const world = build(10, seed);
      world.runFor(20_000);
      const node = world.node(4);
      node.root.told.length = 0;
      node.pause();
      world.runFor(5000);
      node.resume();
      world.runFor(40_000);
      expect(
        node.root.told.filter((what) => !what.endsWith("alive")),
        `seed ${seed}`,
      ).to.deep.equal([]);
      expect(all(world, "n5#1", "alive"), `seed ${seed}`).to.be.true;
      ownNumbers(world);
    }
  });

  it("takes one back who was called dead for a while and lives", () => {
    const world = build(8, 7);
    world.runFor(20_000);
    world.node(3).pause();
    world.until(() => all(world, "n4#1", "dead"), { within: 120_000 });
    world.runFor(10_000);
    world.node(3).resume();
    world.until(() => all(world, "n4#1", "alive"), { within: 60_000 });
    ownNumbers(world);
  });

  it("is the same to its users while it is swapped all the time", () => {
    const world = build(8, 8);
    const nemesis = swapNemesis(world, { every: 50, paths: ["/Process-1/Swim"] });
    world.rule(delay(0, 50));
    world.runFor(40_000);
    expect(count(world, "suspected")).to.equal(0);
    expect(world.nodes.every(({ root }) => root.view.size === 7)).to.be.true;
    world.node(0).crash();
    world.until(() => all(world, "n1#1", "dead"), { within: 60_000 });
    expect(nemesis.failed).to.deep.equal([]);
    expect(nemesis.swapped).to.be.above(500);
  });
});

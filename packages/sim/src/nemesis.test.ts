import { Component, SchedulePeriodic, timeout, Timer } from "@kith/core";
import { message, Network, type PeerRef } from "@kith/network";
import { expect } from "chai";
import {
  delay,
  duplication,
  loss,
  partition,
  reordering,
  resume,
  simulate,
  type Simulation,
  swapNemesis,
  twice,
} from "./index.ts";
import { peersOf } from "./scenario.test.ts";

class Round extends timeout("sim-gossip/Round") {}
class Counts extends message("sim-gossip/Counts")<{ readonly counts: readonly number[] }> {}

const increments = 50;

/** A counter that only grows: each node counts its own, and tells a peer all it knows. */
class Gossip extends Component {
  readonly timer = this.requires(Timer);
  readonly net = this.requires(Network);
  readonly state: { counts: number[] };

  constructor({ peers, index }: { readonly peers: readonly PeerRef[]; readonly index: number }) {
    super();
    this.state = this.declareState<{ counts: number[] }>({ counts: peers.map(() => 0) });
    this.timer.on(Round, () => {
      const { counts } = this.state;
      const own = counts[index] ?? 0;
      if (own < increments) counts[index] = own + 1;
      const to = this.random("peer").pick(peers);
      this.net.trigger(new Counts({ to, counts }));
    });
    this.net.on(Counts, ({ counts }) => {
      this.state.counts = this.state.counts.map((own, i) => Math.max(own, counts[i] ?? 0));
    });
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: 100, timeout: new Round() })),
    );
  }
}

class Cluster extends Component {
  readonly gossip;

  constructor(init: { readonly peers: readonly PeerRef[]; readonly index: number }) {
    super();
    this.gossip = this.create(Gossip, init);
  }
}

const nodes = 5;
const paths = ["/Cluster-1", "/Cluster-1/Gossip-1", "/Timer", "/Network", "/Storage"];

function build(seed: number): Simulation<typeof Cluster> {
  const peers = peersOf(nodes);
  return simulate(Cluster, { seed, nodes, initOf: ({ index }) => ({ peers, index }) });
}

/** The counts at every node. */
function counts(simulation: Simulation<typeof Cluster>): number[][] {
  return simulation.nodes.map((node) => {
    const found: number[][] = [];
    node.system.enter(() => {
      found.push([...gossipOf(node.root).state.counts]);
    });
    simulation.runFor(0);
    return found[0] ?? [];
  });
}

function gossipOf({ gossip }: Cluster): Gossip {
  return (gossip as unknown as { core: { instance: Gossip } }).core.instance;
}

function hostile(simulation: Simulation<typeof Cluster>): ReturnType<typeof swapNemesis> {
  const nemesis = swapNemesis(simulation, { every: 20, paths });
  const remove = [
    loss(0.1),
    duplication(0.1),
    reordering(0.1),
    delay(0, 20, { from: "n2" }),
    partition(["n1"], ["n2", "n3"]),
  ].map((rule) => simulation.rule(rule));
  simulation.runFor(20_000);
  for (const one of remove) one();
  simulation.runFor(20_000);
  return nemesis;
}

describe("the swap nemesis", () => {
  const calm = Array.from({ length: nodes }, () => Array.from({ length: nodes }, () => increments));

  it("changes nothing of what a cluster comes to, with all faults of the network beside it", function () {
    this.timeout(30_000);
    const quiet = build(1);
    quiet.runFor(40_000);
    expect(counts(quiet)).to.deep.equal(calm);
    for (const seed of [1, 2]) {
      const simulation = build(seed);
      const nemesis = hostile(simulation);
      expect(counts(simulation), `seed ${seed}`).to.deep.equal(calm);
      expect(nemesis.failed, `seed ${seed}`).to.deep.equal([]);
      expect(nemesis.swapped, `seed ${seed}`).to.be.above(1000);
    }
  });

  it("is part of what a seed decides", function () {
    this.timeout(30_000);
    const { decisions } = twice(
      () => build(7),
      (simulation) => void hostile(simulation),
    );
    expect(decisions).to.be.above(10_000);
  });

  it("ends when it is told to", () => {
    const simulation = build(1);
    const nemesis = swapNemesis(simulation, { every: 20, paths });
    simulation.runFor(1000);
    nemesis.stop();
    simulation.runFor(100);
    const { swapped } = nemesis;
    simulation.runFor(1000);
    expect(nemesis.swapped).to.equal(swapped);
  });

  it("goes on in a simulation that was resumed, and leaves the original alone", function () {
    this.timeout(30_000);
    const whole = build(5);
    const before = swapNemesis(whole, { every: 20, paths });
    whole.runFor(2000);
    const expected = { hash: whole.hash, swapped: before.swapped };

    const simulation = build(5);
    const nemesis = swapNemesis(simulation, { every: 20, paths });
    simulation.runFor(1000);
    const checkpoint = simulation.checkpoint({ patience: 1000 });
    const { hash } = simulation;
    const { swapped } = nemesis;
    const again = resume(checkpoint);
    again.runFor(2000 - again.time);
    expect({ hash: again.hash, swapped: swapped + nemesis.of(again).swapped }).to.deep.equal(
      expected,
    );
    expect([simulation.hash, nemesis.swapped]).to.deep.equal([hash, swapped]);

    nemesis.stop();
    simulation.runFor(1000);
    expect(nemesis.swapped).to.equal(swapped);
    // A checkpoint from before the stop strikes, one from after it does not.
    const late = resume(checkpoint);
    late.runFor(1000);
    expect(nemesis.of(late).swapped).to.be.above(0);
    const quiet = resume(simulation.checkpoint({ patience: 1000 }));
    quiet.runFor(1000);
    expect(nemesis.of(quiet).swapped).to.equal(0);
  });

  it("may be stopped in a simulation that was resumed", () => {
    const simulation = build(1);
    const nemesis = swapNemesis(simulation, { every: 20, paths });
    simulation.runFor(500);
    const again = resume(simulation.checkpoint({ patience: 1000 }));
    nemesis.of(again).stop();
    again.runFor(500);
    expect(nemesis.of(again).swapped).to.equal(0);
    simulation.runFor(500);
    expect(nemesis.swapped).to.be.above(0);
  });
});

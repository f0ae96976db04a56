/**
 * The trials that the failure detectors have to stand, each with its numbers. A standstill of 5 s, ten minutes of loss, and the crash
 * of half of all are scenarios of `examples/overlay`.
 */

import { Component, launch, ManualWorld, type System } from "@kith/core";
import { Deliver, Message, Network, type PeerRef, self } from "@kith/network";
import { delay, simulate, type Simulation, swapNemesis } from "@kith/sim";
import { expect } from "chai";
import { type DetectorClass, type Monitor, monitorOf } from "./compliance/index.ts";
import {
  AdaptiveDetector,
  FailureDetector,
  missesMax,
  PhiDetector,
  Ping,
  Pong,
  Verdict,
  Watch,
} from "./index.ts";

const path = "/Monitor-1/Detector";
const kinds = [AdaptiveDetector, PhiDetector] as const satisfies readonly DetectorClass[];

type Watchers = Simulation<new () => Monitor>;

function everyoneWatches(world: Watchers): void {
  world.boot();
  for (const node of world.nodes)
    node.system.enter(() => {
      for (const other of world.nodes) if (other !== node) node.root.watch(world.peer(other.index));
    });
  world.runFor(3000);
}

function verdicts(world: Watchers, begin: string): number {
  return world.nodes
    .filter(({ state }) => state === "up")
    .reduce(
      (sum, { root }) => sum + root.told.filter(({ what }) => what.startsWith(begin)).length,
      0,
    );
}

for (const kind of kinds)
  describe(`${kind.name} on trial`, function () {
    this.timeout(60_000);
    const build = (
      nodes: number,
      seed: number,
      transport: "stream" | "datagram" = "stream",
    ): Watchers => simulate(monitorOf(kind), { seed, nodes, transport });

    it("bears a link of 1.5 s, after mistakes at first", () => {
      const world = build(2, 1);
      world.rule(delay(1500, 1600));
      everyoneWatches(world);
      world.runFor(120_000);
      const before = verdicts(world, "Suspect");
      world.runFor(600_000);
      expect(verdicts(world, "Suspect"), "in the ten minutes after the first two").to.equal(before);
    });

    it("is swapped all the time, for its like and for the other kind, and is the same to its users", () => {
      const world = build(6, 4);
      everyoneWatches(world);
      let swaps = 0;
      const nemesis = swapNemesis(world, {
        every: 50,
        paths: [path],
        replacement: () => ({ cls: kinds[swaps++ % 2] ?? kind }),
      });
      world.runFor(20_000);
      expect(verdicts(world, "")).to.equal(0);
      world.node(2).crash();
      world.runFor(60_000);
      nemesis.stop();
      expect(nemesis.failed).to.deep.equal([]);
      expect(nemesis.swapped).to.be.above(1000);
      expect(verdicts(world, "Suspect")).to.equal(5);
      expect(verdicts(world, "Absent")).to.equal(5);
      expect(verdicts(world, "Restore")).to.equal(0);
    });

    it("pings a process once per heartbeat, however many of its peers are watched by however many", () => {
      const world = build(2, 1);
      let pings = 0;
      world.rule({
        name: "count",
        judge: ({ tag }) => {
          if (tag === Ping.tag) pings++;
          return undefined;
        },
      });
      const { system, root } = world.boot().node(0);
      system.enter(() => {
        for (let n = 0; n < 50; n++)
          for (const watcher of ["ring", "router", "merger"])
            root.watch({ ...world.peer(1), peerId: 1000 + n }, watcher);
      });
      world.runFor(60_000);
      expect(pings).to.be.within(50, 61);
    });
  });

/** Stands for the network and for a process beyond it that answers at once; its pongs may be held back. */
class Wire extends Component {
  readonly network = this.provides(Network);
  readonly child = this.create(AdaptiveDetector, {}, { name: "Detector" });
  readonly detector = this.requires(FailureDetector);
  readonly told: string[] = [];
  held: Pong[] | null = null;

  constructor({ target }: { readonly target: PeerRef }) {
    super();
    this.connect(this.network, this.child.ports.net);
    this.connect(this.child.ports.detector, this.detector);
    this.network.on(Message, (ping) => {
      if (!(ping instanceof Ping)) return;
      const pong = new Pong({ to: ping.to, from: target, seq: ping.seq, version: 0, peers: null });
      if (this.held === null) this.network.trigger(pong);
      else this.held.push(pong);
    });
    this.network.on(Deliver, () => undefined);
    this.detector.on(Verdict, (verdict) => void this.told.push(verdict.constructor.name));
    this.onStart(() => this.detector.trigger(new Watch({ watcher: "w", peer: target })));
  }

  /** Lets the pongs through that were held back. */
  release(): void {
    const { held } = this;
    this.held = null;
    for (const pong of held ?? []) this.network.trigger(pong);
  }
}

describe("the guard against stalls", () => {
  const target = { peerId: 2, host: "h2", port: 7000, incarnation: 1 };
  function wired(): { world: ManualWorld; system: System<Wire> } {
    const world = new ManualWorld({
      // One miss is enough here, so that each mistake shows.
      settings: [self.of("1@h1:7000#1"), missesMax.of(1)],
    });
    const system = launch(Wire, { target }, world);
    world.advance(10_000);
    expect(system.instance.told).to.deep.equal(["RoundTrip"]);
    return { world, system };
  }

  it("suspects nobody while its own process stands still and input waits", () => {
    const { world, system } = wired();
    const wire = system.instance;
    for (let stall = 300; stall < 20_000; stall += 613) {
      world.advance(stall % 997);
      system.enter(() => (wire.held = []));
      world.advance(1 + (stall % 100));
      // Nothing has a turn. Then all timers are late, and the input is read after them.
      world.clock.advance(stall);
      world.advance(0);
      system.enter(() => wire.release());
      world.advance(5000);
    }
    expect(wire.told.filter((what) => what !== "RoundTrip")).to.deep.equal([]);
  });

  it("bears a process that is busy most of the time", () => {
    const { world, system } = wired();
    const wire = system.instance;
    for (let round = 0; round < 300; round++) {
      system.enter(() => (wire.held = []));
      world.advance(40 + (round % 17));
      world.clock.advance(400);
      world.advance(0);
      system.enter(() => wire.release());
      world.advance(60);
    }
    expect(wire.told.filter((what) => what !== "RoundTrip")).to.deep.equal([]);
  });

  it("suspects one who is silent all the same, also in a process that often stands still", () => {
    const { world, system } = wired();
    system.enter(() => (system.instance.held = []));
    for (let round = 0; round < 20; round++) {
      world.clock.advance(400);
      world.advance(1000);
    }
    expect(system.instance.told).to.include("Suspect").and.not.include("Restore");
  });
});

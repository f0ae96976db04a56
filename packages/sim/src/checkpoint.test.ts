/**
 * Checkpoints of a whole simulation. The cluster uses everything that waits somewhere: timers, asks
 * with timeouts, a keyed network, deliveries, a composite, a trigger to itself, draws, storage, a child
 * created at run time, loss, a crash and restart, a pause, and a component that was swapped.
 */

import {
  Component,
  event,
  KithError,
  port,
  request,
  SchedulePeriodic,
  ScheduleTimeout,
  timeout,
  Timer,
} from "@kith/core";
import { checkpointSystem } from "@kith/core/checkpoint";
import { Deliver, Delivery, message, Network, type PeerRef } from "@kith/network";
import { Flushed, Storage, Write } from "@kith/storage";
import { expect } from "chai";
import { loss, resume, simulate, type Simulation } from "./index.ts";
import { always } from "./engine.ts";
import { peerAt } from "./scenario.test.ts";

class Tick extends timeout("cp/Tick") {}
class Later extends timeout("cp/Later")<{ readonly n: number }> {}
class Gossip extends message("cp/Gossip")<{ readonly count: number; readonly heard: number }> {}
class Sum extends event("cp/Sum")<{ readonly value: number }> {}
class Add extends request("cp/Add", Sum)<{ readonly value: number }> {}
class Again extends event("cp/Again")<{ readonly left: number }> {}
const Adding = port("Adding", { requests: [Add], indications: [Sum] });
const Self = port("Self", { requests: [Again], indications: [] });

/** Adds, and answers, but not always. */
class Adder extends Component {
  readonly adding = this.provides(Adding);
  readonly state = this.declareState({ sum: 0, asked: 0 });

  constructor() {
    super();
    this.adding.on(Add, ({ value }, token) => {
      this.state.sum += value;
      this.state.asked++;
      if (this.state.asked % 3 === 0) return;
      this.adding.reply(token, new Sum({ value: this.state.sum }));
    });
  }
}

/** A composite with an adder inside, and a trigger to itself. */
class Box extends Component {
  readonly adder = this.create(Adder, {}, { name: "adder" });
  readonly adding = this.exposes(this.adder.ports.adding);
  readonly selfOut = this.requires(Self);
  readonly selfIn = this.provides(Self);
  readonly state = this.declareState({ turns: 0 });

  constructor() {
    super();
    this.connect(this.selfIn, this.selfOut);
    this.selfIn.on(Again, ({ left }) => {
      this.state.turns++;
      if (left > 0) this.selfOut.trigger(new Again({ left: left - 1 }));
    });
    this.onStart(() => this.selfOut.trigger(new Again({ left: 12 })));
  }
}

/** A child that nobody made in a constructor. */
class Late extends Component {
  readonly timer = this.requires(Timer);
  readonly state = this.declareState({ ticks: 0 });

  constructor(init: { readonly period: number }) {
    super();
    this.timer.on(Tick, () => void this.state.ticks++);
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: init.period, timeout: new Tick() })),
    );
  }
}

interface State {
  count: number;
  heard: number;
  sums: number[];
  timeouts: number;
  draws: number[];
  delivered: string[];
  flushed: number;
  laters: number[];
}

class Main extends Component {
  readonly box = this.create(Box, {}, { name: "box" });
  readonly adding = this.requires(Adding);
  readonly timer = this.requires(Timer);
  readonly net = this.requires(Network);
  readonly storage = this.requires(Storage);
  readonly state = this.declareState<State>({
    count: 0,
    heard: 0,
    sums: [],
    timeouts: 0,
    draws: [],
    delivered: [],
    flushed: 0,
    laters: [],
  });
  acquired = 0;
  started = 0;

  constructor(init: { readonly peers: readonly PeerRef[] }) {
    super();
    const { state } = this;
    const draw = this.random("peer");
    const add = this.adding.onAnswer(Add, (answer, _, context: { readonly n: number }) => {
      if (answer instanceof Sum) state.sums.push(answer.value * 100 + context.n);
      else state.timeouts++;
    });
    const deliver = this.net.onAnswer(Deliver, (answer) => {
      state.delivered.push(answer instanceof Delivery ? answer.status : "timeout");
    });
    const write = this.storage.onAnswer(Write, (answer) => {
      if (answer instanceof Flushed) state.flushed++;
    });
    this.connect(this.box.ports.adding, this.adding);
    this.timer.on(Tick, () => {
      state.count++;
      const at = draw.below(init.peers.length);
      state.draws.push(at);
      const to = init.peers[at] ?? peerAt(0);
      const gossip = new Gossip({ to, count: state.count, heard: state.heard });
      if (state.count % 3 === 0) deliver(new Deliver({ message: gossip, until: "acknowledged" }));
      else if (state.count % 3 === 1) deliver(new Deliver({ message: gossip, until: "sent" }));
      else this.net.trigger(gossip);
      add(new Add({ value: state.count }), { timeout: 4, context: { n: state.count } });
      const value = new Uint8Array([state.count]);
      write(new Write({ namespace: "n", operations: [{ kind: "put", key: value, value }] }));
      const n = state.count;
      this.timer.trigger(new ScheduleTimeout({ delay: 5, timeout: new Later({ n }) }));
      if (state.count === 2) this.create(Late, { period: 3 }, { name: "late" });
    });
    this.timer.on(Later, ({ n }) => void state.laters.push(n));
    this.net.on(Gossip, ({ count }) => {
      state.heard = Math.max(state.heard, count);
    });
    this.onAcquire(() => void this.acquired++);
    this.onStart(() => {
      this.started++;
      const delay = this.random("begin").below(5);
      this.timer.trigger(new SchedulePeriodic({ delay, period: 7, timeout: new Tick() }));
    });
  }
}

/** As `Adder`, to be swapped in. */
class Adder2 extends Adder {}

type World = Simulation<typeof Main>;

function build(codec = true, transport: "stream" | "datagram" = "stream"): World {
  const peers = [peerAt(0), peerAt(1), peerAt(1, 2), peerAt(2)];
  const world = simulate(Main, { seed: 5, nodes: 3, init: { peers }, codec, transport });
  world.rule(loss(0.1));
  world.at(20, (at) => at.node(1).crash());
  world.at(26, (at) => at.node(1).start());
  world.at(24, (at) => at.node(2).pause());
  world.at(31, (at) => at.node(2).resume());
  world.at(27, (at) => at.node(0).life?.clock.stand(true));
  world.at(33, (at) => at.node(0).drift(200));
  world.at(36, (at) => at.node(0).life?.clock.stand(false));
  world.at(35, (at) => {
    at.node(0).system.swapThen("/Main-1/box/adder", { cls: Adder2 }, () => undefined);
  });
  world.at(38, (at) => at.limitQueues(1));
  world.at(48, (at) => at.node(2).stop());
  world.at(50, (at) => at.node(0).crash());
  world.at(52, (at) => at.node(0).start({ identity: "reused" }));
  return world.boot();
}

const end = 60;

function finish(world: World): string {
  world.runFor(end - world.time);
  const states = world.nodes.map((node) =>
    node.state === "down" ? null : checkpointSystem(node.system).states,
  );
  const print = (_: string, value: unknown): unknown =>
    value instanceof Map ? [...value] : value instanceof Uint8Array ? [...value] : value;
  return `${world.hash} ${world.steps} ${JSON.stringify(states, print)}`;
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof KithError) return error.code;
    throw error;
  }
  return "none";
}

describe("a checkpoint of a simulation", function () {
  this.timeout(120_000);

  for (const [codec, transport] of [
    [true, "stream"],
    [false, "datagram"],
  ] as const) {
    it(`goes on to the same end from every step, as ${transport}`, () => {
      const wanted = finish(build(codec, transport));
      const world = build(codec, transport);
      let refused = 0;
      let taken = 0;
      for (let step = 0; world.time < end - 1; step++) {
        if (step < 300 || step % 7 === 0) {
          try {
            const checkpoint = world.checkpoint();
            taken++;
            expect(checkpoint.hash).equal(world.hash);
            expect(finish(resume(checkpoint)), `from step ${step} at ${world.time}`).equal(wanted);
          } catch (error) {
            if (!(error instanceof KithError) || !error.code.startsWith("KITH_CHECKPOINT"))
              throw error;
            expect(error.code, error.message).equal("KITH_CHECKPOINT_SWAP");
            refused++;
          }
        }
        world.step();
      }
      expect(finish(world)).equal(wanted);
      expect(taken).greaterThan(300);
      expect(refused).lessThan(20);
    });
  }
});

describe("going on from a checkpoint", () => {
  it("leaves the others that go on from it alone, and the original", () => {
    const wanted = finish(build());
    const world = build();
    world.runFor(15);
    const checkpoint = world.checkpoint({ patience: 10 });
    const first = resume(checkpoint);
    const second = resume(checkpoint);
    first.node(0).crash();
    first.node(0).start();
    first.rule(loss(1));
    first.runFor(20);
    expect(finish(second)).equal(wanted);
    expect(finish(first)).not.equal(wanted);
    expect(finish(resume(checkpoint))).equal(wanted);
    expect(finish(world)).equal(wanted);
  });

  it("runs onAcquire in the new instances, and no onStart", () => {
    const world = build();
    world.runFor(10);
    const resumed = resume(world.checkpoint({ patience: 10 }));
    expect(resumed.node(0).root.acquired).equal(1);
    expect(resumed.node(0).root.started).equal(0);
    expect(world.node(0).root.acquired).equal(1);
  });

  it("can be done again from a checkpoint of what was resumed", () => {
    const wanted = finish(build());
    const world = build();
    world.runFor(9);
    const resumed = resume(world.checkpoint({ patience: 10 }));
    resumed.runFor(16);
    expect(finish(resume(resumed.checkpoint({ patience: 10 })))).equal(wanted);
  });

  it("takes a rule out of force by itself", () => {
    const rule = loss(1);
    const world = simulate(Main, { seed: 5, init: { peers: [peerAt(0)] } });
    world.rule(rule);
    const resumed = resume(world.boot().checkpoint());
    resumed.withdraw(rule);
    expect(resumed.fabric.rules.none).equal(true);
    expect(world.fabric.rules.none).equal(false);
  });
});

describe("a checkpoint is refused", () => {
  it("in the midst of a step", () => {
    const world = build();
    let code = "";
    world.at(3, (at) => {
      code = codeOf(() => at.checkpoint());
    });
    world.runFor(5);
    expect(code).equal("KITH_SIM_CHECKPOINT");
  });

  it("where a function waits in the engine's queue", () => {
    const world = build();
    world.engine.at(always, 5_000_000, 1, () => undefined);
    expect(codeOf(() => world.checkpoint())).equal("KITH_SIM_CHECKPOINT");
  });

  it("where a callback has entered a component, until it has had its turn", () => {
    const world = build();
    world.runFor(5);
    world.node(0).system.enter(() => undefined);
    expect(codeOf(() => world.checkpoint())).equal("KITH_CHECKPOINT_BUSY");
    expect(codeOf(() => world.checkpoint({ patience: 20 }))).equal("none");
  });

  it("while a component is being swapped, until that has ended", () => {
    const world = build();
    world.runFor(5);
    world.node(0).system.swapThen("/Main-1/box/adder", { cls: Adder2 }, () => undefined);
    expect(codeOf(() => world.checkpoint())).equal("KITH_CHECKPOINT_SWAP");
    expect(codeOf(() => world.checkpoint({ patience: 20 }))).equal("none");
  });

  it("nowhere, but going on is, where a component subscribed while it ran", () => {
    const world = simulate(Subscriber, { seed: 1 });
    world.runFor(5);
    const checkpoint = world.checkpoint();
    expect(codeOf(() => resume(checkpoint))).equal("KITH_CHECKPOINT_LOST");
  });
});

/** Subscribes in a handler: nothing makes that again. */
class Subscriber extends Component {
  readonly timer = this.requires(Timer);

  constructor() {
    super();
    this.onStart(() => void this.timer.on(Tick, () => undefined));
  }
}

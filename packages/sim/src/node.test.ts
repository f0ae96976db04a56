import { Component, restart, ScheduleTimeout, SchedulePeriodic, timeout, Timer } from "@kith/core";
import { Network, Message } from "@kith/network";
import { Flushed, KeyValue, ReadKey, Storage, Write, type Operation } from "@kith/storage";
import { expect } from "chai";
import { resume, simulate, type Simulation } from "./index.ts";
import { peerAt, pingers, posts, range } from "./scenario.test.ts";

class Beat extends timeout("sim-node/Beat")<{ readonly due: number }> {}

/** Notes when its timers come, by its own clock. */
class Watch extends Component {
  readonly timer = this.requires(Timer);
  readonly early: number[] = [];
  readonly beats: number[] = [];

  constructor() {
    super();
    this.timer.on(Beat, ({ due }) => {
      const now = this.clock.monotonic;
      this.beats.push(now);
      if (due > 0) this.early.push(Math.round((due - now) * 1000));
    });
  }

  arm(delay: number): void {
    this.enter(() => {
      const beat = new Beat({ due: this.clock.monotonic + delay });
      this.timer.trigger(new ScheduleTimeout({ delay, timeout: beat }));
    });
  }

  repeat(period: number): void {
    this.enter(() =>
      this.timer.trigger(new SchedulePeriodic({ period, timeout: new Beat({ due: 0 }) })),
    );
  }

  get monotonic(): number {
    return this.clock.monotonic;
  }

  get wall(): number {
    return this.clock.wall;
  }
}

/** Draws when it starts. */
class Dice extends Component {
  readonly thrown: number[] = [];
  readonly #die = this.random("die");

  constructor() {
    super();
    this.onStart(() => void this.thrown.push(this.#die.below(2 ** 40)));
  }
}

function watches(options: object = {}): Simulation<typeof Watch> {
  return simulate(Watch, { seed: 3, nodes: 2, ...options }).boot();
}

describe("a node", () => {
  it("draws anew in each life, also in one with a reused identity, and the same in a second run", () => {
    const thrown = (): number[] => {
      const simulation = simulate(Dice, { seed: 3, nodes: 1 }).boot();
      const node = simulation.node(0);
      return [undefined, "new", "reused"].flatMap((identity) => {
        if (identity !== undefined) {
          node.crash();
          node.start(identity === "reused" ? { identity } : {});
        }
        simulation.runFor(10);
        return node.root.thrown;
      });
    };
    const numbers = thrown();
    expect(new Set(numbers).size).to.equal(3);
    expect(thrown()).to.deep.equal(numbers);
  });

  it("is down, up and paused, and says so to what does not fit", () => {
    const simulation = pingers(2);
    const node = simulation.node(0);
    expect(node.state).to.equal("down");
    expect(() => node.system)
      .to.throw("n1 is down")
      .with.property("code", "KITH_SIM_NODE_STATE");
    simulation.boot();
    expect(node.state).to.equal("up");
    expect(() => node.start()).to.throw("it is up");
    node.pause();
    expect(node.state).to.equal("paused");
    node.resume();
    node.crash();
    expect(() => node.crash()).to.throw("it is down");
    expect(() => node.pause()).to.throw("it is down");
    expect(() => simulation.node(2)).to.throw("There is no node 2");
  });

  it("knows since when it is in its state, after a checkpoint too", () => {
    const simulation = pingers(1);
    const node = simulation.node(0);
    simulation.runFor(3);
    expect(node.sinceMicros).to.equal(0);
    const changes: (readonly [number, () => void])[] = [
      [5, () => node.pause()],
      [7, () => node.resume()],
      [9, () => node.crash()],
      [11, () => node.start()],
    ];
    for (const [time, change] of changes) {
      simulation.runFor(time - simulation.time);
      change();
      simulation.runFor(1);
      expect(node.sinceMicros).to.equal(time * 1000);
      expect(resume(simulation.checkpoint()).node(0).sinceMicros).to.equal(time * 1000);
    }
  });

  it("loses its memory in a crash, and runs no handler afterwards", () => {
    const simulation = pingers(3);
    simulation.runFor(5000);
    const { root } = simulation.node(0);
    const { pings, pongs } = root;
    expect(pings).to.be.above(3);
    simulation.node(0).crash();
    simulation.runFor(10_000);
    expect(root.pings).to.equal(pings);
    expect(root.pongs).to.equal(pongs);
    simulation.node(0).start();
    simulation.runFor(3000);
    expect(simulation.node(0).root).not.to.equal(root);
    expect(simulation.node(0).root.pings).to.be.within(2, 3);
    expect(simulation.node(0).lives).to.equal(2);
  });

  it("is missed by its peers, who learn of the crash by a reset", () => {
    const simulation = posts(2);
    const [a, b] = simulation.nodes.map(({ root }) => root);
    a?.send(peerAt(1), 1);
    simulation.runFor(100);
    simulation.node(1).crash();
    simulation.runFor(100);
    expect(a?.seen).to.deep.equal(["+n2", "-n2 lost"]);
    expect(b?.seen).to.deep.equal(["+n1", "n1:1"]);
  });

  it("lives again with another incarnation: messages to the old one are dropped, and told", () => {
    const simulation = posts(2);
    const a = simulation.node(0).root;
    a.send(peerAt(1), 1);
    simulation.runFor(100);
    simulation.node(1).crash();
    simulation.node(1).start();
    simulation.runFor(100);
    expect(simulation.peer(1).incarnation).to.equal(2);
    a.send(peerAt(1), 2);
    a.send(simulation.peer(1), 3);
    simulation.runFor(100);
    expect(simulation.node(1).root.numbers).to.deep.equal([3]);
    const { drops } = simulation.node(1).root;
    expect(drops.map(({ reason }) => reason)).to.deep.equal(["wrong-incarnation"]);
    expect(a.seen).to.deep.equal(["+n2", "-n2 lost", "+n2"]);
  });

  it("stops in order: its peers learn that the connection was closed, after what it sent", () => {
    const simulation = posts(2);
    const [a, b] = simulation.nodes;
    a?.root.send(peerAt(1), ...range(5));
    simulation.runFor(100);
    const seen = b?.root.seen ?? [];
    a?.root.send(peerAt(1), 6, 7);
    simulation.runFor(0);
    a?.stop();
    simulation.runFor(100);
    expect(a?.state).to.equal("down");
    expect(seen).to.deep.equal(["+n1", ...range(7).map((n) => `n1:${n}`), "-n1 closed"]);
  });

  it("does nothing while it is paused, and catches up at once", () => {
    const simulation = posts(2);
    const [a, b] = simulation.nodes;
    a?.root.send(peerAt(1), 1);
    simulation.runFor(100);
    b?.pause();
    a?.root.send(peerAt(1), ...range(10, 2));
    simulation.runFor(5000);
    expect(b?.root.numbers).to.deep.equal([1]);
    b?.resume();
    simulation.runFor(0);
    expect(b?.root.numbers).to.deep.equal(range(11));
  });

  it("has late timers after a pause, and one of a periodic timer", () => {
    const simulation = watches();
    const node = simulation.node(0);
    node.root.arm(1000);
    node.root.arm(2000);
    simulation.runFor(10);
    node.pause();
    simulation.runFor(4990);
    expect(node.root.beats).to.deep.equal([]);
    node.resume();
    simulation.runFor(0);
    expect(node.root.beats).to.deep.equal([5000, 5000]);
    node.root.beats.length = 0;
    node.root.repeat(100);
    simulation.runFor(250);
    node.pause();
    simulation.runFor(5000);
    node.resume();
    simulation.runFor(0);
    expect(node.root.beats).to.have.length(3);
    simulation.runFor(100);
    expect(node.root.beats).to.have.length(4);
  });

  it("may crash while it is paused", () => {
    const simulation = posts(2);
    const [a, b] = simulation.nodes;
    a?.root.deliver(peerAt(1), "acknowledged", 1);
    simulation.runFor(100);
    b?.pause();
    a?.root.deliver(peerAt(1), "acknowledged", 2);
    simulation.runFor(100);
    b?.crash();
    b?.start();
    simulation.runFor(100);
    expect(b?.root.numbers).to.deep.equal([]);
    expect(a?.root.deliveries).to.deep.equal([
      { n: 1, status: "acknowledged" },
      { n: 2, status: "unknown" },
    ]);
  });
});

class Now extends timeout("sim-node/Now") {}

/** Has its time again at once, so many times. */
class Busy extends Component {
  readonly timer = this.requires(Timer);

  constructor({ turns }: { readonly turns: number }) {
    super();
    let left = turns;
    const now = new ScheduleTimeout({ delay: 0, timeout: new Now() });
    this.timer.on(Now, () => {
      if (left-- > 0) this.timer.trigger(now);
    });
    this.onStart(() => this.timer.trigger(now));
  }
}

describe("a node that keeps itself busy without time passing", () => {
  it("is told apart from many nodes that have much to do at one instant", function () {
    this.timeout(60_000);
    const many = simulate(Busy, { seed: 1, nodes: 3, init: { turns: 400_000 } }).boot();
    many.runFor(1);
    expect(many.time).equal(1);
    const circle = simulate(Busy, { seed: 1, nodes: 3, init: { turns: Infinity } }).boot();
    expect(() => circle.runFor(1))
      .throws(/n\d took 1000000 turns at 0 µs/)
      .property("code", "KITH_SIM_LIVELOCK");
  });
});

describe("the clocks of a node", () => {
  it("are right by default, each life beginning at 0 of its monotonic clock", () => {
    const simulation = watches({ epoch: 1_000_000 });
    simulation.runFor(1500);
    const { root } = simulation.node(0);
    expect([root.monotonic, root.wall]).to.deep.equal([1500, 1_001_500]);
    simulation.node(0).crash();
    simulation.node(0).start();
    simulation.runFor(10);
    const again = simulation.node(0).root;
    expect([again.monotonic, again.wall]).to.deep.equal([10, 1_001_510]);
  });

  it("may be off and jump: the wall clock alone", () => {
    const simulation = watches({ epoch: 0, clock: (i: number) => ({ offset: i * 3_600_000 }) });
    simulation.runFor(1000);
    expect(simulation.node(1).root.wall).to.equal(3_601_000);
    expect(simulation.node(1).root.monotonic).to.equal(1000);
    simulation.node(1).jump(-7_200_000);
    expect(simulation.node(1).root.wall).to.equal(-3_599_000);
    expect(simulation.node(1).root.monotonic).to.equal(1000);
  });

  it("may drift, and the wall clock goes on without a jump when the drift changes", () => {
    const simulation = watches({ epoch: 0, clock: () => ({ driftPpm: 500 }) });
    simulation.runFor(10_000);
    const node = simulation.node(0);
    expect(node.root.monotonic).to.equal(10_005);
    expect(node.root.wall).to.equal(10_005);
    node.drift(-500);
    expect(node.root.wall).to.equal(10_005);
    simulation.runFor(10_000);
    expect(node.root.wall).to.equal(20_000);
    expect(node.root.monotonic).to.equal(20_000);
  });

  it("let no timer come early by the node's own clock, however they drift", () => {
    for (const driftPpm of [-500, -3, 0, 7, 500]) {
      const simulation = watches({ clock: () => ({ driftPpm }) });
      const node = simulation.node(0);
      for (let i = 1; i <= 200; i++) node.root.arm(i * 13.001);
      simulation.runFor(700);
      node.drift(-driftPpm);
      simulation.runFor(700);
      node.drift(driftPpm * 2);
      simulation.runFor(2000);
      expect(node.root.early).to.have.length(200);
      expect(Math.max(...node.root.early), `${driftPpm} ppm`).to.be.at.most(0);
      expect(Math.min(...node.root.early), `${driftPpm} ppm`).to.be.at.least(-2);
    }
  });
});

class Failing extends Component {
  readonly timer = this.requires(Timer);

  constructor({ policy }: { readonly policy: boolean }) {
    super();
    const child = this.create(Child);
    if (policy) this.onFault(() => restart({ backoff: 0 }));
    this.onStart(() => void child);
  }
}

class Child extends Component {
  readonly timer = this.requires(Timer);

  constructor() {
    super();
    this.timer.on(Beat, () => {
      throw new Error("it broke");
    });
    this.onStart(() =>
      this.timer.trigger(new ScheduleTimeout({ delay: 5, timeout: new Beat({ due: 0 }) })),
    );
  }
}

describe("a fault in a node", () => {
  it("is an error of runFor, until and step, which names the node and the component", () => {
    for (const run of [
      (s: Simulation<typeof Failing>) => s.runFor(100),
      (s: Simulation<typeof Failing>) => s.until(() => false),
      (s: Simulation<typeof Failing>) => {
        while (s.step());
      },
    ]) {
      const simulation = simulate(Failing, { seed: 1, nodes: 1, init: { policy: false } });
      expect(() => run(simulation))
        .to.throw("n1 /Failing-1/Child-1: it broke")
        .that.includes({ code: "KITH_SIM_FAULT" })
        .and.has.nested.property("cause.message", "it broke");
    }
  });

  it("is none where a policy handles it", () => {
    const simulation = simulate(Failing, { seed: 1, init: { policy: true } });
    simulation.runFor(8);
  });
});

class Keeper extends Component {
  readonly storage = this.requires(Storage);
  readonly net = this.requires(Network);
  readonly read: (string | null)[] = [];
  flushed = 0;
  readonly #write = this.storage.onAnswer(Write, (answer) => {
    if (answer instanceof Flushed) this.flushed++;
  });
  readonly #read = this.storage.onAnswer(ReadKey, (answer) => {
    if (answer instanceof KeyValue)
      this.read.push(answer.value === null ? null : String(answer.value));
  });

  constructor() {
    super();
    this.net.on(Message, () => undefined);
  }

  put(value: number, flush = true): void {
    const operations: Operation[] = [
      { kind: "put", key: Uint8Array.of(1), value: Uint8Array.of(value) },
    ];
    this.enter(() => this.#write(new Write({ namespace: "a", operations, flush })));
  }

  look(): void {
    this.enter(() => this.#read(new ReadKey({ namespace: "a", key: Uint8Array.of(1) })));
  }
}

describe("the disk of a node", () => {
  const keeper = (): Simulation<typeof Keeper> => {
    const simulation = simulate(Keeper, { seed: 1 }).boot();
    simulation.node(0).root.put(5);
    simulation.until(() => simulation.node(0).root.flushed === 1);
    return simulation;
  };
  const found = (simulation: Simulation<typeof Keeper>): (string | null)[] => {
    simulation.node(0).root.look();
    simulation.runFor(100);
    return simulation.node(0).root.read;
  };

  it("keeps what was flushed over a crash and a stop", () => {
    const simulation = keeper();
    simulation.node(0).crash();
    simulation.node(0).start();
    expect(found(simulation)).to.deep.equal(["5"]);
    simulation.node(0).root.put(6, false);
    simulation.runFor(1);
    simulation.node(0).stop();
    simulation.runFor(100);
    simulation.node(0).start();
    expect(found(simulation)).to.deep.equal(["6"]);
  });

  it("may be wiped before the next life", () => {
    const simulation = keeper();
    simulation.node(0).crash();
    simulation.node(0).start({ disk: "wiped" });
    expect(found(simulation)).to.deep.equal([null]);
  });

  it("goes into the hash", () => {
    const hash = (value: number): string => {
      const simulation = keeper();
      simulation.node(0).root.put(value);
      simulation.runFor(100);
      return simulation.hash;
    };
    expect(hash(1)).to.equal(hash(1));
    expect(hash(1)).not.to.equal(hash(2));
  });
});

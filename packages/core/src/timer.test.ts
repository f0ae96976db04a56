import { expect } from "chai";
import {
  CancelTimeout,
  type Channel,
  Component,
  launch,
  ManualWorld,
  SchedulePeriodic,
  ScheduleTimeout,
  type System,
  timeout,
  Timer,
} from "./index.ts";
import { codeOf, instanceAt, start } from "./kit.test.ts";

class Ring extends timeout("test/Ring")<{ n: number }> {}

class Clock extends Component {
  readonly timer = this.requires(Timer);
  readonly rings: string[] = [];
  constructor() {
    super();
    this.timer.on(Ring, ({ n }) => void this.rings.push(`${n}@${this.clock.monotonic}`));
  }
  once(n: number, delay: number, id?: string): void {
    this.timer.trigger(
      new ScheduleTimeout({ delay, timeout: new Ring({ n }), ...(id === undefined ? {} : { id }) }),
    );
  }
  periodic(n: number, period: number, id: string, delay?: number): void {
    this.timer.trigger(
      new SchedulePeriodic({
        period,
        timeout: new Ring({ n }),
        id,
        ...(delay === undefined ? {} : { delay }),
      }),
    );
  }
  cancel(id: string): void {
    this.timer.trigger(new CancelTimeout({ id }));
  }
}

/** A clock below a main component, which can stop, start, kill and fail it. */
function owned() {
  let clock: Clock | undefined;
  class Owned extends Clock {
    constructor() {
      super();
      clock = this;
    }
    fail(): void {
      this.enter(() => {
        throw new Error("torn");
      });
    }
    act(action: (clock: Clock) => void): void {
      this.enter(() => action(this));
    }
  }
  class Owner extends Component {
    readonly child = this.create(Owned);
    constructor() {
      super();
      this.onFault(() => ({
        restart: true,
        backoff: 0,
        factor: 1,
        backoffMax: 0,
        limit: 9,
        within: 1000,
      }));
    }
    halt(): void {
      this.stop(this.child);
    }
    resume(): void {
      this.start(this.child);
    }
    remove(): void {
      this.kill(this.child);
    }
  }
  const run = start(Owner);
  return { run, clock: () => clock as Owned };
}

/** The channel over which the clock of `owned` gets its timeouts. */
function channelOf(system: System): Channel {
  const clock = instanceAt<Clock>(system, "/Owner-1/Owned-1");
  const { plain } = clock.timer as unknown as { plain: Channel[] };
  return plain[0] as Channel;
}

describe("a timer", () => {
  it("rings once, after its delay and never before", () => {
    const run = start(Clock);
    run.do((main) => main.once(1, 10));
    run.world.advance(9.999);
    expect(run.system.instance.rings).to.deep.equal([]);
    run.world.advance(100);
    expect(run.system.instance.rings).to.deep.equal(["1@10"]);
  });

  it("rings in the order of time, whatever the order of scheduling", () => {
    const run = start(Clock);
    run.do((main) => {
      main.once(3, 30);
      main.once(1, 10);
      main.once(2, 20);
    });
    run.world.advance(30);
    expect(run.system.instance.rings).to.deep.equal(["1@10", "2@20", "3@30"]);
  });

  it("may have a delay of nothing, or of a part of a microsecond, which is rounded up", () => {
    const run = start(Clock);
    run.do((main) => {
      main.once(0, 0);
      main.once(1, 0.0001);
    });
    run.world.advance(0);
    expect(run.system.instance.rings).to.deep.equal(["0@0"]);
    run.world.advance(0.001);
    expect(run.system.instance.rings).to.deep.equal(["0@0", "1@0.001"]);
  });

  it("rings every period, the first time after a period or after its delay", () => {
    const run = start(Clock);
    run.do((main) => {
      main.periodic(1, 10, "a");
      main.periodic(2, 10, "b", 5);
    });
    run.world.advance(30);
    expect(run.system.instance.rings).to.deep.equal([
      "2@5",
      "1@10",
      "2@15",
      "1@20",
      "2@25",
      "1@30",
    ]);
  });

  it("rings once for all the periods that its component missed", () => {
    const { run, clock } = owned();
    const busy: string[] = [];
    clock().act((main) => main.periodic(1, 10, "a"));
    run.world.settle();
    // The component's own queue is not touched while its provider answers again and again.
    const held = channelOf(run.system);
    held.hold();
    run.world.advance(50);
    busy.push(...clock().rings);
    held.resume();
    run.world.settle();
    expect(busy).to.deep.equal([]);
    expect(clock().rings).to.deep.equal(["1@50"]);
    run.world.advance(10);
    expect(clock().rings).to.deep.equal(["1@50", "1@60"]);
    expect(run.letters).to.deep.equal([]);
  });

  it("is cancelled by its id, also when its timeout is queued already", () => {
    const run = start(Clock);
    run.do((main) => {
      main.once(1, 10, "a");
      main.periodic(2, 10, "b");
      main.once(3, 10, "c");
    });
    run.do((main) => main.cancel("a"));
    // The ring of "b" comes first and cancels "c", whose expiry has been sent at the same instant.
    run.do((main) => void main.timer.on(Ring, () => (main.cancel("b"), main.cancel("c"))));
    run.world.advance(100);
    expect(run.system.instance.rings).to.deep.equal(["2@10"]);
    expect(run.letters).to.deep.equal([]);
  });

  it("that does not exist is cancelled without harm", () => {
    const run = start(Clock);
    run.do((main) => main.cancel("never"));
    run.do((main) => main.once(1, 1, "a"));
    run.world.advance(1);
    run.do((main) => main.cancel("a"));
    expect(run.faults).to.deep.equal([]);
    expect(run.letters).to.deep.equal([]);
  });

  it("is replaced by another one with its id", () => {
    const run = start(Clock);
    run.do((main) => {
      main.once(1, 10, "a");
      main.once(2, 20, "a");
    });
    run.world.advance(100);
    expect(run.system.instance.rings).to.deep.equal(["2@20"]);
  });

  it("of two components may have the same id", () => {
    class Two extends Clock {
      readonly other = this.create(Clock);
    }
    const run = start(Two);
    run.do((main) => main.once(1, 10, "a"));
    run.system.enter(
      () => instanceAt<Clock>(run.system, "/Two-1/Clock-1").once(2, 10, "a"),
      "/Two-1/Clock-1",
    );
    run.world.settle();
    run.do((main) => main.cancel("a"));
    run.world.advance(10);
    expect(instanceAt<Clock>(run.system, "/Two-1/Clock-1").rings).to.deep.equal(["2@10"]);
  });

  it("wants a duration that is none below zero", () => {
    const run = start(Clock);
    const codes: string[] = [];
    run.do((main) => {
      codes.push(
        codeOf(() => main.once(1, -1)),
        codeOf(() => main.once(1, NaN)),
      );
      codes.push(
        codeOf(() => main.periodic(1, 0, "a")),
        codeOf(() => main.periodic(1, NaN, "a")),
        codeOf(() => main.periodic(1, 1, "a", -1)),
      );
    });
    expect(codes).to.deep.equal(Array(5).fill("KITH_BAD_ARGUMENT"));
  });

  it("whose timeout nobody handles makes a dead letter", () => {
    class Deaf extends Component {
      readonly timer = this.requires(Timer);
      constructor() {
        super();
        this.onStart(() =>
          this.timer.trigger(new ScheduleTimeout({ delay: 1, timeout: new Ring({ n: 1 }) })),
        );
      }
    }
    const run = start(Deaf);
    run.world.advance(1);
    expect(
      run.letters.map(({ reason, event }) => `${reason} ${event?.constructor.name}`),
    ).to.deep.equal(["no-handler Ring"]);
  });
});

describe("timers are cancelled", () => {
  it("by a stop, and do not ring after the next start", () => {
    const { run, clock } = owned();
    clock().act((main) => (main.once(1, 10), main.periodic(2, 10, "p")));
    run.do((main) => main.halt());
    run.world.advance(100);
    run.do((main) => main.resume());
    run.world.advance(100);
    expect(clock().rings).to.deep.equal([]);
    clock().act((main) => main.once(3, 1));
    run.world.settle();
    run.world.advance(1);
    expect(clock().rings).to.deep.equal(["3@201"]);
  });

  it("by a kill", () => {
    const { run, clock } = owned();
    clock().act((main) => (main.once(1, 10), main.periodic(2, 10, "p")));
    run.do((main) => main.remove());
    run.world.advance(100);
    expect(clock().rings).to.deep.equal([]);
    expect(run.letters).to.deep.equal([]);
  });

  it("by a restart", () => {
    const { run, clock } = owned();
    const before = clock();
    before.act((main) => (main.once(1, 10), main.periodic(2, 10, "p")));
    run.world.settle();
    before.fail();
    run.world.settle();
    expect(clock()).not.to.equal(before);
    run.world.advance(100);
    expect([...before.rings, ...clock().rings]).to.deep.equal([]);
    clock().act((main) => main.once(3, 1, "p"));
    run.world.settle();
    run.world.advance(1);
    expect(clock().rings).to.deep.equal(["3@101"]);
  });
});

describe("a manual world", () => {
  it("does not move time for ever where its Timer cannot run any more", () => {
    class Failing extends Clock {
      constructor() {
        super();
        this.onStart(() => {
          this.once(1, 10);
          this.once(2, 20);
        });
        this.timer.on(Ring, () => {
          throw new Error("nobody handles it");
        });
      }
    }
    const run = start(Failing);
    run.world.advance(100);
    expect(run.faults).to.have.length(1);
    expect(run.world.clock.monotonicMicros()).to.equal(100_000);
  });

  it("moves time forward only", () => {
    const { world } = start(Clock);
    expect([-1, NaN].map((by) => codeOf(() => world.advance(by)))).to.deep.equal([
      "KITH_BAD_ARGUMENT",
      "KITH_BAD_ARGUMENT",
    ]);
  });
});

describe("a manual world", () => {
  class Alarm extends Component {
    readonly timer = this.requires(Timer);
    constructor(init: { name: string; delays: number[] }) {
      super();
      this.timer.on(Ring, () => this.log.info(`${init.name}@${this.clock.monotonic}`));
      this.onStart(() => {
        for (const delay of init.delays)
          this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Ring({ n: 0 }) }));
      });
    }
  }

  it("fires the timeouts of all systems that run in it, in the order of their times", () => {
    const rings: string[] = [];
    const world = new ManualWorld({ log: ({ text }) => void rings.push(text) });
    const first = launch(Alarm, { name: "a", delays: [10, 30, 50] }, world);
    launch(Alarm, { name: "b", delays: [20, 40, 60] }, world);
    world.advance(45);
    expect(rings).to.deep.equal(["a@10", "b@20", "a@30", "b@40"]);
    void first.stop();
    world.advance(100);
    expect(rings.slice(4)).to.deep.equal(["b@60"]);
  });

  it("says that it was not settled, with a code of its own", () => {
    class Restless extends Component {
      constructor() {
        super();
        this.onStart(() => this.again());
      }
      again(): void {
        this.enter(() => this.again());
      }
    }
    const world = new ManualWorld();
    launch(Restless, {}, world);
    expect(codeOf(() => world.settle(1000))).to.equal("KITH_NOT_SETTLED");
  });
});

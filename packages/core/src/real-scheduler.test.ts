import { expect } from "chai";
import {
  type Clock,
  Component,
  launch,
  RealScheduler,
  type Runnable,
  run as runSystem,
} from "./index.ts";
import { hostClock } from "./host.ts";
import { Note, Notes } from "./kit.test.ts";

/** A scheduler whose time moves by what its runnables cost, and whose host runs when it is told to. */
function bench() {
  let now = 0;
  let reads = 0;
  const clock: Clock = {
    monotonicMicros: () => (reads++, Math.floor(now)),
    wallMicros: () => Math.floor(now),
  };
  const slices: (() => void)[] = [];
  const scheduler = new RealScheduler(clock, (slice) => slices.push(slice));
  /** Runs one slice. @returns how long it took; undefined where there was nothing to run */
  const slice = (): number | undefined => {
    const next = slices.shift();
    if (next === undefined) return undefined;
    const before = now;
    next();
    return now - before;
  };
  return {
    scheduler,
    slice,
    waiting: () => slices.length,
    work: (micros: number) => void (now += micros),
    now: () => now,
    reads: () => reads,
  };
}

/** Has always something to do; its events cost what `cost` says at the time. */
function endless(
  work: (micros: number) => void,
  cost: () => number,
  path = "endless",
): Runnable & { events: number; turns: number; limitMax: number } {
  return {
    path,
    slot: undefined,
    events: 0,
    turns: 0,
    limitMax: 0,
    run(limit: number): boolean {
      this.turns++;
      this.limitMax = Math.max(this.limitMax, limit);
      for (let i = 0; i < limit; i++) {
        work(cost());
        this.events++;
      }
      return true;
    },
  };
}

describe("the real scheduler", () => {
  for (const cost of [0.03, 0.2, 1, 5, 20, 60, 150, 400]) {
    it(`ends its slices within 1 ms where an event costs ${cost} µs, and uses most of it`, () => {
      const { scheduler, slice, work } = bench();
      for (let i = 0; i < 20; i++) scheduler.ready(endless(work, () => cost));
      const lengths = Array.from({ length: 300 }, () => slice() as number);
      // Events that cost much more than a reading's distance cannot be cut: two of them may be one too many.
      expect(Math.max(...lengths)).to.be.at.most(1000);
      const settled = lengths.slice(20);
      expect(settled.reduce((sum, length) => sum + length, 0) / settled.length).to.be.at.least(
        cost > 100 ? 150 : 600,
      );
    });
  }

  it("ends them in time after it was idle with cheap events: one ping-pong teaches nothing about a load", () => {
    const { scheduler, slice, work } = bench();
    // Two that answer each other: a turn has one event, and the queue is empty after it.
    let rounds = 5000;
    const pair: Runnable[] = ["a", "b"].map((path, i) => ({
      path,
      slot: undefined,
      run: () => {
        work(0.1);
        if (rounds-- > 0) scheduler.ready(pair[1 - i] as Runnable);
        return false;
      },
    }));
    scheduler.ready(pair[0] as Runnable);
    while (slice() !== undefined);
    for (let i = 0; i < 100; i++) scheduler.ready(endless(work, () => 5));
    for (let i = 0; i < 100; i++) expect(slice(), `slice ${i}`).to.be.at.most(1000);
  });

  it("has one overrun at most where events become dearer at once", () => {
    const { scheduler, slice, work } = bench();
    let cost = 0.1;
    for (let i = 0; i < 50; i++) scheduler.ready(endless(work, () => cost));
    for (let i = 0; i < 50; i++) slice();
    cost = 20;
    const lengths = Array.from({ length: 50 }, () => slice() as number);
    expect(lengths.filter((length) => length > 1000).length).to.be.at.most(1);
    expect(lengths.slice(1).every((length) => length <= 1000)).to.equal(true);
  });

  it("runs a bounded number of events in a turn, whatever they cost", () => {
    const { scheduler, slice, work } = bench();
    const runnable = endless(work, () => 0.01);
    scheduler.ready(runnable);
    for (let i = 0; i < 100; i++) slice();
    expect(runnable.limitMax).to.be.within(2, 16);
  });

  it("reads the clock seldom: not once per event, nor per turn", () => {
    const { scheduler, slice, work, reads } = bench();
    const runnable = endless(work, () => 0.1);
    scheduler.ready(runnable);
    for (let i = 0; i < 20; i++) slice();
    const before = { reads: reads(), events: runnable.events };
    for (let i = 0; i < 20; i++) slice();
    expect((runnable.events - before.events) / (reads() - before.reads)).to.be.greaterThan(60);
  });

  it("yields to the host once per slice, and not at all when nothing is ready", () => {
    const { scheduler, slice, waiting, work } = bench();
    let left = 1000;
    scheduler.ready({ path: "finite", slot: undefined, run: () => (work(10), --left > 0) });
    expect(waiting()).to.equal(1);
    while (slice() !== undefined) expect(waiting()).to.be.at.most(1);
    expect(left).to.equal(0);
    expect(waiting()).to.equal(0);
    left = 1;
    scheduler.ready({ path: "again", slot: undefined, run: () => (work(10), --left > 0) });
    expect(waiting()).to.equal(1);
  });

  it("serves the ready in the order in which they became ready, and each once per round", () => {
    const { scheduler, slice, work } = bench();
    const order: string[] = [];
    let rounds = 0;
    for (const path of ["a", "b", "c"]) {
      scheduler.ready({
        path,
        slot: undefined,
        run: () => {
          work(1);
          order.push(path);
          return ++rounds < 30;
        },
      });
    }
    while (slice() !== undefined);
    expect(order.join("")).to.match(/^(abc)+/);
    const first = order.slice(0, 27).join("");
    expect(first).to.equal("abc".repeat(9));
  });

  it("serves many thousands, more than its queue had room for", () => {
    const { scheduler, slice } = bench();
    const seen: number[] = [];
    for (let i = 0; i < 5000; i++)
      scheduler.ready({ path: String(i), slot: undefined, run: () => (seen.push(i), false) });
    while (slice() !== undefined);
    expect(seen.length).to.equal(5000);
    expect(seen.every((n, i) => n === i)).to.equal(true);
  });
});

describe("a component on the real scheduler", () => {
  class Loop extends Component {
    readonly into = this.provides(Notes);
    readonly out = this.requires(Notes);
    handled = 0;
    constructor() {
      super();
      this.connect(this.into, this.out);
      this.into.on(Note, ({ n }) => {
        this.handled++;
        if (n > 1) this.out.trigger(new Note({ n: n - 1 }));
      });
      this.onStart(() => this.out.trigger(new Note({ n: 100_000 })));
    }
  }

  it("becomes ready when its mailbox goes from empty to not empty, and only then", () => {
    const ready: string[] = [];
    const { scheduler, slice } = bench();
    const counting = {
      clock: scheduler.clock,
      ready: (runnable: Runnable) => (ready.push(runnable.path), scheduler.ready(runnable)),
    };
    class Sink extends Component {
      readonly notes = this.provides(Notes);
      constructor() {
        super();
        this.notes.on(Note, () => true);
      }
    }
    class Main extends Component {
      readonly out = this.requires(Notes);
      constructor() {
        super();
        this.connect(this.create(Sink).ports.notes, this.out);
      }
    }
    const system = launch(Main, {}, { scheduler: counting });
    while (slice() !== undefined);
    ready.length = 0;
    system.enter(() =>
      [1, 2, 3, 4, 5].forEach((n) => system.instance.out.trigger(new Note({ n }))),
    );
    while (slice() !== undefined);
    expect(ready).to.deep.equal(["/Main-1", "/Main-1/Sink-1"]);
  });

  it("lets the host have its turns while it is busy", async () => {
    const system = await runSystem(Loop);
    let hostTurns = 0;
    const deadline = hostClock.monotonicMicros() + 5_000_000;
    while (system.instance.handled < 100_000 && hostClock.monotonicMicros() < deadline) {
      hostTurns++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(system.instance.handled).to.equal(100_000);
    expect(hostTurns).to.be.greaterThan(2);
    await system.stop();
  });
});

describe("a runnable that throws, which none of the kernel's does", () => {
  it("stops nobody else", () => {
    const { scheduler, slice, waiting } = bench();
    const ran: string[] = [];
    const runnable = (path: string, run: () => boolean): Runnable => ({ path, slot: null, run });
    scheduler.ready(
      runnable("bad", () => {
        throw new Error("bad");
      }),
    );
    scheduler.ready(runnable("good", () => (ran.push("good"), false)));
    expect(slice).to.throw("bad");
    slice();
    scheduler.ready(runnable("later", () => (ran.push("later"), false)));
    slice();
    expect(ran).to.deep.equal(["good", "later"]);
    expect(waiting()).to.equal(0);
  });
});

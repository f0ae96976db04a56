import { expect } from "chai";
import { type Clock, Component, launch, ManualScheduler, type World } from "./index.ts";
import { Note, Notes } from "./kit.test.ts";

/** A clock that moves on at each look. */
class Restless implements Clock {
  readonly reads = { monotonic: 0, wall: 0 };
  monotonicMicros(): number {
    return ++this.reads.monotonic * 1000;
  }
  wallMicros(): number {
    return 1_000_000 + ++this.reads.wall * 1000;
  }
}

class Watch extends Component {
  readonly into = this.provides(Notes);
  readonly out = this.requires(Notes);
  readonly seen: number[][] = [];
  constructor() {
    super();
    this.connect(this.into, this.out);
    this.into.on(Note, ({ n }) => {
      const { clock } = this;
      if (n > 0)
        this.seen.push(
          n % 2 === 1
            ? [clock.monotonic, clock.wall, clock.monotonic, clock.wall]
            : [clock.wall, clock.monotonic, clock.wall],
        );
    });
  }
}

function watch() {
  const clock = new Restless();
  const scheduler = new ManualScheduler();
  Object.defineProperty(scheduler, "clock", { value: clock });
  const world: World = { scheduler, log: () => undefined };
  const system = launch(Watch, {}, world);
  scheduler.settle();
  const before = { ...clock.reads };
  const send = (n: number): void => {
    system.enter(() => system.instance.out.trigger(new Note({ n })));
    scheduler.settle();
  };
  return {
    clock,
    system,
    send,
    reads: () => ({
      monotonic: clock.reads.monotonic - before.monotonic,
      wall: clock.reads.wall - before.wall,
    }),
  };
}

describe("the clock", () => {
  it("is read once per turn, monotonic and wall: a handler sees one instant", () => {
    const { system, send } = watch();
    for (const n of [1, 2, 3]) send(n);
    for (const times of system.instance.seen)
      expect(new Set(times).size, String(times)).to.equal(2);
    const monotonic = system.instance.seen.map((times, i) => times[i % 2 === 0 ? 0 : 1] as number);
    expect(monotonic[0]).to.be.lessThan(monotonic[1] as number);
    expect(monotonic[1]).to.be.lessThan(monotonic[2] as number);
    const wall = system.instance.seen.map((times, i) => times[i % 2 === 0 ? 1 : 0] as number);
    expect(wall[0]).to.be.lessThan(wall[1] as number);
    expect(wall[1]).to.be.lessThan(wall[2] as number);
  });

  it("is not read at all in a turn that does not ask", () => {
    const { send, reads } = watch();
    send(0);
    expect(reads()).to.deep.equal({ monotonic: 0, wall: 0 });
    send(1);
    expect(reads()).to.deep.equal({ monotonic: 1, wall: 1 });
  });

  it("tells outside of turns what time it is now", () => {
    const { system, send } = watch();
    send(1);
    const { clock } = system.instance as unknown as { clock: { monotonic: number } };
    const first = clock.monotonic;
    expect(clock.monotonic).to.be.greaterThan(first);
  });
});

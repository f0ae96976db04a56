/**
 * The Timer of the real world: the suite with a host that is moved by hand, and what only it promises: one
 * timer of the host, no quadratic cost, long times, a clock that jumps.
 */

import {
  bare,
  Component,
  launch,
  ManualClock,
  ManualScheduler,
  ScheduleTimeout,
  type System,
  timeout,
  Timer,
  type World,
} from "@kith/core";
import { expect } from "chai";
import fc from "fast-check";
import { stepping } from "@kith/testing/compliance";
import { timerCompliance, type TimerHarness } from "../compliance/index.ts";
import { Alarm, type AlarmHost, type Armed, HostTimer } from "./index.ts";

/** A host that counts its timers, on the real clock. */
class CountingHost implements AlarmHost {
  live = 0;
  liveMax = 0;

  now(): number {
    return Math.floor(performance.now() * 1000);
  }

  set(action: () => void, delayMs: number): unknown {
    this.live++;
    this.liveMax = Math.max(this.liveMax, this.live);
    return setTimeout(() => {
      this.live--;
      action();
    }, delayMs);
  }

  clear(handle: unknown): void {
    this.live--;
    clearTimeout(handle as NodeJS.Timeout);
  }
}

/** A host whose time is moved by hand; its timers fire `early` microseconds too early. */
class HandHost implements AlarmHost {
  readonly clock: ManualClock;
  early = 0;
  asked: number[] = [];
  #next: { readonly at: number; readonly action: () => void } | null = null;

  constructor(clock = new ManualClock()) {
    this.clock = clock;
  }

  now(): number {
    return this.clock.monotonicMicros();
  }

  set(action: () => void, delayMs: number): unknown {
    expect(this.#next, "one timer of the host").to.equal(null);
    this.asked.push(delayMs);
    this.#next = { at: this.now() + delayMs * 1000, action };
    return this.#next;
  }

  clear(handle: unknown): void {
    expect(handle).to.equal(this.#next);
    this.#next = null;
  }

  get isSet(): boolean {
    return this.#next !== null;
  }

  /** When the host's timer fires, in microseconds; Infinity where there is none. */
  get fires(): number {
    return this.#next === null ? Infinity : Math.max(this.now(), this.#next.at - this.early);
  }

  /** Moves the time to where the host's timer fires, and fires it. */
  fire(): void {
    const next = this.#next;
    if (next === null) throw new Error("no timer of the host");
    this.clock.advance((this.fires - this.now()) / 1000);
    this.#next = null;
    next.action();
  }
}

function waiter(due: number, ring: () => void = () => undefined): Armed {
  return { due, place: -1, order: 0, ring };
}

/** The provider in a world whose host is moved by hand, so that no case depends on how busy the machine is. */
function handHarness(): TimerHarness {
  const clock = new ManualClock();
  const scheduler = new ManualScheduler(clock);
  const host = new HandHost(clock);
  host.early = 300;
  const advance = (duration: number): void => {
    const end = clock.monotonicMicros() + Math.round(duration * 1000);
    scheduler.settle();
    while (host.fires <= end) {
      host.fire();
      scheduler.settle();
    }
    clock.advance((end - clock.monotonicMicros()) / 1000);
  };
  return {
    world: {
      scheduler,
      host: new Alarm(host),
      install: (root) => root.offers(root.create(HostTimer, {}, { name: "Timer" }).ports.timer),
    },
    wait: stepping(advance),
    swapProvider: (system: System) =>
      void system.swap("/Timer", class Replacement extends HostTimer {}),
    lag: (duration) => clock.advance(duration),
  };
}

timerCompliance("HostTimer", handHarness);

describe("HostTimer", () => {
  it("needs one timer of the host for a hundred peers in three systems, and none afterwards", async () => {
    const host = new CountingHost();
    const alarm = new Alarm(host);
    let come = 0;
    class Tick extends timeout("host-timer-test/Tick") {}
    class Peer extends Component {
      readonly timer = this.requires(Timer);

      constructor() {
        super();
        this.timer.on(Tick, () => {
          come++;
        });
        this.onStart(() => {
          const delays = this.random("delays");
          for (let i = 0; i < 20; i++)
            this.timer.trigger(
              new ScheduleTimeout({ delay: delays.below(60), timeout: new Tick() }),
            );
        });
      }
    }
    class Peers extends Component {
      constructor() {
        super();
        for (let i = 0; i < 100; i++) this.create(Peer);
      }
    }
    const world = (): World => ({
      ...bare(),
      host: alarm,
      install: (root) => root.offers(root.create(HostTimer, {}, { name: "Timer" }).ports.timer),
    });
    const systems = [1, 2, 3].map(() => launch(Peers, {}, world()));
    await condition(() => come === 3 * 100 * 20);
    expect(host.liveMax).to.equal(1);
    expect(host.live).to.equal(0);
    await Promise.all(systems.map((system) => system.stop()));
  });

  it("is never early by the host's clock", async () => {
    class Tick extends timeout("host-timer-test/Due")<{ readonly due: number }> {}
    const early: number[] = [];
    let come = 0;
    class Waiter extends Component {
      readonly timer = this.requires(Timer);

      constructor() {
        super();
        this.timer.on(Tick, ({ due }) => {
          come++;
          if (performance.now() < due) early.push(due - performance.now());
        });
        this.onStart(() => {
          for (let i = 0; i < 300; i++) {
            const delay = i / 7;
            const due = performance.now() + delay;
            this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Tick({ due }) }));
          }
        });
      }
    }
    const system = launch(
      Waiter,
      {},
      {
        ...bare(),
        install: (root) => root.offers(root.create(HostTimer, {}, { name: "Timer" }).ports.timer),
      },
    );
    await condition(() => come === 300);
    await system.stop();
    expect(early).to.deep.equal([]);
  });

  it("lets the process end: what is stopped has no timer of the host left", async () => {
    const host = new CountingHost();
    class Late extends timeout("host-timer-test/Late") {}
    class Sleeper extends Component {
      readonly timer = this.requires(Timer);

      constructor() {
        super();
        this.onStart(() =>
          this.timer.trigger(new ScheduleTimeout({ delay: 3_600_000, timeout: new Late() })),
        );
      }
    }
    const system = launch(
      Sleeper,
      {},
      {
        ...bare(),
        host: new Alarm(host),
        install: (root) => root.offers(root.create(HostTimer, {}, { name: "Timer" }).ports.timer),
      },
    );
    await condition(() => host.live === 1);
    await system.stop();
    expect(host.live).to.equal(0);
  });
});

describe("Alarm", () => {
  it("rings in the order of the times, never early, whatever is armed and disarmed", () => {
    const step = fc.record({
      arm: fc.array(fc.nat(50_000), { maxLength: 8 }),
      disarm: fc.array(fc.nat(), { maxLength: 4 }),
      fire: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(900), (steps, early) => {
        const host = new HandHost();
        host.early = early;
        const alarm = new Alarm(host);
        const all: Armed[] = [];
        const waiting = new Set<Armed>();
        let last = -1;
        const arm = (delay: number): void => {
          const one = waiter(host.now() + delay, () => {
            expect(host.now(), "not early").to.be.at.least(one.due);
            expect(waiting.delete(one), "once, and only while it is armed").to.equal(true);
            if (last >= 0) expect(one.due).to.be.at.least(last);
            last = one.due;
          });
          all.push(one);
          waiting.add(one);
          alarm.arm(one);
        };
        for (const { arm: delays, disarm, fire } of steps) {
          for (const delay of delays) arm(delay);
          for (const index of disarm) {
            const one = all[index % Math.max(1, all.length)];
            if (one === undefined) continue;
            alarm.disarm(one);
            waiting.delete(one);
          }
          expect(alarm.size).to.equal(waiting.size);
          expect(host.isSet).to.equal(waiting.size > 0);
          last = -1;
          if (fire && host.isSet) host.fire();
        }
        for (let fires = 0; host.isSet; fires++) {
          expect(fires, "it comes to an end").to.be.below(20_000);
          last = -1;
          host.fire();
        }
        expect(waiting.size).to.equal(0);
      }),
    );
  });

  it("waits longer than a host's timer counts", () => {
    const host = new HandHost();
    const alarm = new Alarm(host);
    let rang = 0;
    const due = 5 * 2 ** 31 * 1000;
    alarm.arm(waiter(due, () => (rang = host.now())));
    for (let fires = 0; rang === 0; fires++) {
      expect(fires).to.be.below(10);
      host.fire();
    }
    expect(rang).to.be.within(due, due + 1000);
    expect(Math.max(...host.asked)).to.be.below(2 ** 31);
  });

  it("does work that grows with the number armed like a sort, not like its square", () => {
    const count = 20_000;
    {
      const host = new HandHost();
      const alarm = new Alarm(host);
      let looked = 0;
      const all = Array.from({ length: count }, (_, i) => {
        const due = 1_000_000 + ((i * 7919) % count);
        return Object.defineProperty(waiter(0), "due", {
          get: () => {
            looked++;
            return due;
          },
        });
      });
      for (const one of all) alarm.arm(one);
      for (const one of all) alarm.disarm(one);
      expect(alarm.size).to.equal(0);
      for (const one of all) alarm.arm(one);
      while (host.isSet) host.fire();
      expect(looked / count).to.be.below(12 * Math.log2(count));
    }
  });

  it("sets the host's timer anew only for one that is earlier than all", () => {
    const host = new HandHost();
    const alarm = new Alarm(host);
    for (let i = 0; i < 1000; i++) alarm.arm(waiter(10_000 + i * 1000));
    expect(host.asked).to.deep.equal([10]);
    alarm.arm(waiter(5000));
    expect(host.asked).to.deep.equal([10, 5]);
  });

  it("goes on when one that rings throws", () => {
    const host = new HandHost();
    const alarm = new Alarm(host);
    let rang = 0;
    alarm.arm(
      waiter(1000, () => {
        throw new Error("on purpose");
      }),
    );
    alarm.arm(waiter(90_000, () => rang++));
    expect(() => host.fire()).to.throw("on purpose");
    host.fire();
    expect(rang).to.equal(1);
  });
});

/** Looks until a condition holds; gives up after ten seconds. */
async function condition(holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

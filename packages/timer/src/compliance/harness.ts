/** What the suite of Timer needs of a world, and the component that arms timers for it. */

import {
  CancelTimeout,
  Component,
  SchedulePeriodic,
  ScheduleTimeout,
  type System,
  timeout,
  Timer,
  type TimerId,
  type World,
} from "@kith/core";
import type { Harness } from "@kith/testing/compliance";

/** How a provider of Timer is put to the test. */
export interface TimerHarness extends Harness {
  /** A world that offers the Timer under test; the suite launches one system in it. */
  readonly world: World;
  /** Replaces the provider in that system; without it, the case is left out. */
  readonly swapProvider?: (system: System) => void;
  /**
   * Lets this much time pass while no component of the system gets a turn, as in a long pause of the process;
   * without it, the case is left out.
   */
  readonly lag?: (duration: number) => void;
}

/** A timeout with a number, and when it was armed. */
export class Tick extends timeout("timer-compliance/Tick")<{
  readonly n: number;
  readonly armed: number;
  readonly delay: number;
}> {}

/** A timeout that has come. */
export interface Seen {
  readonly n: number;
  readonly at: number;
  /** How many milliseconds too early it was; not above 0. */
  readonly early: number;
}

/** Arms timers when it is told to, and notes what comes. */
export class Owner extends Component {
  readonly timer = this.requires(Timer);
  readonly noted = this.declareState<{ seen: Seen[] }>({ seen: [] });
  /** Runs after each tick has been noted. */
  react: ((n: number) => void) | null = null;

  constructor() {
    super();
    this.timer.on(Tick, ({ n, armed, delay }) => {
      const at = this.clock.monotonic;
      // What a clock shows in whole microseconds is exact to half of one as a float.
      this.noted.seen.push({ n, at, early: round(armed + delay - at) });
      this.react?.(n);
    });
  }

  /** The numbers that came, in their order. */
  get numbers(): readonly number[] {
    return this.noted.seen.map(({ n }) => n);
  }

  /** Arms a one-shot timer. */
  arm(n: number, delay: number, id?: TimerId): void {
    const tick = new Tick({ n, armed: this.clock.monotonic, delay });
    this.timer.trigger(
      new ScheduleTimeout(
        id === undefined ? { delay, timeout: tick } : { delay, timeout: tick, id },
      ),
    );
  }

  /** Arms a periodic timer. */
  repeat(n: number, period: number, id: TimerId, delay?: number): void {
    const tick = new Tick({ n, armed: this.clock.monotonic, delay: delay ?? period });
    this.timer.trigger(
      new SchedulePeriodic({
        period,
        timeout: tick,
        id,
        ...(delay === undefined ? {} : { delay }),
      }),
    );
  }

  /** Cancels one. */
  cancel(id: TimerId): void {
    this.timer.trigger(new CancelTimeout({ id }));
  }

  /** Fails, so that its parent's policy decides. */
  fail(): void {
    throw new Error("failed on purpose");
  }
}

/** Takes the place of an Owner in a swap. */
export class Heir extends Owner {}

function round(millis: number): number {
  return Math.round(millis * 10_000) / 10_000;
}

/**
 * The world of tests: nothing runs by itself, and time moves when it is told to. It offers a Timer,
 * whose timeouts come in order of their time, with everything settled between two instants.
 */

import { Component } from "./component.ts";
import type { Given } from "./config.ts";
import { coreError } from "./errors.ts";
import type { LogSink } from "./log.ts";
import { ManualClock, ManualScheduler } from "./manual-scheduler.ts";
import type { ReplyToken } from "./port.ts";
import { CancelTimeout, Expired, SchedulePeriodic, ScheduleTimeout, Timer } from "./timer.ts";
import type { Millis } from "./types.ts";
import type { Root, World } from "./world.ts";

/** What may be said of a manual world. */
export interface ManualWorldOptions {
  readonly seed?: number | string;
  readonly node?: string;
  readonly settings?: readonly Given[];
  /** By default nothing is logged. */
  readonly log?: LogSink;
  readonly mailboxBound?: number;
  readonly holdBound?: number;
  /** False where the test brings a Timer of its own. */
  readonly timer?: boolean;
}

/** One armed timeout of the manual timer. */
interface Armed {
  readonly token: ReplyToken<Expired>;
  readonly period: number;
  due: number;
}

/** The way in by which the world fires what is due. */
interface Handle {
  due(): number;
  fire(micros: number, fired: () => void): void;
}

/** A world that a test drives by hand. */
export class ManualWorld implements World {
  readonly clock = new ManualClock();
  readonly scheduler = new ManualScheduler(this.clock);
  readonly seed: number | string;
  readonly node: string;
  readonly settings: readonly Given[];
  readonly log: LogSink;
  readonly mailboxBound?: number;
  readonly holdBound?: number;
  readonly install: (root: Root) => void;
  /** One for each system that runs in this world, and none for those that have stopped. */
  readonly #timers = new Set<Handle>();

  constructor(options: ManualWorldOptions = {}) {
    this.seed = options.seed ?? 0;
    this.node = options.node ?? "";
    this.settings = options.settings ?? [];
    this.log = options.log ?? (() => undefined);
    if (options.mailboxBound !== undefined) this.mailboxBound = options.mailboxBound;
    if (options.holdBound !== undefined) this.holdBound = options.holdBound;
    this.install = (root) => {
      if (options.timer === false) return;
      const timer = root.create(manualTimer(this.clock, this.#timers), {}, { name: "Timer" });
      root.offers(timer.ports.timer);
    };
  }

  /** Runs one event; false when nothing waits. */
  step(): boolean {
    return this.scheduler.step();
  }

  /** Runs until nothing waits. @returns how many turns it took */
  settle(limit?: number): number {
    return this.scheduler.settle(limit);
  }

  /** Moves the time, stopping at each instant at which a timeout is due; settles before and after each. */
  advance(duration: Millis): void {
    if (!(duration >= 0))
      throw coreError(
        "KITH_BAD_ARGUMENT",
        `The time was moved by ${duration} ms; it goes forward only.`,
      );
    const end = this.clock.monotonicMicros() + Math.round(duration * 1000);
    this.settle();
    // Those that are suspended by a fault that nobody handled: no timeout comes from them any more.
    const stuck = new Set<Handle>();
    const nextDue = (): number => {
      let first = Infinity;
      for (const timer of this.#timers) if (!stuck.has(timer)) first = Math.min(first, timer.due());
      return first;
    };
    for (let due = nextDue(); due <= end; due = nextDue()) {
      this.clock.advance(Math.max(0, due - this.clock.monotonicMicros()) / 1000);
      for (const timer of [...this.#timers]) {
        if (stuck.has(timer) || timer.due() > due) continue;
        stuck.add(timer);
        timer.fire(due, () => stuck.delete(timer));
      }
      this.settle();
    }
    this.clock.advance((end - this.clock.monotonicMicros()) / 1000);
  }
}

/** The Timer of a manual world. */
function manualTimer(clock: ManualClock, timers: Set<Handle>) {
  return class ManualTimer extends Component {
    readonly timer = this.provides(Timer);
    readonly state = this.declareState<{ armed: Armed[] }>({ armed: [] });

    constructor() {
      super();
      this.timer.on(ScheduleTimeout, ({ delay }, token) => this.arm(token, delay, 0));
      this.timer.on(SchedulePeriodic, ({ delay, period }, token) =>
        this.arm(token, delay ?? period, period),
      );
      this.timer.on(CancelTimeout, (_, token) => {
        this.state.armed = this.state.armed.filter((armed) => !same(armed.token, token));
      });
      const fire: Handle["fire"] = (micros, fired) =>
        this.enter(() => {
          fired();
          this.fire(micros);
        });
      const handle: Handle = { due: () => this.due(), fire };
      this.onAcquire(() => void timers.add(handle));
      this.onRelease(() => timers.delete(handle));
    }

    due(): number {
      return this.state.armed.reduce((first, { due }) => Math.min(first, due), Infinity);
    }

    private arm(token: ReplyToken<Expired>, delay: Millis, period: Millis): void {
      // Never early: a fraction of a microsecond counts as a whole one.
      this.state.armed.push({
        token,
        due: clock.monotonicMicros() + Math.ceil(delay * 1000),
        period: Math.ceil(period * 1000),
      });
    }

    private fire(micros: number): void {
      const due = this.state.armed.filter((armed) => armed.due <= micros);
      for (const armed of due) {
        if (armed.period > 0) armed.due += armed.period;
        this.timer.reply(armed.token, new Expired());
      }
      this.state.armed = this.state.armed.filter(
        (armed) => armed.period > 0 || !due.includes(armed),
      );
    }
  };
}

function same(a: ReplyToken, b: ReplyToken): boolean {
  return a.asker === b.asker && a.ask === b.ask;
}

/** A Timer for the tests of the suite: right by default, wrong on request. */

import {
  CancelTimeout,
  Component,
  Expired,
  ManualWorld,
  type ReplyToken,
  SchedulePeriodic,
  ScheduleTimeout,
  type System,
  Timer,
  type World,
} from "@kith/core";
import type { TimerHarness } from "./compliance/index.ts";
import { stepping } from "@kith/testing/compliance";

/** What is wrong with a provider. */
export interface Wrongs {
  /** When a timer fires, in microseconds, where its time is `due` and it was armed at `now`. */
  readonly due?: (due: number, now: number) => number;
  readonly ignoresCancel?: boolean;
  /** Answers a one-shot timer again and again. */
  readonly repeatsOneShots?: boolean;
  /** Answers a periodic timer in every turn, once it is due. */
  readonly floods?: boolean;
  readonly unordered?: boolean;
  readonly periodicOnce?: boolean;
  readonly ignoresFirstDelay?: boolean;
  readonly forgetsOnSwap?: boolean;
  readonly catchesUp?: boolean;
  readonly loses?: (count: number) => boolean;
  /** Knows a timer by its number at the owner alone. */
  readonly mixesOwners?: boolean;
}

interface Armed {
  readonly token: ReplyToken<Expired>;
  readonly period: number;
  due: number;
}

/** A harness around a Timer with these faults. */
export function harnessOf(wrongs: Wrongs): TimerHarness {
  const inner = new ManualWorld({ timer: false });
  let provider: { fire(): void } | null = null;

  class TestTimer extends Component {
    readonly timer = this.provides(Timer);
    readonly state = this.declareState<{ armed: Armed[]; count: number }>({ armed: [], count: 0 });

    constructor() {
      super();
      this.timer.on(ScheduleTimeout, ({ delay }, token) => this.arm(token, delay, 0));
      this.timer.on(SchedulePeriodic, ({ delay, period }, token) =>
        this.arm(token, wrongs.ignoresFirstDelay === true ? period : (delay ?? period), period),
      );
      this.timer.on(CancelTimeout, (_, token) => {
        if (wrongs.ignoresCancel === true) return;
        this.state.armed = this.state.armed.filter(({ token: { asker, ask } }) =>
          wrongs.mixesOwners === true
            ? ask !== token.ask
            : asker !== token.asker || ask !== token.ask,
        );
      });
      this.onAcquire(() => {
        if (wrongs.forgetsOnSwap === true) this.state.armed = [];
        provider = { fire: () => this.enter(() => this.fire()) };
      });
    }

    private arm(token: ReplyToken<Expired>, delay: number, period: number): void {
      if (wrongs.loses?.(++this.state.count) === true) return;
      const now = inner.clock.monotonicMicros();
      const due = now + Math.ceil(delay * 1000);
      this.state.armed.push({
        token,
        due: wrongs.due?.(due, now) ?? due,
        period: Math.ceil(period * 1000),
      });
    }

    private fire(): void {
      const now = inner.clock.monotonicMicros();
      const due = this.state.armed.filter((armed) => armed.due <= now);
      if (due.length === 0) return;
      due.sort((a, b) => (wrongs.unordered === true ? b.due - a.due : a.due - b.due));
      const done = new Set<Armed>();
      for (const armed of due) {
        this.timer.reply(armed.token, new Expired());
        if (armed.period === 0 && wrongs.repeatsOneShots === true) continue;
        if (armed.period === 0 || wrongs.periodicOnce === true) done.add(armed);
        else if (wrongs.catchesUp === true) armed.due += armed.period;
        else if (wrongs.floods !== true)
          armed.due += armed.period * Math.max(1, Math.ceil((now - armed.due) / armed.period));
      }
      this.state.armed = this.state.armed.filter((armed) => !done.has(armed));
    }
  }

  const world: World = {
    scheduler: inner.scheduler,
    install: (root) => root.offers(root.create(TestTimer, {}, { name: "Timer" }).ports.timer),
  };
  const advance = (duration: number): void => {
    inner.settle();
    // A disordered provider is late: only then there is something to disorder.
    const step = wrongs.unordered === true ? duration : Math.min(duration, 0.05);
    for (let left = duration; left > 1e-9; left -= step) {
      inner.clock.advance(Math.min(step, left));
      provider?.fire();
      inner.settle();
    }
  };
  return {
    world,
    wait: stepping(advance, wrongs.unordered === true ? 17 : 1),
    swapProvider: (system: System) => void system.swap("/Timer", TestTimer),
    lag: (duration) => {
      inner.clock.advance(duration);
      for (let turn = 0; turn < 50; turn++) {
        provider?.fire();
        inner.settle();
      }
    },
  };
}

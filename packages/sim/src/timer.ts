/**
 * The simulated Timer. Timeouts are entries of the engine, at the simulated instant at which the
 * node's own clock will show their time; a change of the clock's drift arms them anew.
 */

import {
  CancelTimeout,
  Component,
  Expired,
  mix,
  type ReplyToken,
  SchedulePeriodic,
  ScheduleTimeout,
  streamKey,
  Timer,
} from "@kith/core";
import { Errand } from "./errand.ts";
import { lifeOf } from "./node.ts";

/** A timeout as plain data, in microseconds of the node's monotonic clock. */
interface ArmedState {
  readonly token: ReplyToken<Expired>;
  readonly due: number;
  readonly period: number;
  readonly fires: number;
}

interface Armed extends ArmedState {
  due: number;
  fires: number;
  errand: Errand | null;
}

/** The Timer of one life of a node. */
export class SimTimer extends Component {
  readonly timer = this.provides(Timer);
  readonly #life = lifeOf(this.host);
  readonly #key = streamKey(this.#life.engine.seed, "timer", this.#life.name).low;
  readonly #armed = new Map<number, Armed>();
  readonly #expired = this.entrance((id: number) => this.#expire(id));

  constructor() {
    super();
    this.timer.on(ScheduleTimeout, ({ delay }, token) => this.#arm(token, delay, 0));
    this.timer.on(SchedulePeriodic, ({ delay, period }, token) =>
      this.#arm(token, delay ?? period, period),
    );
    this.timer.on(CancelTimeout, (_, token) => {
      const armed = this.#armed.get(keyOf(token));
      if (armed === undefined) return;
      this.#armed.delete(keyOf(token));
      armed.errand?.cancel();
    });
    this.onAcquire(() => {
      this.#life.rearm = () => this.#rearm();
      this.#life.agents.set("timer", {
        run: (id) => this.#fire(id),
        restore: (errand) => {
          const armed = this.#armed.get(errand.id);
          if (armed !== undefined) armed.errand = errand;
        },
      });
      // Those of a checkpoint come from it, with their places in the queue.
      if (this.#life.restoring) return;
      for (const armed of this.#armed.values()) this.#schedule(armed);
    });
    this.onRelease(() => {
      this.#life.rearm = null;
      for (const { errand } of this.#armed.values()) errand?.cancel();
    });
  }

  exportState(): { readonly armed: readonly ArmedState[] } {
    return {
      armed: [...this.#armed.values()].map(({ token, due, period, fires }) => ({
        token,
        due,
        period,
        fires,
      })),
    };
  }

  importState(state: { readonly armed: readonly ArmedState[] }): void {
    for (const armed of state.armed)
      this.#armed.set(keyOf(armed.token), { ...armed, errand: null });
  }

  #arm(token: ReplyToken<Expired>, delay: number, period: number): void {
    const due = this.#life.clock.monotonicMicros() + Math.ceil(delay * 1000);
    const armed: Armed = {
      token,
      due,
      period: Math.ceil(period * 1000),
      fires: 0,
      errand: null,
    };
    this.#armed.set(keyOf(token), armed);
    this.#schedule(armed);
  }

  #schedule(armed: Armed): void {
    // Keyed by the owner's own row, so that one timer more or less leaves the others' order alone.
    const tie = mix(mix(this.#key ^ armed.token.asker, armed.token.ask), armed.fires);
    const { engine, clock, name } = this.#life;
    if (engine.trace.naming)
      engine.trace.name(
        tie,
        () => `timer ${armed.token.ask} of component ${armed.token.asker} on ${name}`,
      );
    const errand = new Errand(this.#life, "timer", keyOf(armed.token));
    errand.at(clock.simAt(armed.due), tie);
    armed.errand = errand;
  }

  #fire(id: number): void {
    const armed = this.#armed.get(id);
    if (armed === undefined) return;
    armed.errand = null;
    this.#expired(id);
  }

  #expire(id: number): void {
    const armed = this.#armed.get(id);
    if (armed === undefined) return;
    if (armed.period > 0) {
      armed.fires++;
      // What was missed in a pause is not made up for.
      const late = Math.max(0, this.#life.clock.monotonicMicros() - armed.due);
      armed.due += armed.period * (Math.floor(late / armed.period) + 1);
      this.#schedule(armed);
    } else {
      this.#armed.delete(id);
    }
    this.timer.reply(armed.token, new Expired());
  }

  #rearm(): void {
    for (const armed of this.#armed.values()) {
      if (armed.errand === null) continue;
      armed.errand.cancel();
      this.#schedule(armed);
    }
  }
}

/** One number for a token: an asker asks less than 2^32 times, and there are less than 2^21 of them. */
function keyOf(token: ReplyToken): number {
  return token.asker * 0x1_0000_0000 + token.ask;
}

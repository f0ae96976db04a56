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
import { type Agent, Errand } from "./errand.ts";
import { type Life, lifeOf } from "./node.ts";

/** A timeout as plain data, in microseconds of the node's monotonic clock. */
interface ArmedState {
  readonly token: ReplyToken<Expired>;
  readonly due: number;
  readonly period: number;
  readonly fires: number;
}

/** Whoever has armed timeouts. */
interface Arming {
  fire(armed: Armed): void;
}

/** A timeout, which stands in the engine's queue itself: again and again, where it is periodic. */
class Armed extends Errand {
  readonly token: ReplyToken<Expired>;
  readonly period: number;
  due: number;
  fires: number;
  readonly #timer: Arming;

  constructor(timer: Arming, life: Life, { token, due, period, fires }: ArmedState) {
    super(life, "timer", keyOf(token));
    this.#timer = timer;
    this.token = token;
    this.period = period;
    this.due = due;
    this.fires = fires;
  }

  override run(): void {
    if (!this.cancelled) this.#timer.fire(this);
  }
}

/** Events do not change: all timeouts of all nodes are answered by one. */
const expired = new Expired();

/** The Timer of one life of a node. */
export class SimTimer extends Component implements Agent, Arming {
  readonly timer = this.provides(Timer);
  readonly #life = lifeOf(this.host);
  readonly #key = streamKey(this.#life.engine.seed, "timer", this.#life.name).low | 0;
  readonly #armed = new Map<number, Armed>();
  /** The one whose time has come: it need not be looked up. */
  #firing: Armed | null = null;
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
      armed.cancel();
    });
    this.onAcquire(() => {
      this.#life.rearm = () => this.#rearm();
      this.#life.agents.set("timer", this);
      // Those of a checkpoint come from it, with their places in the queue.
      if (this.#life.restoring) return;
      for (const armed of this.#armed.values()) this.#schedule(armed);
    });
    this.onRelease(() => {
      this.#life.rearm = null;
      for (const armed of this.#armed.values()) armed.cancel();
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
    for (const armed of state.armed) this.#keep(armed);
  }

  /** @internal */
  runErrand({ id }: Errand): void {
    this.#expired(id);
  }

  /** @internal Those of a checkpoint stand in the imported state. */
  restoreErrand({ id }: Errand): Errand | undefined {
    return this.#armed.get(id);
  }

  /** @internal The time of a timeout has come. */
  fire(armed: Armed): void {
    this.#firing = armed;
    this.#expired(armed.id);
  }

  #arm(token: ReplyToken<Expired>, delay: number, period: number): void {
    const due = this.#life.clock.monotonicMicros() + Math.ceil(delay * 1000);
    this.#schedule(this.#keep({ token, due, period: Math.ceil(period * 1000), fires: 0 }));
  }

  #keep(state: ArmedState): Armed {
    const armed = new Armed(this, this.#life, state);
    this.#armed.set(armed.id, armed);
    return armed;
  }

  #schedule(armed: Armed): void {
    const { token, fires } = armed;
    // Keyed by the owner's own row, so that one timer more or less leaves the others' order alone.
    const tie = mix(mix(this.#key ^ token.asker, token.ask), fires);
    const { engine, clock, name } = this.#life;
    if (engine.trace.naming)
      engine.trace.name(tie, () => `timer ${token.ask} of component ${token.asker} on ${name}`);
    armed.at(clock.simAt(armed.due), tie);
  }

  #expire(id: number): void {
    const firing = this.#firing;
    this.#firing = null;
    const armed = firing?.id === id ? firing : this.#armed.get(id);
    // Cancelled while it waited for its turn.
    if (armed === undefined || armed.cancelled) return;
    if (armed.period > 0) {
      armed.fires++;
      // What was missed in a pause is not made up for.
      const late = Math.max(0, this.#life.clock.monotonicMicros() - armed.due);
      armed.due += armed.period * (Math.floor(late / armed.period) + 1);
      this.#schedule(armed);
    } else {
      this.#armed.delete(id);
    }
    this.timer.reply(armed.token, expired);
  }

  #rearm(): void {
    for (const [id, armed] of this.#armed) {
      // One that has left the queue waits for its turn, and is armed again there.
      if (!armed.queued) continue;
      armed.cancel();
      const again = new Armed(this, this.#life, armed);
      this.#armed.set(id, again);
      this.#schedule(again);
    }
  }
}

/** One number for a token: an asker asks less than 2^32 times, and there are less than 2^21 of them. */
function keyOf(token: ReplyToken): number {
  return token.asker * 0x1_0000_0000 + token.ask;
}

/**
 * The scheduler of the real world: first come, first served, in slices that end within a millisecond.
 *
 * The host's event loop is yielded to once per slice, never per event, because a yield costs as much
 * as twenty events. Reading the clock costs as much as two, so it is read about every 50 µs: how much
 * is done between two readings follows the time that the last ones took. It grows only by what a
 * reading has shown to be possible: never beyond twice the events that were surely executed, so that
 * a thousand turns of one cheap event do not allow a thousand turns of sixteen.
 * An event that the host hands in joins the end of the queue, and so waits for at most one turn of
 * each ready component.
 */

import type { Clock } from "./clock.ts";
import { hostClock, hostYield, type Yield } from "./host.ts";
import { ReadyQueue, type Runnable, type Scheduler } from "./scheduler.ts";

const sliceMicros = 1000;
const checkMicros = 50;
const turnEventsMax = 16;
const roundEventsMax = 128;

/** One queue, one loop, in slices. */
export class RealScheduler implements Scheduler {
  readonly clock: Clock;
  readonly #yield: Yield;
  readonly #queue = new ReadyQueue();
  #running = false;
  /** Events a turn may run, and turns until the clock is read again; both follow the measured cost. */
  #events = 1;
  #turns = 1;
  readonly #slice = (): void => this.#runSlice();

  /** The host's own clock and way to yield, unless others are given. */
  constructor(clock: Clock = hostClock, yieldTo: Yield = hostYield) {
    this.clock = clock;
    this.#yield = yieldTo;
  }

  ready(runnable: Runnable): void {
    this.#queue.add(runnable);
    if (this.#running) return;
    this.#running = true;
    this.#yield(this.#slice);
  }

  #runSlice(): void {
    const queue = this.#queue;
    const begin = this.clock.monotonicMicros();
    let last = begin;
    let roundMicros = 0;
    try {
      do {
        const events = this.#events;
        let turns = this.#turns;
        let full = 0;
        for (; turns > 0 && queue.size > 0; turns--) {
          const runnable = queue.take();
          if (runnable.run(events)) {
            full++;
            queue.add(runnable);
          }
        }
        const now = this.clock.monotonicMicros();
        roundMicros = now - last;
        last = now;
        this.#adapt(roundMicros, full, turns === 0);
        // One more round may take twice as long as the last one: stop before it would cross the end.
      } while (
        queue.size > 0 &&
        last - begin + 2 * Math.max(roundMicros, checkMicros) < sliceMicros
      );
    } finally {
      // Also after a throw, which only a mistake of the kernel can let out: the others go on.
      if (queue.size > 0) this.#yield(this.#slice);
      else this.#running = false;
    }
  }

  /**
   * Halves what is done between two readings when they lie too far apart, and doubles it again.
   *
   * @param full how many turns of the round had more to do than they were allowed
   * @param whole whether the round took as many turns as it was allowed
   */
  #adapt(micros: number, full: number, whole: boolean): void {
    if (micros > checkMicros * 2) {
      // Far too long: begin again from one event, so that one slow component costs one overrun.
      if (micros > checkMicros * 8) this.#turns = this.#events = 1;
      else if (this.#turns > 1) this.#turns >>= 1;
      else if (this.#events > 1) this.#events >>= 1;
    } else if (micros < checkMicros && whole) {
      const provenMax = Math.min(roundEventsMax, 2 * (full * this.#events + this.#turns - full));
      if (full === this.#turns && this.#events < turnEventsMax) this.#events <<= 1;
      else if (this.#turns < roundEventsMax) this.#turns <<= 1;
      while (this.#turns * this.#events > provenMax) {
        if (this.#events > 1) this.#events >>= 1;
        else this.#turns >>= 1;
      }
    }
  }
}

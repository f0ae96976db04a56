/**
 * A scheduler that does nothing by itself: a test, or an engine around it, runs one turn after
 * another and moves the time.
 */

import type { Clock } from "./clock.ts";
import { coreError } from "./errors.ts";
import { ReadyQueue, type Runnable, type Scheduler } from "./scheduler.ts";
import type { Millis } from "./types.ts";

/** A clock that stands still until it is told to move. */
export class ManualClock implements Clock {
  #micros = 0;
  readonly #epochMicros: number;

  /** @param epoch what the wall clock shows at the beginning, in milliseconds since 1970 */
  constructor(epoch: Millis = 0) {
    this.#epochMicros = epoch * 1000;
  }

  monotonicMicros(): number {
    return this.#micros;
  }

  wallMicros(): number {
    return this.#epochMicros + this.#micros;
  }

  /** Moves the time forward. */
  advance(duration: Millis): void {
    if (!(duration >= 0))
      throw coreError(
        "KITH_BAD_ARGUMENT",
        `The time was moved by ${duration} ms; it goes forward only.`,
      );
    this.#micros += Math.round(duration * 1000);
  }
}

/** First come, first served, one event per turn, when asked to. */
export class ManualScheduler implements Scheduler {
  readonly clock: ManualClock;
  readonly #queue = new ReadyQueue();

  constructor(clock: ManualClock = new ManualClock()) {
    this.clock = clock;
  }

  /** How many runnables wait. */
  get waiting(): number {
    return this.#queue.size;
  }

  ready(runnable: Runnable): void {
    this.#queue.add(runnable);
  }

  /** Runs one event of whoever is first; false when nothing waits. */
  step(): boolean {
    if (this.#queue.size === 0) return false;
    const runnable = this.#queue.take();
    if (runnable.run(1)) this.#queue.add(runnable);
    return true;
  }

  /**
   * Runs until nothing waits.
   *
   * @param limit gives up after so many events: a component that triggers itself never ends
   * @returns how many turns it took
   * @throws KithError `KITH_NOT_SETTLED`
   */
  settle(limit = 1_000_000): number {
    let turns = 0;
    while (this.step()) {
      if (++turns >= limit)
        throw coreError("KITH_NOT_SETTLED", `${limit} turns were run, and there is still work.`);
    }
    return turns;
  }
}

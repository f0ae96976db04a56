/**
 * The scheduler: the one seam between the real, the simulated and the test world. The kernel says
 * who is ready; the scheduler says who runs next, and when the host gets its turn.
 */

import type { Clock } from "./clock.ts";

/** Something with work to do: a component, or a procedure of the kernel such as a swap. */
export interface Runnable {
  /** Identifies it in traces and to schedulers that choose, such as a component's path. */
  readonly path: string;
  /** For the scheduler alone: whatever it keeps of this runnable. The kernel carries it over a swap. */
  slot: unknown;
  /**
   * Takes one turn of at most `limit` events.
   *
   * @returns whether more is waiting: the scheduler runs it again after the others
   */
  run(limit: number): boolean;
}

/** Runs what is ready. */
export interface Scheduler {
  /** The clock of this world. */
  readonly clock: Clock;
  /** Takes a runnable that had nothing to do and now has; it is not in the queue yet. */
  ready(runnable: Runnable): void;
}

/** A queue of runnables: a ring that grows by doubling. */
export class ReadyQueue {
  size = 0;
  #ring: (Runnable | undefined)[] = new Array<Runnable | undefined>(64).fill(undefined);
  #head = 0;

  /** Adds at the end. */
  add(runnable: Runnable): void {
    if (this.size === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.size) & (this.#ring.length - 1)] = runnable;
    this.size++;
  }

  /** Removes the first one; the caller knows that there is one. */
  take(): Runnable {
    const head = this.#head;
    const runnable = this.#ring[head] as Runnable;
    this.#ring[head] = undefined;
    this.#head = (head + 1) & (this.#ring.length - 1);
    this.size--;
    return runnable;
  }

  #grow(): void {
    const old = this.#ring;
    const ring = new Array<Runnable | undefined>(old.length * 2).fill(undefined);
    for (let i = 0; i < this.size; i++) ring[i] = old[(this.#head + i) & (old.length - 1)];
    this.#ring = ring;
    this.#head = 0;
  }
}

/**
 * The clocks of a node: a monotonic one that may drift, and a wall clock that may be off and jump.
 *
 * All arithmetic is on whole microseconds and whole parts per million, so that every engine computes
 * the same. Invariant: `micros(simAt(x)) >= x` for every x in the future, so no timer is early.
 */

import type { Clock } from "@kith/core";

/** How a node's clocks differ from the simulation's time. */
export interface ClockSkew {
  /** How far the wall clock is off, in milliseconds. */
  readonly offset?: number;
  /** How much faster the clocks run, in parts per million; a real one stays within ±500. */
  readonly driftPpm?: number;
}

/** Where the simulated time is read, in whole microseconds. */
export interface SimTime {
  readonly micros: number;
}

/** One node's clocks. They begin anew with each life of the node, as those of a machine do at its boot. */
export class NodeClock implements Clock {
  readonly #time: SimTime;
  /** What a right wall clock shows when the monotonic one shows 0. */
  readonly #wallAtZero: number;
  /** Where the current drift took effect: simulated and local time. */
  #fromSim: number;
  #fromLocal = 0;
  #ppm: number;
  #offsetMicros: number;
  /** What the wall clock shows while it stands still; -1 while it goes. */
  #stillMicros = -1;

  constructor(time: SimTime, epochMicros: number, skew: ClockSkew) {
    this.#time = time;
    this.#fromSim = time.micros;
    this.#wallAtZero = epochMicros + this.#fromSim;
    this.#ppm = skew.driftPpm ?? 0;
    this.#offsetMicros = Math.round((skew.offset ?? 0) * 1000);
  }

  monotonicMicros(): number {
    const passed = this.#time.micros - this.#fromSim;
    if (this.#ppm === 0) return this.#fromLocal + passed;
    return this.#fromLocal + passed + Math.floor((passed * this.#ppm) / 1_000_000);
  }

  wallMicros(): number {
    if (this.#stillMicros >= 0) return this.#stillMicros;
    return this.#wallAtZero + this.monotonicMicros() + this.#offsetMicros;
  }

  /** Lets the wall clock stand still, or go on as if it never had. */
  stand(still: boolean): void {
    this.#stillMicros = -1;
    if (still) this.#stillMicros = Math.max(0, this.wallMicros());
  }

  /** The simulated time at which the monotonic clock will show `local`. */
  simAt(local: number): number {
    const ahead = Math.max(0, local - this.#fromLocal);
    if (this.#ppm === 0) return this.#fromSim + ahead;
    let sim = Math.floor((ahead * 1_000_000) / (1_000_000 + this.#ppm));
    while (sim + Math.floor((sim * this.#ppm) / 1_000_000) < ahead) sim++;
    return this.#fromSim + sim;
  }

  /** Lets the clocks run faster or slower from now on. */
  drift(ppm: number): void {
    const local = this.monotonicMicros();
    this.#fromSim = this.#time.micros;
    this.#fromLocal = local;
    this.#ppm = ppm;
  }

  /** Its state, for checkpoints. */
  save(): readonly number[] {
    return [this.#fromSim, this.#fromLocal, this.#ppm, this.#offsetMicros, this.#stillMicros];
  }

  /** Goes on from a saved state. */
  load([fromSim = 0, fromLocal = 0, ppm = 0, offset = 0, still = -1]: readonly number[]): void {
    this.#fromSim = fromSim;
    this.#fromLocal = fromLocal;
    this.#ppm = ppm;
    this.#offsetMicros = offset;
    this.#stillMicros = still;
  }

  /** Sets the wall clock forward or back. */
  jump(millis: number): void {
    this.#offsetMicros += Math.round(millis * 1000);
  }
}

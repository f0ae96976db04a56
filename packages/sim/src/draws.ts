/**
 * Draws keyed by the seed, a name, what is drawn, and a number of that: nothing else decides over them,
 * so that one draw more or less leaves all others as they were. The counts are all that a checkpoint
 * has to keep.
 */

import { mix, streamKey } from "@kith/core";

/** The draws of one thing, such as the disk of a node. */
export class Draws {
  readonly #seed: number | string;
  readonly #name: readonly string[];
  // Most nodes never draw: ten thousand of them should not hold twenty thousand tables.
  #keys: Map<string, number> | null = null;
  #counts: Map<string, number> | null = null;

  constructor(seed: number | string, ...name: readonly string[]) {
    this.#seed = seed;
    this.#name = name;
  }

  /** How often this was asked for that before; counts up. */
  count(what: string): number {
    const counts = (this.#counts ??= new Map());
    const count = counts.get(what) ?? 0;
    counts.set(what, count + 1);
    return count;
  }

  /** 32 bits for that number of it; the same ones each time. */
  draw(what: string, number: number): number {
    const keys = (this.#keys ??= new Map());
    let key = keys.get(what);
    if (key === undefined) {
      key = streamKey(this.#seed, ...this.#name, what).low;
      keys.set(what, key);
    }
    return mix(key, number);
  }

  /** The counts, for checkpoints. */
  save(): ReadonlyMap<string, number> {
    return new Map(this.#counts ?? []);
  }

  /** Goes on from saved counts. */
  load(counts: ReadonlyMap<string, number>): void {
    this.#counts = new Map(counts);
  }
}

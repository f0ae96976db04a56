/**
 * Keyed randomness. A draw is hash(seed, path, purpose, count): it depends on nothing else, so that
 * adding or removing one draw anywhere leaves all others as they were, and a seed reproduces a run.
 *
 * The hash folds the strings into 64 bits once per stream (two lanes of FNV-1a with distinct offsets)
 * and mixes the count in with the finalizer of MurmurHash3; only integer arithmetic is used, which
 * every engine computes alike. It is no source of secrets.
 */

import { coreError } from "./errors.ts";

/** Draws of one purpose of one component. */
export interface Draw {
  /** A float, uniform in [0, 1), with 53 bits. */
  float(): number;
  /** An integer, uniform in [0, bound). `bound` is an integer from 1 to 2^53 - 1. */
  below(bound: number): number;
  /** An integer, uniform in [low, high], both ends included. */
  between(low: number, high: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** An element of a list that is not empty. */
  pick<T>(list: readonly T[]): T;
  /** A shuffled copy (Fisher and Yates). */
  shuffle<T>(list: readonly T[]): T[];
}

/** The two 32-bit lanes of a hashed string. */
export interface StreamKey {
  readonly high: number;
  readonly low: number;
}

/** Folds the parts of a stream's name into 64 bits. Parts are delimited, so ("ab","c") ≠ ("a","bc"). */
export function streamKey(...parts: readonly (string | number)[]): StreamKey {
  let low = 0x811c9dc5;
  let high = 0x050c5d1f;
  for (const part of parts) {
    const text = String(part);
    for (let i = 0; i <= text.length; i++) {
      const unit = i < text.length ? text.charCodeAt(i) : 0x1ffff;
      low = Math.imul(low ^ unit, 0x01000193);
      high = Math.imul(high ^ (unit + i), 0x85ebca6b);
      high ^= high >>> 13;
    }
  }
  return { high: finish(high), low: finish(low ^ high) };
}

/** The 32-bit mix of a stream and a count: the kernel of every draw. */
export function mix(key: number, count: number): number {
  return finish(
    key ^
      Math.imul(
        finish(Math.imul(count | 0, 0x9e3779b1) ^ Math.floor(count / 0x1_0000_0000)),
        0x85ebca6b,
      ),
  );
}

function finish(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** How often was drawn, by purpose: plain data that a swap and a checkpoint carry. */
export type DrawCounts = ReadonlyMap<string, number>;

/** The draws of one purpose: a key, and how many were made. */
export class DrawStream implements Draw {
  /** @internal What a component draws it for. */
  readonly purpose: string;
  /** @internal Those of another purpose of the same component: it has one or two, too few for a table. */
  readonly next: DrawStream | null;
  /** How many draws were made. */
  count = 0;
  // Signed, so that they are no objects of their own.
  readonly #high: number;
  readonly #low: number;

  constructor({ high, low }: StreamKey, purpose = "", next: DrawStream | null = null) {
    this.purpose = purpose;
    this.next = next;
    this.#high = high | 0;
    this.#low = low | 0;
  }

  float(): number {
    const count = this.count++;
    return (
      ((mix(this.#high, count) >>> 5) * 0x400_0000 + (mix(this.#low, count) >>> 6)) /
      0x20_0000_0000_0000
    );
  }

  below(bound: number): number {
    if (!(Number.isSafeInteger(bound) && bound >= 1)) {
      throw coreError(
        "KITH_BAD_ARGUMENT",
        `A draw below ${bound} was asked for; the bound is an integer from 1 to 2^53 - 1.`,
      );
    }
    return Math.floor(this.float() * bound);
  }

  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  shuffle<T>(list: readonly T[]): T[] {
    const copy = [...list];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const x = copy[i] as T;
      copy[i] = copy[j] as T;
      copy[j] = x;
    }
    return copy;
  }
}

/**
 * The identifier space: a ring of `size` points, run through clockwise. Ids are safe integers.
 *
 * Intervals follow algorithms.md §0: `(a, a]` is the whole ring, and `(a, a)` is everything but a. The
 * case a = b is the most common mistake in ring protocols there is, so nobody writes his own comparison.
 */

import { setting } from "@kith/core";

/** How many points the ring has: a multiple of 2^48 by the degree of replication; default four times that. */
export const ringSize = setting.integer("ring.size", 4 * 2 ** 48, {
  min: 2,
  max: Number.MAX_SAFE_INTEGER,
});

/** How far it is clockwise from a to b: 0 where they are one, else 1 to size - 1. */
export function distance(a: number, b: number, size: number): number {
  return b >= a ? b - a : size - (a - b);
}

/** Whether x lies in (a, b], clockwise; (a, a] is the whole ring. */
export function inHalfOpen(x: number, a: number, b: number, size: number): boolean {
  return a === b || (x !== a && distance(a, x, size) <= distance(a, b, size));
}

/** Whether x lies in (a, b), clockwise; (a, a) is everything but a. */
export function inOpen(x: number, a: number, b: number, size: number): boolean {
  return x !== a && x !== b && (a === b || distance(a, x, size) < distance(a, b, size));
}

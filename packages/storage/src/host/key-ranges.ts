/**
 * A set of ranges of keys, for what was deleted as a range. The ranges are disjoint and in order. Pure.
 */

import { compareKeys } from "../keys.ts";
import type { KeyRange } from "../operation.ts";

/** The set. */
export class KeyRanges {
  #ranges: KeyRange[] = [];

  /** The ranges, in order. */
  get all(): readonly KeyRange[] {
    return this.#ranges;
  }

  /** Adds a range; those that it meets become one with it. */
  add(range: KeyRange): void {
    if (isEmpty(range)) return;
    const { from, to } = range;
    const before = this.#ranges.filter((one) => below(one.to, from));
    const behind = this.#ranges.filter((one) => below(to, one.from));
    const met = this.#ranges.slice(before.length, this.#ranges.length - behind.length);
    const first = met[0];
    const last = met.at(-1);
    const low = first !== undefined && !lower(from, first.from) ? first.from : from;
    const high = last !== undefined && !higher(to, last.to) ? last.to : to;
    this.#ranges = [...before, rangeOf(low, high), ...behind];
  }

  /** Whether a key lies in one of them. */
  has(key: Uint8Array): boolean {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { to } = this.#ranges[middle] ?? {};
      if (to !== undefined && compareKeys(to, key) <= 0) low = middle + 1;
      else high = middle;
    }
    const found = this.#ranges[low];
    return found !== undefined && (found.from === undefined || compareKeys(found.from, key) <= 0);
  }

  /** The parts of a range that lie in none of them, in order. */
  gaps(range: KeyRange): KeyRange[] {
    const gaps: KeyRange[] = [];
    let from: Uint8Array | undefined = range.from;
    for (const one of this.#ranges) {
      if (below(one.to, from)) continue;
      if (below(range.to, one.from)) break;
      if (one.from !== undefined) gaps.push(rangeOf(from, one.from));
      if (one.to === undefined) return gaps.filter((gap) => !isEmpty(gap));
      from = one.to;
    }
    gaps.push(rangeOf(from, range.to));
    return gaps.filter((gap) => !isEmpty(gap));
  }

  /** A copy; changes of one do not reach the other. */
  snapshot(): KeyRanges {
    const copy = new KeyRanges();
    copy.#ranges = this.#ranges;
    return copy;
  }
}

/** Whether no key can lie in a range. */
export function isEmpty({ from, to }: KeyRange): boolean {
  if (to === undefined) return false;
  return from === undefined ? to.length === 0 : compareKeys(from, to) >= 0;
}

function rangeOf(from: Uint8Array | undefined, to: Uint8Array | undefined): KeyRange {
  return { ...(from && { from }), ...(to && { to }) };
}

/** Whether a range that ends at `to` ends before one that begins at `from`. */
function below(to: Uint8Array | undefined, from: Uint8Array | undefined): boolean {
  return to !== undefined && from !== undefined && compareKeys(to, from) < 0;
}

/** Whether a lower bound is lower than another; no bound is the lowest. */
function lower(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (b === undefined) return false;
  return a === undefined || compareKeys(a, b) < 0;
}

/** Whether an upper bound is higher than another; no bound is the highest. */
function higher(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (b === undefined) return false;
  return a === undefined || compareKeys(a, b) > 0;
}

/**
 * A set of ranges of keys, for what was deleted as a range. The ranges are disjoint and in order. Pure.
 */

import { compareKeys } from "../keys.ts";
import type { KeyRange } from "../operation.ts";

/** The set. */
export class KeyRanges {
  #ranges: KeyRange[] = [];
  /** Whether a snapshot has the same array. */
  #shared = false;

  /** The ranges, in order. */
  get all(): readonly KeyRange[] {
    return this.#ranges;
  }

  /** Adds a range; those that it meets become one with it. */
  add(range: KeyRange): void {
    if (isEmpty(range)) return;
    const { from, to } = range;
    const begin = this.#firstWhere((one) => !below(one.to, from));
    const end = this.#firstWhere((one) => below(to, one.from));
    const first = begin < end ? this.#ranges[begin] : undefined;
    const last = begin < end ? this.#ranges[end - 1] : undefined;
    const low = first !== undefined && !lower(from, first.from) ? first.from : from;
    const high = last !== undefined && !higher(to, last.to) ? last.to : to;
    if (this.#shared) this.#ranges = this.#ranges.slice();
    this.#shared = false;
    this.#ranges.splice(begin, end - begin, rangeOf(low, high));
  }

  /** Whether a key lies in one of them. */
  has(key: Uint8Array): boolean {
    const found =
      this.#ranges[this.#firstWhere(({ to }) => to === undefined || compareKeys(to, key) > 0)];
    return found !== undefined && (found.from === undefined || compareKeys(found.from, key) <= 0);
  }

  /** The parts of a range that lie in none of them, in order. */
  gaps(range: KeyRange): KeyRange[] {
    const gaps: KeyRange[] = [];
    let from: Uint8Array | undefined = range.from;
    for (let i = this.#firstWhere(({ to }) => !below(to, from)); i < this.#ranges.length; i++) {
      const one = this.#ranges[i] ?? {};
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
    copy.#shared = this.#shared = true;
    return copy;
  }

  /** The first place from which on a condition holds; it holds for none before that. */
  #firstWhere(holds: (range: KeyRange) => boolean): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.#ranges[middle] ?? {})) high = middle;
      else low = middle + 1;
    }
    return low;
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

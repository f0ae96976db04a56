/**
 * A map from byte strings to byte strings, in bytewise order, of which a snapshot costs nothing.
 *
 * Entries lie in leaves of bounded size, and the leaves in one array, so that an insertion moves few
 * entries and a search is two binary searches. A snapshot shares leaves and array; whoever writes
 * first copies the leaf it writes to, and the array once. Invariants: keys ascend within a leaf and
 * from leaf to leaf, no leaf is empty but the only one, and a leaf of another epoch than the map's is
 * shared, and never written to. Byte arrays are kept as they come: callers copy.
 */

import { compareKeys } from "./keys.ts";
import type { KeyRange } from "./operation.ts";

const leafMax = 64;

interface Leaf {
  epoch: number;
  readonly keys: Uint8Array[];
  readonly values: Uint8Array[];
}

/** Epochs differ between all maps, so that a leaf knows whose it is. */
let lastEpoch = 0;

/** The map. */
export class SortedMap {
  #epoch = ++lastEpoch;
  #leaves: Leaf[] = [{ epoch: this.#epoch, keys: [], values: [] }];
  #leavesShared = false;
  #size = 0;
  #bytes = 0;

  /** How many keys there are. */
  get size(): number {
    return this.#size;
  }

  /** How many bytes keys and values have. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The value of a key. */
  get(key: Uint8Array): Uint8Array | undefined {
    const leaf = this.#leaves[this.#leafOf(key)];
    if (leaf === undefined) return undefined;
    const at = lowerBound(leaf.keys, key);
    const found = leaf.keys[at];
    return found !== undefined && compareKeys(found, key) === 0 ? leaf.values[at] : undefined;
  }

  /** Sets the value of a key. */
  set(key: Uint8Array, value: Uint8Array): void {
    const index = this.#leafOf(key);
    const leaf = this.#writable(index);
    const at = lowerBound(leaf.keys, key);
    const found = leaf.keys[at];
    if (found !== undefined && compareKeys(found, key) === 0) {
      this.#bytes += value.length - (leaf.values[at]?.length ?? 0);
      leaf.values[at] = value;
      return;
    }
    leaf.keys.splice(at, 0, key);
    leaf.values.splice(at, 0, value);
    this.#size++;
    this.#bytes += key.length + value.length;
    if (leaf.keys.length > leafMax) this.#split(index, leaf, at === leaf.keys.length - 1);
  }

  /** Removes a key. */
  delete(key: Uint8Array): void {
    const index = this.#leafOf(key);
    const at = lowerBound(this.#leaves[index]?.keys ?? [], key);
    const found = this.#leaves[index]?.keys[at];
    if (found !== undefined && compareKeys(found, key) === 0) this.#remove(index, at, at + 1);
  }

  /** Removes a range of keys. */
  deleteRange(range: KeyRange): void {
    let index = range.from === undefined ? 0 : this.#leafOf(range.from);
    while (index < this.#leaves.length) {
      const leaf = this.#leaves[index];
      if (leaf === undefined) return;
      const start = range.from === undefined ? 0 : lowerBound(leaf.keys, range.from);
      const end = range.to === undefined ? leaf.keys.length : lowerBound(leaf.keys, range.to);
      const whole = end === leaf.keys.length;
      const leaves = this.#leaves.length;
      if (start < end) this.#remove(index, start, end);
      if (!whole) return;
      // A leaf that has been emptied is gone, and the next one has its place.
      if (this.#leaves.length === leaves) index++;
    }
  }

  /**
   * Visits a range of keys in order.
   *
   * @param visit returns false to stop
   */
  scan(
    range: KeyRange,
    reverse: boolean,
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
  ): void {
    if (reverse) this.#scanDown(range, visit);
    else this.#scanUp(range, visit);
  }

  /** The map as it is now; changes of one do not reach the other. */
  snapshot(): SortedMap {
    const copy = new SortedMap();
    copy.#leaves = this.#leaves;
    copy.#leavesShared = this.#leavesShared = true;
    copy.#size = this.#size;
    copy.#bytes = this.#bytes;
    // Neither owns the leaves any more.
    this.#epoch = ++lastEpoch;
    return copy;
  }

  #scanUp({ from, to }: KeyRange, visit: (key: Uint8Array, value: Uint8Array) => boolean): void {
    const leaves = this.#leaves;
    let at: number | null = null;
    for (let index = from === undefined ? 0 : this.#leafOf(from); index < leaves.length; index++) {
      const { keys, values } = leaves[index] ?? noLeaf;
      at = at === null && from !== undefined ? lowerBound(keys, from) : 0;
      for (; at < keys.length; at++) {
        const key = keys[at];
        const value = values[at];
        if (key === undefined || value === undefined) return;
        if (to !== undefined && compareKeys(key, to) >= 0) return;
        if (!visit(key, value)) return;
      }
    }
  }

  #scanDown({ from, to }: KeyRange, visit: (key: Uint8Array, value: Uint8Array) => boolean): void {
    const leaves = this.#leaves;
    let at: number | null = null;
    for (let index = to === undefined ? leaves.length - 1 : this.#leafOf(to); index >= 0; index--) {
      const { keys, values } = leaves[index] ?? noLeaf;
      at = (at === null && to !== undefined ? lowerBound(keys, to) : keys.length) - 1;
      for (; at >= 0; at--) {
        const key = keys[at];
        const value = values[at];
        if (key === undefined || value === undefined) return;
        if (from !== undefined && compareKeys(key, from) < 0) return;
        if (!visit(key, value)) return;
      }
    }
  }

  /** The leaf in which a key is, or would be: the last one that begins at or below it. */
  #leafOf(key: Uint8Array): number {
    const leaves = this.#leaves;
    let low = 0;
    let high = leaves.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const first = leaves[middle]?.keys[0];
      if (first !== undefined && compareKeys(first, key) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #ownLeaves(): Leaf[] {
    if (this.#leavesShared) {
      this.#leaves = this.#leaves.slice();
      this.#leavesShared = false;
    }
    return this.#leaves;
  }

  #writable(index: number): Leaf {
    const leaf = this.#leaves[index] ?? noLeaf;
    if (leaf.epoch === this.#epoch) return leaf;
    const copy = { epoch: this.#epoch, keys: leaf.keys.slice(), values: leaf.values.slice() };
    this.#ownLeaves()[index] = copy;
    return copy;
  }

  /** Halves a leaf; what grows at the end leaves a full one behind. */
  #split(index: number, leaf: Leaf, atEnd: boolean): void {
    const middle = atEnd ? leaf.keys.length - 1 : leaf.keys.length >>> 1;
    const upper = {
      epoch: this.#epoch,
      keys: leaf.keys.splice(middle),
      values: leaf.values.splice(middle),
    };
    this.#ownLeaves().splice(index + 1, 0, upper);
  }

  #remove(index: number, start: number, end: number): void {
    const leaf = this.#writable(index);
    const keys = leaf.keys.splice(start, end - start);
    const values = leaf.values.splice(start, end - start);
    this.#size -= keys.length;
    for (const [i, key] of keys.entries()) this.#bytes -= key.length + (values[i]?.length ?? 0);
    if (leaf.keys.length === 0 && this.#leaves.length > 1) this.#ownLeaves().splice(index, 1);
  }
}

const noLeaf: Leaf = { epoch: 0, keys: [], values: [] };

/** The index of the first key that is not below the given one. */
function lowerBound(keys: readonly Uint8Array[], key: Uint8Array): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const candidate = keys[middle];
    if (candidate !== undefined && compareKeys(candidate, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * A binary heap of what is to happen, ordered by time, then by a tie-break that is keyed by the origin
 * of the entry, then by the order of insertion. The tie-break makes simultaneous events come in an
 * order that depends on the seed alone, and differs from seed to seed.
 */

/** One thing that is to happen. */
export interface Scheduled {
  /** Virtual time in whole microseconds. */
  readonly micros: number;
  /** Breaks ties among entries of one instant: 32 random bits. */
  readonly tie: number;
  /** Breaks ties among equal ties. */
  order: number;
  /** Set where it is not to happen any more; it stays until its time comes or the heap is swept. */
  cancelled: boolean;
  /** Does it. */
  fire(): void;
}

/** The heap. */
export class Heap<E extends Scheduled> {
  readonly #entries: E[] = [];
  #order = 0;
  #cancelled = 0;

  /** How many entries it has, with those that are cancelled. */
  get size(): number {
    return this.#entries.length;
  }

  /** The first entry that is not cancelled. */
  get first(): E | undefined {
    for (let first = this.#entries[0]; first !== undefined; first = this.#entries[0]) {
      if (!first.cancelled) return first;
      this.#cancelled--;
      this.take();
    }
    return undefined;
  }

  /** Adds an entry. */
  add(entry: E): void {
    entry.order = ++this.#order;
    const entries = this.#entries;
    let at = entries.length;
    entries.push(entry);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = entries[above];
      if (parent === undefined || !before(entry, parent)) break;
      entries[at] = parent;
      at = above;
    }
    entries[at] = entry;
  }

  /** Removes and returns the first entry, cancelled or not. */
  take(): E | undefined {
    const entries = this.#entries;
    const first = entries[0];
    const last = entries.pop();
    if (last === undefined || entries.length === 0) return first;
    const size = entries.length;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      let child = entries[below];
      if (child === undefined) break;
      const right = below + 1 < size ? entries[below + 1] : undefined;
      if (right !== undefined && before(right, child)) {
        child = right;
        below++;
      }
      if (!before(child, last)) break;
      entries[at] = child;
      at = below;
    }
    entries[at] = last;
    return first;
  }

  /** Cancels an entry; many cancelled ones are swept out, so that re-armed timers do not pile up. */
  cancel(entry: E): void {
    if (entry.cancelled) return;
    entry.cancelled = true;
    if (++this.#cancelled < 64 || this.#cancelled * 2 < this.#entries.length) return;
    const kept = this.#entries.filter((one) => !one.cancelled).toSorted((a, b) => (before(a, b) ? -1 : 1));
    this.#entries.length = 0;
    // A sorted array is a heap.
    for (const one of kept) this.#entries.push(one);
    this.#cancelled = 0;
  }

  /** The entries that are not cancelled, in no order. */
  entries(): E[] {
    return this.#entries.filter((entry) => !entry.cancelled);
  }
}

function before(a: Scheduled, b: Scheduled): boolean {
  if (a.micros !== b.micros) return a.micros < b.micros;
  return a.tie !== b.tie ? a.tie < b.tie : a.order < b.order;
}

/**
 * A binary heap of what is to happen, ordered by time, then by a tie-break that is keyed by the origin
 * of the entry, then by the order of insertion. The tie-break makes simultaneous events come in an
 * order that depends on the seed alone, and differs from seed to seed.
 *
 * What is compared stands in arrays of numbers, apart from the entries, and nowhere else: with ten
 * thousand entries, each look at an entry itself would be a look into memory far away, and a number
 * beyond 2^31 in a field of an object is an object of its own.
 */

/** One thing that is to happen. */
export interface Scheduled {
  /** Whether it stands in a heap. */
  queued: boolean;
  /** Set where it is not to happen any more; it stays until its time comes or the heap is swept. */
  cancelled: boolean;
}

/** An entry with its place in the order. */
export interface Placed<E> {
  /** Virtual time in whole microseconds. */
  readonly micros: number;
  /** Breaks ties among entries of one instant: 32 random bits. */
  readonly tie: number;
  readonly entry: E;
}

/** The heap. */
export class Heap<E extends Scheduled> {
  #size = 0;
  #micros = new Float64Array(64);
  #ties = new Float64Array(64);
  #orders = new Float64Array(64);
  readonly #entries: (E | undefined)[] = [];
  #order = 0;
  #cancelled = 0;

  /** How many entries it has, with those that are cancelled. */
  get size(): number {
    return this.#size;
  }

  /** The time of the first entry that is not cancelled; Infinity where there is none. */
  get firstMicros(): number {
    if (this.#cancelled > 0) this.#skip();
    return this.#size === 0 ? Infinity : (this.#micros[0] ?? 0);
  }

  /** The tie-break of the first entry, after `firstMicros` has found that there is one. */
  get firstTie(): number {
    return this.#ties[0] ?? 0;
  }

  /** Adds an entry. */
  add(micros: number, tie: number, entry: E): void {
    if (this.#size === this.#micros.length) this.#grow();
    entry.queued = true;
    this.#rise(this.#size++, micros, tie, ++this.#order, entry);
  }

  /** Removes and returns the first entry, cancelled or not. */
  take(): E | undefined {
    if (this.#size === 0) return undefined;
    const first = this.#entries[0];
    const last = --this.#size;
    const entry = this.#entries[last];
    this.#entries[last] = undefined;
    if (last > 0)
      this.#sink(this.#micros[last] ?? 0, this.#ties[last] ?? 0, this.#orders[last] ?? 0, entry);
    if (first !== undefined) first.queued = false;
    return first;
  }

  /** Cancels an entry; many cancelled ones are swept out, so that re-armed timers do not pile up. */
  cancel(entry: E): void {
    if (entry.cancelled) return;
    entry.cancelled = true;
    // One that has left the heap is not to be counted there.
    if (!entry.queued || ++this.#cancelled < 64 || this.#cancelled * 2 < this.#size) return;
    const size = this.#size;
    this.#size = 0;
    this.#cancelled = 0;
    for (let at = 0; at < size; at++) {
      const kept = this.#entries[at];
      const [micros = 0, tie = 0] = [this.#micros[at], this.#ties[at]];
      this.#entries[at] = undefined;
      // What is kept moves towards the front only, so nothing is overwritten before it was read.
      if (kept?.cancelled === false)
        this.#rise(this.#size++, micros, tie, this.#orders[at] ?? 0, kept);
      else if (kept !== undefined) kept.queued = false;
    }
  }

  /** The entries that are not cancelled, in the order in which they were added. */
  entries(): Placed<E>[] {
    const kept: (Placed<E> & { readonly order: number })[] = [];
    for (let at = 0; at < this.#size; at++) {
      const entry = this.#entries[at];
      const [micros = 0, tie = 0, order = 0] = [this.#micros[at], this.#ties[at], this.#orders[at]];
      if (entry?.cancelled === false) kept.push({ micros, tie, entry, order });
    }
    return kept.toSorted((a, b) => a.order - b.order);
  }

  #skip(): void {
    while (this.#size > 0 && this.#entries[0]?.cancelled === true) {
      this.#cancelled--;
      this.take();
    }
  }

  #rise(from: number, micros: number, tie: number, order: number, entry: E): void {
    const all = this.#micros;
    const ties = this.#ties;
    const orders = this.#orders;
    const entries = this.#entries;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = all[above] ?? 0;
      if (other < micros) break;
      if (other === micros) {
        const otherTie = ties[above] ?? 0;
        if (otherTie < tie || (otherTie === tie && (orders[above] ?? 0) < order)) break;
      }
      all[at] = other;
      ties[at] = ties[above] ?? 0;
      orders[at] = orders[above] ?? 0;
      entries[at] = entries[above];
      at = above;
    }
    all[at] = micros;
    ties[at] = tie;
    orders[at] = order;
    entries[at] = entry;
  }

  #sink(micros: number, tie: number, order: number, entry: E | undefined): void {
    const size = this.#size;
    const all = this.#micros;
    const ties = this.#ties;
    const orders = this.#orders;
    const entries = this.#entries;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      let first = all[child] ?? 0;
      if (child + 1 < size) {
        const second = all[child + 1] ?? 0;
        if (second < first || (second === first && this.#before(child + 1, child))) {
          child++;
          first = second;
        }
      }
      if (first > micros) break;
      if (first === micros) {
        const childTie = ties[child] ?? 0;
        if (childTie > tie || (childTie === tie && (orders[child] ?? 0) > order)) break;
      }
      all[at] = first;
      ties[at] = ties[child] ?? 0;
      orders[at] = orders[child] ?? 0;
      entries[at] = entries[child];
      at = child;
    }
    all[at] = micros;
    ties[at] = tie;
    orders[at] = order;
    entries[at] = entry;
  }

  /** Which of two entries of one instant comes first. */
  #before(one: number, other: number): boolean {
    const [tie = 0, otherTie = 0] = [this.#ties[one], this.#ties[other]];
    if (tie !== otherTie) return tie < otherTie;
    return (this.#orders[one] ?? 0) < (this.#orders[other] ?? 0);
  }

  #grow(): void {
    const widen = (old: Float64Array): Float64Array<ArrayBuffer> => {
      const wide = new Float64Array(old.length * 2);
      wide.set(old);
      return wide;
    };
    this.#micros = widen(this.#micros);
    this.#ties = widen(this.#ties);
    this.#orders = widen(this.#orders);
  }
}

/**
 * A binary heap of what is to happen, ordered by time, then by a tie-break that is keyed by the origin
 * of the entry, then by the order of insertion. The tie-break makes simultaneous events come in an
 * order that depends on the seed alone, and differs from seed to seed.
 *
 * What is compared stands in arrays of numbers, apart from the entries: with ten thousand entries, each
 * look at an entry itself would be a look into memory far away.
 */

/** One thing that is to happen. */
export interface Scheduled {
  /** Virtual time in whole microseconds. */
  readonly micros: number;
  /** Breaks ties among entries of one instant: 32 random bits. */
  readonly tie: number;
  /** Set where it is not to happen any more; it stays until its time comes or the heap is swept. */
  cancelled: boolean;
  /** Does it. */
  fire(): void;
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

  /** The first entry that is not cancelled. */
  get first(): E | undefined {
    let first = this.#entries[0];
    while (first?.cancelled === true) {
      this.#cancelled--;
      this.take();
      first = this.#entries[0];
    }
    return first;
  }

  /** Adds an entry. */
  add(entry: E): void {
    if (this.#size === this.#micros.length) this.#grow();
    this.#rise(this.#size++, entry.micros, entry.tie, ++this.#order, entry);
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
    return first;
  }

  /** Cancels an entry; many cancelled ones are swept out, so that re-armed timers do not pile up. */
  cancel(entry: E): void {
    if (entry.cancelled) return;
    entry.cancelled = true;
    if (++this.#cancelled < 64 || this.#cancelled * 2 < this.#size) return;
    const size = this.#size;
    this.#size = 0;
    this.#cancelled = 0;
    for (let at = 0; at < size; at++) {
      const kept = this.#entries[at];
      this.#entries[at] = undefined;
      // What is kept moves towards the front only, so nothing is overwritten before it was read.
      if (kept?.cancelled === false)
        this.#rise(this.#size++, kept.micros, kept.tie, this.#orders[at] ?? 0, kept);
    }
  }

  /** The entries that are not cancelled, in the order in which they were added. */
  entries(): E[] {
    const kept: { readonly order: number; readonly entry: E }[] = [];
    for (let at = 0; at < this.#size; at++) {
      const entry = this.#entries[at];
      if (entry?.cancelled === false) kept.push({ order: this.#orders[at] ?? 0, entry });
    }
    return kept.toSorted((a, b) => a.order - b.order).map(({ entry }) => entry);
  }

  #rise(from: number, micros: number, tie: number, order: number, entry: E): void {
    const all = this.#micros;
    const ties = this.#ties;
    const orders = this.#orders;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = all[above] ?? 0;
      if (other < micros) break;
      if (other === micros) {
        const otherTie = ties[above] ?? 0;
        if (otherTie < tie || (otherTie === tie && (orders[above] ?? 0) < order)) break;
      }
      this.#move(above, at);
      at = above;
    }
    all[at] = micros;
    ties[at] = tie;
    orders[at] = order;
    this.#entries[at] = entry;
  }

  #sink(micros: number, tie: number, order: number, entry: E | undefined): void {
    const size = this.#size;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (
        child + 1 < size &&
        this.#before(
          child + 1,
          this.#micros[child] ?? 0,
          this.#ties[child] ?? 0,
          this.#orders[child] ?? 0,
        )
      )
        child++;
      if (!this.#before(child, micros, tie, order)) break;
      this.#move(child, at);
      at = child;
    }
    this.#micros[at] = micros;
    this.#ties[at] = tie;
    this.#orders[at] = order;
    this.#entries[at] = entry;
  }

  #before(at: number, micros: number, tie: number, order: number): boolean {
    const other = this.#micros[at] ?? 0;
    if (other !== micros) return other < micros;
    const otherTie = this.#ties[at] ?? 0;
    return otherTie !== tie ? otherTie < tie : (this.#orders[at] ?? 0) < order;
  }

  #move(from: number, to: number): void {
    this.#micros[to] = this.#micros[from] ?? 0;
    this.#ties[to] = this.#ties[from] ?? 0;
    this.#orders[to] = this.#orders[from] ?? 0;
    this.#entries[to] = this.#entries[from];
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

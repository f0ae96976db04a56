/**
 * An immutable log of records: a change gives a new log that shares the records with the old one.
 *
 * The records stand in chunks that several logs share. A log sees no more of them than from its
 * `first` to its `last`, so whoever ends where a chunk ends may add to it in place: nobody else sees
 * that. Whoever ends earlier (it was truncated, or another log went on from there) copies that chunk
 * and the list of chunks. Invariant: a slot of a chunk is written once.
 */

const chunkBits = 6;
const chunkSize = 1 << chunkBits;

/** The log. Its indexes are `first` to `last`, none where `last` is `first - 1`. */
export class RecordLog {
  /** The log of a new namespace. */
  static readonly empty = new RecordLog([], 1, 1, 0, 0);
  readonly first: number;
  readonly last: number;
  /** The bytes of its records. */
  readonly bytes: number;
  readonly #chunks: Uint8Array[][];
  /** The index of the first slot of the first chunk. */
  readonly #base: number;

  private constructor(
    chunks: Uint8Array[][],
    base: number,
    first: number,
    last: number,
    bytes: number,
  ) {
    this.#chunks = chunks;
    this.#base = base;
    this.first = first;
    this.last = last;
    this.bytes = bytes;
  }

  /** How many records it has. */
  get length(): number {
    return this.last - this.first + 1;
  }

  /** The record of an index. */
  get(index: number): Uint8Array | undefined {
    if (index < this.first || index > this.last) return undefined;
    const slot = index - this.#base;
    return this.#chunks[Math.floor(slot / chunkSize)]?.[slot % chunkSize];
  }

  /** This log with a record more. */
  append(record: Uint8Array): RecordLog {
    const slot = this.last + 1 - this.#base;
    const at = Math.floor(slot / chunkSize);
    const within = slot % chunkSize;
    let chunks = this.#chunks;
    const mine = chunks.length === at + (within === 0 ? 0 : 1);
    if (!mine || (within > 0 && chunks[at]?.length !== within)) {
      chunks = chunks.slice(0, at);
      if (within > 0) chunks.push((this.#chunks[at] ?? []).slice(0, within));
    }
    if (within === 0) chunks.push([]);
    chunks[at]?.push(record);
    return new RecordLog(chunks, this.#base, this.first, this.last + 1, this.bytes + record.length);
  }

  /** This log with another record at an index that it has. */
  replace(index: number, record: Uint8Array): RecordLog {
    const slot = index - this.#base;
    const at = Math.floor(slot / chunkSize);
    const chunks = this.#chunks.slice();
    const chunk = (chunks[at] ?? []).slice();
    const bytes = this.bytes - (chunk[slot % chunkSize]?.length ?? 0) + record.length;
    chunk[slot % chunkSize] = record;
    chunks[at] = chunk;
    return new RecordLog(chunks, this.#base, this.first, this.last, bytes);
  }

  /** This log without the records from an index on, which is at least `first`. */
  truncate(from: number): RecordLog {
    if (from > this.last) return this;
    const bytes = this.bytes - this.#sum(from, this.last);
    return new RecordLog(this.#chunks, this.#base, this.first, from - 1, bytes);
  }

  /** This log without the records up to an index; beyond the last one it is empty and goes on there. */
  cut(to: number): RecordLog {
    if (to < this.first) return this;
    if (to >= this.last) return new RecordLog([], to + 1, to + 1, to, 0);
    const bytes = this.bytes - this.#sum(this.first, to);
    // Chunks that nobody sees any more go once they are as many as the others: that costs a step a cut.
    const dead = Math.floor((to + 1 - this.#base) / chunkSize);
    if (dead * 2 <= this.#chunks.length) {
      return new RecordLog(this.#chunks, this.#base, to + 1, this.last, bytes);
    }
    const base = this.#base + dead * chunkSize;
    return new RecordLog(this.#chunks.slice(dead), base, to + 1, this.last, bytes);
  }

  #sum(from: number, to: number): number {
    let sum = 0;
    for (let index = from; index <= to; index++) sum += this.get(index)?.length ?? 0;
    return sum;
  }
}

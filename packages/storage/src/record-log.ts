/**
 * An append-only log of records, of which a snapshot costs nothing.
 *
 * Records lie in one array, of which the log shows a part. Snapshots share the array: appending does not
 * disturb them, for they end where they ended, and what takes records away goes on in another array.
 * Invariant: the array holds the records from `first` to `last` from `#head` on, and nothing behind them
 * while nobody shares it.
 */

/** The log. It keeps records as they come: callers copy. */
export class RecordLog {
  #records: Uint8Array[] = [];
  #head = 0;
  #count = 0;
  #first = 1;
  #bytes = 0;
  #shared = false;

  /** The index of the first record, or of the one that would be it. */
  get first(): number {
    return this.#first;
  }

  /** The index of the last record; `first - 1` where there is none. */
  get last(): number {
    return this.#first + this.#count - 1;
  }

  /** How many bytes the records have. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The record at an index. */
  at(index: number): Uint8Array | undefined {
    const place = index - this.#first;
    return place >= 0 && place < this.#count ? this.#records[this.#head + place] : undefined;
  }

  /** Adds a record at `last + 1`. */
  append(record: Uint8Array): void {
    if (this.#shared && this.#records.length > this.#head + this.#count) this.#move();
    this.#records.push(record);
    this.#count++;
    this.#bytes += record.length;
  }

  /** Removes the records from this index on. */
  truncate(from: number): void {
    if (from > this.last) return;
    for (let index = from; index <= this.last; index++) this.#bytes -= this.at(index)?.length ?? 0;
    this.#count = from - this.#first;
    if (this.#shared) this.#move();
    else this.#records.length = this.#head + this.#count;
  }

  /** Removes the records up to this index; beyond the last one, the log goes on behind it. */
  cut(to: number): void {
    if (to < this.#first) return;
    if (to >= this.last) {
      this.#records = [];
      this.#head = this.#count = this.#bytes = 0;
      this.#shared = false;
    } else {
      for (let index = this.#first; index <= to; index++)
        this.#bytes -= this.at(index)?.length ?? 0;
      this.#head += to + 1 - this.#first;
      this.#count -= to + 1 - this.#first;
      if (this.#head > this.#count) this.#move();
    }
    this.#first = to + 1;
  }

  /** The log as it is now; changes of one do not reach the other. */
  snapshot(): RecordLog {
    const copy = new RecordLog();
    copy.#records = this.#records;
    copy.#head = this.#head;
    copy.#count = this.#count;
    copy.#first = this.#first;
    copy.#bytes = this.#bytes;
    copy.#shared = this.#shared = true;
    return copy;
  }

  /** Goes on in an array of its own. */
  #move(): void {
    this.#records = this.#records.slice(this.#head, this.#head + this.#count);
    this.#head = 0;
    this.#shared = false;
  }
}

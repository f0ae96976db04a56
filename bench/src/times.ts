/** The times of operations, one by one: how many a second, and how long they took. */

/** What is measured of the times of operations. */
export class Times {
  /** In milliseconds. */
  readonly all: number[] = [];
  wallMs = 0;
  #runs = 0;

  /** Whether a run counts: the first ones warm up. */
  begin(): boolean {
    return ++this.#runs > 2;
  }

  /** @param name that of how many there were a second */
  facts(name: string): Record<string, number> {
    const sorted = [...this.all].sort((a, b) => a - b);
    const at = (part: number): number =>
      Math.round((sorted[Math.floor(sorted.length * part)] ?? NaN) * 1000);
    return {
      [name]: Math.round((this.all.length / this.wallMs) * 1000),
      "p50 µs": at(0.5),
      "p99 µs": at(0.99),
    };
  }
}

/** A progress bar, on a terminal only: in a file or a pipe it would be noise. */

/** Where a bar is drawn. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Draws `done` of `total`. */
export class Progress {
  readonly #terminal: Terminal | null;
  readonly #total: number;
  #done = 0;
  #failed = 0;

  constructor(terminal: Terminal, total: number) {
    this.#terminal = terminal.isTTY === true ? terminal : null;
    this.#total = total;
  }

  /** One more is done. */
  advance(failed: boolean): void {
    this.#done++;
    if (failed) this.#failed++;
    const terminal = this.#terminal;
    if (terminal === null) return;
    const width = Math.max(10, Math.min(40, (terminal.columns ?? 80) - 40));
    const full = Math.floor((width * this.#done) / this.#total);
    const bar = "█".repeat(full) + "░".repeat(width - full);
    const failures = this.#failed === 0 ? "" : `, ${this.#failed} failed`;
    terminal.write(`\r${bar} ${this.#done} of ${this.#total} seeds${failures}`);
  }

  /** Takes the bar away. */
  clear(): void {
    this.#terminal?.write("\r\u001B[2K");
  }
}

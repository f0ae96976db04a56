/** Complaints about others, in the log: strangers may give cause for a million of them, which nobody would read. */

import type { Logger } from "@kith/core";

const windowMs = 10_000;
const windowMax = 20;

/** Writes warnings, so many in ten seconds, and then how many there were more. */
export class Complaints {
  readonly #what: string;
  #since = -Infinity;
  #said = 0;
  #unsaid = 0;

  /** @param what what is complained of, in the plural */
  constructor(what: string) {
    this.#what = what;
  }

  /** Whether some are still to be counted in the log. */
  get pending(): boolean {
    return this.#unsaid > 0;
  }

  /** Writes one. */
  say(log: Logger | undefined, now: number, text: string, data: unknown): void {
    this.tick(log, now);
    if (this.#said < windowMax) {
      this.#said++;
      log?.warn(text, data);
    } else this.#unsaid++;
  }

  /** Begins the next ten seconds, if it is time. */
  tick(log: Logger | undefined, now: number): void {
    if (now - this.#since < windowMs) return;
    if (this.#unsaid > 0) log?.warn(`${this.#unsaid} more ${this.#what} ended`);
    this.#since = now;
    this.#said = this.#unsaid = 0;
  }
}

/** Complaints about others, in the log: strangers may give cause for a million of them, which nobody would read. */

import type { Logger } from "@kith/core";

const perSecondMax = 20;

/** Writes warnings, so many a second, and how many there were more. */
export class Complaints {
  #since = -Infinity;
  #said = 0;
  #unsaid = 0;

  /** Writes one. */
  say(log: Logger | undefined, now: number, text: string, data: unknown): void {
    this.tick(log, now);
    if (this.#said < perSecondMax) {
      this.#said++;
      log?.warn(text, data);
    } else this.#unsaid++;
  }

  /** Begins the next second, if it is time. */
  tick(log: Logger | undefined, now: number): void {
    if (now - this.#since < 1000) return;
    if (this.#unsaid > 0) log?.warn(`${this.#unsaid} more calls and connections ended`);
    this.#since = now;
    this.#said = this.#unsaid = 0;
  }
}

/**
 * Versions of keys that are past, as far as this port knows: it has seen a higher one, or a transaction of its own has written
 * over one. A key's versions only grow, so what is past does not come back, and a client that has watched such a version is told so
 * at once. Of an absent key nothing is past: it may have been absent before, and be so again.
 */

import type { Key } from "@kith/store";

/** What is known of keys that transactions watch. */
export class Past {
  /** The lowest version that a key may have now. Those that were seen last are kept. */
  readonly #least = new Map<Key, number>();
  readonly #most: number;

  constructor(most = 4096) {
    this.#most = most;
  }

  /** A key has had this version. */
  saw(key: Key, version: number): void {
    if (version <= (this.#least.get(key) ?? 0)) return;
    this.#least.delete(key);
    this.#least.set(key, version);
    if (this.#least.size <= this.#most) return;
    for (const [oldest] of this.#least) {
      this.#least.delete(oldest);
      break;
    }
  }

  /** A key that had this version was written or deleted. */
  wrote(key: Key, version: number): void {
    if (version > 0) this.saw(key, version + 1);
  }

  /** Whether a key that had this version certainly has it no more. */
  has(key: Key, version: number): boolean {
    return version > 0 && version < (this.#least.get(key) ?? 0);
  }
}

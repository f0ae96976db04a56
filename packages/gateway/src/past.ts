/**
 * Versions of keys that are past, as far as this port knows: it has seen a higher one, or a transaction of its own has written
 * over one. A key's versions only grow, so what is past does not come back, and a client that has watched such a version is told so
 * at once. Absence may come back: it is past for whoever has found it before something was begun that found the key present.
 */

import type { Millis } from "@kith/core";
import type { Key } from "@kith/store";

interface Known {
  /** The lowest version that the key may have now. */
  least: number;
  /** When what has found or made it present was begun, the latest. */
  present: Millis;
}

/** What is known of keys that transactions watch. */
export class Past {
  /** Those that were seen last are kept. */
  readonly #keys = new Map<Key, Known>();
  readonly #most: number;

  constructor(most = 4096) {
    this.#most = most;
  }

  /**
   * A key has had this version.
   *
   * @param begun when what has found it was begun; left out where that is not known
   */
  saw(key: Key, version: number, begun = -Infinity): void {
    const known = this.#keys.get(key);
    const least = known?.least ?? 0;
    const present = known?.present ?? -Infinity;
    if (version === 0 || (version <= least && begun <= present)) return;
    this.#keys.delete(key);
    this.#keys.set(key, { least: Math.max(least, version), present: Math.max(present, begun) });
    if (this.#keys.size <= this.#most) return;
    for (const [oldest] of this.#keys) {
      this.#keys.delete(oldest);
      break;
    }
  }

  /** A key that had this version was written or deleted; `begun` is when, at the earliest, it was made present by that. */
  wrote(key: Key, version: number, begun = -Infinity): void {
    if (version > 0 || begun > -Infinity) this.saw(key, version + 1, begun);
  }

  /**
   * Whether a key that had this version certainly had another one since.
   *
   * @param since when it had that version already
   */
  has(key: Key, version: number, since: Millis): boolean {
    const known = this.#keys.get(key);
    if (known === undefined) return false;
    return version > 0 ? version < known.least : known.present >= since;
  }
}

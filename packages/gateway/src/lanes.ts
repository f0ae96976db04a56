/**
 * The lanes of transactions at one port: of those that write a key one goes to the store at a time, and those that only look at it
 * go side by side. Of many clients at the same keys one at most can commit with what they have read; the others would be in its way,
 * at every leader, with locks.
 *
 * What a lane lets through need not be right to be safe, the store decides: lanes save what would be in vain.
 */

import type { Key } from "@kith/store";

/** The keys of a transaction. */
export interface LaneKeys {
  readonly written: Iterable<Key>;
  /** Keys that are looked at; those that are written too need not be left out. */
  readonly seen: Iterable<Key>;
}

interface Entrant {
  readonly begin: () => void;
  /** How many have to leave before it, counted once for each key. */
  blockers: number;
  readonly followers: Entrant[];
}

interface Lane {
  /** The last one that writes, and who came after it and only looks. */
  writer: Entrant | null;
  readonly readers: Set<Entrant>;
}

/** The lanes of all keys. */
export class Lanes {
  readonly #lanes = new Map<Key, Lane>();

  /** Begins when nobody before it is in its way. @returns what to call when it is over */
  enter({ written, seen }: LaneKeys, begin: () => void): () => void {
    const entrant: Entrant = { begin, blockers: 0, followers: [] };
    const own = new Set(written);
    const looks = [...new Set(seen)].filter((key) => !own.has(key));
    for (const key of own) {
      const { writer, readers } = this.#lane(key);
      // Those who look have waited for the writer before them.
      for (const one of readers) follow(one, entrant);
      if (readers.size === 0 && writer !== null) follow(writer, entrant);
      this.#lanes.set(key, { writer: entrant, readers: new Set() });
    }
    for (const key of looks) {
      const { writer, readers } = this.#lane(key);
      if (writer !== null) follow(writer, entrant);
      readers.add(entrant);
    }
    if (entrant.blockers === 0) begin();
    return () => this.#leave(entrant, [...own, ...looks]);
  }

  #lane(key: Key): Lane {
    let lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, (lane = { writer: null, readers: new Set() }));
    return lane;
  }

  #leave(entrant: Entrant, keys: readonly Key[]): void {
    for (const key of keys) {
      const lane = this.#lanes.get(key);
      if (lane === undefined) continue;
      if (lane.writer === entrant) lane.writer = null;
      lane.readers.delete(entrant);
      if (lane.writer === null && lane.readers.size === 0) this.#lanes.delete(key);
    }
    const { followers } = entrant;
    for (const follower of followers.splice(0)) if (--follower.blockers === 0) follower.begin();
  }
}

function follow(before: Entrant, entrant: Entrant): void {
  before.followers.push(entrant);
  entrant.blockers++;
}

/** A table in memory, for tests of the machine by itself. */

import type { TableWriter } from "@kith/paxos";

/** A table in a map; copies share their rows, which are never changed. */
export class MapTable implements TableWriter {
  readonly #rows: Map<string, Uint8Array>;
  /** For whoever keeps several: equal ones are told by it. */
  name = 0;

  constructor(rows: Iterable<readonly [string, Uint8Array]> = []) {
    this.#rows = new Map(rows);
  }

  get(key: string): Uint8Array | undefined {
    return this.#rows.get(key);
  }

  keys(from = "", to?: string, limit = Infinity): string[] {
    const found = [...this.#rows.keys()].filter(
      (key) => key >= from && (to === undefined || key < to),
    );
    return found.sort().slice(0, limit);
  }

  put(key: string, value: Uint8Array): void {
    this.#rows.set(key, value);
  }

  delete(key: string): void {
    this.#rows.delete(key);
  }

  copy(): MapTable {
    return new MapTable(this.#rows);
  }

  /** All of it as one string. */
  text(): string {
    let text = "";
    for (const key of this.keys()) {
      text += `${key}=`;
      for (const byte of this.#rows.get(key) ?? []) text += String.fromCharCode(byte);
      text += "\n";
    }
    return text;
  }
}

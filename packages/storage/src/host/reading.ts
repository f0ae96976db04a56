/**
 * Reading one namespace through its layers: the newest first, the rows on disk last. Pure, but for the
 * rows, which come in through `Rows`.
 */

import type { Bounds } from "../checks.ts";
import { after, compareKeys } from "../keys.ts";
import type { Entry, KeyRange } from "../operation.ts";
import type { SortedMap } from "../sorted-map.ts";
import { gone, type NamespaceLayer, noRows, nothing } from "./layer.ts";

/** What the tables on disk know of a namespace. */
export interface Meta extends Bounds {
  readonly name: string;
  /** Identifies the rows of its keys. */
  readonly keys: number;
  /** Identifies the rows of its log. */
  readonly log: number;
}

/** The rows on disk, as they are or as they were when a view was opened. */
export interface Rows {
  value(keys: number, key: Uint8Array): Uint8Array | undefined;
  entries(keys: number, range: KeyRange, reverse: boolean): Iterable<Entry>;
  record(log: number, index: number): Uint8Array | undefined;
}

/** How many entries of a map are visited at a time. */
const stride = 64;

/** One namespace, now or in a view. */
export class Reading {
  readonly #layers: readonly NamespaceLayer[];
  readonly #meta: Meta | undefined;
  readonly #rows: Rows;

  /** @param layers the newest first */
  constructor(layers: readonly NamespaceLayer[], meta: Meta | undefined, rows: Rows) {
    this.#layers = layers;
    this.#meta = meta;
    this.#rows = rows;
  }

  /** The bounds of the log. */
  get bounds(): Bounds {
    return this.#layers[0] ?? this.#meta ?? nothing;
  }

  /** A record; undefined where it should be and is not. */
  record(index: number): Uint8Array | undefined {
    for (const layer of this.#layers) {
      if (index >= layer.logFrom) return layer.log.at(index);
    }
    return this.#meta === undefined ? undefined : this.#rows.record(this.#meta.log, index);
  }

  /** The value of a key. */
  value(key: Uint8Array): Uint8Array | undefined {
    for (const { keys, ranges, rows } of this.#layers) {
      const found = keys.get(key);
      if (found !== undefined) return found === gone ? undefined : found;
      if (ranges.has(key)) return undefined;
      if (rows !== null) return rows === noRows ? undefined : this.#rows.value(rows, key);
    }
    return this.#meta === undefined ? undefined : this.#rows.value(this.#meta.keys, key);
  }

  /** The entries of a range, in order. */
  entries(range: KeyRange, reverse: boolean): Iterable<Entry> {
    return this.#walk(0, range, reverse);
  }

  *#walk(depth: number, range: KeyRange, reverse: boolean): Generator<Entry, void, void> {
    const layer = this.#layers[depth];
    if (layer === undefined) {
      if (this.#meta !== undefined) yield* this.#rows.entries(this.#meta.keys, range, reverse);
      return;
    }
    const own = visited(layer.keys, range, reverse);
    const below = this.#below(depth, layer, range, reverse);
    const sign = reverse ? -1 : 1;
    try {
      let upper = own.next();
      let lower = below.next();
      while (upper.done !== true || lower.done !== true) {
        let order: number;
        if (upper.done === true) order = 1;
        else if (lower.done === true) order = -1;
        else order = sign * compareKeys(upper.value.key, lower.value.key);
        if (order > 0 && lower.done !== true) {
          yield lower.value;
          lower = below.next();
          continue;
        }
        if (upper.done === true) return;
        if (upper.value.value !== gone) yield upper.value;
        if (order === 0) lower = below.next();
        upper = own.next();
      }
    } finally {
      // Rows that are not read to their end hold a read transaction.
      below.return();
    }
  }

  *#below(
    depth: number,
    { rows, ranges }: NamespaceLayer,
    range: KeyRange,
    reverse: boolean,
  ): Generator<Entry, void, void> {
    if (rows === noRows) return;
    const gaps = ranges.gaps(range);
    if (reverse) gaps.reverse();
    for (const gap of gaps) {
      if (rows === null) yield* this.#walk(depth + 1, gap, reverse);
      else yield* this.#rows.entries(rows, gap, reverse);
    }
  }
}

/** The entries of a map one after the other. */
export function* visited(
  map: SortedMap,
  range: KeyRange,
  reverse: boolean,
): Generator<Entry, void, void> {
  let { from, to } = range;
  for (;;) {
    const entries: Entry[] = [];
    map.scan({ ...(from && { from }), ...(to && { to }) }, reverse, (key, value) => {
      entries.push({ key, value });
      return entries.length < stride;
    });
    yield* entries;
    const last = entries.at(-1);
    if (last === undefined || entries.length < stride) return;
    if (reverse) to = last.key;
    else from = after(last.key);
  }
}

/**
 * Records and values of which a device has changed a bit: their checksums are wrong, so nobody gets to
 * see them. An item is rotten as long as what it was stands at its place: so nothing has to follow
 * what is written, cut, lost at a crash, or read from an old view.
 */

import { compareKeys, type Tables } from "@kith/storage";
import type { Result } from "./results.ts";

/** Where a record or a value stands. */
export type ItemPlace =
  | { readonly namespace: string; readonly index: number }
  | { readonly namespace: string; readonly key: Uint8Array };

/** An item that is rotten, and what it was before. */
export interface RottenItem {
  readonly place: ItemPlace;
  readonly bytes: Uint8Array;
}

/** What a read has asked for. */
export interface Asked {
  readonly namespace: string;
  readonly key?: Uint8Array;
}

/** The rotten items of a disk. */
export class Rot {
  #items: readonly RottenItem[] = [];

  /** What a checkpoint keeps. */
  get items(): readonly RottenItem[] {
    return this.#items;
  }

  set items(items: readonly RottenItem[]) {
    this.#items = items;
  }

  /** Lets an item rot, if it is there. @returns what it was */
  add(tables: Tables, at: ItemPlace): Uint8Array | undefined {
    const bytes = bytesAt(tables, at);
    if (bytes === undefined) return undefined;
    const { namespace } = at;
    const place =
      "key" in at ? { namespace, key: new Uint8Array(at.key) } : { namespace, index: at.index };
    // What is durably gone does not come back: so there are no more of them than there are items.
    const others = this.#items.filter((one) => isThere(tables, one) && !isSame(one.place, place));
    this.#items = [...others, { place, bytes }];
    return bytes;
  }

  /** The first rotten item that is still there. */
  firstIn(tables: Tables): string | undefined {
    const item = this.#items.find((one) => isThere(tables, one));
    return item && show(item.place);
  }

  /** The first rotten item among what was read. */
  firstRead(asked: Asked, result: Result): string | undefined {
    const item = this.#items.find((one) => wasRead(asked, result, one));
    return item && show(item.place);
  }
}

function bytesAt(tables: Tables, place: ItemPlace): Uint8Array | undefined {
  if ("key" in place) {
    const read = tables.value(place.namespace, place.key);
    return "code" in read ? undefined : (read.value ?? undefined);
  }
  const { namespace, index } = place;
  const read = tables.records({ namespace, from: index, to: index });
  return "code" in read ? undefined : read.records[0];
}

function isThere(tables: Tables, { place, bytes }: RottenItem): boolean {
  const there = bytesAt(tables, place);
  return there !== undefined && compareKeys(there, bytes) === 0;
}

function isSame(a: ItemPlace, b: ItemPlace): boolean {
  if (a.namespace !== b.namespace) return false;
  if ("index" in a) return "index" in b && a.index === b.index;
  return "key" in b && compareKeys(a.key, b.key) === 0;
}

function wasRead({ namespace, key }: Asked, result: Result, { place, bytes }: RottenItem): boolean {
  if (place.namespace !== namespace) return false;
  let read: Uint8Array | null | undefined;
  if ("index" in place) {
    if (result.kind === "records") read = result.records[place.index - result.from];
  } else if (result.kind === "entries") {
    read = result.entries.find((entry) => compareKeys(entry.key, place.key) === 0)?.value;
  } else if (result.kind === "value" && key !== undefined && compareKeys(key, place.key) === 0) {
    read = result.value;
  }
  return read !== null && read !== undefined && compareKeys(read, bytes) === 0;
}

function show(place: ItemPlace): string {
  if ("index" in place) return `record ${place.index} of ${place.namespace}`;
  const key = Array.from(place.key.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0"));
  return `key 0x${key.join("")} of ${place.namespace}`;
}

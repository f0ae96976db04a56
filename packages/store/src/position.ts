/**
 * Where a key lies: its position, a string of bytes by which groups divide the keys among them.
 *
 * A position is written as a string with one character (up to U+00FF) for each byte, as the tables of
 * `@kith/paxos` have it, so that comparing strings compares bytes. Hashed (the default), it is the key behind
 * 48 bits of its hash, and keys spread evenly; ordered, it is the key itself, and keys that are neighbours are
 * neighbours there (algorithms.md §6.5.0, ruling 3). The first 48 bits are also the hint by which the ring routes.
 */

import { streamKey } from "@kith/core";

/** Bytes, one character up to U+00FF for each. */
export type Octets = string;

/** Where a key lies. */
export type Position = Octets;

/** How many bytes a key may have. */
export const keyBytesMax = 4096;

/** How many bytes a value may have. */
export const valueBytesMax = 1024 * 1024;

const hashOctets = 6;

/** What positions lie between: `lo` is in it, `hi` is not; null is the end of all. */
export interface Range {
  readonly lo: Position;
  readonly hi: Position | null;
}

/** All positions. */
export const everything: Range = { lo: "", hi: null };

/** Whether a position lies in a range. */
export function covers({ lo, hi }: Range, position: Position): boolean {
  return position >= lo && (hi === null || position < hi);
}

/** The position of a key. */
export function positionOf(key: Octets, ordered: boolean): Position {
  if (ordered) return key;
  const { high, low } = streamKey(key);
  return (
    String.fromCharCode(
      high >>> 24,
      (high >>> 16) & 255,
      (high >>> 8) & 255,
      high & 255,
      low >>> 24,
      (low >>> 16) & 255,
    ) + key
  );
}

/** The key at a position. */
export function keyAt(position: Position, ordered: boolean): Octets {
  return ordered ? position : position.slice(hashOctets);
}

/** The first 48 bits of a position as a number: where the ring looks for its group. */
export function hintOf(position: Position): number {
  let hint = 0;
  for (let i = 0; i < hashOctets; i++)
    hint = hint * 256 + (i < position.length ? position.charCodeAt(i) : 0);
  return hint;
}

/** How many places there are: hints are below. */
export const hintsMax = 2 ** (8 * hashOctets);

/** The first position that has a hint, or a later one. */
export function positionFrom(hint: number): Position {
  let octets = "";
  for (let scale = hintsMax / 256; scale >= 1; scale /= 256)
    octets += String.fromCharCode(Math.floor(hint / scale) % 256);
  // Shorter positions count as filled up with zeros.
  return octets.replace(/\0+$/, "");
}

/** Compares two strings of bytes. */
export function compareOctets(a: Octets, b: Octets): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What a copy of the journals keeps on its disk, as JSON below the names of the locks. */

import type { Entry } from "@kith/storage";
import { NO_TOKEN, type Token } from "./messages.ts";

/** A journal, and the largest token that has come. */
export interface Kept {
  readonly fence: Token;
  readonly entries: readonly number[];
  /** The token under which the entries were put there. */
  readonly under: Token;
}

/** What is kept of a lock of which nothing was heard. */
export const nothing: Kept = { fence: NO_TOKEN, entries: [], under: NO_TOKEN };

/** The key below which a journal is kept. */
export function keyOf(lock: string): Uint8Array {
  return bytesOf(lock);
}

/** The bytes of a journal. */
export function valueOf(kept: Kept): Uint8Array {
  return bytesOf(kept);
}

/** The journals among what was read, by lock; what has another shape is left out. */
export function keptIn(entries: readonly Entry[]): Map<string, Kept> {
  const all = new Map<string, Kept>();
  for (const { key, value } of entries) {
    const name = read(key);
    const kept = read(value);
    if (typeof name === "string" && isKept(kept)) all.set(name, kept);
  }
  return all;
}

function bytesOf(of: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(of));
}

function read(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}

function isKept(of: unknown): of is Kept {
  if (typeof of !== "object" || of === null) return false;
  const { fence, entries, under }: Partial<Record<keyof Kept, unknown>> = of;
  return (
    Array.isArray(entries) && entries.every(Number.isSafeInteger) && [fence, under].every(isToken)
  );
}

function isToken(of: unknown): of is Token {
  if (typeof of !== "object" || of === null) return false;
  const { number, life }: Partial<Record<keyof Token, unknown>> = of;
  return Number.isSafeInteger(number) && Number.isSafeInteger(life);
}

/** What the replica keeps on its disk, as bytes: JSON, of which it believes only what has the right shape. */

import type { Tag, Value, Versioned } from "./tag.ts";

/** A key, or a value with its tag. */
export type Kept = string | Versioned;

/** The bytes of what is kept. */
export function encode(of: Kept): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(of));
}

/** What `encode` was given; null where the bytes are no such thing. */
export function decode(bytes: Uint8Array): Kept | null {
  const of: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (typeof of === "string") return of;
  return isVersioned(of) ? of : null;
}

function isVersioned(of: unknown): of is Versioned {
  if (typeof of !== "object" || of === null || !("tag" in of && "value" in of)) return false;
  return isTag(of.tag) && isValue(of.value);
}

function isTag(of: unknown): of is Tag {
  if (typeof of !== "object" || of === null) return false;
  const { number, writer, life }: Partial<Record<keyof Tag, unknown>> = of;
  return [number, writer, life].every((part) => Number.isSafeInteger(part));
}

function isValue(of: unknown): of is Value {
  return of === null || typeof of === "string" || typeof of === "number";
}

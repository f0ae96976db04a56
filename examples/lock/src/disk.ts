/** Numbers on a disk, as JSON below names: what the parts of the lock service keep. */

import type { Entry, Put } from "@kith/storage";

/** Something kept: a number, or a list of numbers. */
export type Kept = number | readonly number[];

/** The operation that keeps a value below a name. */
export function keep(name: string, value: Kept): Put {
  const bytes = (of: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(of));
  return { kind: "put", key: bytes(name), value: bytes(value) };
}

/** What was kept, by name; what has another shape is left out. */
export function kept(entries: readonly Entry[]): Map<string, Kept> {
  const all = new Map<string, Kept>();
  for (const { key, value } of entries) {
    const name: unknown = JSON.parse(new TextDecoder().decode(key));
    const of: unknown = JSON.parse(new TextDecoder().decode(value));
    if (typeof name === "string" && isKept(of)) all.set(name, of);
  }
  return all;
}

/** The number below a name; 0 where there is none. */
export function numberOf(all: ReadonlyMap<string, Kept>, name: string): number {
  const value = all.get(name);
  return typeof value === "number" ? value : 0;
}

function isKept(of: unknown): of is Kept {
  return Array.isArray(of) ? of.every((one) => typeof one === "number") : typeof of === "number";
}

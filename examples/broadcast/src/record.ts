/** A message as the log keeps it: JSON, of which a reader believes only what has the right shape. */

/** A message: who sent it, in which life, the how manyth of that life it is (from 1), and what it says. */
export interface Item {
  readonly origin: number;
  /** The name of the origin's life. */
  readonly life: number;
  readonly number: number;
  readonly payload: string;
}

/** The bytes of a message. */
export function encode({ origin, life, number, payload }: Item): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ origin, life, number, payload }));
}

/** What `encode` was given; null where the bytes are no such thing. */
export function decode(record: Uint8Array): Item | null {
  const of: unknown = JSON.parse(new TextDecoder().decode(record));
  return isItem(of) ? of : null;
}

function isItem(of: unknown): of is Item {
  if (typeof of !== "object" || of === null) return false;
  const { origin, life, number, payload }: Partial<Record<keyof Item, unknown>> = of;
  return [origin, life, number].every(Number.isSafeInteger) && typeof payload === "string";
}

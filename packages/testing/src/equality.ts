/**
 * Deep equality of what events carry: plain data, byte arrays, maps, sets and instances of classes.
 *
 * Two values are equal when nothing that a component can see of them differs. `NaN` equals itself, 0
 * and -0 differ, a missing property is not one that is `undefined`, and two instances need the same
 * class. Sets are compared by content, in any order.
 */

/** Whether two values are deeply equal; cycles end. */
export function deepEqual(a: unknown, b: unknown): boolean {
  return equal(a, b, []);
}

type Pair = readonly [a: object, b: object];

function equal(a: unknown, b: unknown, above: readonly Pair[]): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  // A pair that is being compared further up is equal as far as this branch can tell.
  if (above.some(([x, y]) => x === a && y === b)) return true;
  const pairs: readonly Pair[] = [...above, [a, b]];
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) return sameBytes(a, b);
  if (a instanceof Map && b instanceof Map) return sameMap(a, b, pairs);
  if (a instanceof Set && b instanceof Set) return sameSet(a, b, pairs);
  if (a instanceof Error && b instanceof Error && a.message !== b.message) return false;
  return sameProperties(a, b, pairs);
}

function sameProperties(a: object, b: object, pairs: readonly Pair[]): boolean {
  const ours = new Map<string, unknown>(Object.entries(a));
  const theirs = new Map<string, unknown>(Object.entries(b));
  return sameMap(ours, theirs, pairs) && (!Array.isArray(a) || a.length === lengthOf(b));
}

function lengthOf(value: object): number {
  return Array.isArray(value) ? value.length : -1;
}

function sameBytes(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const ours = new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
  const theirs = new Uint8Array(b.buffer, b.byteOffset, b.byteLength);
  return ours.length === theirs.length && ours.every((byte, i) => byte === theirs[i]);
}

function sameMap(
  a: ReadonlyMap<unknown, unknown>,
  b: ReadonlyMap<unknown, unknown>,
  pairs: readonly Pair[],
): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (!b.has(key) || !equal(value, b.get(key), pairs)) return false;
  return true;
}

function sameSet(
  a: ReadonlySet<unknown>,
  b: ReadonlySet<unknown>,
  pairs: readonly Pair[],
): boolean {
  if (a.size !== b.size) return false;
  const rest = [...b];
  for (const member of a) {
    const at = rest.findIndex((one) => equal(member, one, pairs));
    if (at < 0) return false;
    rest.splice(at, 1);
  }
  return true;
}

/** Keys as byte strings: their order, and the bounds of scans. */

/** Compares two byte strings bytewise: below 0, 0 or above 0; a prefix comes before what it begins. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  const length = a.length < b.length ? a.length : b.length;
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** The smallest key above this one: where a scan goes on. */
export function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** The end of the range of all keys with this prefix; undefined where that range has no end. */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  const end = new Uint8Array(length);
  for (let i = 0; i < length; i++) end[i] = prefix[i] ?? 0;
  end[length - 1] = (end[length - 1] ?? 0) + 1;
  return end;
}

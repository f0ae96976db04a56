/** Byte strings as keys and values: order, limits, and what a faulty device makes of them. */

/** The longest key, in bytes. */
export const keyBytesMax = 1024;
/** The longest value or record, in bytes. */
export const valueBytesMax = 16 * 1024 * 1024;

/** Bytes that the device has changed: their checksum is wrong, so that nobody gets to see them. */
export class RottenBytes extends Uint8Array {}

/** Orders byte strings bytewise; of two of which one begins with the other, the shorter comes first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** A copy with nothing in common; `slice` of a host's own byte arrays may not copy. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/**
 * Byte arrays that live for a moment: messages, commands, records. A host gives each array of more than some tens of bytes memory
 * of its own, which costs ten times what copying it costs; so they share slabs.
 *
 * A slab stays as long as any part of it is in use. What is kept for long, one by one, is copied otherwise.
 */

const slabBytes = 8192;
/** Beyond this, an array of its own is no great cost, and less of a slab is left over. */
const sharedMax = 1024;
/** Up to this, hosts keep the bytes of an array with the array. */
const ownMax = 64;

let slab = new Uint8Array(slabBytes);
let used = 0;

/** A copy of `bytes` from `begin` to before `end`, which may share its memory with other copies. */
export function copyBytes(bytes: Uint8Array, begin = 0, end: number = bytes.length): Uint8Array {
  const length = end - begin;
  if (length <= ownMax || length > sharedMax) {
    // `slice` of a host's own class of byte arrays may not copy.
    if (bytes.constructor === Uint8Array) return bytes.slice(begin, end);
    return new Uint8Array(bytes.subarray(begin, end));
  }
  if (used + length > slabBytes) {
    slab = new Uint8Array(slabBytes);
    used = 0;
  }
  const copy = slab.subarray(used, used + length);
  copy.set(begin === 0 && end === bytes.length ? bytes : bytes.subarray(begin, end));
  used += length;
  return copy;
}

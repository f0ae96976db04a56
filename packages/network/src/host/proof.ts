/**
 * The proof that a side knows the secret of the cluster: a keyed hash (HMAC with SHA-256, RFC 2104) over its
 * role, the number of its consent, and both opening frames, which hold both nonces, both identities and the
 * address called.
 *
 * So the secret never travels; a proof that was heard before does not fit another nonce; a proof that is sent
 * back does not fit the other role; and one that is passed on to a third process does not fit the
 * address called. The hash comes from a library in both worlds: the browser's own is asynchronous, and absent on
 * pages that were not loaded over TLS.
 */

import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";

/** The side that proves. */
export type Role = "caller" | "called";

/**
 * The proof of one side, from the very bytes of the two opening frames.
 *
 * @param attempt the number that the side called gives to its consent; 0 in the proof of the caller
 */
export function prove(
  secret: string,
  role: Role,
  hello: Uint8Array,
  challenge: Uint8Array,
  attempt = 0,
): Uint8Array {
  const encoder = new TextEncoder();
  const lengths = new Uint8Array(16);
  const view = new DataView(lengths.buffer);
  view.setUint32(0, hello.length);
  view.setUint32(4, challenge.length);
  view.setFloat64(8, attempt);
  return hmac
    .create(sha256, encoder.encode(secret))
    .update(encoder.encode(`kith handshake, ${role}\0`))
    .update(lengths)
    .update(hello)
    .update(challenge)
    .digest();
}

/** Whether two proofs are the same, in a time that does not tell where they differ. */
export function sameProof(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

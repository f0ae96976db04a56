/**
 * Every error that this package raises: a stable code, and what to do next. Codes are part of the
 * public contract; texts may change.
 */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_FRAME_MALFORMED:
    "Close the connection: what follows on it cannot be trusted. Check that both sides use the same codec.",
  KITH_MESSAGE_NOT_PLAIN:
    "Put plain data into a message: null, undefined, booleans, numbers, bigints, strings, byte arrays, arrays, maps, sets, plain objects, and registered messages and events.",
  KITH_MESSAGE_TAG_TAKEN:
    "Give each message class a tag of its own, by convention package/Name; only a second copy of the same class may share one.",
  KITH_MESSAGE_TOO_LARGE: "Split it, or stream it in parts.",
  KITH_MESSAGE_UNTAGGED:
    "Declare the class with message(tag) or event(tag, Base): a subclass without a tag of its own would arrive as its base.",
  KITH_NETWORK_ADDRESS_TAKEN: "Give each process of a hub an address of its own.",
  KITH_NETWORK_CERTIFICATE_MISSING: "Give it `cert` and `key` in PEM, or do without `tls`.",
  KITH_NETWORK_LISTEN:
    "Free the address, choose another one, or ask for port 0 with bindAddress; ports below 1024 want rights.",
  KITH_NETWORK_SECRET_MISSING:
    "Give the cluster a secret, the same one for all its processes, or listen on loopback.",
  KITH_PEER_INVALID:
    "Write a peer as id@host:port#incarnation, with /domain behind it where it has one.",
} as const;

/** The codes of the errors that `@kith/network` raises. */
export type NetworkErrorCode = keyof typeof nextSteps;

/** Builds this package's error of the given code; `what` is a sentence that names the culprit. */
export function networkError(code: NetworkErrorCode, what: string, cause?: unknown): KithError {
  return new KithError(code, what, nextSteps[code], cause === undefined ? undefined : { cause });
}

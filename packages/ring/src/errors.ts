/**
 * Every error that this package raises: a stable code, and what to do next. Codes are part of the
 * public contract; texts may change.
 */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_RING_STATE:
    "The state comes from another version or was changed on the way. Start the ring anew without it, and join again.",
} as const;

/** The codes of the errors that `@kith/ring` raises. */
export type RingErrorCode = keyof typeof nextSteps;

/** Builds this package's error of the given code; `what` is a sentence that names the culprit. */
export function ringError(code: RingErrorCode, what: string): KithError {
  return new KithError(code, what, nextSteps[code]);
}

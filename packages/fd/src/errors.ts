/**
 * Every error that this package raises: a stable code, and what to do next. Codes are part of the
 * public contract; texts may change.
 */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_FD_STATE:
    "The state comes from another version or was changed on the way. Start the detector anew without it: its users watch again.",
  KITH_FD_CONTRADICTION:
    "This is a bug of the detector: report it with the state that the message names.",
} as const;

/** The codes of the errors that `@kith/fd` raises. */
export type FdErrorCode = keyof typeof nextSteps;

/** Builds this package's error of the given code; `what` is a sentence that names the culprit. */
export function fdError(code: FdErrorCode, what: string, cause?: unknown): KithError {
  return new KithError(code, what, nextSteps[code], cause === undefined ? undefined : { cause });
}

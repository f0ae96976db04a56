/**
 * Every error of this package: a stable code, and what to do next. Codes are part of the public
 * contract; texts may change.
 */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_STORE_ARGUMENT:
    "Pass what the documentation of the operation asks for; nothing was changed.",
  KITH_STORE_CORRUPT:
    "Take the replica out of its group and let it join again; what its table says cannot be understood.",
  KITH_STORE_INVARIANT:
    "Keep the data and report it: the group has stopped here, because going on could lose what was promised.",
  KITH_STORE_STORAGE:
    "Stop the peer and start it again: only a new start knows which of its writes are on the disk.",
} as const;

/** The codes of the errors of `@kith/store`. */
export type StoreErrorCode = keyof typeof nextSteps;

/** Builds this package's error of the given code; `what` is a sentence that names the culprit. */
export function storeError(code: StoreErrorCode, what: string, cause?: unknown): KithError {
  return new KithError(code, what, nextSteps[code], cause === undefined ? undefined : { cause });
}

/**
 * Asserts an invariant of the protocol; on in production, where it stops the group it was found in.
 *
 * @param invariant its name, such as `T1`
 * @throws KithError `KITH_STORE_INVARIANT`
 */
export function ensure(holds: boolean, invariant: string, detail: () => string): asserts holds {
  if (!holds) throw storeError("KITH_STORE_INVARIANT", `${invariant} is violated: ${detail()}.`);
}

/**
 * Every error that this package raises: a stable code, and what to do next. Codes are part of the
 * public contract; texts may change.
 */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_ROUTER_STATE:
    "The state comes from another version or was changed on the way. Start the router anew without it: it learns again.",
  KITH_ROUTER_PROGRESS:
    "A table has chosen a peer that is no closer to the key (RT1). This is a defect of the table: report it with the state.",
  KITH_ROUTER_KEY:
    "Keys and identifiers of peers are safe integers from 0 to below the size of the ring (`ring.size`).",
} as const;

/** The codes of the errors that `@kith/router` raises. */
export type RouterErrorCode = keyof typeof nextSteps;

/** Builds this package's error of the given code; `what` is a sentence that names the culprit. */
export function routerError(code: RouterErrorCode, what: string): KithError {
  return new KithError(code, what, nextSteps[code]);
}

/** What was thrown, in words. */

import { KithError } from "@kith/core";

/** The sentence that says what is wrong, without the advice that a coded error adds. */
export function describeThrown(cause: unknown): string {
  if (cause instanceof KithError) return cause.message.replace(cause.next, "").trim();
  return cause instanceof Error ? cause.message : String(cause);
}

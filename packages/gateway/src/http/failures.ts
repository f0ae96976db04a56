/** Answers of the store that are no success, as failures of HTTP: 503 where nothing was done, 504 where nobody can know. */

import type { AskTimeout } from "@kith/core";
import { Ambiguous, Busy, NotDone, Refused, type StoreAnswer } from "@kith/store";
import { HttpFailure } from "./call.ts";
import { busy, outcome } from "./door.ts";

/** The failure of an answer. @param isWrite whether something may have been done where the answer does not say */
export function failureOf(answer: StoreAnswer | AskTimeout, isWrite: boolean): HttpFailure {
  if (answer instanceof Busy) return busy();
  if (answer instanceof Refused) {
    const { reason, version } = answer;
    const isCondition = reason === "condition";
    const status = isCondition ? 412 : reason === "too-large" ? 413 : 400;
    const json = { outcome: "not-done", reason, ...(isCondition ? { version } : {}) };
    return new HttpFailure(status, "KITH_HTTP_REFUSED", `It was refused: ${reason}.`, { json });
  }
  if (answer instanceof NotDone)
    return new HttpFailure(
      503,
      answer.reason === "stopped" ? "KITH_HTTP_STOPPED" : "KITH_HTTP_TIMEOUT",
      "It was not done in time, and will not be.",
      outcome("not-done"),
    );
  if (answer instanceof Ambiguous || isWrite)
    return new HttpFailure(
      504,
      "KITH_HTTP_UNKNOWN",
      "Nobody can know whether it was done, or may yet be: read what is there before you repeat it.",
      outcome("unknown"),
    );
  return new HttpFailure(503, "KITH_HTTP_TIMEOUT", "No answer came in time.", outcome("not-done"));
}

/** One call: from a request to a promise of its answer, with deadline and signal; and from answers to errors. */

import {
  Aborted,
  Ambiguous,
  Apply,
  Busy,
  Commit,
  Delete,
  NotDone,
  Put,
  Refused,
  type StoreAnswer,
} from "@kith/store";
import { ClientError } from "./errors.ts";
import type { StoreRequest, StoreUser } from "./user.ts";

/** What may be said of every call. */
export interface CallOptions {
  /** How long to try, in milliseconds; default 10,000. */
  readonly within?: number;
  /** Gives the call up. What was sent by then may happen all the same: see `outcome`. */
  readonly signal?: AbortSignal;
}

/** How long a call is tried where nobody says. */
export const withinDefault = 10_000;

/** Asks, and promises the answer. @throws ClientError `KITH_CLIENT_ABORTED`, `KITH_CLIENT_CLOSED` */
export function call(
  user: StoreUser,
  request: StoreRequest,
  signal: AbortSignal | undefined,
): Promise<StoreAnswer> {
  return new Promise((resolve, reject) => {
    const outcome = isWrite(request) ? "unknown" : "not-done";
    if (signal?.aborted === true) return reject(aborted("not-done", signal));
    const abort = (): void => {
      if (signal !== undefined) reject(aborted(outcome, signal));
    };
    signal?.addEventListener("abort", abort, { once: true });
    return user.ask(request, (answer) => {
      signal?.removeEventListener("abort", abort);
      if (answer !== null) resolve(answer);
      else reject(new ClientError("KITH_CLIENT_CLOSED", "The client has stopped.", outcome));
    });
  });
}

/** Waits. Ends early where the signal says so. */
export function pause(
  user: StoreUser,
  delay: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(aborted("not-done", signal));
    const abort = (): void => {
      if (signal !== undefined) reject(aborted("not-done", signal));
    };
    signal?.addEventListener("abort", abort, { once: true });
    return user.after(delay, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
  });
}

/** The error for an answer that is not what was asked for. @param what a sentence that names the call, without its end */
export function failure(answer: StoreAnswer, what: string): ClientError {
  if (answer instanceof Busy)
    return new ClientError("KITH_CLIENT_BUSY", `${what} has to wait: too much does.`, "not-done");
  if (answer instanceof NotDone)
    return answer.reason === "scattered"
      ? refused(what, "scattered")
      : answer.reason === "stopped"
        ? new ClientError("KITH_CLIENT_CLOSED", `${what} came to a store that stops.`, "not-done")
        : new ClientError("KITH_CLIENT_TIMEOUT", `${what} was not done in time.`, "not-done");
  if (answer instanceof Ambiguous)
    return new ClientError("KITH_CLIENT_AMBIGUOUS", `${what} may have been done.`, "unknown");
  if (answer instanceof Refused) return refused(what, answer.reason);
  if (answer instanceof Aborted)
    return new ClientError("KITH_CLIENT_CONFLICT", `${what} was overtaken.`, "not-done");
  return new ClientError(
    "KITH_CLIENT_AMBIGUOUS",
    `${what} was answered with ${answer.constructor.name}.`,
    "unknown",
  );
}

function refused(what: string, reason: string): ClientError {
  return new ClientError("KITH_CLIENT_REFUSED", `${what} was refused: ${reason}.`, "not-done", {
    reason,
  });
}

function aborted(outcome: "not-done" | "unknown", signal: AbortSignal): ClientError {
  const cause: unknown = signal.reason;
  return new ClientError("KITH_CLIENT_ABORTED", "The call was given up.", outcome, { cause });
}

function isWrite(request: StoreRequest): boolean {
  return (
    request instanceof Put ||
    request instanceof Delete ||
    request instanceof Apply ||
    (request instanceof Commit && request.writes.length > 0)
  );
}

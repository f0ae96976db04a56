/**
 * Every error of this package: a stable code, what has become of what was asked, and what to do next. Codes are part
 * of the public contract; texts may change.
 */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_CLIENT_ARGUMENT: "Pass what the documentation of the call asks for; nothing was done.",
  KITH_CLIENT_BUSY: "Ask again later, or let fewer calls wait at a time; nothing was done.",
  KITH_CLIENT_TIMEOUT: "Ask again, or give it more time with `within`; nothing was done.",
  KITH_CLIENT_ABORTED:
    "It was given up as its signal asked for; look at `outcome` before repeating it.",
  KITH_CLIENT_AMBIGUOUS:
    "Read what is there before you repeat it: nobody can know whether it was done, or may yet be.",
  KITH_CLIENT_REFUSED: "Change what is asked for; nothing was done.",
  KITH_CLIENT_CONFLICT:
    "Let fewer transactions change the same keys at a time, or allow more `attempts`; nothing was done.",
  KITH_CLIENT_OVER: "Use a transaction only within its own body, and wait for what it is asked.",
  KITH_CLIENT_CLOSED: "Make a new client with connect().",
  KITH_CLIENT_UNREACHABLE:
    "Check the addresses, that the peers run, and that cluster and secret are theirs; nothing was done.",
  KITH_CLIENT_VALUE: "Read it with the codec that it was written with, or as bytes.",
} as const;

/** The codes of the errors of `@kith/client`. */
export type ClientErrorCode = keyof typeof nextSteps;

/** What has become of a call that failed. `unknown`: it was done, or it was not, or it may yet be. */
export type Outcome = "not-done" | "unknown";

/** A call has failed; `outcome` says whether it may have happened all the same. */
export class ClientError extends KithError {
  override readonly code: ClientErrorCode;
  /** Whether what was asked for may have happened. */
  readonly outcome: Outcome;
  /** Of `KITH_CLIENT_REFUSED`: why, in one word, such as `condition`. */
  readonly reason: string | undefined;

  constructor(
    code: ClientErrorCode,
    what: string,
    outcome: Outcome,
    options: { readonly cause?: unknown; readonly reason?: string } = {},
  ) {
    super(code, what, nextSteps[code], "cause" in options ? { cause: options.cause } : undefined);
    this.name = "ClientError";
    this.code = code;
    this.outcome = outcome;
    this.reason = options.reason;
  }
}

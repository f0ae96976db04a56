/**
 * Every error of this package: a stable code, and what to do next. Codes are part of the public
 * contract; texts may change.
 */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_PAXOS_ARGUMENT: "Pass what the documentation of the request asks for; nothing was changed.",
  KITH_PAXOS_CORRUPT:
    "Take the replica out of its group and let it join again; what is on this disk cannot be trusted.",
  KITH_PAXOS_INVARIANT:
    "Keep the data and report it: the group has stopped here, because going on could lose what was promised.",
  KITH_PAXOS_STORAGE:
    "Stop the peer and start it again: only a new start knows which of its writes are on the disk.",
  KITH_PAXOS_VERSION:
    "Start the peer with code that has this version of the machine; its data are kept until then.",
} as const;

/** The codes of the errors of `@kith/paxos`. */
export type PaxosErrorCode = keyof typeof nextSteps;

/** Builds this package's error of the given code; `what` is a sentence that names the culprit. */
export function paxosError(code: PaxosErrorCode, what: string, cause?: unknown): KithError {
  return new KithError(code, what, nextSteps[code], cause === undefined ? undefined : { cause });
}

/**
 * Asserts an invariant of the protocol; on in production, where it stops the group it was found in.
 *
 * @param invariant its name, such as `G3`
 * @throws KithError `KITH_PAXOS_INVARIANT`
 */
export function ensure(holds: boolean, invariant: string, detail: () => string): asserts holds {
  if (!holds) throw paxosError("KITH_PAXOS_INVARIANT", `${invariant} is violated: ${detail()}.`);
}

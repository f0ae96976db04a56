/**
 * Faults and the policies that resolve them. An exception in a handler suspends the component and its
 * subtree; its parent's policy says what happens next.
 */

import type { ComponentCore } from "./component-core.ts";
import { coreError } from "./errors.ts";
import type { Event } from "./event.ts";
import type { Millis } from "./types.ts";

/** What is known of an exception that a component let out. */
export interface Fault {
  /** What was thrown. */
  readonly cause: unknown;
  /** The path of the component that threw. */
  readonly path: string;
  /** The event in whose handler it was thrown; undefined in lifecycle handlers and entries. */
  readonly event: Event | undefined;
}

/** A fault on its way up, with the components that it suspends: the one that threw comes first. */
export interface Escalation {
  fault: Fault;
  readonly chain: ComponentCore[];
}

/** What a policy decides. */
export type Resolution =
  /** The event is consumed; the rest of the queue is handled. */
  | "resume"
  /** The component and its subtree stop. */
  | "stop"
  /** This component is suspended too, and its parent decides. */
  | "escalate"
  | Restart;

/** Begin again from the init, without the state, with the queue. */
export interface Restart {
  readonly restart: true;
  readonly backoff: Millis;
  readonly factor: number;
  readonly backoffMax: Millis;
  readonly limit: number;
  readonly within: Millis;
}

/** Decides over a fault of a child; a throw in it escalates. */
export type FaultPolicy = (fault: Fault) => Resolution;

/**
 * The resolution to restart: at most `limit` times (default 5) `within` a time (default 60,000 ms),
 * after that the fault is escalated. With a `backoff` (default 0) the n-th restart within that time
 * waits `backoff · factor^(n-1)` milliseconds (factor default 2), at most `backoffMax` (10,000); the
 * parent then needs a Timer.
 */
export function restart(options: Partial<Omit<Restart, "restart">> = {}): Restart {
  const rule: Restart = {
    restart: true,
    backoff: 0,
    factor: 2,
    backoffMax: 10_000,
    limit: 5,
    within: 60_000,
    ...options,
  };
  if (
    !(
      rule.backoff >= 0 &&
      rule.factor >= 1 &&
      rule.backoffMax >= 0 &&
      rule.limit >= 0 &&
      rule.within >= 0
    )
  ) {
    throw coreError(
      "KITH_BAD_ARGUMENT",
      `A restart rule has a negative number: ${JSON.stringify(rule)}.`,
    );
  }
  return rule;
}

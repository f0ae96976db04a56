/**
 * What is done about faults in a peer: the part that has failed begins anew, after a pause that grows; one that fails too often takes
 * its peer down; the other peers of the process go on.
 *
 * A part is what can begin anew by itself: the overlay as a whole (its components hold each other's facts), the peer's store (which
 * takes its replicas up from the disk again), and each service that was put beside them. Below a part a fault escalates.
 */

import { type Fault, type FaultPolicy, type Millis, restart } from "@kith/core";

/** When a part begins anew, and when that ends. Plain data. */
export interface RestartRule {
  /** How many restarts `within` are enough: the next fault stops the peer. Default 5. */
  readonly limit?: number;
  /** Default 60 s. */
  readonly within?: Millis;
  /** The first pause; each following one is twice as long. Default 100 ms. */
  readonly backoff?: Millis;
  /** The longest pause; default 5 s. */
  readonly backoffMax?: Millis;
}

/** Restarts a part by the rule. @param told of each fault, before it is decided */
export function restarting(rule: RestartRule, told: (fault: Fault) => void): FaultPolicy {
  const { limit = 5, within = 60_000, backoff = 100, backoffMax = 5000 } = rule;
  return (fault) => {
    told(fault);
    return restart({ limit, within, backoff, backoffMax });
  };
}

/** A fault as text for people: where, what, and what it goes back to. */
export function faultText({ path, cause }: Fault): string {
  return `${path}: ${textOf(cause)}`;
}

function textOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause === undefined ? cause.message : `${cause.message} (${textOf(cause.cause)})`;
}

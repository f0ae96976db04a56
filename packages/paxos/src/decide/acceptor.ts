/**
 * The acceptor of one instance, for the whole family: it promises and it votes (Lamport 1998, 2001).
 *
 * - What it has promised only grows (PX3), also over restarts: both functions change what has to be durable before
 *   anybody hears of it.
 * - It votes once in a ballot, and never below what it has promised.
 */

import { ensure } from "../errors.ts";
import { type Ballot, compareBallots, describeBallot, noBallot, sameBallot } from "./ballot.ts";

/** A vote for a value. */
export interface Vote {
  readonly ballot: Ballot;
  readonly value: Uint8Array;
}

/** What an acceptor has to remember of an instance. Plain data. */
export interface Acceptor {
  /** It takes part in no ballot below this one. */
  promised: Ballot;
  /** Its last vote. */
  accepted: Vote | null;
}

/** One that has not heard of its instance. */
export function freshAcceptor(): Acceptor {
  return { promised: noBallot, accepted: null };
}

/** Asks for the promise to take part in no ballot below this one. @returns whether it is given */
export function promise(acceptor: Acceptor, ballot: Ballot): boolean {
  if (compareBallots(ballot, acceptor.promised) < 0) return false;
  raise(acceptor, ballot);
  return true;
}

/**
 * Asks for a vote. In the first ballot, where several may ask, the first value that comes has it.
 *
 * @returns whether its vote in this ballot is for this value
 */
export function accept(acceptor: Acceptor, ballot: Ballot, value: Uint8Array): boolean {
  if (compareBallots(ballot, acceptor.promised) < 0) return false;
  const { accepted } = acceptor;
  if (accepted !== null && sameBallot(accepted.ballot, ballot))
    return sameValue(accepted.value, value);
  raise(acceptor, ballot);
  acceptor.accepted = { ballot, value };
  return true;
}

/** Whether two values are the same. */
export function sameValue(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function raise(acceptor: Acceptor, ballot: Ballot): void {
  const { promised, accepted } = acceptor;
  ensure(
    compareBallots(ballot, promised) >= 0 &&
      (accepted === null || compareBallots(ballot, accepted.ballot) >= 0),
    "PX3",
    () => `${describeBallot(ballot)} was to follow ${describeBallot(promised)}`,
  );
  acceptor.promised = ballot;
}

/**
 * Ballots: a round, and who may speak in it. They are ordered, and no two proposers share one, nor do two lives
 * of a proposer.
 *
 * Round 0 is nobody's: there is one ballot of it, the first one, in which no promise is needed, since none can have been
 * given for less. Who may use it is a matter of the protocol: everybody (Lamport 2006, fast rounds), or one owner
 * for each instance (Gray and Lamport 2006, the resource manager).
 */

import type { ByteReader, ByteWriter } from "../bytes.ts";

/** A ballot. Plain data. */
export interface Ballot {
  readonly round: number;
  /** The `peerId` of the one proposer who may speak in it; 0 in the first ballot. */
  readonly proposer: number;
  /** Which life of the proposer it is, as counted on its storage. */
  readonly life: number;
}

/** Below every ballot: nothing was promised. */
export const noBallot: Ballot = { round: -1, proposer: 0, life: 0 };

/** The first ballot. */
export const firstBallot: Ballot = { round: 0, proposer: 0, life: 0 };

/** Less than 0 where `a` comes before `b`, 0 where they are the same. */
export function compareBallots(a: Ballot, b: Ballot): number {
  return a.round - b.round || a.proposer - b.proposer || a.life - b.life;
}

/** Whether two ballots are the same. */
export function sameBallot(a: Ballot, b: Ballot): boolean {
  return compareBallots(a, b) === 0;
}

/** The ballot as text, for logs and tests. */
export function describeBallot({ round, proposer, life }: Ballot): string {
  return round < 0 ? "none" : `${round}.${proposer}.${life}`;
}

/** Writes a ballot. */
export function writeBallot(writer: ByteWriter, { round, proposer, life }: Ballot): void {
  writer
    .count(round + 1)
    .count(proposer)
    .count(life);
}

/** Reads what `writeBallot` wrote. @throws KithError `KITH_PAXOS_CORRUPT` */
export function readBallot(reader: ByteReader): Ballot {
  const round = reader.count() - 1;
  const proposer = reader.count();
  return { round, proposer, life: reader.count() };
}

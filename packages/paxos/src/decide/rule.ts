/** What tells the protocols of the family apart: how many votes choose a value, and which value a later ballot may propose. */

import type { Ballot } from "./ballot.ts";
import type { Vote } from "./acceptor.ts";

/** What a proposer may propose after the promises of a quorum. */
export type Picked =
  /** This value and no other: it may have been chosen. */
  | { readonly kind: "bound"; readonly value: Uint8Array }
  /** Anything: no value can have been chosen. `seen` is one that somebody has voted for. */
  | { readonly kind: "free"; readonly seen: Uint8Array | null };

/** A protocol of the family. Functions of their arguments. */
export interface Rule {
  /** Whether everybody may ask for votes in the first ballot, without promises. */
  readonly open: boolean;
  /** How many of `acceptors` have to vote for a value in a ballot, so that it is chosen. */
  quorum(acceptors: number, ballot: Ballot): number;
  /** How many have to promise a ballot before something is proposed in it. */
  promises(acceptors: number): number;
  /**
   * Which value may be proposed after these promises.
   *
   * @param votes the last vote of each acceptor that has promised, null where it has none
   * @param acceptors how many acceptors there are in all
   */
  pick(votes: readonly (Vote | null)[], acceptors: number): Picked;
}

/**
 * What clients and members say to each other. All that one has to say to another in a turn is one message: a client
 * of fifty people costs hardly more than that of one.
 */

import { message, type PeerRef } from "@kith/network";

/** Something asked, by the number that its answer will bear. */
export type Ask = readonly [number: number, kind: "do" | "look", body: Uint8Array];

/**
 * What came of it. `moved`: ask the leader, as far as one is known. `later`: not done, ask again. `unknown`: it may
 * have been done. `refused`: not done, and asking again will not help.
 */
export type Outcome = "done" | "moved" | "later" | "unknown" | "refused";

/** An answer. */
export type Answer = readonly [number: number, outcome: Outcome, result: Uint8Array];

/** What a client asks of a member. */
export class Asks extends message("group/Asks")<{ readonly asks: readonly Ask[] }> {}

/** What a member answers. */
export class Answers extends message("group/Answers")<{
  readonly answers: readonly Answer[];
  /** Who leads, as far as the member knows. */
  readonly leader: number | null;
}> {}

/** Something that stands for its receiver: who that is, and in which life. */
export function nameOf({ peerId, incarnation }: PeerRef): string {
  return `${peerId}#${incarnation}`;
}

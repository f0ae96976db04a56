/** What a peer of Paxos Commit holds of transactions, and what it and others say of them. Plain data. */

import type { Millis } from "@kith/core";
import type { PeerAddress } from "../config.ts";
import type { Vote } from "../decide/acceptor.ts";
import type { Ballot } from "../decide/ballot.ts";
import type { Ballots, ManagerId } from "./ballots.ts";
import type { Over } from "./transaction-id.ts";

/** What peers say to each other of a transaction. */
export type CommitWord = {
  readonly transaction: string;
  readonly managers: readonly PeerAddress[];
} & (
  | { readonly kind: "begin"; readonly body: Uint8Array; readonly doneBelow: number }
  /** A manager asks for votes in its own ballot. */
  | { readonly kind: "vote"; readonly value: Uint8Array }
  /** The votes of an acceptor in the first ballot: all of them, or one to abort. */
  | { readonly kind: "voted"; readonly votes: ReadonlyMap<ManagerId, Vote> }
  | { readonly kind: "prepare"; readonly ballot: Ballot }
  | {
      readonly kind: "promised";
      readonly ballot: Ballot;
      readonly votes: ReadonlyMap<ManagerId, Vote>;
    }
  | {
      readonly kind: "accept";
      readonly ballot: Ballot;
      readonly values: ReadonlyMap<ManagerId, Uint8Array>;
    }
  | { readonly kind: "accepted"; readonly ballot: Ballot }
  | { readonly kind: "refused"; readonly ballot: Ballot; readonly promised: Ballot }
  | { readonly kind: "outcome"; readonly committed: boolean }
  /** A manager has taken the outcome. */
  | { readonly kind: "taken" }
  /** All managers have. */
  | { readonly kind: "over"; readonly doneBelow: number }
  /** It is known here that it is over. */
  | { readonly kind: "ended" }
);

/** A word on its way. */
export interface CommitLetter {
  readonly to: PeerAddress;
  readonly word: CommitWord;
}

/** The settings of Paxos Commit, each with what raising it costs. */
export interface CommitSettings {
  /** Between two sendings of what was not answered. Raising it makes losses cost more. */
  readonly retry: Millis;
  /**
   * How long a leader waits for votes, and a manager that has voted for the outcome, before it takes a ballot of its
   * own. Raising it keeps transactions open longer where somebody is gone, lowering it aborts what is only slow.
   */
  readonly patience: Millis;
  /** How many transactions may be open here before one more is answered `Busy`, or as an acceptor not answered. */
  readonly openMax: number;
}

/** What holds where nothing else is said. */
export const defaultCommitSettings: CommitSettings = {
  retry: 300,
  patience: 2000,
  openMax: 10_000,
};

/** A transaction at an acceptor: durable. */
export interface Accepting extends Ballots {
  readonly managers: readonly PeerAddress[];
  /** When the acceptor leads it to its end itself, so that it need not keep it for ever. Not durable. */
  deadline: Millis;
}

/** A transaction at a resource manager; durable from when it has voted. */
export interface Managing {
  readonly managers: readonly PeerAddress[];
  vote: Uint8Array | null;
  /** Known from now on; whoever tells it waits until it is taken. */
  outcome: boolean | null;
  readonly tellers: Set<number>;
  deadline: Millis;
}

/** A transaction that this peer leads to its end. Gone with its life. */
export interface Leading {
  readonly managers: readonly PeerAddress[];
  readonly body: Uint8Array;
  phase: "collect" | "prepare" | "accept" | "tell" | "over";
  ballot: Ballot;
  values: ReadonlyMap<ManagerId, Uint8Array>;
  /** By acceptor: its votes, or, of a promise, the votes it told of. */
  readonly heard: Map<number, ReadonlyMap<ManagerId, Vote>>;
  readonly refusals: Set<number>;
  /** Null until it is known; it stays so where others were faster and all is over. */
  committed: boolean | null;
  /** Who has taken the outcome, or, at last, knows that it is over. */
  readonly taken: Set<number>;
  round: number;
  failures: number;
  /** When it is said again, and when a ballot is given up. */
  resend: Millis;
  deadline: Millis;
}

/** What has to happen after a turn. */
export interface CommitEffects {
  /** Transactions of which something has to be written. */
  readonly dirty: ReadonlySet<string>;
  /** Lives of managers of which it is to be written what is over. */
  readonly dirtyLives: ReadonlySet<string>;
  readonly flush: boolean;
  /** What waits for that. */
  readonly replies: readonly CommitLetter[];
  /** What does not. */
  readonly requests: readonly CommitLetter[];
  readonly news: readonly CommitNews[];
}

/** What the peer's user has to hear. */
export type CommitNews =
  | {
      readonly kind: "vote-asked";
      readonly transaction: string;
      readonly managers: readonly PeerAddress[];
      readonly body: Uint8Array;
    }
  | { readonly kind: "outcome"; readonly transaction: string; readonly committed: boolean }
  /** To those who began it or asked; null where it was over before. */
  | { readonly kind: "ended"; readonly transaction: string; readonly committed: boolean | null };

/** A peer. Plain data. */
export interface Committer {
  readonly self: PeerAddress;
  readonly life: number;
  readonly acceptors: readonly PeerAddress[];
  readonly settings: CommitSettings;
  readonly seed: number;
  draws: number;
  now: Millis;
  lastSeq: number;
  readonly accepting: Map<string, Accepting>;
  readonly managing: Map<string, Managing>;
  readonly leading: Map<string, Leading>;
  /** What all managers have taken: an acceptor needs no votes of it any more. */
  readonly over: Over;
  /** What this peer has taken, as a manager; others may not have. */
  readonly finished: Over;
  out: {
    readonly dirty: Set<string>;
    readonly dirtyLives: Set<string>;
    flush: boolean;
    readonly replies: CommitLetter[];
    readonly requests: CommitLetter[];
    readonly news: CommitNews[];
  };
}

/** What a storage has of a peer's earlier lives. */
export interface DurableCommits {
  readonly accepting: ReadonlyMap<string, Omit<Accepting, "deadline">>;
  readonly managing: ReadonlyMap<string, Pick<Managing, "managers" | "vote">>;
  readonly over: Over;
  readonly finished: Over;
}

/** Paxos Commit: transactions over resource managers that are single peers. */

export { type CommitSettings, defaultCommitSettings } from "./transactions.ts";
export { type CommitInit, PaxosCommit } from "./paxos-commit.ts";
export {
  AskOutcome,
  AtomicCommit,
  Begin,
  CastVote,
  Ended,
  OutcomeKnown,
  OutcomeTaken,
  VoteAsked,
} from "./port.ts";

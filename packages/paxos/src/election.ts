/**
 * Elections.
 *
 * - L1: a vote, and the promise of one, goes only to who has at least the voter's log; and while a voter has
 *   heard of a leader lately it is loyal, unless that leader itself has asked the candidate to take over. A
 *   loyal voter does not even take over the candidate's term (Ongaro's thesis §4.2.3).
 * - L2: before a term is begun, a majority has to promise its votes, so that a replica that was cut off does
 *   no harm when it comes back (thesis §9.6).
 * - A vote leaves when it is durable; a candidate's own vote counts from then on, too.
 */

import { isMajority, isVoter } from "./config.ts";
import { askVoters, sendAfter, setHard } from "./durability.ts";
import { isUpToDate, lastIndex, lastTerm } from "./log.ts";
import { becomeFollower, becomeLeader } from "./office.ts";
import type { PeerMessage, PreVote, PreVoteAnswer, Vote, VoteAnswer } from "./peer-message.ts";
import { configOf, electionTimeout, type GroupState } from "./state.ts";

/** Campaigns: asks whether an election would be won, or, where the leader wishes it, holds one at once. */
export function campaign(state: GroupState, invited: boolean): void {
  state.deadline = state.now + electionTimeout(state);
  if (state.role === "leader") return;
  if (!isVoter(configOf(state), state.self)) {
    // A learner never stands. Where it was removed and missed that, it is told so by whom it asks.
    askForVotes(state);
    return;
  }
  becomeFollower(state, state.term, 0);
  state.invited = invited;
  if (invited) {
    elect(state);
    return;
  }
  state.role = "pre-candidate";
  state.granted.add(state.self);
  askForVotes(state);
  promised(state);
}

/** Counts the vote that a candidate has given itself, once it is durable. */
export function tryWin(state: GroupState): void {
  if (state.role !== "candidate") return;
  const ownCounts = state.flushed >= state.hardWrite;
  const won = isMajority(configOf(state), (id) =>
    id === state.self ? ownCounts : state.granted.has(id),
  );
  if (won && ownCounts) becomeLeader(state);
}

/** Answers whether this replica would vote for the candidate. */
export function onPreVote(state: GroupState, message: PeerMessage & PreVote): void {
  const granted =
    message.term > state.term &&
    isUpToDate(state.log, message.lastTerm, message.lastIndex) &&
    !isLoyal(state);
  // A promise is given for the term that was asked for; a refusal tells the voter's own.
  sendAfter(state, 0, senderOf(message), {
    kind: "pre-vote-answer",
    term: granted ? message.term : state.term,
    granted,
  });
}

/** Counts a promise. */
export function onPreVoteAnswer(state: GroupState, message: PeerMessage & PreVoteAnswer): void {
  if (state.role !== "pre-candidate" || !message.granted || message.term !== state.term + 1) return;
  state.granted.add(message.from);
  promised(state);
}

/** Votes, or does not. */
export function onVote(state: GroupState, message: PeerMessage & Vote): void {
  const { term, transfer, from } = message;
  const sender = senderOf(message);
  if (!transfer && isLoyal(state)) {
    sendAfter(state, 0, sender, { kind: "vote-answer", term: state.term, granted: false });
    return;
  }
  if (term > state.term) becomeFollower(state, term, 0);
  const granted =
    term === state.term &&
    state.role === "follower" &&
    (state.vote === 0 || state.vote === from) &&
    isUpToDate(state.log, message.lastTerm, message.lastIndex);
  if (granted) {
    if (state.vote === 0) setHard(state, term, from);
    state.deadline = state.now + electionTimeout(state);
  }
  sendAfter(state, state.hardWrite, sender, { kind: "vote-answer", term: state.term, granted });
}

/** Counts a vote. */
export function onVoteAnswer(state: GroupState, message: PeerMessage & VoteAnswer): void {
  if (state.role !== "candidate" || message.term !== state.term || !message.granted) return;
  state.granted.add(message.from);
  tryWin(state);
}

/** Whether this replica has heard of a leader lately, and so keeps to it. */
function isLoyal(state: GroupState): boolean {
  return state.role === "leader" || state.now - state.contact < state.settings.electionMin;
}

function askForVotes(state: GroupState): void {
  askVoters(state, 0, {
    kind: "pre-vote",
    term: state.term + 1,
    lastIndex: lastIndex(state.log),
    lastTerm: lastTerm(state.log),
  });
}

function promised(state: GroupState): void {
  if (isMajority(configOf(state), (id) => state.granted.has(id))) elect(state);
}

function elect(state: GroupState): void {
  setHard(state, state.term + 1, state.self);
  state.role = "candidate";
  state.granted.clear();
  askVoters(state, state.hardWrite, {
    kind: "vote",
    term: state.term,
    lastIndex: lastIndex(state.log),
    lastTerm: lastTerm(state.log),
    transfer: state.invited,
  });
}

function senderOf({ from, fromPeer }: PeerMessage): { replicaId: number; peerId: number } {
  return { replicaId: from, peerId: fromPeer };
}

/** Deciding single instances: the port Decisions, and its two providers. */

export type { Ballot } from "./ballot.ts";
export {
  type DecideEffects,
  type Decider,
  decider,
  decisionOf,
  type DecideSettings,
  defaultDecideSettings,
  type Instance,
  type Letter,
  propose,
  receive,
  tick,
  turn,
  type Word,
} from "./decider.ts";
export { DecideHost, type DecideInit } from "./decide-host.ts";
export { heardOf, met, type PeerBook } from "./peer-book.ts";
export { Decide, Decided, DecisionKnown, Decisions, Learn } from "./port.ts";
export { putInstance, readRows } from "./records.ts";
export type { Vote } from "./acceptor.ts";
export type { Picked, Rule } from "./rule.ts";
export { FastPaxos } from "../fast/fast-paxos.ts";
export { SinglePaxos } from "../single/single-paxos.ts";
export { singleRule } from "../single/single-rule.ts";

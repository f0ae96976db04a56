/** Deciding single instances: the port Decisions, and its two providers. */

export type { Ballot } from "./ballot.ts";
export type { DecideSettings } from "./decider.ts";
export { defaultDecideSettings } from "./decider.ts";
export { DecideHost, type DecideInit } from "./decide-host.ts";
export { Decide, Decided, DecisionKnown, Decisions, Learn } from "./port.ts";
export type { Vote } from "./acceptor.ts";
export type { Picked, Rule } from "./rule.ts";
export { FastPaxos } from "../fast/fast-paxos.ts";
export { SinglePaxos } from "../single/single-paxos.ts";

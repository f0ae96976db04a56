/** Single-decree Paxos as a component: two rounds of messages to a majority, whoever proposes. */

import { DecideHost } from "../decide/decide-host.ts";
import { singleRule } from "./single-rule.ts";

/** Decides by single-decree Paxos: lives with any minority of its acceptors gone. */
export class SinglePaxos extends DecideHost {
  protected override readonly rule = singleRule;
  protected override readonly protocol = "single-paxos";
}

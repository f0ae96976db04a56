/**
 * Lamport's Fast Paxos as a component: one round of messages where nobody else proposes and three quarters of the
 * acceptors answer; a collision costs two more, with a majority.
 */

import { DecideHost } from "../decide/decide-host.ts";
import { fastRule } from "./fast-rule.ts";

/** Decides by Fast Paxos: lives with any minority of its acceptors gone, and is fast with at most a quarter gone. */
export class FastPaxos extends DecideHost {
  protected override readonly rule = fastRule();
  protected override readonly protocol = "fast-paxos";
}

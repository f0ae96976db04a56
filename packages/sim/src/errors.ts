/** The errors of the simulator: a stable code, and what to do next. */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_SIM_ARGUMENT: "Pass a value of the documented type and range.",
  KITH_SIM_CHECKPOINT:
    "Take it between two steps, and let what is to happen later be a timer, a message or simulation.at.",
  KITH_SIM_FAULT:
    "Look at its cause; a policy of a parent, given by onFault, could have handled it.",
  KITH_SIM_LEAK: "Take time from this.clock or the Timer port, and randomness from this.random.",
  KITH_SIM_LIVELOCK:
    "Look at the components named: they keep each other busy without time passing; give them a delay.",
  KITH_SIM_NODE_STATE: "Look at node.state first: up, paused or down.",
  KITH_SIM_NONDETERMINISM:
    "Look for what the named component reads that is not a port: a clock, a global, an order that memory decides.",
  KITH_SIM_SEED:
    "Run `npx kith sim <scenario> --seed <seed>`; once it is mended, keep the seed with those that once failed.",
  KITH_SIM_TIMEOUT:
    "Look at world.tree() for who waits for what, or give the condition more simulated time.",
} as const;

/** The codes of the errors that `@kith/sim` raises. */
export type SimErrorCode = keyof typeof nextSteps;

/** Builds an error of the simulator. */
export function simError(code: SimErrorCode, what: string, cause?: unknown): KithError {
  return new KithError(code, what, nextSteps[code], cause === undefined ? undefined : { cause });
}

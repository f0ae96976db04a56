/**
 * What a world gives to whoever runs a scenario in it: a time, things to happen later, nodes that can
 * be asked. Processes and invariants are written against it, and so are the same in every world.
 */

import type { Millis } from "@kith/core";
import type { Operation } from "./port.ts";

/** A world, as the processes of a scenario use it. */
export interface Stage {
  /** The time since the beginning, in milliseconds. */
  readonly time: Millis;
  /** Does something at a time. `what` and `number` name it among all that is done. */
  at(time: Millis, what: string, number: number, action: () => void): void;
  /** Whether a node takes calls: it lives, though it may be paused. */
  lives(node: number): boolean;
  /** Asks a node to perform an operation. */
  perform(node: number, call: Operation & { readonly id: number; readonly process: number }): void;
}

/**
 * Running a seed twice: the proof that a simulation is deterministic, or the first decision at which
 * the two runs part.
 */

import type { ComponentClass } from "@kith/core";
import { simError } from "./errors.ts";
import type { Simulation } from "./simulation.ts";
import type { Difference } from "./trace.ts";

/** What two equal runs have in common. */
export interface Twice {
  readonly hash: string;
  readonly decisions: number;
}

/**
 * Calls back at each promise that is made, until the function that it returns is called. In Node:
 * `(onCreate) => promiseHooks.onInit(onCreate)` of `node:v8`.
 */
export type PromiseWatch = (onCreate: () => void) => () => void;

/** What may be asked of a run that is made twice. */
export interface TwiceOptions {
  /** Makes a promise in a component an error that names the component. */
  readonly promises?: PromiseWatch;
}

/**
 * Builds and runs the same simulation twice.
 *
 * @param build makes the simulation; called twice
 * @param run drives it
 * @throws KithError `KITH_SIM_LEAK`, where a component makes a promise and `promises` tells of it
 * @throws KithError `KITH_SIM_NONDETERMINISM`, with the first decision that differs
 */
export function twice<K extends ComponentClass>(
  build: () => Simulation<K>,
  run: (simulation: Simulation<K>) => void,
  { promises }: TwiceOptions = {},
): Twice {
  const names = new Map<number, string>();
  const first = build();
  const record = first.engine.trace.record(names);
  watched(first, run, promises);
  const second = build();
  second.engine.trace.follow(record, names);
  watched(second, run, promises);
  const difference = second.engine.trace.difference();
  if (difference !== null) throw simError("KITH_SIM_NONDETERMINISM", explain(difference));
  return { hash: second.hash, decisions: second.engine.trace.count };
}

function watched<K extends ComponentClass>(
  simulation: Simulation<K>,
  run: (simulation: Simulation<K>) => void,
  promises: PromiseWatch | undefined,
): void {
  const stop = promises?.(() => simulation.leaked("a promise"));
  try {
    run(simulation);
  } finally {
    stop?.();
  }
}

function explain({ index, first, second }: Difference): string {
  return `Two runs of one seed part at decision ${index}: first ${first ?? "nothing more"}, then ${second ?? "nothing more"}.`;
}

/**
 * Scenarios: what a protocol is put through and what has to hold, as a plain value.
 *
 * A scenario names the component of a node, the processes that call it, what must always, in the end
 * and sometimes be the case, and how many faulty nodes the protocol promises to survive. It knows no
 * world: which faults there are and how they are brought about is the business of whoever runs it.
 */

import type { ComponentClass, Draw, InitOf, Millis } from "@kith/core";
import type { PeerRef } from "@kith/network";
import { simError } from "../errors.ts";
import type { Distribution } from "./distribution.ts";
import type { Fault, FaultKind } from "./kinds.ts";
import type { HistoryEvent } from "./history.ts";
import type { Plan } from "./plan.ts";
import type { FactClass, Operation } from "./port.ts";
import type { View } from "./view.ts";

/** What a process knows when it chooses its next operation. */
export interface OperationTurn {
  /** The draws of this process. */
  readonly draw: Draw;
  /** A key of the scenario; the hot key while there is one. */
  readonly key: () => string;
  /** A number that no other operation of the run has. */
  readonly unique: () => number;
  /** The process, and how many operations it has begun before. */
  readonly process: number;
  readonly number: number;
  /** The value of its last outcome `ok`; undefined before that. */
  readonly last: unknown;
  /** How many nodes there are. */
  readonly nodes: number;
}

/** When processes begin. */
export type ProcessStart =
  /** The first at that time, the others each a little later, by the distribution `wait`. */
  | { readonly at: Millis }
  /** All at that time. */
  | { readonly together: Millis }
  /** When the processes of that name have ended. */
  | { readonly after: string };

/** When a process ends; the first that is reached counts. It ends with the phase of faults anyway. */
export interface ProcessEnd {
  /** After so many operations. */
  readonly operations?: number;
  /** At that simulated time in milliseconds. */
  readonly time?: Millis;
  /** When this holds before an operation. */
  readonly when?: (view: View) => boolean;
}

/** A kind of processes. */
export interface ProcessPlan {
  readonly name: string;
  /** How many; drawn once per run. Default 1. */
  readonly count?: number | Distribution;
  /** Default at 0. */
  readonly start?: ProcessStart;
  /** Milliseconds from the end of an operation to the beginning of the next; default exponential(100). */
  readonly wait?: Distribution;
  /** After so many milliseconds the outcome is `info`, and a new process goes on; default 2000. */
  readonly timeout?: Millis;
  readonly until?: ProcessEnd;
  /** At which node: any, drawn each time (default); always the same; or an index. */
  readonly at?: "any" | "own" | ((turn: OperationTurn) => number);
  /** The next operation; null ends the process. */
  readonly next: (turn: OperationTurn) => Operation | null;
}

/** What an invariant runs on: classes of facts, lines of the history, lives that begin and end. */
export type Input = FactClass | "history" | "nodes";

/** Says what is wrong, or nothing. */
export type Check = (view: View) => string | undefined;

/** Must hold always. It runs when one of its inputs comes, each simulated second, and at the end. */
export interface Invariant {
  readonly name: string;
  readonly inputs: readonly Input[];
  /** Makes the check of one run, with a state of its own. */
  readonly begin: () => Check;
}

/** Must be reached at least once in a suite of runs. */
export interface Sometimes {
  readonly name: string;
  readonly inputs: readonly Input[];
  readonly begin: () => (view: View) => boolean;
}

/** Must come true within so many milliseconds of the healing. */
export interface Eventually {
  readonly name: string;
  readonly within: Millis;
  readonly holds: (view: View) => boolean;
  /** What is still missing, for people; asked where it did not come true. */
  readonly why?: (view: View) => string | undefined;
}

/** Judges the whole run, at its end. */
export interface Verdict {
  readonly name: string;
  readonly check: (run: {
    readonly history: readonly HistoryEvent[];
    readonly view: View;
  }) => string | undefined;
}

/** How many nodes may fail of `n`. */
export type Tolerance = (n: number) => number;

/** What a protocol promises to survive: the atlas within which faults are drawn. */
export interface Tolerances {
  /** So many nodes may be gone for good: the core is the others. Default: a minority. */
  readonly down?: Tolerance;
  /** So many different nodes may lose what they had made durable, where `gone` are gone for good; default none. */
  readonly amnesia?: (n: number, gone: number) => number;
}

/** Which faults are injected. */
export interface FaultChoice {
  /** Only these kinds. */
  readonly only?: readonly FaultKind[];
  /** All but these, each with the reason why it is no fair test of this protocol. */
  readonly without?: Readonly<Partial<Record<FaultKind, string>>>;
  /** Strike after so many milliseconds at the earliest: what is needed to be founded, where that is not what is to be tested. Default 0. */
  readonly after?: Millis;
  /** What strikes in every run beside that, such as churn at a rate of its own. */
  readonly storm?: (run: Storm) => readonly Fault[];
}

/** What a storm is drawn for. */
export interface Storm {
  /** The draws of this purpose. */
  readonly draw: Draw;
  /** How many nodes there are, and how long faults strike, in milliseconds. */
  readonly nodes: number;
  readonly duration: Millis;
  /** The nodes that may lose what they had made durable in this run, by their indices; see `Tolerances`. */
  readonly forgetful: readonly number[];
}

/** A component that may be swapped while it runs: for its like, or for one of these classes. */
export interface SwapChoice {
  readonly path: string;
  /** Providers of the same ports that take its state over. */
  readonly to: readonly ComponentClass[];
}

/** A later version of a component. It takes the init and the state of the one that it replaces: see `migrate`. */
export interface LaterVersion {
  /** Where that stands, such as `/Peer-1/Abd-1`. */
  readonly path: string;
  readonly to: ComponentClass;
}

/** How many operations have to end `ok`, so that nothing passes by refusing work. */
export interface Quota {
  /** In each run, with those that close it; default 1. */
  readonly each?: number;
  /** On the average of a suite, without those that close a run; default 1. */
  readonly mean?: number;
}

/** A scenario, of nodes whose main component is `K`. */
export interface Scenario<K extends ComponentClass = ComponentClass> {
  readonly name: string;
  /** One paragraph for people. */
  readonly about: string;
  /** How many nodes; a seed draws, and shrinking goes down to `min`. */
  readonly nodes: number | { readonly min: number; readonly max: number };
  /** The main component of every node. It requires `Workload`. */
  readonly main: K;
  /**
   * Its init, for each start. `peers` are the lives of all nodes at that time; by `seed` a part of the runs may have other
   * settings than the rest; `time` is that of the start, in simulated milliseconds: what a node does by itself may end with the
   * phase of faults.
   */
  readonly init: (node: {
    readonly index: number;
    readonly name: string;
    readonly peers: readonly PeerRef[];
    readonly seed: number | string;
    readonly time: Millis;
  }) => InitOf<K>;
  /** What messages travel by; default `stream`. `either` is drawn by the seed. */
  readonly transport?: "stream" | "datagram" | "either";
  /** The keys of operations; default none. */
  readonly keys?: readonly string[];
  /** How long faults are injected and processes call, in milliseconds; default 10,000. */
  readonly duration?: Millis;
  /** How long the healed core may take to finish, in milliseconds; default 20,000. */
  readonly settle?: Millis;
  readonly processes: readonly ProcessPlan[];
  /** What is called one by one at nodes of the core after the healing; each has to end `ok`. */
  readonly closing?: (run: {
    readonly keys: readonly string[];
    readonly nodes: number;
  }) => readonly Operation[];
  readonly succeed?: Quota;
  readonly tolerates?: Tolerances;
  readonly faults?: FaultChoice;
  /** Whether a fault of a component fails the run (default), or is a crash of its node. */
  readonly fault?: "fail" | "crash";
  /** Components that may be swapped while they run, beside those of the world: for their like, where only the path is given. */
  readonly swaps?: readonly (string | SwapChoice)[];
  /** Later versions of components: `mixed versions` swaps them in, node by node. A new life begins with the old ones. */
  readonly versions?: readonly LaterVersion[];
  readonly invariants?: readonly Invariant[];
  readonly eventually?: readonly Eventually[];
  readonly sometimes?: readonly Sometimes[];
  readonly finally?: readonly Verdict[];
  /** What happens is written down: every seed does the same. See `replay`. */
  readonly plan?: Plan;
}

/** Makes a scenario. @throws KithError `KITH_SIM_ARGUMENT` where its parts do not fit each other */
export function scenario<K extends ComponentClass>(definition: Scenario<K>): Scenario<K> {
  const { name, processes, nodes } = definition;
  const { min, max } = nodesOf(nodes);
  if (!(Number.isSafeInteger(min) && min > 0 && max >= min))
    throw simError("KITH_SIM_ARGUMENT", `The scenario ${name} has ${min} to ${max} nodes.`);
  const names = new Set(processes.map((process) => process.name));
  if (names.size < processes.length)
    throw simError("KITH_SIM_ARGUMENT", `Two processes of the scenario ${name} have one name.`);
  for (const { start } of processes)
    if (start !== undefined && "after" in start && !names.has(start.after))
      throw simError("KITH_SIM_ARGUMENT", `${name} has no processes named ${start.after}.`);
  return definition;
}

/** The least and the largest number of nodes. */
export function nodesOf(nodes: Scenario["nodes"]): { readonly min: number; readonly max: number } {
  return typeof nodes === "number" ? { min: nodes, max: nodes } : nodes;
}

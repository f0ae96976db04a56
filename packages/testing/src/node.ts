/**
 * A script as data: the nodes that the statements leave, and the trail on which they are collected.
 *
 * A trail is immutable; each statement makes a longer one. So a script can be kept and continued in
 * several ways, and run as often as one likes.
 */

import type { Observed } from "./observed.ts";
import type { Refusal } from "./match.ts";
import type { Stage } from "./stage.ts";

/** What every node knows of the statement that made it. */
export interface Statement {
  /** The statement's number in the script, such as `3`, or `3.1` inside a block. */
  readonly place: string;
  /** The statement as it was written. */
  readonly text: string;
  /** Where in the test it stands. */
  readonly trace: { readonly stack?: string };
}

/** Expects one observation. */
export interface Leaf extends Statement {
  readonly kind: "leaf";
  /** What is expected, in words. */
  readonly wanted: string;
  /** Undefined where the observation is the expected one. */
  refuses(observed: Observed): Refusal;
}

/** Expects that nothing is left. */
export interface Nothing extends Statement {
  readonly kind: "nothing";
}

/** Does something. What was chosen before it, is chosen for good. */
export interface Action extends Statement {
  readonly kind: "action";
  /** @param last what the expectation right before this action has taken */
  perform(stage: Stage, last: Observed | undefined): void;
}

/** Expects the items in any order; each is an expectation, with its reply where it has one. */
export interface AnyOrder extends Statement {
  readonly kind: "any-order";
  readonly items: readonly (readonly Node[])[];
}

/** Expects one of the blocks. */
export interface Either extends Statement {
  readonly kind: "either";
  readonly blocks: readonly (readonly Node[])[];
}

/** Expects the body again and again, as often as it comes. */
export interface Loop extends Statement {
  readonly kind: "loop";
  readonly min: number;
  readonly max: number;
  readonly body: readonly Node[];
}

/** One node of a script. */
export type Node = Leaf | Nothing | Action | AnyOrder | Either | Loop;

/** The statements of a script or a block so far. */
export interface Trail {
  /** Goes before the numbers of statements: empty in a script, `3.` in a block. */
  readonly prefix: string;
  /** How many statements there are; one may leave several nodes. */
  readonly length: number;
  readonly nodes: readonly Node[];
  /** Identifies the block, to which the rules that are made in it belong. */
  readonly scope: symbol;
  /** Whether it makes rules. */
  readonly ruled: boolean;
}

/** The key to a builder's trail, which keeps it out of what an editor offers. */
export const trailOf: unique symbol = Symbol("kith.testing.trail");

/** An empty trail. */
export function newTrail(prefix = ""): Trail {
  return { prefix, length: 0, nodes: [], scope: Symbol(prefix), ruled: false };
}

/**
 * What the next statement on a trail knows of itself.
 *
 * @param verb the method of `builder` that the test called
 * @param source its arguments as text
 */
export function nextStatement(
  trail: Trail,
  builder: object,
  verb: string,
  source: string,
): Statement {
  const method: unknown = Reflect.get(builder, verb);
  return {
    place: `${trail.prefix}${trail.length + 1}`,
    text: `${verb}(${source})`,
    trace: isMethod(method) ? traceTo(method) : {},
  };
}

/** The trail with one statement more. */
export function extend(trail: Trail, nodes: readonly Node[], ruled = false): Trail {
  return {
    ...trail,
    length: trail.length + 1,
    nodes: [...trail.nodes, ...nodes],
    ruled: trail.ruled || ruled,
  };
}

/** The nodes of a block, which ends the rules that were made in it. */
export function closed({ nodes, ruled, scope }: Trail, statement: Statement): readonly Node[] {
  if (!ruled) return nodes;
  const end: Action = { ...statement, kind: "action", perform: (stage) => stage.endRules(scope) };
  return [...nodes, end];
}

/** The stack below the call of a method. */
function traceTo(method: (...args: never[]) => unknown): { readonly stack?: string } {
  const trace: { stack?: string } = {};
  // Not every engine has it; without it, a failure shows only where the script was run.
  if ("captureStackTrace" in Error) Error.captureStackTrace(trace, method);
  return trace;
}

function isMethod(value: unknown): value is (...args: never[]) => unknown {
  return typeof value === "function";
}

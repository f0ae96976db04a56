/**
 * Finds out how what came fits what the script says, up to the next action.
 *
 * Expectations, repetitions and alternatives are a regular expression over the observations, and this
 * is a backtracking matcher for it: depth first, alternatives in the order in which they are written,
 * repetitions as long as they can be. It reaches as far as the next action and no further, because an
 * action cannot be taken back: what was chosen before it stands. Everything that can come has come
 * when this is called, so "not there" means "never".
 *
 * Where nothing fits, the failure is the furthest observation that was reached, with all that the
 * script would have accepted there.
 */

import type { Action, AnyOrder, Leaf, Loop, Node, Nothing } from "./node.ts";
import type { Observed } from "./observed.ts";

/** What is left of a script: a list of nodes, of which loops and any-orders know how far they are. */
export interface Todo {
  readonly step: Node | LoopStep | AnyOrderStep;
  readonly next: Todo | null;
}

interface LoopStep {
  readonly kind: "looping";
  readonly loop: Loop;
  readonly count: number;
  /** Where the last round began: one that took nothing is not repeated. */
  readonly from: number;
}

interface AnyOrderStep {
  readonly kind: "ordering";
  readonly node: AnyOrder;
  readonly rest: readonly number[];
  /** What has been tried already, over all the ways that lead here. */
  readonly tried: Set<string>;
}

/** An expectation that did not hold, and why the observation was not the expected one. */
export interface Miss {
  readonly node: Leaf | Nothing;
  readonly reason: string;
}

/** The end of a search. */
export type Found =
  /** An action is next; `todo` is what comes after it. */
  | {
      readonly kind: "action";
      readonly action: Action;
      readonly todo: Todo | null;
      readonly cursor: number;
    }
  | { readonly kind: "end"; readonly cursor: number }
  /** At the observation `at` (or the end of all) nothing fits. */
  | { readonly kind: "failed"; readonly at: number; readonly misses: readonly Miss[] };

/** Puts nodes in front of what is left. */
export function push(nodes: readonly Node[], next: Todo | null): Todo | null {
  return nodes.reduceRight<Todo | null>((rest, step) => ({ step, next: rest }), next);
}

/** Searches from a place in the script and in the observations. */
export function search(
  start: Todo | null,
  observed: readonly Observed[],
  startCursor: number,
): Found {
  const choices: { readonly todo: Todo | null; readonly cursor: number }[] = [
    { todo: start, cursor: startCursor },
  ];
  let furthest = -1;
  let misses: Miss[] = [];
  const miss = (at: number, node: Leaf | Nothing, reason: string): void => {
    if (at < furthest) return;
    if (at > furthest) misses = [];
    furthest = at;
    if (!misses.some((one) => one.node === node)) misses.push({ node, reason });
  };

  for (let choice = choices.pop(); choice !== undefined; choice = choices.pop()) {
    let { todo, cursor } = choice;
    for (;;) {
      if (todo === null) return { kind: "end", cursor };
      const { step, next }: Todo = todo;
      if (step.kind === "action") return { kind: "action", action: step, todo: next, cursor };
      if (step.kind === "leaf") {
        const taken = take(step, observed, cursor, miss);
        if (taken < 0) break;
        // It may come again, for an allowed event need not be the one that is meant.
        if (observed[taken]?.status === "allowed") choices.push({ todo, cursor: taken + 1 });
        cursor = taken + 1;
        todo = next;
      } else if (step.kind === "nothing") {
        const left = firstOpen(observed, cursor);
        if (left >= 0) {
          miss(left, step, "");
          break;
        }
        cursor = observed.length;
        todo = next;
      } else if (step.kind === "either") {
        for (const block of step.blocks.toReversed())
          choices.push({ todo: push(block, next), cursor });
        break;
      } else if (step.kind === "loop") {
        todo = { step: { kind: "looping", loop: step, count: 0, from: -1 }, next };
      } else if (step.kind === "looping") {
        const { loop, count, from } = step;
        if (count >= loop.max || (count >= loop.min && cursor === from)) {
          todo = next;
          continue;
        }
        if (count >= loop.min) choices.push({ todo: next, cursor });
        todo = push(loop.body, { step: { ...step, count: count + 1, from: cursor }, next });
      } else if (step.kind === "any-order") {
        const rest = step.items.map((_, i) => i);
        todo = { step: { kind: "ordering", node: step, rest, tried: new Set() }, next };
      } else {
        if (step.rest.length === 0) {
          todo = next;
          continue;
        }
        const state = `${cursor} ${step.rest.join(" ")}`;
        // Any order of the items before leads to the same end from here.
        if (step.tried.has(state)) break;
        step.tried.add(state);
        for (const item of step.rest.toReversed()) {
          const rest = step.rest.filter((other) => other !== item);
          choices.push({
            todo: push(step.node.items[item] ?? [], { step: { ...step, rest }, next }),
            cursor,
          });
        }
        break;
      }
    }
  }
  return { kind: "failed", at: furthest, misses };
}

/** @returns the index of the observation that the expectation takes, or -1 */
function take(
  leaf: Leaf,
  observed: readonly Observed[],
  cursor: number,
  miss: (at: number, leaf: Leaf, reason: string) => void,
): number {
  for (let at = cursor; ; at++) {
    const candidate = observed[at];
    if (candidate?.status === "answered") continue;
    const refusal = candidate === undefined ? "" : leaf.refuses(candidate);
    if (refusal === undefined) return at;
    if (candidate?.status === "allowed") continue;
    miss(at, leaf, refusal);
    return -1;
  }
}

function firstOpen(observed: readonly Observed[], cursor: number): number {
  for (let at = cursor; at < observed.length; at++) if (observed[at]?.status === "open") return at;
  return -1;
}

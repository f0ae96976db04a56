/**
 * What invariants see of a run: the time, the nodes, the history, and the facts that components state.
 * It is the same in every world. Facts are kept in the order in which they came, by class.
 */

import { isOf, type Millis } from "@kith/core";
import type { HistoryEvent } from "./history.ts";
import type { Fault } from "./kinds.ts";
import type { Rest } from "./plan.ts";
import type { Fact, FactClass } from "./port.ts";

/** A fact, and who stated it. */
export interface Reported<F extends Fact = Fact> {
  /** The name of the node. */
  readonly node: string;
  /** The number of the node's life, from 1. */
  readonly life: number;
  /** When, in simulated milliseconds. */
  readonly time: Millis;
  readonly fact: F;
}

/** A node, as far as a scenario sees it. */
export interface NodeView {
  readonly name: string;
  readonly index: number;
  readonly state: "up" | "down" | "paused";
  /** Since when it has been in that state, in simulated milliseconds. */
  readonly since: Millis;
  /** How often it was started. */
  readonly life: number;
  /** Whether it is one of those that are healed in the end. */
  readonly core: boolean;
  /** What becomes of it then, where it is not. */
  readonly rest: Rest | null;
  /** Whether its disk may lose what was durable, in this run. */
  readonly forgetful: boolean;
}

/** What an invariant sees. It may be kept for the run; nobody may change what it leads to. */
export interface View {
  /** In simulated milliseconds. */
  readonly time: Millis;
  /** Whether faults are still injected everywhere, or the core has been healed. */
  readonly phase: "faults" | "healed";
  readonly nodes: readonly NodeView[];
  readonly history: readonly HistoryEvent[];
  /** What strikes, and when: for what is promised to those who are spared. */
  readonly faults: readonly Fault[];
  /** The fact that has just come; null where something else has changed, and in a sweep. */
  readonly news: Reported | null;
  /** All facts of a class so far. */
  facts<F extends Fact>(cls: FactClass<F>): readonly Reported<F>[];
  /** The last fact of a class at each node, by the node's name, also where that life has ended. */
  last<F extends Fact>(cls: FactClass<F>): ReadonlyMap<string, Reported<F>>;
}

/** Keeps facts by their class. */
export class Facts {
  readonly #byTag = new Map<string, Reported[]>();
  readonly #last = new Map<string, Map<string, Reported>>();

  /** Takes one in. */
  add(report: Reported): void {
    const tag = tagOf(report.fact);
    const list = this.#byTag.get(tag);
    if (list === undefined) this.#byTag.set(tag, [report]);
    else list.push(report);
    const last = this.#last.get(tag) ?? new Map<string, Reported>();
    this.#last.set(tag, last.set(report.node, report));
  }

  /** All of a class, in order. */
  of<F extends Fact>(cls: FactClass<F>): Reported<F>[] {
    return (this.#byTag.get(cls.tag) ?? []).filter((report): report is Reported<F> =>
      isReport(report, cls),
    );
  }

  /** The last one of a class by node. */
  last<F extends Fact>(cls: FactClass<F>): Map<string, Reported<F>> {
    const found = new Map<string, Reported<F>>();
    for (const [node, report] of this.#last.get(cls.tag) ?? [])
      if (isReport(report, cls)) found.set(node, report);
    return found;
  }
}

/** Whether a report is one of a class: narrows `view.news`. */
export function isReport<F extends Fact>(
  report: Reported | null,
  cls: FactClass<F>,
): report is Reported<F> {
  return report !== null && isOf(report.fact.constructor, cls);
}

function tagOf(fact: Fact): string {
  const cls: unknown = fact.constructor;
  return typeof cls === "function" && "tag" in cls && typeof cls.tag === "string" ? cls.tag : "";
}

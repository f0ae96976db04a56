/** Forces the cold paths of components: which ones and how often is drawn by the seed, by path and name. */

import { mix, streamKey } from "@kith/core";
import { type Fault } from "./kinds.ts";
import type { Strike } from "./network-nemesis.ts";
import { Instants, Named } from "./named.ts";
import type { Plan } from "./plan.ts";

/** Decides over the cold paths of a run. */
export class ColdPaths {
  readonly #plan: Plan;
  readonly #strike: Strike;
  readonly #time: () => number;
  readonly #rate: number;
  readonly #named = new Named();
  readonly #instants = new Instants();
  readonly #asked = new Map<string, number>();
  readonly #taken = new Map<string, number>();
  #stopped = false;

  constructor(plan: Plan, strike: Strike, time: () => number) {
    this.#plan = plan;
    this.#strike = strike;
    this.#time = time;
    let rate = 0;
    for (const fault of plan.faults) {
      if (fault.kind !== "cold path") continue;
      const { nodes: [node = 0] = [], tag = "", number } = fault;
      if (number === undefined) rate = fault.rate ?? 0;
      else this.#named.add(`n${node + 1} ${tag}`, fault);
    }
    this.#rate = rate;
  }

  /** None is taken any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** How often each was taken, by name; those that were never taken with 0. */
  counts(): Record<string, number> {
    return Object.fromEntries(this.#taken);
  }

  /** What decides over one cold path of a component. */
  decide(node: string, path: string, name: string): () => boolean {
    if (!this.#taken.has(name)) this.#taken.set(name, 0);
    const key = streamKey(this.#plan.seed, "cold", node, path, name);
    // Each seed takes about half of them, so that not all are taken always.
    const on = streamKey(this.#plan.seed, "cold", name).low % 2 === 0;
    const bound = on ? Math.round(this.#rate * 0x1_0000_0000) : 0;
    if (bound === 0 && this.#named.none) return () => false;
    const place = `${node} ${path} ${name}`;
    return () => {
      const number = (this.#asked.get(place) ?? 0) + 1;
      this.#asked.set(place, number);
      if (this.#stopped) return false;
      const at = this.#time();
      const nth = this.#instants.count(place, at);
      const named = this.#named.take(place, at);
      if (named === undefined && mix(key.low, number) >= bound) return false;
      this.#taken.set(name, (this.#taken.get(name) ?? 0) + 1);
      const index = Number(node.slice(1)) - 1;
      const tag = `${path} ${name}`;
      const fault: Fault = { kind: "cold path", at, nodes: [index], tag, number: nth };
      this.#strike("cold path", named ?? fault);
      return true;
    };
  }
}

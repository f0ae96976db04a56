/**
 * Deeds that a plan names: the `number`-th of its sort since `at`. By the time, and not by a count from
 * the beginning, so that a deed stays the same when something before it is taken out of a plan.
 */

import type { Millis } from "@kith/core";
import type { Fault } from "./kinds.ts";

interface Waiting {
  readonly fault: Fault;
  left: number;
}

/** The named deeds of a plan, by their sort: a link and a tag, a disk and what it does. */
export class Named {
  readonly #waiting = new Map<string, Waiting[]>();

  /** Whether there are none. */
  get none(): boolean {
    return this.#waiting.size === 0;
  }

  /** Takes one in; in the order of their times. */
  add(sort: string, fault: Fault): void {
    const list = this.#waiting.get(sort) ?? [];
    list.push({ fault, left: fault.number ?? 1 });
    list.sort((a, b) => a.fault.at - b.fault.at);
    this.#waiting.set(sort, list);
  }

  /** Something of that sort is done: whether it is one that was named. Each is named once. */
  take(sort: string, time: Millis): Fault | undefined {
    const list = this.#waiting.get(sort);
    const first = list?.[0];
    if (list === undefined || first === undefined || time < first.fault.at) return undefined;
    if (--first.left > 0) return undefined;
    list.shift();
    return first.fault;
  }
}

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
    if (list === undefined) return undefined;
    let taken: Waiting | undefined;
    for (const waiting of list) {
      if (time < waiting.fault.at) break;
      // All count it; where it is the one for two of them, the other has the next one.
      if (taken !== undefined && waiting.left === 1) continue;
      if (--waiting.left === 0) taken = waiting;
    }
    if (taken === undefined) return undefined;
    list.splice(list.indexOf(taken), 1);
    return taken.fault;
  }
}

/** Counts what is done at one instant, by its sort: that, and the time, is how it is named. */
export class Instants {
  readonly #last = new Map<string, { time: Millis; count: number }>();

  /** Something of that sort is done: the how manyth at that time it is, from 1. */
  count(sort: string, time: Millis): number {
    const last = this.#last.get(sort);
    if (last === undefined || last.time !== time) {
      this.#last.set(sort, { time, count: 1 });
      return 1;
    }
    return ++last.count;
  }
}

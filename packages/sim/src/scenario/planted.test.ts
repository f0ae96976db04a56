/**
 * Planted bugs in the simulated providers: each is a patch to shipped code, that is taken back at the end. The tests
 * hunt some seeds for them, `npm run mutants` five ranges.
 */

import { ConnectionDown } from "@kith/network";
import { NodeClock } from "../clock.ts";
import { Disk } from "../disk.ts";
import { Endpoint } from "../endpoint.ts";
import { Fabric } from "../fabric.ts";

/** One of them. */
export interface Mutant {
  readonly name: string;
  /** How many rare things have to come together until it shows. */
  readonly rareSteps: number;
  readonly invariant: string | RegExp;
  /** Patches; what it returns takes the patch back. */
  readonly plant: () => () => void;
}

/** Replaces a method by one that is given the original. */
function patch<T extends object, K extends keyof T>(
  prototype: T,
  method: K,
  replace: (original: T[K]) => T[K],
): () => void {
  const original = prototype[method];
  prototype[method] = replace(original);
  return () => {
    prototype[method] = original;
  };
}

/** Counts for each run by itself: a planted bug must be as deterministic as what it is planted in. */
function counter(): (run: Fabric) => number {
  const counts = new WeakMap<Fabric, number>();
  return (run) => {
    const count = (counts.get(run) ?? 0) + 1;
    counts.set(run, count);
    return count;
  };
}

/** All of them. */
export const mutants: readonly Mutant[] = [
  {
    name: "a flush that is missing",
    rareSteps: 1,
    invariant: "what was flushed is there",
    plant: () =>
      patch(
        Disk.prototype,
        "mount",
        (original) =>
          function (this: Disk, life) {
            this.lying = true;
            return original.call(this, life);
          },
      ),
  },
  {
    // Two rare steps: a slow flush, and a crash soon after it.
    name: "a flush that is missing where it took long",
    rareSteps: 2,
    invariant: "what was flushed is there",
    plant: () =>
      patch(
        Disk.prototype,
        "beginFlush",
        (original) =>
          function (this: Disk) {
            const flush = original.call(this);
            this.lying = flush.micros > 1500;
            return flush;
          },
      ),
  },
  {
    name: "a reordered pair",
    rareSteps: 1,
    // What waits for the next one may be acknowledged meanwhile.
    invariant: /^in order and at most once$|^acknowledged only if it has arrived$/,
    plant: () => {
      const held = new WeakMap<Fabric, Parameters<Fabric["accept"]>>();
      const count = counter();
      return patch(
        Fabric.prototype,
        "accept",
        (original) =>
          function (this: Fabric, ...arrival) {
            const before = held.get(this);
            if (before === undefined && count(this) % 12 === 0) {
              held.set(this, arrival);
              return;
            }
            original.apply(this, arrival);
            held.delete(this);
            if (before !== undefined) original.apply(this, before);
          },
      );
    },
  },
  {
    name: "a message that comes twice",
    rareSteps: 1,
    invariant: "in order and at most once",
    plant: () => {
      const count = counter();
      return patch(
        Fabric.prototype,
        "accept",
        (original) =>
          function (this: Fabric, ...arrival) {
            original.apply(this, arrival);
            if (count(this) % 12 === 0) original.apply(this, arrival);
          },
      );
    },
  },
  {
    // Two rare steps: a new life, and a message that is on its way to the old one.
    name: "an incarnation that is ignored",
    rareSteps: 2,
    invariant: "to the life it is for",
    plant: () =>
      patch(
        Fabric.prototype,
        "accept",
        (original) =>
          function (this: Fabric, to, item, key) {
            original.call(this, to, { ...item, to: to.peer }, key);
          },
      ),
  },
  {
    name: "an acknowledgement before the arrival",
    rareSteps: 1,
    invariant: "acknowledged only if it has arrived",
    plant: () =>
      patch(
        Endpoint.prototype,
        "settle",
        (original) =>
          function (this: Endpoint, item, status, reason) {
            original.call(this, item, status === "unknown" ? "acknowledged" : status, reason);
          },
      ),
  },
  {
    // Two rare steps: a pause, and a message that is sent to the paused node.
    name: "an acknowledgement while the node is paused",
    rareSteps: 2,
    invariant: "acknowledged only if it has arrived",
    plant: () =>
      patch(
        Endpoint.prototype,
        "meet",
        (original) =>
          function (this: Endpoint, deed) {
            if (this.life.parked !== null && deed.verb === "arrived" && deed.item.asked !== null)
              this.fabric.do({ ...deed, verb: "acknowledge", attempt: 0 });
            original.call(this, deed);
          },
      ),
  },
  {
    name: "a timer that is off by one",
    rareSteps: 1,
    invariant: "no timer is early",
    plant: () =>
      patch(
        NodeClock.prototype,
        "simAt",
        (original) =>
          function (this: NodeClock, local) {
            return original.call(this, local - 1000);
          },
      ),
  },
  {
    // Two rare steps: a connection that breaks, and one that is made anew.
    name: "an end of a connection that is not told",
    rareSteps: 2,
    invariant: "up and down take turns",
    plant: () =>
      patch(
        Endpoint.prototype,
        "indicate",
        (original) =>
          function (this: Endpoint, event) {
            if (!(event instanceof ConnectionDown && event.reason === "lost"))
              original.call(this, event);
          },
      ),
  },
];

/** Does something while a bug is planted. */
export function planted<T>({ plant }: Mutant, action: () => T): T {
  const heal = plant();
  try {
    return action();
  } finally {
    heal();
  }
}

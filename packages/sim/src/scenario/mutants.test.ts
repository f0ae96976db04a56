/**
 * Planted bugs in the simulated providers: each is a patch to shipped code that is taken back at the
 * end. The scenario of the ports' promises has to find them all, and shrinking to make them small.
 */

import { ConnectionDown } from "@kith/network";
import { expect } from "chai";
import { NodeClock } from "../clock.ts";
import { Disk } from "../disk.ts";
import { Endpoint } from "../endpoint.ts";
import { Fabric } from "../fabric.ts";
import { contracts } from "./contracts.test.ts";
import { planFor, runPlan, runSeed, type RunResult, shrink } from "./index.ts";

interface Mutant {
  readonly name: string;
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

export const mutants: readonly Mutant[] = [
  {
    name: "a flush that is missing",
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
    name: "a timer that is off by one",
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

function namePattern(name: string | RegExp): RegExp {
  return typeof name === "string" ? new RegExp(`^${name}$`) : name;
}

/** The first of so many seeds that fails. */
function firstFailure(
  from: number,
  count: number,
): { readonly tried: number; readonly found: RunResult } | null {
  for (let seed = from; seed < from + count; seed++) {
    const found = runSeed(contracts, seed);
    if (found.failure !== null) return { tried: seed - from + 1, found };
  }
  return null;
}

const long = process.env["KITH_LONG"] !== undefined;

describe("planted bugs in the simulated providers", () => {
  for (const mutant of mutants) {
    const ranges = long ? [1, 10_001, 20_001, 30_001, 40_001] : [1];
    it(`are found: ${mutant.name}`, function () {
      this.timeout(300_000);
      planted(mutant, () => {
        for (const from of ranges) {
          const first = firstFailure(from, 200);
          expect(first?.found.failure?.invariant, `from seed ${from}`).to.match(
            namePattern(mutant.invariant),
          );
          if (long) console.log(`      found after ${first?.tried} seeds from ${from}`);
        }
      });
    });
  }

  const small = long ? mutants : mutants.filter(({ name }) => name.includes("incarnation"));
  for (const mutant of small) {
    it(`shrinks to few decisions: ${mutant.name}`, function () {
      this.timeout(120_000);
      planted(mutant, () => {
        const first = firstFailure(1, 200);
        if (first === null) throw new Error("not found");
        const began = process.cpuUsage().user;
        const { plan, result, decisions, runs } = shrink(contracts, first.found.plan);
        const seconds = (process.cpuUsage().user - began) / 1e6;
        if (long)
          console.log(
            `      ${decisions} decisions, ${plan.nodes} nodes, ${runs} runs, ${seconds.toFixed(1)} s`,
          );
        expect(result.failure?.invariant).to.equal(first.found.failure?.invariant);
        expect(decisions).to.be.at.most(12);
        expect(plan.nodes).to.be.at.most(4);
        expect(plan.faults.every(({ rate }) => rate === undefined)).to.equal(true);
      });
      // Without the bug the same plan is calm, and so is the seed.
      const healthy = planted(mutant, () => firstFailure(1, 200))?.found.plan;
      expect(runPlan(contracts, healthy ?? planFor(contracts, 1)).failure).to.equal(null);
    });
  }
});

/** The simulated processes of the suite. */

import type { System } from "@kith/core";
import { type Rule, oneWay, partition, simulate } from "@kith/sim";
import { stepping } from "@kith/testing/compliance";
import type { DetectorClass, DetectorHarness, Monitor } from "./compliance/index.ts";
import { monitorOf } from "./compliance/index.ts";

/** A harness in a simulation, whose processes are the nodes. */
export function simulated(
  detector: DetectorClass,
  seed: number | string = 1,
  other: DetectorClass = detector,
): DetectorHarness {
  const world = simulate(monitorOf(detector), { seed, nodes: 4 }).boot();
  const mends: (() => void)[] = [];
  let swaps = 0;
  return {
    wait: stepping((duration) => world.runFor(duration), 10),
    start: () => undefined,
    self: (index) => world.peer(index),
    enter: (index, action) => {
      const { system } = world.node(index);
      const { instance }: System<Monitor> = system;
      system.enter(() => action(instance));
    },
    crash: (index) => world.node(index).crash(),
    restart: (index) => world.node(index).start(),
    freeze: (index) => world.node(index).pause(),
    thaw: (index) => world.node(index).resume(),
    cut: (from, to, way) => {
      const [a, b] = [`n${from + 1}`, `n${to + 1}`];
      const rule: Rule = way === "both" ? partition([a], [b]) : oneWay(a, b);
      mends.push(world.rule(rule));
    },
    mend: () => {
      for (const mend of mends.splice(0)) mend();
    },
    swap: (index) => {
      const cls = swaps++ % 2 === 0 ? other : detector;
      world.node(index).system.swapThen("/Monitor-1/Detector", { cls }, (result) => {
        if ("cause" in result) throw result.cause;
      });
    },
  };
}

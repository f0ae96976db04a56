/** The simulated processes of the suites. */

import type { ComponentClass, System } from "@kith/core";
import { type Rule, oneWay, partition, simulate, type Simulation } from "@kith/sim";
import { stepping } from "@kith/testing/compliance";
import {
  Attendant,
  type DetectorClass,
  type DetectorHarness,
  type MemberHarness,
  monitorOf,
} from "./compliance/index.ts";
import { Swim } from "./index.ts";

/** A harness in a simulation, whose processes are the nodes. */
export function simulated(
  detector: DetectorClass,
  seed: number | string = 1,
  other: DetectorClass = detector,
): DetectorHarness {
  const world = simulate(monitorOf(detector), { seed, nodes: 4 }).boot();
  let swaps = 0;
  return {
    ...nodesOf(world),
    start: () => undefined,
    freeze: (index) => world.node(index).pause(),
    thaw: (index) => world.node(index).resume(),
    swap: (index) => {
      const cls = swaps++ % 2 === 0 ? other : detector;
      swap(world.node(index).system, "/Monitor-1/Detector", cls);
    },
  };
}

function swap(system: Pick<System, "swapThen">, path: string, cls: ComponentClass): void {
  system.swapThen(path, { cls }, (result) => {
    if ("cause" in result) throw result.cause;
  });
}

/** What all harnesses do with their nodes. */
function nodesOf<K extends ComponentClass>(world: Simulation<K>) {
  const mends: (() => void)[] = [];
  return {
    wait: stepping((duration) => world.runFor(duration), 10),
    self: (index: number) => world.peer(index),
    enter: (index: number, action: (main: InstanceType<K>) => void): void => {
      const { system } = world.node(index);
      system.enter(() => action(system.instance));
    },
    crash: (index: number): void => world.node(index).crash(),
    restart: (index: number): void => world.node(index).start(),
    cut: (from: number, to: number, way: "both" | "one"): void => {
      const [a, b] = [`n${from + 1}`, `n${to + 1}`];
      const rule: Rule = way === "both" ? partition([a], [b]) : oneWay(a, b);
      mends.push(world.rule(rule));
    },
    mend: (): void => {
      for (const mend of mends.splice(0)) mend();
    },
  };
}

/** One that takes part by `Swim`. */
export class Swimmer extends Attendant {
  readonly swim = this.create(Swim, {}, { name: "Swim" });

  constructor() {
    super();
    this.connect(this.swim.ports.membership, this.membership);
  }
}

/** A harness of Membership in a simulation. */
export function simulatedMembers(main: new () => Attendant, swaps = true): MemberHarness {
  const count = 6;
  const world = simulate(main, { seed: 1, nodes: count }).boot();
  const nodes = nodesOf(world);
  return {
    count,
    ...nodes,
    ...(swaps && {
      swap: (index: number) => swap(world.node(index).system, "/Swimmer-1/Swim", Swim),
    }),
  };
}

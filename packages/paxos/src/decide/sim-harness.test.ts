/** The simulated processes of the suite of Decisions. */

import { partition, simulate } from "@kith/sim";
import { stepping } from "@kith/testing/compliance";
import {
  type DecideClass,
  type DecideHarness,
  decidePeerOf,
  openMax,
} from "../compliance/index.ts";
import { addressAt } from "../register.test.ts";

export function simulatedDeciders(provider: DecideClass, seed = 1): DecideHarness {
  const nodes = 5;
  const acceptors = [0, 1, 2, 3].map(addressAt);
  const world = simulate(decidePeerOf(provider), {
    seed,
    nodes,
    init: { acceptors, settings: { openMax } },
  }).boot();
  const mends: (() => void)[] = [];
  return {
    wait: stepping((duration) => world.runFor(duration), 5),
    enter: (index, action) => {
      const { system } = world.node(index);
      const { instance } = system;
      system.enter(() => action(instance));
    },
    crash: (index) => world.node(index).crash(),
    restart: (index) => world.node(index).start(),
    isolate: (...indices) => {
      const names = (of: (index: number) => boolean): string[] =>
        world.nodes.filter(({ index }) => of(index)).map(({ name }) => name);
      const inside = names((index) => indices.includes(index));
      const outside = names((index) => !indices.includes(index));
      mends.push(world.rule(partition(inside, outside)));
      for (const name of inside)
        mends.push(
          world.rule(
            partition(
              [name],
              inside.filter((other) => other !== name),
            ),
          ),
        );
    },
    mend: () => {
      for (const mend of mends.splice(0)) mend();
    },
    swap: (index) => {
      world.node(index).system.swapThen("/Peer-1/decider", { cls: provider }, (result) => {
        if ("cause" in result) throw result.cause;
      });
    },
  };
}

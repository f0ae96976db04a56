/** The simulated processes of the suite of Consensus. */

import { partition, simulate } from "@kith/sim";
import { stepping } from "@kith/testing/compliance";
import {
  type ConsensusHarness,
  consensusPeerOf,
  type ConsensusProvider,
  consensusSettings,
} from "./compliance/index.ts";
import { replicatedGroups } from "./host.ts";
import { addressAt } from "./register.test.ts";

export { consensusCases } from "./compliance/index.ts";

export function simulatedConsensus(
  provider: ConsensusProvider = replicatedGroups,
): ConsensusHarness {
  const world = simulate(consensusPeerOf(provider), {
    seed: 1,
    nodes: 4,
    init: { settings: consensusSettings },
  }).boot();
  const mends: (() => void)[] = [];
  return {
    wait: stepping((duration) => world.runFor(duration), 10),
    addressOf: addressAt,
    enter: (index, action) => {
      const { system } = world.node(index);
      const { instance } = system;
      system.enter(() => action(instance));
    },
    crash: (index) => world.node(index).crash(),
    restart: (index) => world.node(index).start(),
    isolate: (...indices) => {
      const names = world.nodes.map(({ name }) => name);
      for (const index of indices) {
        const own = names[index] ?? "";
        const others = names.filter((name) => name !== own);
        mends.push(world.rule(partition([own], others)));
      }
    },
    mend: () => {
      for (const mend of mends.splice(0)) mend();
    },
    swap: (index) => {
      world.node(index).system.swapThen("/Peer-1/groups", {}, (result) => {
        if ("cause" in result) throw result.cause;
      });
    },
  };
}

import type { PeerRef } from "@kith/network";
import { networkCompliance } from "@kith/network/compliance";
import { Bench } from "./kit.test.ts";
import { SimNetwork } from "./network.ts";
import { peerOf, type Life } from "./node.ts";
import { partition } from "./rules.ts";

networkCompliance("The simulated Network", () => {
  const bench = new Bench(1, 1000);
  const lives = new Map<string, Life>();
  const cuts = new Map<string, () => void>();
  const between = (a: PeerRef, b: PeerRef): string => [a.host, b.host].toSorted().join();
  const life = (index: number): Life => {
    const made = bench.life(`n${index + 1}`, index);
    lives.set(made.name, made);
    return made;
  };
  return {
    process: (index) => {
      const made = life(index);
      return { self: made.endpoint.peer, world: bench.world(made) };
    },
    nobody: peerOf("nobody", 998, 1),
    tooMany: 2000,
    wait: bench.wait,
    cut: (a, b) => {
      cuts.set(between(a, b), bench.fabric.rules.add(partition([a.host], [b.host])));
      bench.fabric.reset(a.host, b.host);
    },
    restore: (a, b) => cuts.get(between(a, b))?.(),
    crash: ({ host }) => {
      const made = lives.get(host);
      if (made !== undefined) bench.end(made);
    },
    swapProvider: (_, system) =>
      system.swapThen("/Network", { cls: class extends SimNetwork {} }, () => undefined),
  };
});

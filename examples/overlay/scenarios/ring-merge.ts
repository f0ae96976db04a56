/**
 * The overlay split into parts, with churn inside them: each part closes its own ring, and when messages pass again the
 * rings become one. For two seconds everything is whole, and then it is split again, otherwise.
 *
 * Measured: 128 peers were one ring 5 to 15 s after the healing (24 seeds), 6 to 24 peers 0 to 16 s (500 seeds); `healsWithin`
 * says how long it may take. It took up to 81 s as long as the φ detector counted a partition among the usual gaps:
 * a peer that was gone at the healing was believed to live for more than a minute (seed 43 with few peers).
 */

import {
  exponential,
  type Fault,
  oneOf,
  type Scenario,
  scenario,
  type Storm,
} from "@kith/sim/scenario";
import {
  livesInOrder,
  lookupsEnd,
  oneRing,
  oneRingInRounds,
  swaps,
  unfair,
  verdictsAlternate,
} from "../src/judge.ts";
import { Peer } from "../src/peer.ts";
import { initOf } from "./ring-churn.ts";

/** When the ring has formed, in milliseconds. */
const formation = 20_000;
/** How long all is whole between the two splits. */
const truce = 2000;
/** How long the second split lasts. */
const second = 25_000;

/** Splits the nodes into so many parts; each cut separates one part from those after it. */
function cuts(
  draw: Storm["draw"],
  nodes: number,
  parts: number,
  at: number,
  length: number,
): Fault[] {
  const partOf = Array.from({ length: nodes }, () => draw.below(parts));
  const all = [...partOf.keys()];
  return Array.from({ length: parts - 1 }, (_, part): Fault => ({
    kind: "split",
    at,
    for: length,
    nodes: all.filter((node) => partOf[node] === part),
    others: all.filter((node) => (partOf[node] ?? 0) > part),
  }));
}

function partitions({ draw, nodes, duration }: Storm): readonly Fault[] {
  const faults: Fault[] = [];
  const parts = Math.min(draw.pick([2, 3, 7]), Math.ceil(nodes / 3));
  const again = Math.min(draw.pick([2, 3, 7]), Math.ceil(nodes / 3));
  const healed = duration - second - truce;
  faults.push(...cuts(draw, nodes, parts, formation, healed - formation));
  faults.push(...cuts(draw, nodes, again, healed + truce, second));
  // A tenth of the peers every ten seconds, in all parts.
  const many = Math.ceil((nodes / 10) * ((duration - formation) / 10_000));
  for (let count = 0; count < many; count++) {
    const kind = oneOf(draw, [
      [3, "late restart"],
      [1, "restart at once"],
      [1, "join"],
    ] as const);
    const at = formation + draw.below(duration - formation);
    const nodesOf = [kind === "join" ? 1 + draw.below(nodes - 1) : draw.below(nodes)];
    faults.push({ kind, at, for: draw.between(100, 15_000), nodes: nodesOf });
  }
  return faults;
}

/** The scenario of so many peers. */
export function mergeOf(name: string, nodes: Scenario["nodes"]): Scenario<typeof Peer> {
  return scenario({
    name,
    about:
      "A ring falls into two, three or seven parts; in each, peers crash, come back and join. The parts meet for two seconds and fall apart otherwise. When messages pass again there is one ring after a time that grows with the logarithm of its size.",
    nodes,
    main: Peer,
    init: initOf,
    transport: "either",
    duration: 80_000,
    settle: 60_000,
    processes: [
      {
        name: "asker",
        count: 2,
        start: { at: formation },
        wait: exponential(1000),
        timeout: 15_000,
        next: ({ draw, nodes: count }) => ({ op: "lookup", key: String(draw.between(0, count)) }),
      },
    ],
    closing: () => [{ op: "lookup", key: "1" }],
    succeed: { each: 1, mean: 10 },
    tolerates: { down: (n) => Math.floor(n / 10) },
    faults: {
      only: [
        "loss",
        "swap",
        "pause",
        "slow handler",
        "latency tail",
        "duplicate",
        "reorder",
        "one way",
      ],
      without: unfair,
      storm: partitions,
    },
    swaps,
    invariants: [livesInOrder, verdictsAlternate, oneRingInRounds, lookupsEnd],
    eventually: [oneRing],
  });
}

/** 128 peers. */
export const ringMerge = mergeOf("ring-merge", 128);

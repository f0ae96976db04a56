/**
 * The overlay under churn: every ten seconds a tenth of the peers joins, leaves or crashes, one message of
 * twenty is lost, some cannot reach others one way, or only over a third; and whatever else a seed draws.
 */

import type { InitOf } from "@kith/core";
import type { PeerRef } from "@kith/network";
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
  healthyJudged,
  lookupsEnd,
  oneRing,
  oneRingInRounds,
  ownersJudged,
  ringPath,
  swaps,
  unfair,
  verdictsAlternate,
  verdictsAreTrue,
} from "../src/judge.ts";
import { Peer } from "../src/peer.ts";

/** So many peers have a bootstrap server that is asked, and may found a ring where nobody takes them in. */
const founders = 4;

/** What a node begins with: four of them are asked for introducers, and the first one founds the ring. */
export function initOf({
  index,
  peers,
}: {
  readonly index: number;
  readonly peers: readonly PeerRef[];
}): InitOf<typeof Peer> {
  const life = peers[index]?.incarnation ?? 1;
  const at = (offset: number): PeerRef[] =>
    peers.slice((index + offset) % peers.length).slice(0, 1);
  return {
    servers: peers.slice(0, founders),
    founds: index === 0 && life === 1 ? "at once" : index < founders ? "at last" : "never",
    detector: index % 3 === 2 ? "phi" : "adaptive",
    watched: peers.length < 3 ? [] : [...at(1), ...at(2)],
    size: peers.length + 1,
  };
}

/** The time in which a ring forms, and the time between two waves of churn, in milliseconds. */
const formation = 15_000;
const wave = 10_000;

/** A tenth of the peers in each wave, beside those that leave properly. */
function churn({ draw, nodes, duration }: Storm): readonly Fault[] {
  const many = Math.ceil(nodes / 10);
  const anyone = (): number => draw.below(nodes);
  const faults: Fault[] = [{ kind: "loss", at: 0, for: duration, rate: 0.05 }];
  // Both kinds of rings in one; which are swapped back and forth.
  for (let node = 3; node < nodes; node += 4)
    faults.push({ kind: "swap", at: 100, nodes: [node], tag: ringPath, size: 2 });
  // Of those who come late, some come while others go; the founder is there.
  for (let count = 0; count < many; count++)
    faults.push({ kind: "join", at: draw.below(duration), nodes: [1 + draw.below(nodes - 1)] });
  for (let begin = formation; begin < duration; begin += wave) {
    for (let count = 0; count < many; count++) {
      const kind = oneOf(draw, [
        [4, "late restart"],
        [2, "restart at once"],
        [1, "leave"],
        [1, "crash between effects"],
      ] as const);
      const length = kind === "restart at once" ? draw.between(0, 100) : draw.between(500, 20_000);
      faults.push({ kind, at: begin + draw.below(wave), for: length, nodes: [anyone()] });
    }
    const [one, other, ...rest] = draw.shuffle(Array.from({ length: nodes }, (_, i) => i));
    if (one === undefined || other === undefined) continue;
    const length = draw.between(2000, 20_000);
    const at = begin + draw.below(wave);
    // The first two cannot talk, and both can talk to the others; the next one is not heard by some.
    faults.push(
      draw.chance(0.5)
        ? { kind: "bridge", at, for: length, nodes: [one], others: [other] }
        : {
            kind: "one way",
            at,
            for: length,
            nodes: [one],
            others: [other, ...rest.slice(0, many)],
          },
    );
  }
  return faults;
}

/** Who looks up, and what comes of it. */
interface Asking {
  /** So many ask, one lookup at a time. */
  readonly askers: number;
  /** So many lookups between healthy peers most runs have, so that their share of success says something; 0: not asked. */
  readonly healthy: number;
}

/** The scenario of so many peers. */
export function churnOf(
  name: string,
  nodes: Scenario["nodes"],
  duration: number,
  { askers, healthy }: Asking,
): Scenario<typeof Peer> {
  return scenario({
    name,
    about:
      "Peers form a ring while a tenth of them joins, leaves or crashes every ten seconds, messages are lost, links fail one way or between two alone, and parts are swapped for their like or for the other provider. When that is over there is one perfect ring; every lookup ends, none is answered twice, none names a wrong owner among settled peers, and nine of ten between healthy peers succeed.",
    nodes,
    main: Peer,
    init: initOf,
    transport: "either",
    duration,
    settle: 120_000,
    processes: [
      {
        name: "asker",
        count: askers,
        start: { at: 5000 },
        wait: exponential(200),
        timeout: 15_000,
        next: ({ draw, nodes: count }) => ({ op: "lookup", key: String(draw.between(0, count)) }),
      },
      {
        name: "leaver",
        start: { at: formation },
        wait: exponential(4000),
        timeout: 5000,
        // Never those who may found a ring: the others would have nobody to join.
        at: ({ draw, nodes: count }) =>
          count > founders ? founders + draw.below(count - founders) : count - 1,
        next: () => ({ op: "leave" }),
      },
    ],
    closing: ({ nodes: count }) =>
      Array.from({ length: 8 }, (_, i) => ({
        op: "lookup",
        key: String(Math.floor((i * count) / 8)),
      })),
    succeed: { each: 8, mean: 60 },
    tolerates: { down: (n) => Math.floor(n / 5) },
    faults: { without: unfair, storm: churn },
    swaps,
    invariants: [livesInOrder, verdictsAlternate, oneRingInRounds, lookupsEnd],
    sometimes: [ownersJudged(100), ...(healthy > 0 ? [healthyJudged(healthy)] : [])],
    eventually: [oneRing, verdictsAreTrue(verdictsWithin)],
  });
}

/** Within so many milliseconds of the healing nobody believes of another what is not so: a detector may have learned to wait. */
const verdictsWithin = 120_000;

/** 64 peers. */
export const ringChurn = churnOf("ring-churn", 64, 60_000, { askers: 8, healthy: 30 });

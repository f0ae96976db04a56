/**
 * What an overlay has to stand by its specification, each as a scenario of its own: half of all peers crash at one instant; a
 * process stands still for five seconds; three of ten messages are lost for ten minutes; peers come back at once, at
 * the same address. Detectors, rings, mergers and the others are swapped all the while.
 */

import {
  exponential,
  type Fault,
  type Invariant,
  type Scenario,
  scenario,
  type Storm,
} from "@kith/sim/scenario";
import {
  livesInOrder,
  lookupsEnd,
  nobodyDeclared,
  oneRing,
  oneRingFrom,
  oneRingInRounds,
  swaps,
  trueFrom,
  unfair,
  verdictsAlternate,
  verdictsAreTrue,
  wakesCalmly,
} from "../src/judge.ts";
import { Peer } from "../src/peer.ts";
import { initOf } from "./ring-churn.ts";

/** By then the ring has formed, in milliseconds. */
const formed = 30_000;
/** The longest time until all verdicts are true: a detector may have learned to wait. */
const settle = 120_000;

interface Trial {
  readonly name: string;
  readonly about: string;
  readonly nodes: Scenario["nodes"];
  readonly duration: number;
  readonly strikes: (storm: Storm) => readonly Fault[];
  readonly invariants: readonly Invariant[];
}

function trial({
  name,
  about,
  nodes,
  duration,
  strikes,
  invariants,
}: Trial): Scenario<typeof Peer> {
  return scenario({
    name,
    about,
    nodes,
    main: Peer,
    init: initOf,
    transport: "either",
    duration,
    settle,
    processes: [
      {
        name: "asker",
        start: { at: formed },
        wait: exponential(1000),
        timeout: 15_000,
        next: ({ draw, nodes: count }) => ({ op: "lookup", key: String(draw.between(0, count)) }),
      },
    ],
    tolerates: { down: () => 0 },
    faults: {
      only: ["swap"],
      without: unfair,
      storm: (storm) => [...strikes(storm), ...swapping(storm)],
    },
    swaps,
    invariants: [livesInOrder, verdictsAlternate, oneRingInRounds, lookupsEnd, ...invariants],
    eventually: [oneRing, verdictsAreTrue(settle)],
  });
}

/** One part of one peer after the other, about every half second. */
function swapping({ draw, nodes, duration }: Storm): Fault[] {
  return Array.from({ length: Math.floor(duration / 500) }, (): Fault => {
    const choice = draw.pick(swaps);
    const at = draw.below(duration);
    const where = { kind: "swap", at, nodes: [draw.below(nodes)] } as const;
    return typeof choice === "string"
      ? { ...where, tag: choice }
      : { ...where, tag: choice.path, size: draw.between(0, choice.to.length) };
  });
}

function everyone(nodes: number): number[] {
  return Array.from({ length: nodes }, (_, index) => index);
}

/** Half of all peers crash at one instant: a minute later the others are one perfect ring, and know who is gone. */
export const overlayHalf = trial({
  name: "overlay-half",
  about: "Half of all peers crash at one instant; a minute later the others are one perfect ring.",
  nodes: { min: 6, max: 24 },
  duration: 100_000,
  strikes: ({ draw, nodes }) =>
    draw
      .shuffle(everyone(nodes))
      .slice(0, Math.floor(nodes / 2))
      .map((node) => ({ kind: "no restart", at: formed, nodes: [node] })),
  invariants: [oneRingFrom(formed + 60_000), trueFrom(formed + 60_000)],
});

/** Processes stand still for five seconds, one or more at a time, and suspect nobody on waking. */
export const overlayFreeze = trial({
  name: "overlay-freeze",
  about: "A process stands still for five seconds, again and again: it suspects nobody on waking.",
  nodes: { min: 4, max: 8 },
  duration: 90_000,
  strikes: ({ draw, nodes, duration }) => {
    const faults: Fault[] = [];
    for (let at = formed; at < duration - 10_000; at += 10_000)
      faults.push({ kind: "pause", at, for: 5000, nodes: [draw.below(nodes)] });
    return faults;
  },
  invariants: [nobodyDeclared, wakesCalmly(4000)],
});

/** Three of ten messages are lost for ten minutes, and nobody is given up. */
export const overlayLossy = trial({
  name: "overlay-lossy",
  about: "Three of ten messages are lost for ten minutes: nobody is declared dead.",
  nodes: { min: 3, max: 6 },
  duration: 630_000,
  strikes: () => [{ kind: "loss", at: formed, for: 600_000, rate: 0.3 }],
  invariants: [nobodyDeclared],
});

/** Peers come back at once, at the same address: the old life is suspected and the new one lives, never one for the other. */
export const overlayRestart = trial({
  name: "overlay-restart",
  about:
    "Peers crash and are back within a tenth of a second, at the same address: the old life is suspected, the new one alive.",
  nodes: { min: 3, max: 8 },
  duration: 90_000,
  strikes: ({ draw, nodes }) => {
    const faults: Fault[] = [];
    for (let at = formed; at < 60_000; at += 3000)
      faults.push({
        kind: "restart at once",
        at,
        for: draw.between(0, 100),
        nodes: [draw.below(nodes)],
      });
    return faults;
  },
  invariants: [trueFrom(85_000), oneRingFrom(85_000)],
});

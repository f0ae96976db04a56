/**
 * The overlay at rest, simulated: peers with failure detector, ring, peer sampling and merger. One
 * operation is one simulated second of one peer, so that simulated seconds per CPU second are 10^9 over
 * CPU nanoseconds and peers. Facts: messages per peer and second at rest (the aim is at most 5), how long a
 * ring takes to form where all join at once, and to heal where a tenth crashes at one instant, in simulated
 * milliseconds, and bytes of heap per peer.
 */

import { Component } from "@kith/core";
import { AdaptiveDetector } from "@kith/fd";
import { Cyclon, Introduce, PeerSampling } from "@kith/membership";
import type { PeerRef } from "@kith/network";
import {
  ChordRing,
  FoundRing,
  JoinRing,
  RelaxedRing,
  Ring,
  RingMerger,
  RingView,
} from "@kith/ring";
import { simulate, type Simulation } from "@kith/sim";
import type { Case } from "../harness.ts";
import { lookupCases } from "./lookups.ts";

interface PeerInit {
  readonly index: number;
  readonly introducers: readonly PeerRef[];
  readonly relaxed: boolean;
}

class Peer extends Component {
  readonly ring = this.requires(Ring);
  readonly sampling = this.requires(PeerSampling);
  successor = 0;
  predecessor = 0;

  constructor({ index, introducers, relaxed }: PeerInit) {
    super();
    const detector = this.create(AdaptiveDetector);
    const node = this.create(relaxed ? RelaxedRing : ChordRing);
    const cyclon = this.create(Cyclon);
    const merger = this.create(RingMerger);
    this.connect(detector.ports.detector, node.ports.detector);
    this.connect(node.ports.ring, this.ring);
    this.connect(node.ports.ring, merger.ports.ring);
    this.connect(cyclon.ports.sampling, this.sampling);
    this.connect(cyclon.ports.sampling, merger.ports.sampling);
    this.ring.on(RingView, ({ predecessor, successors: [first] }) => {
      this.successor = first?.peerId ?? 0;
      this.predecessor = predecessor?.peerId ?? 0;
    });
    this.onStart(() => {
      this.ring.trigger(index === 0 ? new FoundRing() : new JoinRing({ introducers }));
      this.sampling.trigger(new Introduce({ peers: introducers }));
    });
  }
}

function peerAt(index: number): PeerRef {
  return { peerId: index + 1, host: `n${index + 1}`, port: 7000, incarnation: 1 };
}

const stepMillis = 200;
const patienceMillis = 600_000;

type World = Simulation<typeof Peer>;

/** Runs until the ring of those that are up is in the sorted order; how long that took. */
function settle(world: World): number {
  const begin = world.time;
  const closed = (): boolean => {
    const up = world.nodes.filter(({ state }) => state === "up");
    return up.every(({ root }, at) => {
      const after = up[(at + 1) % up.length]?.index ?? 0;
      const before = up[(at - 1 + up.length) % up.length]?.index ?? 0;
      return root.successor === after + 1 && root.predecessor === before + 1;
    });
  };
  while (!closed() && world.time - begin < patienceMillis) world.runFor(stepMillis);
  return world.time - begin;
}

function build(nodes: number, relaxed: boolean): World {
  return simulate(Peer, {
    seed: 1,
    nodes,
    codec: false,
    initOf: ({ index }) => ({
      index,
      // Some that have begun before: a hundred newcomers at one introducer would be another test.
      introducers: [index >> 1, 0].map(peerAt),
      relaxed,
    }),
  });
}

function atRest(nodes: number, relaxed: boolean): Case {
  const peerSeconds = 6400;
  const seconds = Math.max(1, Math.round(peerSeconds / nodes));
  let world: World | undefined;
  let messages = 0;
  let seen = 0;
  let formed = 0;
  let bytes = 0;
  return {
    unit: "peer-second",
    count: nodes * seconds,
    rounds: 3,
    prepare: async () => {
      const before = process.memoryUsage().heapUsed;
      world = build(nodes, relaxed);
      world.boot();
      formed = settle(world);
      world.runFor(120_000);
      world.rule({
        name: "count",
        judge: () => {
          messages++;
          return undefined;
        },
      });
      bytes = (process.memoryUsage().heapUsed - before) / nodes;
      return Promise.resolve();
    },
    run: (count) => {
      seen += count;
      world?.runFor((count / nodes) * 1000);
    },
    facts: () => {
      const perPeerSecond = messages / seen;
      for (const node of world?.nodes ?? []) if (node.index % 10 === 5) node.crash();
      const healed = world === undefined ? 0 : settle(world);
      return { messages: perPeerSecond, formed, healed, bytes };
    },
  };
}

/** The suites of the overlay. */
export const overlaySuites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  lookups: lookupCases,
  "ring-at-rest": {
    "relaxed, 64 peers": atRest(64, true),
    "Chord, 64 peers": atRest(64, false),
    "relaxed, 512 peers": atRest(512, true),
    "Chord, 512 peers": atRest(512, false),
  },
};

/**
 * The overlay, simulated with the codec off.
 *
 * `overlay`: a ring at rest. One operation is one simulated second of one peer, so that simulated seconds per CPU
 * second are 10^9 over CPU nanoseconds and peers. Facts: messages per peer and second (the aim is at most 5); how
 * long the ring takes to form and to heal, where a tenth crashes at one instant, in simulated milliseconds;
 * bytes of heap per peer. The cases that say so have a peer a process with detector, ring, Cyclon and merger, which
 * all join at once; the others are whole peers (`@kith/peer`), several a process, and "formed" is how long it takes
 * as many to join as are in already.
 *
 * `overlay-growth`: one operation is a peer that joins, while a ring doubles again and again. "Merged" is how long two
 * halves, cut apart until each is a ring, take to be one again. What is simulated is the same in each round: one is enough.
 *
 * `overlay-scale`: 10,000 peers at rest, where 5 simulated seconds a CPU second (20,000 ns an operation) and
 * 20 KiB a peer are the aims; and 100,000 peers that are started at all.
 *
 * There is nothing that it is measured against: no figures of other systems for the same things are known to us.
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
import { Hosts, type Shape } from "./hosts.ts";
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
      const before = heapUsed();
      world = build(nodes, relaxed);
      world.boot();
      formed = settle(world);
      world.runFor(120_000);
      world.rule({
        name: "count",
        judge: ({ tag }) => {
          // What connections say to each other has none.
          if (tag !== "") messages++;
          return undefined;
        },
      });
      bytes = (heapUsed() - before) / nodes;
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

/** Whole peers at rest. */
function hosted(shape: Shape, heapMegabytes?: number): Case {
  const peerSeconds = 10_000;
  const seconds = Math.max(1, Math.round(peerSeconds / shape.peers));
  let hosts: Hosts | undefined;
  let messages = 0;
  let seen = 0;
  let formed = 0;
  let bytes = 0;
  return {
    unit: "peer-second",
    count: shape.peers * seconds,
    rounds: 3,
    ...(heapMegabytes === undefined ? {} : { heapMegabytes }),
    prepare: () => {
      const before = heapUsed();
      hosts = new Hosts(shape);
      formed = hosts.grow();
      // Those that came last ask for fingers ten times as often for a while.
      hosts.world.runFor(30_000);
      bytes = (heapUsed() - before) / hosts.size;
      hosts.world.rule({
        name: "count",
        judge: ({ tag }) => {
          // What connections say to each other has none.
          if (tag !== "") messages++;
          return undefined;
        },
      });
      return Promise.resolve();
    },
    run: (count) => {
      seen += count;
      hosts?.world.runFor((count / shape.peers) * 1000);
    },
    facts: () => {
      const perPeerSecond = messages / seen;
      return { messages: perPeerSecond, formed, healed: hosts?.tear() ?? 0, bytes };
    },
  };
}

/** A ring that grows to its size, and is torn. */
function growing(peers: number): Case {
  let hosts: Hosts | undefined;
  let formed = 0;
  return {
    unit: "peer",
    count: peers,
    cold: true,
    run: () => {
      hosts = new Hosts({ peers, perProcess: 16, transport: "datagram" });
      formed = hosts.grow();
    },
    facts: () => {
      const all = hosts?.world.time ?? 0;
      return {
        formed,
        merged: hosts?.rejoin() ?? 0,
        healed: hosts?.tear() ?? 0,
        "all in after": all,
      };
    },
  };
}

/** Peers that are started, all of them, and run for a simulated second. */
function started(peers: number): Case {
  let hosts: Hosts | undefined;
  let before = 0;
  return {
    unit: "peer",
    count: peers,
    cold: true,
    heapMegabytes: 16_384,
    prepare: () => {
      before = heapUsed();
      return Promise.resolve();
    },
    run: () => {
      hosts = new Hosts({ peers, perProcess: 16, transport: "datagram" });
      hosts.startAll();
      hosts.world.runFor(1);
    },
    facts: () => ({ bytes: (heapUsed() - before) / (hosts?.size ?? 1) }),
  };
}

function heapUsed(): number {
  global.gc?.();
  return process.memoryUsage().heapUsed;
}

const sizes = [64, 256, 1024, 4096, 16_384];

/** The suites of the overlay. */
export const overlaySuites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  lookups: lookupCases,
  overlay: {
    "relaxed, 64 peers, one a process": atRest(64, true),
    "Chord, 64 peers, one a process": atRest(64, false),
    "relaxed, 512 peers, one a process": atRest(512, true),
    "Chord, 512 peers, one a process": atRest(512, false),
    "512 whole peers, one a process": hosted({ peers: 512, perProcess: 1, transport: "datagram" }),
    "512 whole peers, 16 a process": hosted({ peers: 512, perProcess: 16, transport: "datagram" }),
    "512 whole peers, 16 a process, over connections": hosted({
      peers: 512,
      perProcess: 16,
      transport: "stream",
    }),
  },
  "overlay-growth": Object.fromEntries(sizes.map((peers) => [`${peers} peers`, growing(peers)])),
  "overlay-scale": {
    "10,000 peers at rest, 16 a process": hosted(
      { peers: 10_000, perProcess: 16, transport: "datagram" },
      8192,
    ),
    "10,000 peers at rest, one a process": hosted(
      { peers: 10_000, perProcess: 1, transport: "datagram" },
      8192,
    ),
    "100,000 peers started": started(100_000),
  },
};

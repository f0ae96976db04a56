/** A simulated peer with a ring in it. */

import { Component, type ComponentClass, type System } from "@kith/core";
import { AdaptiveDetector } from "@kith/fd";
import { clusterId, Cyclon, Introduce, PeerSampling } from "@kith/membership";
import type { PeerRef } from "@kith/network";
import { partition, simulate, type Simulation, type SimulationOptions } from "@kith/sim";
import { stepping } from "@kith/testing/compliance";
import { type MergerHarness, MergerUser, type RingHarness } from "./compliance/index.ts";
import {
  ChordRing,
  Merger,
  RelaxedRing,
  Remember,
  RingMerger,
  type RingNode,
  type RingState,
} from "./index.ts";

export interface PeerInit {
  readonly introducers: readonly PeerRef[];
  readonly founds: boolean;
  readonly kind: "relaxed" | "chord";
  /** Whether it has a merger. */
  readonly merges?: boolean;
  /** The cluster that it is of, where there is more than one. */
  readonly cluster?: string;
}

/** A merger with what it needs. */
class Merging extends Component {
  readonly merger = this.create(RingMerger, {}, { name: "Merger" });
  readonly memory = this.exposes(this.merger.ports.merger);
  readonly cyclon = this.create(Cyclon, {}, { name: "Cyclon" });
  readonly sampling = this.requires(PeerSampling);
  readonly ring = this.exposes(this.merger.ports.ring);

  constructor({ introducers }: { readonly introducers: readonly PeerRef[] }) {
    super();
    this.connect(this.cyclon.ports.sampling, this.merger.ports.sampling);
    this.connect(this.cyclon.ports.sampling, this.sampling);
    this.onStart(() => this.sampling.trigger(new Introduce({ peers: introducers })));
  }
}

/** In the place of a merger: forgets whom it is to remember. */
class NoMerger extends Component {
  readonly merger = this.provides(Merger);

  constructor() {
    super();
    this.merger.on(Remember, () => undefined);
  }
}

export class Peer extends MergerUser {
  readonly detector = this.create(AdaptiveDetector, {}, { name: "Detector" });
  readonly node;

  constructor({ introducers, founds, kind, merges = false, cluster = "kith" }: PeerInit) {
    super();
    const settings = [clusterId.of(cluster)];
    this.node = this.create(
      kind === "relaxed" ? RelaxedRing : ChordRing,
      {},
      { name: "Ring", settings },
    );
    this.connect(this.detector.ports.detector, this.node.ports.detector);
    this.connect(this.node.ports.ring, this.ring);
    if (merges) {
      const merging = this.create(Merging, { introducers }, { name: "Merging", settings });
      this.connect(this.node.ports.ring, merging.ports.ring);
      this.connect(merging.ports.memory, this.merger);
    } else this.connect(this.create(NoMerger).ports.merger, this.merger);
    this.onStart(() => {
      if (founds) this.found();
      else if (introducers.length > 0) this.join(introducers);
    });
  }

  get state(): RingState {
    const { node } = this as unknown as { node: { core: { instance: RingNode } } };
    return node.core.instance.exportState().ring;
  }
}

export type World = Simulation<typeof Peer>;

export function peerAt(index: number, incarnation = 1): PeerRef {
  return { peerId: index + 1, host: `n${index + 1}`, port: 7000, incarnation };
}

/** Peers of which the first founds a ring, and the others join it at once. */
export function build(
  nodes: number,
  seed: number,
  options: Partial<SimulationOptions<typeof Peer>> & {
    readonly kind?: (index: number) => "relaxed" | "chord";
    readonly merges?: boolean;
  } = {},
): World {
  const { kind = () => "relaxed", merges = false, ...others } = options;
  const lives = new Map<number, number>();
  let world: World | null = null;
  const made = simulate(Peer, {
    seed,
    nodes,
    initOf: ({ index }) => {
      const life = (lives.get(index) ?? 0) + 1;
      lives.set(index, life);
      const others_ = Array.from({ length: nodes }, (_, i) => i).filter(
        (i) => i !== index && (world === null || world.node(i).state !== "down"),
      );
      const introducers = (life === 1 ? [0, 1] : others_.slice(0, 5))
        .filter((i) => i !== index && i < nodes)
        .map((i) => (world === null ? peerAt(i) : world.peer(i)));
      return { founds: index === 0 && life === 1, introducers, kind: kind(index), merges };
    },
    ...others,
  });
  world = made;
  return made.boot();
}

/** R3: what is not as in the sorted order among those that are up; undefined where all is. */
export function imperfection(
  world: World,
  only: (index: number) => boolean = () => true,
): string | undefined {
  const up = world.nodes.filter(
    (node) => node.state === "up" && only(node.index) && !node.root.left,
  );
  for (const [at, node] of up.entries()) {
    const { view } = node.root;
    const after = up[(at + 1) % up.length];
    const before = up[(at - 1 + up.length) % up.length];
    const life = (index: number | undefined): string => {
      const { peerId, incarnation } = world.peer(index ?? 0);
      return `${peerId}#${incarnation}`;
    };
    const shown = (peer: PeerRef | null | undefined): string =>
      peer === null || peer === undefined ? "nobody" : `${peer.peerId}#${peer.incarnation}`;
    if (view?.status !== "in") return `${node.name} is ${view?.status ?? "new"}`;
    if (shown(view.successors[0]) !== life(after?.index))
      return `${node.name} has successor ${shown(view.successors[0])}, not ${life(after?.index)}`;
    if (shown(view.predecessor) !== life(before?.index))
      return `${node.name} has predecessor ${shown(view.predecessor)}, not ${life(before?.index)}`;
  }
  return undefined;
}

/** Runs until the ring is perfect; how long it took. */
export function heal(world: World, within: number, only?: (index: number) => boolean): number {
  const begin = world.time;
  while (imperfection(world, only) !== undefined) {
    if (world.time - begin >= within)
      throw new Error(
        `No perfect ring within ${within} ms (seed ${String(world.engine.seed)}): ${imperfection(world, only)}`,
      );
    world.runFor(100);
  }
  return world.time - begin;
}

/** What all harnesses do with the nodes of a simulation. */
function nodesOf(world: World) {
  const mends: (() => void)[] = [];
  return {
    wait: stepping((duration) => world.runFor(duration), 50),
    self: (index: number) => world.peer(index),
    enter: (index: number, action: (user: Peer) => void): void => {
      const { system } = world.node(index);
      const { instance }: System<Peer> = system;
      system.enter(() => action(instance));
    },
    crash: (index: number): void => world.node(index).crash(),
    restart: (index: number): void => world.node(index).start(),
    cut: (a: number, b: number): void =>
      void mends.push(world.rule(partition([`n${a + 1}`], [`n${b + 1}`]))),
    mend: (): void => {
      for (const mend of mends.splice(0)) mend();
    },
    swap: (index: number, path: string, cls: ComponentClass): void =>
      world.node(index).system.swapThen(path, { cls }, (result) => {
        if ("cause" in result) throw result.cause;
      }),
  };
}

/** A harness whose processes are the nodes of a simulation. */
export function simulated(kind: "relaxed" | "chord", other = kind): RingHarness {
  const count = 7;
  const world = simulate(Peer, {
    seed: 1,
    nodes: count,
    init: { founds: false, introducers: [], kind },
  }).boot();
  const nodes = nodesOf(world);
  let swaps = 0;
  return {
    ...nodes,
    count,
    swap: (index) => {
      const cls = (swaps++ % 2 === 0 ? other : kind) === "relaxed" ? RelaxedRing : ChordRing;
      nodes.swap(index, "/Peer-1/Ring", cls);
    },
  };
}

/** How many processes the suite of Merger has, without the stranger. */
export const mergerCount = 6;

/** What the processes of the suite of Merger begin with. */
export function mergerInit(index: number, merges = true): PeerInit {
  const cluster = index < mergerCount ? "kith" : "strangers";
  return { founds: false, introducers: [], kind: "relaxed", merges, cluster };
}

/** A harness of Merger whose processes are the nodes of a simulation. */
export function simulatedMerger(merges = true): MergerHarness {
  const world = simulate(Peer, {
    seed: 1,
    nodes: mergerCount + 1,
    initOf: ({ index }) => mergerInit(index, merges),
  }).boot();
  const { swap, ...nodes } = nodesOf(world);
  return {
    ...nodes,
    count: mergerCount,
    stranger: mergerCount,
    ...(merges && { swap: (index: number) => swap(index, mergerPath, RingMerger) }),
  };
}

/** Where the merger of a peer stands. */
export const mergerPath = "/Peer-1/Merging/Merger";

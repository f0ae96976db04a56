/** A simulated peer with a ring in it. */

import { Component } from "@kith/core";
import { AdaptiveDetector } from "@kith/fd";
import { ringSize } from "@kith/membership";
import { Network, parsePeer, type PeerRef, self } from "@kith/network";
import { simulate, type Simulation, type SimulationOptions } from "@kith/sim";
import {
  ChordRing,
  Consider,
  FoundRing,
  JoinRefused,
  JoinRing,
  LeaveRing,
  RelaxedRing,
  Ring,
  RingLeft,
  type RingNode,
  type RingState,
  RingView,
} from "./index.ts";

export interface PeerInit {
  readonly introducers: readonly PeerRef[];
  readonly founds: boolean;
  readonly kind: "relaxed" | "chord";
}

export class Peer extends Component {
  readonly net = this.requires(Network);
  readonly detector = this.create(AdaptiveDetector, {}, { name: "Detector" });
  readonly node;
  readonly ring = this.requires(Ring);
  readonly self = parsePeer(this.setting(self));
  readonly size = this.setting(ringSize);
  view: RingView | null = null;
  refused = 0;
  left = false;
  readonly views: RingView[] = [];

  constructor({ introducers, founds, kind }: PeerInit) {
    super();
    this.node = this.create(kind === "relaxed" ? RelaxedRing : ChordRing, {}, { name: "Ring" });
    this.connect(this.detector.ports.detector, this.node.ports.detector);
    this.connect(this.node.ports.ring, this.ring);
    this.ring.on(RingView, (view) => {
      this.view = view;
      this.views.push(view);
      if (this.views.length > 50) this.views.shift();
    });
    this.ring.on(JoinRefused, () => void this.refused++);
    this.ring.on(RingLeft, () => {
      this.left = true;
    });
    this.onStart(() => {
      if (founds) this.ring.trigger(new FoundRing());
      else if (introducers.length > 0) this.join(introducers);
    });
  }

  join(introducers: readonly PeerRef[]): void {
    this.ring.trigger(new JoinRing({ introducers }));
  }

  leave(): void {
    this.ring.trigger(new LeaveRing());
  }

  consider(...peers: readonly PeerRef[]): void {
    this.ring.trigger(new Consider({ peers }));
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
  } = {},
): World {
  const { kind = () => "relaxed", ...others } = options;
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
      return { founds: index === 0 && life === 1, introducers, kind: kind(index) };
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

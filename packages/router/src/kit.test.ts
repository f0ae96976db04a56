/** Simulated peers with a router in them: above a ring that forms, or above one that is given. */

import { Component, DrawStream, event, port, streamKey, type System } from "@kith/core";
import { ringSize } from "@kith/membership";
import { formatPeer, type PeerRef, self } from "@kith/network";
import { Ring, RingView } from "@kith/ring";
import { partition, simulate, type Simulation, type SimulationOptions } from "@kith/sim";
import { stepping } from "@kith/testing/compliance";
import {
  type RoutedPeer,
  routedPeer,
  type RouterClass,
  type RouterHarness,
  RouterUser,
} from "./compliance/index.ts";
import {
  ChordSharpRouter,
  FlexibleRouter,
  KaryRouter,
  type RouterNode,
  type RouterState,
} from "./index.ts";

/** The providers. */
export const routers = { flexible: FlexibleRouter, kary: KaryRouter, sharp: ChordSharpRouter };
export type Kind = keyof typeof routers;

/** A ring that says what it is told to say. */
export class GivenRing extends Component {
  readonly ring = this.provides(Ring);
  readonly order = this.requires(Order);
  #version = 0;

  constructor() {
    super();
    this.order.on(Give, ({ view }) => {
      const version = ++this.#version;
      this.ring.trigger(new RingView({ ...view, version, stableSince: 0 }));
    });
  }
}

export interface GivenView {
  readonly self: PeerRef;
  readonly status: "out" | "joining" | "in";
  readonly predecessor: PeerRef | null;
  readonly successors: readonly PeerRef[];
}

export class Give extends event("router-test/Give")<{ readonly view: GivenView }> {}
export const Order = port("Order", { indications: [Give] });

/** A peer above a ring that is given. */
export class GivenPeer extends RouterUser {
  readonly order = this.provides(Order);
  readonly given = this.create(GivenRing);
  readonly node;

  constructor({ kind, view }: { readonly kind: Kind; readonly view: GivenView | null }) {
    super();
    const cls: RouterClass = routers[kind];
    this.node = this.create(cls, {}, { name: "Router" });
    this.connect(this.order, this.given.ports.order);
    this.connect(this.given.ports.ring, this.node.ports.ring);
    this.connect(this.node.ports.router, this.router);
    this.onStart(() => {
      if (view !== null) this.give(view);
    });
  }

  give(view: GivenView): void {
    this.order.trigger(new Give({ view }));
  }

  get state(): RouterState {
    return stateOf(this);
  }
}

function stateOf(of: { readonly node: object }): RouterState {
  const { node } = of as unknown as { node: { core: { instance: RouterNode } } };
  return node.core.instance.exportState();
}

/** A reference as simulations make them, under an identifier of one's own. */
export function peerAt(index: number, peerId = index + 1, incarnation = 1): PeerRef {
  return { peerId, host: `n${index + 1}`, port: 7000, incarnation };
}

/** A process with one virtual peer under an identifier of its own. */
export class GivenHost extends Component {
  readonly child;

  constructor({
    ref,
    kind,
    size,
    view,
  }: {
    readonly ref: PeerRef;
    readonly kind: Kind;
    readonly size: number;
    readonly view: GivenView | null;
  }) {
    super();
    const settings = [self.of(formatPeer(ref)), ringSize.of(size)];
    this.child = this.create(GivenPeer, { kind, view }, { name: "Peer", settings });
  }

  get peer(): GivenPeer {
    const { child } = this as unknown as { child: { core: { instance: GivenPeer } } };
    return child.core.instance;
  }
}

export type GivenWorld = Simulation<typeof GivenHost>;

/** Peers that know their neighbours from the start, under these identifiers, in rising order. */
export function given(
  ids: readonly number[],
  kind: Kind,
  options: Partial<SimulationOptions<typeof GivenHost>> & {
    readonly successors?: number;
    readonly size?: number;
  } = {},
): GivenWorld {
  const { successors = 8, size = 4 * 2 ** 48, ...others } = options;
  const refs = ids.map((id, index) => peerAt(index, id));
  return simulate(GivenHost, {
    seed: 1,
    nodes: ids.length,
    initOf: ({ index }) => ({
      ref: refs[index] as PeerRef,
      kind,
      size,
      view: viewOf(refs, index, successors),
    }),
    ...others,
  }).boot();
}

/** The view of a settled ring. */
export function viewOf(refs: readonly PeerRef[], index: number, successors: number): GivenView {
  const at = (offset: number): PeerRef =>
    refs[(index + offset + refs.length) % refs.length] as PeerRef;
  const count = Math.max(1, Math.min(successors, refs.length - 1));
  return {
    self: at(0),
    status: "in",
    predecessor: at(-1),
    successors: Array.from({ length: count }, (_, i) => at(i + 1)),
  };
}

/** Who owns a key, of identifiers in rising order. */
export function ownerOf(ids: readonly number[], key: number): number {
  return ids.find((id) => id >= key) ?? (ids[0] as number);
}

/** Identifiers drawn evenly, in rising order. */
export function evenIds(count: number, seed: number, size = 4 * 2 ** 48): number[] {
  const stream = new DrawStream(streamKey("ids", seed, count));
  const ids = new Set<number>();
  while (ids.size < count) ids.add(Math.floor(stream.float() * size));
  return [...ids].sort((a, b) => a - b);
}

/** A harness whose processes are the nodes of a simulation. */
export function simulated(router: RouterClass, other: RouterClass = router): RouterHarness {
  const count = 6;
  const world = simulate(routedPeer(router), { seed: 1, nodes: count }).boot();
  let swaps = 0;
  return {
    count,
    wait: stepping((duration) => world.runFor(duration), 50),
    self: (index) => world.peer(index),
    enter: (index, action) => {
      const { system } = world.node(index);
      const { instance }: System<RoutedPeer> = system;
      system.enter(() => action(instance));
    },
    crash: (index) => world.node(index).crash(),
    cut: (a, b) => void world.rule(partition([`n${a + 1}`], [`n${b + 1}`])),
    swap: (index) => {
      const cls = swaps++ % 2 === 0 ? other : router;
      world.node(index).system.swapThen("/RoutedPeer-1/Router", { cls }, (result) => {
        if ("cause" in result) throw result.cause;
      });
    },
  };
}

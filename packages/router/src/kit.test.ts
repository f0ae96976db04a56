/** Simulated peers with a router in them: above a ring that forms, or above one that is given. */

import {
  AskTimeout,
  Component,
  type ComponentClass,
  DrawStream,
  event,
  port,
  streamKey,
} from "@kith/core";
import { AdaptiveDetector } from "@kith/fd";
import { ringSize } from "@kith/membership";
import { formatPeer, type PeerRef, self } from "@kith/network";
import { FoundRing, JoinRing, LeaveRing, RelaxedRing, Ring, RingView } from "@kith/ring";
import { simulate, type Simulation, type SimulationOptions } from "@kith/sim";
import {
  ChordSharpRouter,
  type Covered,
  FlexibleRouter,
  type Interval,
  KaryRouter,
  Learn,
  type Located,
  Lookup,
  Routed,
  Router,
  type RouterNode,
  type RouterState,
  SendToInterval,
  SendToKey,
  SendToPeer,
  Sent,
} from "./index.ts";

/** What the tests send. */
export class Parcel extends event("router-test/Parcel", Routed)<{ readonly text: string }> {}

/** The providers. */
export const routers = { flexible: FlexibleRouter, kary: KaryRouter, sharp: ChordSharpRouter };
export type Kind = keyof typeof routers;

/** Asks a router, and notes what comes. */
export abstract class RouterUser extends Component {
  readonly router = this.requires(Router);
  readonly located = new Map<number, Located>();
  readonly sent = new Map<number, Sent>();
  readonly covered = new Map<number, Covered>();
  readonly parcels: { readonly text: string; readonly source: PeerRef }[] = [];
  /** Answers that came to an ask that had one already. */
  twice = 0;
  #asks = 0;
  readonly #lookup = this.router.onAnswer(Lookup, (answer, _, { ask }: { ask: number }) => {
    if (answer instanceof AskTimeout) return;
    if (this.located.has(ask)) this.twice++;
    this.located.set(ask, answer);
  });
  readonly #toKey = this.router.onAnswer(SendToKey, (answer, _, { ask }: { ask: number }) => {
    if (answer instanceof Sent) this.#sent(ask, answer);
  });
  readonly #toPeer = this.router.onAnswer(SendToPeer, (answer, _, { ask }: { ask: number }) => {
    if (answer instanceof Sent) this.#sent(ask, answer);
  });
  readonly #toInterval = this.router.onAnswer(
    SendToInterval,
    (answer, _, { ask }: { ask: number }) => {
      if (answer instanceof AskTimeout) return;
      if (this.covered.has(ask)) this.twice++;
      this.covered.set(ask, answer);
    },
  );

  constructor() {
    super();
    this.router.on(Parcel, ({ text, source }) => void this.parcels.push({ text, source }));
  }

  /** Lets something happen in the turn of this component. */
  act(action: (user: this) => void): void {
    this.enter(() => action(this));
  }

  #sent(ask: number, answer: Sent): void {
    if (this.sent.has(ask)) this.twice++;
    this.sent.set(ask, answer);
  }

  lookup(key: number): number {
    this.#lookup(new Lookup({ key }), { context: { ask: ++this.#asks } });
    return this.#asks;
  }

  toKey(key: number, text: string): number {
    const payload = new Parcel({ text });
    this.#toKey(new SendToKey({ key, payload }), { context: { ask: ++this.#asks } });
    return this.#asks;
  }

  toPeer(peer: PeerRef, text: string): number {
    const payload = new Parcel({ text });
    this.#toPeer(new SendToPeer({ peer, payload }), { context: { ask: ++this.#asks } });
    return this.#asks;
  }

  toInterval(interval: Interval, text: string): number {
    const payload = new Parcel({ text });
    this.#toInterval(new SendToInterval({ interval, payload }), {
      context: { ask: ++this.#asks },
    });
    return this.#asks;
  }

  learn(...peers: PeerRef[]): void {
    this.router.trigger(new Learn({ peers }));
  }
}

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
    const cls: ComponentClass & (new () => RouterNode) = routers[kind];
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

/** A peer above a ring that forms. */
export class RingPeer extends RouterUser {
  readonly ring = this.requires(Ring);
  readonly detector = this.create(AdaptiveDetector, {}, { name: "Detector" });
  readonly relaxed = this.create(RelaxedRing, {}, { name: "Ring" });
  readonly node;
  view: RingView | null = null;

  constructor({
    kind,
    introducers,
  }: {
    readonly kind: Kind;
    /** None for whoever founds the ring. */
    readonly introducers: readonly PeerRef[];
  }) {
    super();
    const cls: ComponentClass & (new () => RouterNode) = routers[kind];
    this.node = this.create(cls, {}, { name: "Router" });
    this.connect(this.detector.ports.detector, this.relaxed.ports.detector);
    this.connect(this.relaxed.ports.ring, this.ring);
    this.connect(this.relaxed.ports.ring, this.node.ports.ring);
    this.connect(this.node.ports.router, this.router);
    this.ring.on(RingView, (view) => {
      this.view = view;
    });
    this.onStart(() =>
      this.ring.trigger(introducers.length > 0 ? new JoinRing({ introducers }) : new FoundRing()),
    );
  }

  leave(): void {
    this.ring.trigger(new LeaveRing());
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

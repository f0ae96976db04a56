/** What the suite of Router needs of a world, and the component that takes part in it: a peer with a ring and a router. */

import { AskTimeout, Component, type ComponentClass, event } from "@kith/core";
import { AdaptiveDetector } from "@kith/fd";
import type { PeerRef } from "@kith/network";
import { FoundRing, JoinRing, LeaveRing, RelaxedRing, Ring, RingView } from "@kith/ring";
import type { Harness } from "@kith/testing/compliance";
import {
  type Covered,
  type Interval,
  Learn,
  type Located,
  Lookup,
  Routed,
  Router,
  SendToInterval,
  SendToKey,
  SendToPeer,
  Sent,
} from "../port.ts";
import type { RouterNode } from "../router.ts";

/** A class of routers. */
export type RouterClass = ComponentClass & (new () => RouterNode);

/** How a provider of Router is put to the test: processes, numbered from 0, their identifiers in that order. */
export interface RouterHarness extends Harness {
  /** How many processes there are; at least five. None is of a ring yet. */
  readonly count: number;
  /** The reference to a process's present life. */
  self(index: number): PeerRef;
  /** Lets something happen in the turn of a process's main component, a `routedPeer`, now or soon. */
  enter(index: number, action: (user: RoutedPeer) => void): void;
  /** Ends a process without a word. */
  readonly crash?: (index: number) => void;
  /** Lets two processes not talk to each other, in neither direction. */
  readonly cut?: (a: number, b: number) => void;
  /** Replaces the router of a process, `Router` below its main component. */
  readonly swap?: (index: number) => void;
}

/** What the suite sends. */
export class Parcel extends event("router-compliance/Parcel", Routed)<{
  readonly text: string;
}> {}

/** Asks a router, and notes what comes. */
export abstract class RouterUser extends Component {
  readonly router = this.requires(Router);
  readonly located = new Map<number, Located>();
  readonly sent = new Map<number, Sent>();
  readonly covered = new Map<number, Covered>();
  readonly parcels: { readonly text: string; readonly source: PeerRef }[] = [];
  /** How many asks were made: the number of the last one. */
  asks = 0;
  /** Answers to an ask that had one already. */
  twice = 0;
  readonly #lookup = this.router.onAnswer(Lookup, (answer, _, { ask }: { ask: number }) => {
    if (!(answer instanceof AskTimeout)) this.#note(this.located, ask, answer);
  });
  readonly #toKey = this.router.onAnswer(SendToKey, (answer, _, { ask }: { ask: number }) => {
    if (answer instanceof Sent) this.#note(this.sent, ask, answer);
  });
  readonly #toPeer = this.router.onAnswer(SendToPeer, (answer, _, { ask }: { ask: number }) => {
    if (answer instanceof Sent) this.#note(this.sent, ask, answer);
  });
  readonly #toInterval = this.router.onAnswer(
    SendToInterval,
    (answer, _, { ask }: { ask: number }) => {
      if (!(answer instanceof AskTimeout)) this.#note(this.covered, ask, answer);
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

  #note<T>(table: Map<number, T>, ask: number, answer: T): void {
    if (table.has(ask)) this.twice++;
    table.set(ask, answer);
  }

  lookup(key: number): number {
    this.#lookup(new Lookup({ key }), { context: { ask: ++this.asks } });
    return this.asks;
  }

  toKey(key: number, text: string): number {
    const payload = new Parcel({ text });
    this.#toKey(new SendToKey({ key, payload }), { context: { ask: ++this.asks } });
    return this.asks;
  }

  toPeer(peer: PeerRef, text: string): number {
    const payload = new Parcel({ text });
    this.#toPeer(new SendToPeer({ peer, payload }), { context: { ask: ++this.asks } });
    return this.asks;
  }

  toInterval(interval: Interval, text: string): number {
    const payload = new Parcel({ text });
    const asked = new SendToInterval({ interval, payload });
    this.#toInterval(asked, { context: { ask: ++this.asks } });
    return this.asks;
  }

  learn(...peers: PeerRef[]): void {
    this.router.trigger(new Learn({ peers }));
  }

  /** How often a text has come. */
  came(text: string): number {
    return this.parcels.filter((parcel) => parcel.text === text).length;
  }
}

/** A peer with a relaxed ring and the router under test. */
export abstract class RoutedPeer extends RouterUser {
  readonly ring = this.requires(Ring);
  /** The last view; null before the first. */
  view: RingView | null = null;

  constructor() {
    super();
    this.ring.on(RingView, (view) => {
      this.view = view;
    });
  }

  found(): void {
    this.ring.trigger(new FoundRing());
  }

  join(introducers: readonly PeerRef[]): void {
    this.ring.trigger(new JoinRing({ introducers }));
  }

  leave(): void {
    this.ring.trigger(new LeaveRing());
  }
}

/** The main component of a process under test: its children are `Detector`, `Ring` and `Router`. */
export function routedPeer(router: RouterClass): new () => RoutedPeer {
  return {
    RoutedPeer: class extends RoutedPeer {
      readonly detector = this.create(AdaptiveDetector, {}, { name: "Detector" });
      readonly relaxed = this.create(RelaxedRing, {}, { name: "Ring" });
      readonly child = this.create(router, {}, { name: "Router" });

      constructor() {
        super();
        this.connect(this.detector.ports.detector, this.relaxed.ports.detector);
        this.connect(this.relaxed.ports.ring, this.ring);
        this.connect(this.relaxed.ports.ring, this.child.ports.ring);
        this.connect(this.child.ports.router, this.router);
      }
    },
  }.RoutedPeer;
}

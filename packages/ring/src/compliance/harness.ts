/** What the suites of Ring and Merger need of a world, and the components that take part in it. */

import { Component } from "@kith/core";
import type { PeerRef } from "@kith/network";
import type { Harness } from "@kith/testing/compliance";
import { Merger, Passive, Remember } from "../merger.ts";
import {
  Consider,
  FoundRing,
  JoinRefused,
  JoinRing,
  LeaveRing,
  Ring,
  RingLeft,
  RingView,
} from "../port.ts";

/** How a provider of Ring is put to the test: processes, numbered from 0, their identifiers in that order. */
export interface RingHarness extends Harness {
  /** How many processes there are; at least six. None is of a ring yet. */
  readonly count: number;
  /** The reference to a process's present life, or to its next one where it is down. */
  self(index: number): PeerRef;
  /** Lets something happen in the turn of a process's main component, now or soon. */
  enter(index: number, action: (user: RingUser) => void): void;
  /** Ends a process without a word. */
  readonly crash?: (index: number) => void;
  /** Starts one that has crashed, at the same address in its next incarnation. */
  readonly restart?: (index: number) => void;
  /** Lets two processes not talk to each other, in neither direction. */
  readonly cut?: (a: number, b: number) => void;
  /** Ends all cuts. */
  readonly mend?: () => void;
  /** Replaces the ring of a process. */
  readonly swap?: (index: number) => void;
}

/** A peer that uses a ring: its subclass wires the provider under test. */
export abstract class RingUser extends Component {
  readonly ring = this.requires(Ring);
  /** The last view; null before the first. */
  view: RingView | null = null;
  /** Views whose version did not grow, or whose own reference was another. */
  wrongViews = 0;
  refused = 0;
  left = false;

  constructor() {
    super();
    this.ring.on(RingView, (view) => {
      if (view.version <= (this.view?.version ?? 0)) this.wrongViews++;
      this.view = view;
    });
    this.ring.on(JoinRefused, () => void this.refused++);
    this.ring.on(RingLeft, () => {
      this.left = true;
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

  consider(...peers: readonly PeerRef[]): void {
    this.ring.trigger(new Consider({ peers }));
  }
}

/** How a provider of Merger is put to the test: the ring beneath it is another's. */
export interface MergerHarness extends Omit<RingHarness, "enter" | "swap"> {
  enter(index: number, action: (user: MergerUser) => void): void;
  /** A process of another cluster, beside the others. */
  readonly stranger: number;
  /** Replaces the merger of a process. */
  readonly swap?: (index: number) => void;
}

/** A peer with a ring and a merger: its subclass wires both. */
export abstract class MergerUser extends RingUser {
  readonly merger = this.requires(Merger);
  /** Who was last said to be probed. */
  passive: readonly PeerRef[] = [];

  constructor() {
    super();
    this.merger.on(Passive, ({ peers }) => {
      this.passive = peers;
    });
  }

  remember(...peers: readonly PeerRef[]): void {
    this.merger.trigger(new Remember({ peers }));
  }
}

/**
 * Channels: they join a provider and a user, first in first out and exactly once in each direction.
 *
 * A channel belongs to the component that connected it. It remembers the references by which it was
 * connected, not only the halves they led to, so that it finds its way to the replacement when either
 * end, or a composite around it, is swapped.
 *
 * Invariants: while `holds > 0`, whatever passes filter and key is buffered, in order; a buffer is
 * empty while `holds === 0`; a channel that is cut has no ends and never gets one again.
 */

import type { ComponentCore } from "./component-core.ts";
import { coreError } from "./errors.ts";
import type { Event } from "./event.ts";
import type { PortHalf } from "./half.ts";
import type { AnyPort, AnyRef, IndicationsOf, ProvidedRef, RequestsOf, RequiredRef } from "./port.ts";
import { type Reference, resolve } from "./reference.ts";
import type { Key } from "./types.ts";

/** Which events a channel lets pass; a direction without a filter passes all. */
export interface ChannelOptions<P extends AnyPort = AnyPort> {
  /** Only indications with this key pass; the provider's key extractor says what an event's key is. */
  readonly key?: Key;
  /** Takes the indications whose key no other channel has. */
  readonly fallback?: boolean;
  /** Decides by looking at the event; pure, and called at trigger. */
  readonly filter?: {
    readonly requests?: (event: RequestsOf<P>) => boolean;
    readonly indications?: (event: IndicationsOf<P>) => boolean;
  };
}

/** A connection that its owner can hold, rewire and cut. */
export interface Channel<P extends AnyPort = AnyPort> {
  /** Keeps events back, in order, in both directions. Nests: as many resumes as holds. */
  hold(): void;
  /** Takes one hold back; the last one delivers what was kept. @throws KithError `KITH_NOT_HELD` */
  resume(): void;
  /** Takes one end off its port. While not held, events towards it become dead letters. */
  unplug(end: "provider" | "user"): void;
  /** Puts the free end on a port. @throws KithError `KITH_CHANNEL_END` where that end is in use */
  plug(ref: ProvidedRef<P> | RequiredRef<P>): void;
  /** Cuts the channel for good; what it holds becomes dead letters. */
  disconnect(): void;
}

/** One kept event: `answer` marks the answer to an ask or a timer, which goes to the pending table. */
export interface Kept {
  readonly channel: ChannelCore;
  readonly toUser: boolean;
  readonly order: number;
  readonly event: Event;
  readonly meta: unknown;
  readonly answer: boolean;
}

/** The kernel's side of a channel. */
export class ChannelCore implements Channel {
  /** The component that made the connection, or whose offer did. */
  readonly owner: ComponentCore;
  readonly key: Key | undefined;
  readonly fallback: boolean;
  readonly passRequest: ((event: Event) => boolean) | null;
  readonly passIndication: ((event: Event) => boolean) | null;
  providerRef: Reference | null;
  userRef: Reference | null;
  provider: PortHalf | null = null;
  user: PortHalf | null = null;
  holds = 0;
  cut = false;
  kept: Kept[] | null = null;
  /** Told when the buffer is full, instead of the fault that it would be: a swap that rolls back. */
  onOverflow: (() => void) | null = null;
  /** The channel that took this one's place when the composite around it was swapped. */
  successor: ChannelCore | null = null;

  constructor(owner: ComponentCore, provider: Reference, user: Reference, options: ChannelOptions) {
    this.owner = owner;
    this.key = options.key;
    this.fallback = options.fallback === true;
    this.passRequest = options.filter?.requests ?? null;
    this.passIndication = options.filter?.indications ?? null;
    this.providerRef = provider;
    this.userRef = user;
    this.attach();
  }

  hold(): void {
    this.live("hold");
    if (this.holds++ === 0) this.refresh();
  }

  resume(): void {
    this.live("resume");
    if (this.holds === 0) throw coreError("KITH_NOT_HELD", `${this.describe()} was resumed, but it is not held.`);
    releaseHolds([this]);
  }

  unplug(end: "provider" | "user"): void {
    this.live("unplug");
    if ((end === "provider" ? this.provider : this.user) === null) {
      throw coreError("KITH_CHANNEL_END", `The ${end}'s end of ${this.describe()} is free already.`);
    }
    if (end === "provider") {
      this.provider?.detach(this);
      this.provider = this.providerRef = null;
    } else {
      this.user?.detach(this);
      this.user = this.userRef = null;
    }
    this.refresh();
  }

  plug(ref: AnyRef): void {
    this.live("plug");
    const half = resolve(ref as unknown as Reference);
    const taken = half.provided ? this.provider : this.user;
    if (taken !== null) {
      throw coreError("KITH_CHANNEL_END", `${half.describe()} was plugged into ${this.describe()}, but that end is taken.`);
    }
    const other = half.provided ? this.user : this.provider;
    if (other !== null && other.type.name !== half.type.name) {
      throw coreError("KITH_CONNECT_MISMATCH", `${half.describe()} does not fit ${other.describe()}.`);
    }
    if (half.provided) this.providerRef = ref as unknown as Reference;
    else this.userRef = ref as unknown as Reference;
    this.attach();
  }

  disconnect(): void {
    if (this.cut) return;
    this.cut = true;
    this.provider?.detach(this);
    this.user?.detach(this);
    const kept = this.kept;
    this.kept = null;
    for (const { event, toUser } of kept ?? []) {
      const to = toUser ? this.user : this.provider;
      this.owner.system.deadLetter("disconnected", to?.core ?? this.owner, to?.name ?? "", event);
    }
    this.provider = this.user = this.providerRef = this.userRef = null;
  }

  /** Puts both ends on the halves that their references lead to now. */
  attach(): void {
    if (this.cut) return;
    const provider = this.providerRef === null ? null : resolve(this.providerRef);
    const user = this.userRef === null ? null : resolve(this.userRef);
    if (provider !== this.provider) {
      this.provider?.detach(this);
      this.provider = provider;
      provider?.attach(this);
    }
    if (user !== this.user) {
      this.user?.detach(this);
      this.user = user;
      user?.attach(this);
    }
    this.refresh();
  }

  /** Tells both ends that something changed which their fast path depends on. */
  refresh(): void {
    this.provider?.refresh();
    this.user?.refresh();
  }

  /** Buffers an event of a held channel. */
  keep(toUser: boolean, event: Event, meta: unknown, answer: boolean): void {
    const { system } = this.owner;
    this.kept ??= [];
    if (this.kept.length >= system.holdBound) {
      const to = toUser ? this.user : this.provider;
      if (this.onOverflow === null) {
        system.deadLetter("hold-overflow", to?.core ?? this.owner, to?.name ?? "", event);
        const error = coreError("KITH_HOLD_OVERFLOW", `${this.describe()} holds ${system.holdBound} events, its bound.`);
        (to?.core ?? this.owner).failLater(error, event);
        return;
      }
      // The event is kept all the same: the swap gives up, and everything is delivered.
      this.onOverflow();
    }
    this.kept.push({ channel: this, toUser, order: ++system.keptOrder, event, meta, answer });
  }

  /** Delivers an answer to an ask or timer that travelled this channel. */
  answer(event: Event, meta: unknown): void {
    if (this.holds > 0) this.keep(true, event, meta, true);
    else if (this.user === null) this.owner.system.deadLetter("disconnected", this.owner, "", event);
    else this.user.core.receive(this.user.core.pending, event, meta);
  }

  /** Names the channel for people. */
  describe(): string {
    return `the channel ${this.provider?.describe() ?? "(free)"} → ${this.user?.describe() ?? "(free)"}`;
  }

  private live(what: string): void {
    if (this.cut) throw coreError("KITH_CHANNEL_END", `A channel was asked to ${what} after it had been disconnected.`);
  }
}

/**
 * Takes one hold from each channel and delivers what those now free have kept, merged over all of
 * them by the order in which it was sent, so that the order across channels is kept as well.
 */
export function releaseHolds(channels: readonly ChannelCore[]): void {
  const free = channels.filter((channel) => !channel.cut && channel.holds > 0 && --channel.holds === 0);
  let kept: Kept[] = [];
  for (const channel of free) {
    if (channel.kept === null) continue;
    kept = kept.length === 0 ? channel.kept : kept.concat(channel.kept);
    channel.kept = null;
  }
  if (free.length > 1) kept.sort((a, b) => a.order - b.order);
  for (const { channel, toUser, event, meta, answer } of kept) {
    const to = toUser ? channel.user : channel.provider;
    if (to === null) channel.owner.system.deadLetter("unplugged", channel.owner, "", event);
    else to.core.receive(answer ? to.core.pending : to, event, meta);
  }
  for (const channel of free) channel.refresh();
}

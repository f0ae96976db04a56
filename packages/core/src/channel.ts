/**
 * Channels: they join a provider and a user, first in first out and exactly once in each direction.
 *
 * A channel belongs to the component that connected it. It remembers the references by which it was
 * connected, not only the halves they led to, so that it finds its way to the replacement when either
 * end, or a composite around it, is swapped.
 *
 * Invariants: while `holds > 0`, whatever passes filter and key is buffered, in order; a buffer is
 * empty while `holds === 0`; a channel that is cut has no ends and never gets one again. The holds of
 * swaps are nobody's business: whoever holds, resumes, rewires or cuts a channel finds it as it would
 * be without them.
 */

import type { ComponentCore } from "./component-core.ts";
import { coreError } from "./errors.ts";
import type { Event } from "./event.ts";
import type { PortHalf } from "./half.ts";
import { answerLost } from "./pending.ts";
import type {
  AnyPort,
  AnyRef,
  IndicationsOf,
  ProvidedRef,
  RequestsOf,
  RequiredRef,
} from "./port.ts";
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

/** A swap that holds a channel; told when the buffer is full, because it then gives up. */
export interface SwapHold {
  overflowed(): void;
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
  /** The next channel with the same key on the provider's half. */
  sameKey: ChannelCore | null = null;
  /** The swaps among the holders: each has one of the `holds`. */
  swaps: Set<SwapHold> | null = null;
  /** What it joined before its owner rewired it: by this the replacement of its owner finds it. */
  origin: string | null = null;

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
    this.flushSwaps();
    if (this.holds++ === 0) this.refresh();
  }

  resume(): void {
    this.live("resume");
    if (!this.held) {
      throw coreError("KITH_NOT_HELD", `${this.describe()} was resumed, but it is not held.`);
    }
    releaseHolds([this]);
    // What a free end would not take now, another one that is plugged in later must not get.
    if (this.provider === null || this.user === null) this.flushSwaps();
  }

  /** Whether somebody other than swaps holds it. */
  get held(): boolean {
    return this.holds > (this.swaps?.size ?? 0);
  }

  /** Holds it for a swap, once. */
  holdFor(swap: SwapHold): void {
    if (this.swaps?.has(swap) === true) return;
    (this.swaps ??= new Set()).add(swap);
    if (this.holds++ === 0) this.refresh();
  }

  /**
   * Delivers what swaps alone keep back. Whoever holds, rewires or cuts a channel means what is sent
   * afterwards, and must not notice that a swap is under way.
   */
  private flushSwaps(): void {
    const { kept } = this;
    if (kept === null || this.held) return;
    this.kept = null;
    deliver(kept);
  }

  /** What it joins, or joined at first: the paths and ports of both ends, and the key. */
  joint(): string {
    if (this.origin !== null) return this.origin;
    const { provider, user, key } = this;
    const typed = `${typeof key} ${String(key)}`;
    return `${provider?.core.path} ${provider?.name} ${user?.core.path} ${user?.name} ${typed}`;
  }

  unplug(end: "provider" | "user"): void {
    this.live("unplug");
    if ((end === "provider" ? this.provider : this.user) === null) {
      throw coreError(
        "KITH_CHANNEL_END",
        `The ${end}'s end of ${this.describe()} is free already.`,
      );
    }
    this.flushSwaps();
    this.origin = this.joint();
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
      throw coreError(
        "KITH_CHANNEL_END",
        `${half.describe()} was plugged into ${this.describe()}, but that end is taken.`,
      );
    }
    const other = half.provided ? this.user : this.provider;
    if (other !== null && other.type.name !== half.type.name) {
      throw coreError(
        "KITH_CONNECT_MISMATCH",
        `${half.describe()} does not fit ${other.describe()}.`,
      );
    }
    if (half.core.phase === "destroyed")
      throw coreError("KITH_DESTROYED", `A port of ${half.core.path} was plugged into a channel.`);
    if (half.provided && half.extractor === null && (this.key !== undefined || this.fallback)) {
      throw coreError(
        "KITH_BAD_ARGUMENT",
        `A channel with a key or fallback was plugged into ${half.describe()}, which has no key extractor (see \`by\`).`,
      );
    }
    if (half.provided) this.providerRef = ref as unknown as Reference;
    else this.userRef = ref as unknown as Reference;
    this.attach();
  }

  disconnect(): void {
    if (this.cut) return;
    this.flushSwaps();
    this.cut = true;
    this.provider?.detach(this);
    this.user?.detach(this);
    const kept = this.kept;
    this.kept = null;
    for (const { event, toUser, answer, meta } of kept ?? []) {
      const to = toUser ? this.user : this.provider;
      this.owner.system.deadLetter("disconnected", to?.core ?? this.owner, to?.name ?? "", event);
      if (answer) answerLost(meta);
    }
    this.provider = this.user = this.providerRef = this.userRef = null;
    this.owner.channels?.delete(this);
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
      if (this.swaps === null) {
        system.deadLetter("hold-overflow", to?.core ?? this.owner, to?.name ?? "", event);
        if (answer) answerLost(meta);
        const what = `${this.describe()} holds ${system.holdBound} events, its bound.`;
        (to?.core ?? this.owner).failLater(coreError("KITH_HOLD_OVERFLOW", what), event);
        return;
      }
      // The event is kept all the same: the swap gives up, and everything is delivered.
      for (const swap of this.swaps) swap.overflowed();
    }
    this.kept.push({ channel: this, toUser, order: ++system.keptOrder, event, meta, answer });
  }

  /** Delivers an answer to an ask or timer that travelled this channel. */
  answer(event: Event, meta: unknown): void {
    if (this.holds > 0 && (this.user !== null || this.held)) this.keep(true, event, meta, true);
    else deliverOne(this, true, event, meta, true);
  }

  /** Names the channel for people. */
  describe(): string {
    return `the channel ${this.provider?.describe() ?? "(free)"} → ${this.user?.describe() ?? "(free)"}`;
  }

  private live(what: string): void {
    if (this.cut)
      throw coreError(
        "KITH_CHANNEL_END",
        `A channel was asked to ${what} after it had been disconnected.`,
      );
  }
}

/**
 * Takes one hold from each channel, the given swap's or its owner's, and delivers what those now free
 * have kept, merged over all of them by the order in which it was sent, so that the order across
 * channels is kept as well.
 */
export function releaseHolds(channels: readonly ChannelCore[], swap?: SwapHold): void {
  const free = channels.filter((channel) => {
    if (channel.cut) return false;
    if (swap !== undefined) {
      if (channel.swaps?.delete(swap) !== true) return false;
      if (channel.swaps.size === 0) channel.swaps = null;
    }
    return --channel.holds === 0;
  });
  let kept: Kept[] = [];
  for (const channel of free) {
    if (channel.kept === null) continue;
    kept = kept.length === 0 ? channel.kept : kept.concat(channel.kept);
    channel.kept = null;
  }
  if (free.length > 1) kept.sort((a, b) => a.order - b.order);
  deliver(kept);
  for (const channel of free) channel.refresh();
}

/** Passes on what was kept, to whoever stands at the channels' ends now. */
export function deliver(kept: readonly Kept[]): void {
  for (const { channel, toUser, event, meta, answer } of kept) {
    deliverOne(channel, toUser, event, meta, answer);
  }
}

function deliverOne(
  channel: ChannelCore,
  toUser: boolean,
  event: Event,
  meta: unknown,
  answer: boolean,
): void {
  const to = toUser ? channel.user : channel.provider;
  if (to !== null) {
    to.core.receive(answer ? to.core.pending : to, event, meta);
    return;
  }
  channel.owner.system.deadLetter("unplugged", channel.owner, "", event);
  if (answer) answerLost(meta);
}

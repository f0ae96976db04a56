/**
 * A port half: one component's side of a port, and the hottest code of the kernel.
 *
 * Receivers are fixed when an event is triggered: a channel passes it on when its key and filter do,
 * and when the half at its far end has a handler for the event's class. Handlers are matched again
 * when the event is executed, for they may have changed. Both matches are cached by constructor.
 *
 * `direct` is the shortcut for the usual case: channels without filter or hold. It is forgotten
 * whenever something changes that it depends on, and computed again at the next trigger.
 */

import type { ChannelCore } from "./channel.ts";
import type { ComponentCore } from "./component-core.ts";
import { coreError } from "./errors.ts";
import { type Event, type EventClass, onSubscribe } from "./event.ts";
import type { Traced } from "./inspect.ts";
import {
  type Interest,
  isOf,
  type Joint,
  joined,
  noInterest,
  nowhere,
  type Places,
} from "./interest.ts";
import type { Target } from "./mailbox.ts";
import type { AnyPort, KeyExtractor, Subscription } from "./port.ts";
import { Timer } from "./timer.ts";
import type { Key } from "./types.ts";

type Handler = (event: never, meta: never) => unknown;
type AnyHandler = (event: object, meta: unknown) => unknown;
type AnswerHandler = (answer: never, request: never, context: never) => unknown;

/** What a subscriber holds to take its subscription back. */
class HandlerSubscription implements Subscription {
  readonly half: PortHalf;
  readonly cls: EventClass;
  readonly handler: AnyHandler;
  active = true;

  constructor(half: PortHalf, cls: EventClass, handler: AnyHandler) {
    this.half = half;
    this.cls = cls;
    this.handler = handler;
  }

  cancel(): void {
    this.half.unsubscribe(this);
  }
}

const noHandlers: readonly AnyHandler[] = [];
const noChannels: ChannelCore[] = [];
/** So many channels stand in a list of the exact length; one of more grows ahead, or a hub of thousands would copy it each time. */
const exactMax = 16;

/** The half of which several handlers run for one event, and those that one of them has cancelled. */
let executing: PortHalf | null = null;
let cancelled: AnyHandler[] = [];

/** What all halves on one side of a port type have in common. */
class Side {
  readonly type: AnyPort;
  readonly provided: boolean;
  /** Whether they are users' halves of the Timer port, whose requests become rows of the pending table. */
  readonly timers: boolean;
  /** The classes that were found to pass when triggered, and to arrive when subscribed to. */
  readonly triggered = new Set<unknown>();
  readonly subscribed = new Set<unknown>();
  /** The class that was triggered last. */
  last: unknown = null;

  constructor(type: AnyPort, provided: boolean) {
    this.type = type;
    this.provided = provided;
    this.timers = !provided && type === Timer;
  }
}

const sidesOf = new WeakMap<AnyPort, readonly [user: Side, provider: Side]>();

function sideOf(type: AnyPort, provided: boolean): Side {
  let sides = sidesOf.get(type);
  if (sides === undefined)
    sidesOf.set(type, (sides = [new Side(type, false), new Side(type, true)]));
  return sides[provided ? 1 : 0];
}

/** Which classes have a key: the same for all halves with that extractor. */
class Keys {
  readonly extractor: KeyExtractor;
  readonly #verdicts = new Map<unknown, boolean>();
  #last: unknown = null;
  #verdict = false;

  constructor(extractor: KeyExtractor) {
    this.extractor = extractor;
  }

  of(event: Event): Key | undefined {
    const cls = event.constructor;
    if (cls !== this.#last) {
      let verdict = this.#verdicts.get(cls);
      if (verdict === undefined)
        this.#verdicts.set(cls, (verdict = isOf(cls, this.extractor.root)));
      this.#verdict = verdict;
      this.#last = cls;
    }
    return this.#verdict ? this.extractor.key(event) : undefined;
  }
}

const keysOf = new WeakMap<KeyExtractor, Keys>();

function keysBy(extractor: KeyExtractor): Keys {
  let keys = keysOf.get(extractor);
  if (keys === undefined) keysOf.set(extractor, (keys = new Keys(extractor)));
  return keys;
}

/** The far ends of one key, where no filter or hold stands between, and which of them take what. */
interface Fan {
  /** The first is nobody: `joint` counts from 1. */
  readonly halves: readonly (PortHalf | null)[];
  readonly joint: Joint;
}

/** So many far ends of one key have a fan; with more of them, each is asked. */
const fanMax = 64;

/** What a half has that distributes by keys. */
class Hub {
  readonly keys: Keys | null;
  /** Channels with a key: the first of each, which leads to the others. */
  keyed: Map<Key, ChannelCore> | null = null;
  fallbacks: readonly ChannelCore[] | null = null;
  /** The fans of keys that have channels; null where there is none. Forgotten with the shortcut. */
  fans: Map<Key, Fan | null> | null = null;

  constructor(extractor: KeyExtractor | null) {
    this.keys = extractor === null ? null : keysBy(extractor);
  }
}

/** The kernel's side of `ProvidedPort` and `RequiredPort`. */
export class PortHalf implements Target {
  readonly core: ComponentCore;
  private readonly side: Side;
  private interest: Interest = noInterest;
  /** One for each class of the interest, where there are several: most halves have one, and need no list for it. */
  private handling: readonly AnyHandler[] = noHandlers;
  /** The handler of the class that came last, where there is exactly one; where there is one of all, that. */
  private only: AnyHandler | null = null;
  private onlyClass: unknown = null;
  /** The half at the far end, where there is one and nothing stands between. */
  private directOnly: PortHalf | null = null;
  /**
   * The halves at the far ends, where there are several and no filter, key or hold stands between; null
   * when that has to be looked at again, or is not so.
   */
  private direct: PortHalf[] | null = null;
  private directKnown = false;
  /** How many channels have a filter in the direction that leaves here. */
  private filters = 0;
  /** The name of the field that holds it, known once the constructor has returned. */
  name = "";
  /** The first channel without a key, and the others; on the user's side, all of them. */
  private first: ChannelCore | null = null;
  private others: ChannelCore[] = noChannels;
  private hub: Hub | null;
  private answers: Map<EventClass, AnswerHandler> | null = null;

  constructor(
    core: ComponentCore,
    type: AnyPort,
    provided: boolean,
    extractor: KeyExtractor | null,
  ) {
    this.core = core;
    this.side = sideOf(type, provided);
    this.hub = extractor === null ? null : new Hub(extractor);
  }

  /** Channels without a key; on the user's side, all of them. */
  get plain(): readonly ChannelCore[] {
    if (this.first === null) return noChannels;
    return [this.first].concat(this.others);
  }

  /** The channel without a key, where there is exactly one. */
  get onlyPlain(): ChannelCore | null {
    return this.others === noChannels ? this.first : null;
  }

  get type(): AnyPort {
    return this.side.type;
  }

  get provided(): boolean {
    return this.side.provided;
  }

  /** Whether it is a user's half of the Timer port, whose requests become rows of the pending table. */
  get timers(): boolean {
    return this.side.timers;
  }

  get extractor(): KeyExtractor | null {
    return this.hub?.keys?.extractor ?? null;
  }

  /** Channels with a key: the first of each, which leads to the others. */
  get keyed(): ReadonlyMap<Key, ChannelCore> | null {
    return this.hub?.keyed ?? null;
  }

  get fallbacks(): readonly ChannelCore[] | null {
    return this.hub?.fallbacks ?? null;
  }

  // --- sending ---------------------------------------------------------------------------------

  /** Sends an event to whoever takes it at the far ends. */
  trigger(event: Event): void {
    const core = this.core;
    if (core.system.current !== core) throw core.outsideTurn(`${this.describe()} was triggered`);
    const cls = event.constructor;
    if (cls !== this.side.last) this.admit(event);
    if (core.system.tap === null) {
      if (!this.directKnown) this.findDirect();
      const { directOnly, direct } = this;
      if (directOnly !== null) {
        // Nobody asks for the key; but an extractor that throws does it wherever its half triggers.
        if (this.hub !== null) this.hub.keys?.of(event);
        if (directOnly.wants(cls)) directOnly.core.receive(directOnly, event, null);
        else core.system.deadLetter("no-handler", core, this.name, event);
        return;
      }
      if (direct !== null) {
        let taken = false;
        for (let i = 0; i < direct.length; i++) {
          const far = direct[i] as PortHalf;
          if (!far.wants(cls)) continue;
          far.core.receive(far, event, null);
          taken = true;
        }
        if (!taken) core.system.deadLetter("no-handler", core, this.name, event);
        return;
      }
    }
    if (core.shadow) core.defer(() => this.trigger(event));
    else this.route(event);
  }

  /** The general way: keys, filters, holds, several channels, inspection. */
  private route(event: Event): void {
    const { system } = this.core;
    if (this.side.timers) {
      this.core.pending.schedule(this, event);
      return;
    }
    const meta = system.tap === null ? null : system.traceTrigger(this, event, null);
    let withKey: readonly ChannelCore[] | null = null;
    const { hub } = this;
    const key = hub === null ? undefined : hub.keys?.of(event);
    if (hub !== null && key !== undefined) {
      let fan = hub.fans?.get(key);
      const channel = fan ? undefined : hub.keyed?.get(key);
      if (channel !== undefined && fan === undefined) {
        const alone = this.first === null && channel.sameKey === null;
        const far = channel.user;
        if (!alone) {
          fan = this.fanOf(hub, key, channel);
        } else if (channel.holds === 0 && this.filters === 0 && far !== null) {
          // One channel, and nothing in its way.
          if (far.wants(event.constructor)) far.core.receive(far, event, meta);
          else this.untaken([channel], event, meta);
          return;
        }
      }
      if (fan) {
        const takers = fan.joint.match(event.constructor);
        for (let i = 0; i < takers.length; i++) {
          const far = fan.halves[takers[i] as number] as PortHalf;
          far.core.receive(far, event, meta);
        }
        if (takers === nowhere)
          this.core.system.deadLetter("no-handler", this.core, this.name, event, meta?.id);
        return;
      }
      withKey = channel === undefined ? hub.fallbacks : chainOf(channel);
    }
    let channels = this.plain;
    if (withKey !== null) channels = withKey.concat(channels);
    // A filter may throw: ask all of them before anything is sent.
    if (this.filters > 0)
      channels = channels.filter((channel) => filterOf(channel, this.provided)?.(event) ?? true);
    const taken = channels.length > 0 ? this.pass(channels, event, meta) : 0;
    if (taken === 0) this.untaken(channels, event, meta);
  }

  /** The far ends of a key, with those that see everything; null where something stands between. */
  private fanOf(hub: Hub, key: Key, first: ChannelCore): Fan | null {
    const halves: (PortHalf | null)[] = [null];
    const interests: Interest[] = [];
    let simple = this.filters === 0;
    for (const { holds, user } of [...chainOf(first), ...this.plain]) {
      simple &&= holds === 0 && user !== null && halves.length <= fanMax;
      if (!simple || user === null) break;
      halves.push(user);
      interests.push(user.interest);
    }
    const fan = simple ? { halves, joint: joined(interests) } : null;
    (hub.fans ??= new Map()).set(key, fan);
    return fan;
  }

  private untaken(channels: readonly ChannelCore[], event: Event, meta: Traced | null): void {
    const free = channels.some(
      (channel) => (this.provided ? channel.user : channel.provider) === null,
    );
    const reason = channels.length === 0 ? "no-channel" : free ? "unplugged" : "no-handler";
    this.core.system.deadLetter(reason, this.core, this.name, event, meta?.id);
  }

  private pass(channels: readonly ChannelCore[], event: Event, meta: unknown): number {
    const provided = this.provided;
    const cls = event.constructor;
    let taken = 0;
    for (let i = 0; i < channels.length; i++) {
      const channel = channels[i] as ChannelCore;
      const far = provided ? channel.user : channel.provider;
      if (far !== null && !far.wants(cls)) continue;
      if (far === null && !channel.held) continue;
      if (channel.holds > 0) channel.keep(provided, event, meta, false);
      else if (far !== null) far.core.receive(far, event, meta);
      taken++;
    }
    return taken;
  }

  /** The channels over which a request would reach a provider that handles it. */
  takers(event: Event): ChannelCore[] {
    return this.plain.filter((channel) => {
      if (channel.passRequest !== null && !channel.passRequest(event)) return false;
      if (channel.provider === null) return channel.held;
      return channel.provider.wants(event.constructor);
    });
  }

  // --- receiving -------------------------------------------------------------------------------

  /** Runs the handlers of one event, in the order in which they subscribed. */
  execute(event: object, meta: unknown): void {
    if (meta !== null && (meta as Traced).traced === true) {
      this.core.system.traced(this, event as Event, meta as Traced, () =>
        this.execute(event, (meta as Traced).meta),
      );
      return;
    }
    const cls = event.constructor;
    if (cls === this.onlyClass) {
      (this.only as AnyHandler)(event, meta);
      return;
    }
    const places = this.interest.match(cls);
    if (places.length === 1) {
      if (this.handling !== noHandlers)
        this.only = this.handling[places[0] as number] as AnyHandler;
      this.onlyClass = cls;
      (this.only as AnyHandler)(event, meta);
    } else if (places === nowhere) {
      this.core.system.deadLetter("no-handler", this.core, this.name, event as Event);
    } else {
      this.executeAll(places, event, meta);
    }
  }

  private executeAll(places: Places, event: object, meta: unknown): void {
    const outer = executing;
    const outerCancelled = cancelled;
    const { handling } = this;
    executing = this;
    cancelled = [];
    try {
      for (const place of places) {
        const handler = handling[place] as AnyHandler;
        // One that an earlier handler of this event has cancelled is no subscriber any more.
        if (!cancelled.includes(handler)) handler(event, meta);
      }
    } finally {
      executing = outer;
      cancelled = outerCancelled;
    }
  }

  /** Whether a handler matches events of this class. */
  wants(cls: WeakKey): boolean {
    return cls === this.onlyClass || this.interest.match(cls) !== nowhere;
  }

  // --- subscribing -----------------------------------------------------------------------------

  /** Subscribes a handler. */
  on(cls: EventClass, handler: Handler): Subscription {
    const { type, provided, subscribed } = this.side;
    const arriving = provided ? type.requests : type.indications;
    if (
      !subscribed.has(cls) &&
      !arriving.some((declared) => isOf(cls, declared) || isOf(declared, cls))
    ) {
      throw coreError(
        "KITH_BAD_EVENT",
        `No ${cls.name} arrives at ${this.describe()}, so a handler for it would never run.`,
      );
    }
    if (typeof handler !== "function") {
      throw coreError(
        "KITH_BAD_ARGUMENT",
        `The handler for ${cls.name} at ${this.describe()} is not a function.`,
      );
    }
    subscribed.add(cls);
    (cls as { [onSubscribe]?: (cls: EventClass) => void })[onSubscribe]?.(cls);
    let own = handler as unknown as AnyHandler;
    // Each subscription has a function of its own, by which it is found when it is taken back.
    if (this.placeOf(cls, own) >= 0)
      own = (event, meta) => (handler as unknown as AnyHandler)(event, meta);
    // concat makes an array of the exact length; a spread or a push would make room for sixteen more.
    this.subscribe(this.interest.with(cls), this.allHandlers.concat(own));
    return new HandlerSubscription(this, cls, own);
  }

  /** Takes a subscription back. */
  unsubscribe(subscription: HandlerSubscription): void {
    const { cls, handler } = subscription;
    if (!subscription.active) {
      throw coreError(
        "KITH_NOT_SUBSCRIBED",
        `A handler for ${cls.name} at ${this.describe()} was cancelled a second time.`,
      );
    }
    subscription.active = false;
    const place = this.placeOf(cls, handler);
    if (executing === this) cancelled.push(handler);
    this.subscribe(
      this.interest.without(place),
      this.allHandlers.filter((_, at) => at !== place),
    );
  }

  private placeOf(cls: EventClass, handler: AnyHandler): number {
    const { classes } = this.interest;
    return this.allHandlers.findIndex((one, at) => one === handler && classes[at] === cls);
  }

  private get allHandlers(): readonly AnyHandler[] {
    return this.interest.classes.length === 1 ? [this.only as AnyHandler] : this.handling;
  }

  private subscribe(interest: Interest, handlers: readonly AnyHandler[]): void {
    const [first = null] = handlers;
    this.interest = interest;
    this.handling = handlers.length > 1 ? handlers : noHandlers;
    this.only = handlers.length === 1 ? first : null;
    this.onlyClass = null;
    // What is known at the far ends of who takes what is over.
    if (!this.provided) for (const { provider } of this.plain) provider?.refresh();
  }

  // --- asking ----------------------------------------------------------------------------------

  /** Declares the continuation of a request class, and returns the function that asks. */
  onAnswer(cls: EventClass, handler: AnswerHandler): (request: Event, options?: object) => void {
    if (!this.type.requests.some((declared) => isOf(cls, declared))) {
      throw coreError("KITH_BAD_EVENT", `${cls.name} is no request of ${this.describe()}.`);
    }
    if (this.answers?.has(cls) === true) {
      throw coreError(
        "KITH_BAD_ARGUMENT",
        `The answers to ${cls.name} at ${this.describe()} have a continuation already.`,
      );
    }
    (this.answers ??= new Map()).set(cls, handler);
    return (request, options) => this.core.pending.ask(this, request, options ?? {});
  }

  /** Runs the continuation for an answer. */
  answered(answer: Event, request: Event, context: unknown): void {
    for (const [cls, handler] of this.answers ?? []) {
      if (!isOf(request.constructor, cls)) continue;
      (handler as (answer: Event, request: Event, context: unknown) => unknown)(
        answer,
        request,
        context,
      );
      return;
    }
    throw coreError(
      "KITH_ASK_NO_ANSWER_HANDLER",
      `${this.describe()} got an answer to ${request.constructor.name}.`,
    );
  }

  /** Answers a request by its token. */
  reply(token: unknown, response: Event): void {
    const { core } = this;
    if (core.system.current !== core) throw core.outsideTurn(`${this.describe()} replied`);
    if (core.shadow) core.defer(() => this.reply(token, response));
    else core.system.reply(this, token, response);
  }

  // --- wiring ----------------------------------------------------------------------------------

  /** Puts a channel on this half. */
  attach(channel: ChannelCore): void {
    if (filterOf(channel, this.provided) !== null) this.filters++;
    if (this.provided && channel.key !== undefined) {
      const keyed = ((this.hub ??= new Hub(null)).keyed ??= new Map());
      let last: ChannelCore | undefined = keyed.get(channel.key);
      if (last === undefined) {
        keyed.set(channel.key, channel);
      } else {
        while (last.sameKey !== null) last = last.sameKey;
        last.sameKey = channel;
      }
    } else if (this.provided && channel.fallback) {
      const hub = (this.hub ??= new Hub(null));
      hub.fallbacks = (hub.fallbacks ?? noChannels).concat(channel);
    } else {
      this.link(channel);
    }
    this.refresh();
  }

  /** Puts the channels of a checkpoint on this half, in their order; of each key the first, which leads to the others. */
  rewire(
    plain: readonly ChannelCore[],
    fallbacks: readonly ChannelCore[],
    keyed: Map<Key, ChannelCore>,
  ): void {
    this.first = null;
    this.others = noChannels;
    for (const channel of plain) this.link(channel);
    if (this.hub !== null || fallbacks.length > 0 || keyed.size > 0) {
      const hub = (this.hub ??= new Hub(null));
      hub.fallbacks = fallbacks.length === 0 ? null : fallbacks;
      hub.keyed = keyed.size === 0 ? null : keyed;
    }
    this.refresh();
  }

  /** Takes a channel off this half. */
  detach(channel: ChannelCore): void {
    if (filterOf(channel, this.provided) !== null) this.filters--;
    if (this.provided && channel.key !== undefined) {
      this.detachKeyed(channel, channel.key);
    } else if (this.provided && channel.fallback && this.hub !== null) {
      const left = without(this.hub.fallbacks ?? noChannels, channel);
      this.hub.fallbacks = left.length === 0 ? null : left;
    } else {
      this.unlink(channel);
    }
    this.refresh();
  }

  private link(channel: ChannelCore): void {
    if (this.first === null) this.first = channel;
    else if (this.others.length < exactMax) this.others = this.others.concat(channel);
    else this.others.push(channel);
  }

  private unlink(channel: ChannelCore): void {
    const left = this.others;
    if (channel === this.first) this.first = left.length === 0 ? null : (left.shift() ?? null);
    else if (left.includes(channel)) left.splice(left.indexOf(channel), 1);
    if (left.length === 0) this.others = noChannels;
  }

  /** All channels on this half. */
  channels(): ChannelCore[] {
    return [
      ...this.plain,
      ...(this.fallbacks ?? []),
      ...(this.keyed === null ? [] : [...this.keyed.values()].flatMap(chainOf)),
    ];
  }

  private detachKeyed(channel: ChannelCore, key: Key): void {
    const { hub } = this;
    const first = hub?.keyed?.get(key);
    if (first === channel) {
      if (channel.sameKey === null) hub?.keyed?.delete(key);
      else hub?.keyed?.set(key, channel.sameKey);
    } else {
      for (let at: ChannelCore | null = first ?? null; at !== null; at = at.sameKey) {
        if (at.sameKey === channel) at.sameKey = channel.sameKey;
      }
    }
    channel.sameKey = null;
    if (hub?.keyed?.size === 0) hub.keyed = null;
  }

  /** Forgets the shortcut: something has changed that it depends on. */
  refresh(): void {
    this.directKnown = false;
    this.direct = this.directOnly = null;
    if (this.hub !== null) this.hub.fans = null;
  }

  private findDirect(): void {
    this.directKnown = true;
    if (this.filters > 0 || this.side.timers || this.core.shadow) return;
    // A key that no channel asks for decides nothing.
    if (this.keyed !== null || this.fallbacks !== null) return;
    const direct = this.plain.map((channel) =>
      channel.holds > 0 ? null : this.provided ? channel.user : channel.provider,
    );
    if (direct.length === 0 || direct.includes(null)) return;
    if (direct.length === 1) this.directOnly = direct[0] as PortHalf;
    else if (this.extractor === null) this.direct = direct as PortHalf[];
  }

  /** How many handlers are subscribed. */
  get handlers(): number {
    return this.interest.classes.length;
  }

  /** Whether anything is connected. */
  get connected(): boolean {
    return this.first !== null || this.keyed !== null || this.fallbacks !== null;
  }

  /** Names the half for people. */
  describe(): string {
    return `${this.provided ? "provided" : "required"} port ${this.name || "(not named yet)"} (${this.type.name}) of ${this.core.path}`;
  }

  private admit(event: Event): void {
    const { triggered } = this.side;
    if (!triggered.has(event.constructor)) {
      const passing = this.provided ? this.type.indications : this.type.requests;
      if (!passing.some((declared) => isOf(event.constructor, declared))) {
        throw coreError(
          "KITH_BAD_EVENT",
          `${event.constructor.name} cannot be triggered on ${this.describe()}.`,
        );
      }
      triggered.add(event.constructor);
    }
    this.side.last = event.constructor;
  }
}

function filterOf(channel: ChannelCore, fromProvider: boolean): ((event: Event) => boolean) | null {
  return fromProvider ? channel.passIndication : channel.passRequest;
}

function chainOf(first: ChannelCore): ChannelCore[] {
  const chain: ChannelCore[] = [];
  for (let at: ChannelCore | null = first; at !== null; at = at.sameKey) chain.push(at);
  return chain;
}

/** The list without a channel: of the exact length, and none where none is left. */
function without(list: readonly ChannelCore[], channel: ChannelCore): readonly ChannelCore[] {
  const left = list.filter((one) => one !== channel);
  return left.length === 0 ? noChannels : left;
}

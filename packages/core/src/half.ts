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
import { type Event, type EventClass, onSubscribe, ownTag } from "./event.ts";
import type { Traced } from "./inspect.ts";
import type { Target } from "./mailbox.ts";
import type { AnyPort, KeyExtractor, Subscription } from "./port.ts";
import { Timer } from "./timer.ts";
import type { Key } from "./types.ts";

type Handler = (event: never, meta: never) => unknown;
type AnswerHandler = (answer: never, request: never, context: never) => unknown;

/** A handler and the class that it is for. */
export class HandlerSubscription implements Subscription {
  readonly half: PortHalf;
  readonly cls: EventClass;
  readonly handler: (event: object, meta: unknown) => unknown;
  active = true;

  constructor(half: PortHalf, cls: EventClass, handler: Handler) {
    this.half = half;
    this.cls = cls;
    this.handler = handler as (event: object, meta: unknown) => unknown;
  }

  cancel(): void {
    this.half.unsubscribe(this);
  }
}

const nobody: readonly HandlerSubscription[] = [];
const noChannels: ChannelCore[] = [];

/** The classes of one direction that were found to pass when triggered, and to arrive when subscribed to. */
interface Direction {
  readonly triggered: Set<unknown>;
  readonly subscribed: Set<unknown>;
}

/** What was found of a port type: the same for all its halves. */
interface Passed {
  readonly requests: Direction;
  readonly indications: Direction;
}
const passedBy = new WeakMap<AnyPort, Passed>();

function passed(type: AnyPort): Passed {
  let found = passedBy.get(type);
  if (found === undefined) {
    found = {
      requests: { triggered: new Set(), subscribed: new Set() },
      indications: { triggered: new Set(), subscribed: new Set() },
    };
    passedBy.set(type, found);
  }
  return found;
}

/** Which classes have a key: the same for all halves with that extractor. */
const verdictsBy = new WeakMap<KeyExtractor, Map<unknown, boolean>>();

function verdictsOf(extractor: KeyExtractor): Map<unknown, boolean> {
  let found = verdictsBy.get(extractor);
  if (found === undefined) verdictsBy.set(extractor, (found = new Map()));
  return found;
}

/** The kernel's side of `ProvidedPort` and `RequiredPort`. */
export class PortHalf implements Target {
  readonly core: ComponentCore;
  private matchedClass: unknown = null;
  /** The handler, where exactly one matches: saves two steps through memory for each event. */
  private only: ((event: object, meta: unknown) => unknown) | null = null;
  private matched: readonly HandlerSubscription[] = nobody;
  /** The match before that one: most halves see one class or two. */
  private olderClass: unknown = null;
  private olderOnly: ((event: object, meta: unknown) => unknown) | null = null;
  private olderMatched: readonly HandlerSubscription[] = nobody;
  private admittedClass: unknown = null;
  /** The half at the far end, where there is one and nothing stands between. */
  private directOnly: PortHalf | null = null;
  /**
   * The halves at the far ends, where there are several and no filter, key or hold stands between; null
   * when that has to be looked at again, or is not so.
   */
  private direct: PortHalf[] | null = null;
  private directKnown = false;
  readonly type: AnyPort;
  readonly provided: boolean;
  readonly extractor: KeyExtractor | null;
  /** Whether it is a user's half of the Timer port, whose requests become rows of the pending table. */
  readonly timers: boolean;
  /** The name of the field that holds it, known once the constructor has returned. */
  name = "";
  /** Channels without a key; on the user's side, all of them. */
  plain: ChannelCore[] = noChannels;
  /** Channels with a key: the first of each, which leads to the others. */
  keyed: Map<Key, ChannelCore> | null = null;
  fallbacks: ChannelCore[] | null = null;

  /** How many channels have a filter in the direction that leaves here. */
  private filters = 0;
  private subscriptions: readonly HandlerSubscription[] = nobody;
  private matches: Map<unknown, readonly HandlerSubscription[]> | null = null;
  /** The classes that were found to pass when triggered here. */
  private readonly admitted: Set<unknown>;
  private keyedClass: unknown = null;
  private keyedVerdict = false;
  private readonly keyedVerdicts: Map<unknown, boolean> | null;
  private answers: Map<EventClass, AnswerHandler> | null = null;

  constructor(
    core: ComponentCore,
    type: AnyPort,
    provided: boolean,
    extractor: KeyExtractor | null,
  ) {
    this.core = core;
    this.type = type;
    this.provided = provided;
    this.extractor = extractor;
    this.timers = !provided && type === Timer;
    this.keyedVerdicts = extractor === null ? null : verdictsOf(extractor);
    const { requests, indications } = passed(type);
    this.admitted = (provided ? indications : requests).triggered;
  }

  // --- sending ---------------------------------------------------------------------------------

  /** Sends an event to whoever takes it at the far ends. */
  trigger(event: Event): void {
    const core = this.core;
    if (core.system.current !== core) throw core.outsideTurn(`${this.describe()} was triggered`);
    const cls = event.constructor;
    if (cls !== this.admittedClass) this.admit(event);
    if (core.system.tap === null) {
      if (!this.directKnown) this.findDirect();
      const { directOnly, direct } = this;
      if (directOnly !== null) {
        // Nobody asks for the key; but an extractor that throws does it wherever its half triggers.
        if (this.extractor !== null) this.keyOf(event);
        if (
          (cls === directOnly.matchedClass ? directOnly.matched : directOnly.match(cls)) !== nobody
        )
          directOnly.core.receive(directOnly, event, null);
        else core.system.deadLetter("no-handler", core, this.name, event);
        return;
      }
      if (direct !== null) {
        let taken = false;
        for (let i = 0; i < direct.length; i++) {
          const far = direct[i] as PortHalf;
          if ((cls === far.matchedClass ? far.matched : far.match(cls)) === nobody) continue;
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
    if (this.timers) {
      this.core.pending.schedule(this, event);
      return;
    }
    const meta = system.tap === null ? null : system.traceTrigger(this, event, null);
    let taken = 0;
    let channels: readonly ChannelCore[] = this.plain;
    const key = this.extractor === null ? undefined : this.keyOf(event);
    if (key !== undefined) {
      const channel = this.keyed?.get(key);
      if (
        channel !== undefined &&
        channel.sameKey === null &&
        channel.holds === 0 &&
        this.filters === 0 &&
        channel.user !== null
      ) {
        // One channel, and nothing in its way.
        const far = channel.user;
        if (
          (event.constructor === far.matchedClass ? far.matched : far.match(event.constructor)) !==
          nobody
        ) {
          far.core.receive(far, event, meta);
          taken++;
        } else if (channels.length === 0) {
          channels = [channel];
        }
      } else {
        const withKey = channel === undefined ? this.fallbacks : chainOf(channel);
        if (withKey !== null)
          channels = channels.length === 0 ? withKey : [...withKey, ...channels];
      }
    }
    // A filter may throw: ask all of them before anything is sent.
    if (this.filters > 0)
      channels = channels.filter((channel) => filterOf(channel, this.provided)?.(event) ?? true);
    if (channels.length > 0) taken += this.pass(channels, event, meta);
    if (taken === 0) this.untaken(channels, event, meta);
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
      if (far !== null && (cls === far.matchedClass ? far.matched : far.match(cls)) === nobody)
        continue;
      if (far === null && !channel.held) continue;
      if (channel.holds > 0) channel.keep(provided, event, meta, false);
      else if (far !== null) far.core.receive(far, event, meta);
      taken++;
    }
    return taken;
  }

  private keyOf(event: Event): Key | undefined {
    const extractor = this.extractor as KeyExtractor;
    if (event.constructor !== this.keyedClass) {
      this.keyedClass = event.constructor;
      let verdict = this.keyedVerdicts?.get(event.constructor);
      if (verdict === undefined) {
        verdict = isOf(event.constructor, extractor.root);
        this.keyedVerdicts?.set(event.constructor, verdict);
      }
      this.keyedVerdict = verdict;
    }
    return this.keyedVerdict ? extractor.key(event) : undefined;
  }

  /** The channels over which a request would reach a provider that handles it. */
  takers(event: Event): ChannelCore[] {
    return this.plain.filter((channel) => {
      if (channel.passRequest !== null && !channel.passRequest(event)) return false;
      if (channel.provider === null) return channel.held;
      return channel.provider.match(event.constructor) !== nobody;
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
    const handlers = cls === this.matchedClass ? this.matched : this.match(cls);
    const { only } = this;
    if (only !== null) {
      only(event, meta);
    } else if (handlers.length === 0) {
      this.core.system.deadLetter("no-handler", this.core, this.name, event as Event);
    } else {
      for (let i = 0; i < handlers.length; i++) {
        const subscription = handlers[i] as HandlerSubscription;
        // One that an earlier handler of this event has cancelled is no subscriber any more.
        if (subscription.active) subscription.handler(event, meta);
      }
    }
  }

  /** Whether a handler matches events of this class. */
  wants(cls: unknown): boolean {
    return this.match(cls) !== nobody;
  }

  private match(cls: unknown): readonly HandlerSubscription[] {
    const { matchedClass, matched, only } = this;
    if (cls === this.olderClass) {
      this.matchedClass = cls;
      this.matched = this.olderMatched;
      this.only = this.olderOnly;
    } else {
      let found = this.matches?.get(cls);
      if (found === undefined) {
        const list = this.subscriptions.filter((subscription) => isOf(cls, subscription.cls));
        found = list.length === 0 ? nobody : list.slice();
        // A half that sees two classes needs no table.
        if (this.olderClass !== null)
          (this.matches ??= new Map([[this.olderClass, this.olderMatched]]))
            .set(matchedClass, matched)
            .set(cls, found);
      }
      this.matchedClass = cls;
      this.matched = found;
      this.only = found.length === 1 ? (found[0] as HandlerSubscription).handler : null;
    }
    this.olderClass = matchedClass;
    this.olderMatched = matched;
    this.olderOnly = only;
    return this.matched;
  }

  // --- subscribing -----------------------------------------------------------------------------

  /** Subscribes a handler. */
  on(cls: EventClass, handler: Handler): Subscription {
    const { type, provided } = this;
    const { subscribed } = provided ? passed(type).requests : passed(type).indications;
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
    const subscription = new HandlerSubscription(this, cls, handler);
    // concat makes an array of the exact length; a spread or a push would make room for sixteen more.
    this.subscriptions = this.subscriptions.concat(subscription);
    this.forgetMatches();
    return subscription;
  }

  /** Takes a subscription back. */
  unsubscribe(subscription: HandlerSubscription): void {
    if (!subscription.active) {
      throw coreError(
        "KITH_NOT_SUBSCRIBED",
        `A handler for ${subscription.cls.name} at ${this.describe()} was cancelled a second time.`,
      );
    }
    subscription.active = false;
    this.subscriptions = this.subscriptions.filter((one) => one !== subscription);
    this.forgetMatches();
  }

  private forgetMatches(): void {
    this.matchedClass = this.olderClass = null;
    this.matched = this.olderMatched = nobody;
    this.only = this.olderOnly = null;
    this.matches = null;
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
      this.keyed ??= new Map();
      let last: ChannelCore | undefined = this.keyed.get(channel.key);
      if (last === undefined) {
        this.keyed.set(channel.key, channel);
      } else {
        while (last.sameKey !== null) last = last.sameKey;
        last.sameKey = channel;
      }
    } else if (this.provided && channel.fallback) {
      (this.fallbacks ??= []).push(channel);
    } else if (this.plain === noChannels) {
      this.plain = [channel];
    } else {
      this.plain.push(channel);
    }
    this.refresh();
  }

  /** Takes a channel off this half. */
  detach(channel: ChannelCore): void {
    if (filterOf(channel, this.provided) !== null) this.filters--;
    if (this.provided && channel.key !== undefined) {
      this.detachKeyed(channel, channel.key);
    } else if (this.provided && channel.fallback) {
      remove(this.fallbacks ?? [], channel);
      if (this.fallbacks?.length === 0) this.fallbacks = null;
    } else {
      remove(this.plain, channel);
    }
    this.refresh();
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
    const first = this.keyed?.get(key);
    if (first === channel) {
      if (channel.sameKey === null) this.keyed?.delete(key);
      else this.keyed?.set(key, channel.sameKey);
    } else {
      for (let at: ChannelCore | null = first ?? null; at !== null; at = at.sameKey) {
        if (at.sameKey === channel) at.sameKey = channel.sameKey;
      }
    }
    channel.sameKey = null;
    if (this.keyed?.size === 0) this.keyed = null;
  }

  /** Forgets the shortcut: something has changed that it depends on. */
  refresh(): void {
    this.directKnown = false;
    this.direct = this.directOnly = null;
  }

  private findDirect(): void {
    this.directKnown = true;
    if (this.filters > 0 || this.timers || this.core.shadow) return;
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
    return this.subscriptions.length;
  }

  /** Whether anything is connected. */
  get connected(): boolean {
    return this.plain.length > 0 || this.keyed !== null || this.fallbacks !== null;
  }

  /** Names the half for people. */
  describe(): string {
    return `${this.provided ? "provided" : "required"} port ${this.name || "(not named yet)"} (${this.type.name}) of ${this.core.path}`;
  }

  private admit(event: Event): void {
    if (!this.admitted.has(event.constructor)) {
      const passing = this.provided ? this.type.indications : this.type.requests;
      if (!passing.some((declared) => isOf(event.constructor, declared))) {
        throw coreError(
          "KITH_BAD_EVENT",
          `${event.constructor.name} cannot be triggered on ${this.describe()}.`,
        );
      }
      this.admitted.add(event.constructor);
    }
    this.admittedClass = event.constructor;
  }
}

/** Whether events of class `cls` are events of class `root`: by identity, else by tag where a package is there twice. */
export function isOf(cls: unknown, root: EventClass): boolean {
  for (let at: unknown = cls; typeof at === "function"; at = Object.getPrototypeOf(at))
    if (at === (root as unknown)) return true;
  const tag = ownTag(root);
  for (
    let at: unknown = cls;
    tag !== undefined && typeof at === "function";
    at = Object.getPrototypeOf(at)
  ) {
    if (ownTag(at) === tag) return true;
  }
  return false;
}

function filterOf(channel: ChannelCore, fromProvider: boolean): ((event: Event) => boolean) | null {
  return fromProvider ? channel.passIndication : channel.passRequest;
}

function chainOf(first: ChannelCore): ChannelCore[] {
  const chain: ChannelCore[] = [];
  for (let at: ChannelCore | null = first; at !== null; at = at.sameKey) chain.push(at);
  return chain;
}

function remove(list: ChannelCore[], channel: ChannelCore): void {
  const at = list.indexOf(channel);
  if (at >= 0) list.splice(at, 1);
}

/**
 * The base class of all components.
 *
 * A component declares its ports and children in fields, subscribes handlers in its constructor, and
 * from then on touches nothing but its ports. Handlers are synchronous, run to completion and one at a
 * time. Everything here is callable in the constructor or in the component's own turn; the only way in
 * from elsewhere is `enter`.
 */

import { ChannelCore, type Channel, type ChannelOptions } from "./channel.ts";
import type { Child, ChildHandle, ComponentClass, InitArguments } from "./child.ts";
import type { ComponentClock } from "./clock.ts";
import type { ComponentCore, Hooks } from "./component-core.ts";
import type { Given, Setting } from "./config.ts";
import { type ChildOptions, createChild, takeCore } from "./construction.ts";
import type { Control } from "./control.ts";
import { coreError } from "./errors.ts";
import type { FaultPolicy } from "./fault.ts";
import { Few } from "./few.ts";
import { PortHalf } from "./half.ts";
import type { Logger } from "./log.ts";
import type {
  AnyPort,
  AnyRef,
  KeyExtractor,
  ProvidedPort,
  ProvidedRef,
  RequiredPort,
  RequiredRef,
} from "./port.ts";
import type { Draw } from "./random.ts";
import { ChildPortRef, ExposedRef, type Reference, resolve } from "./reference.ts";
import type { Declared, Replacement } from "./state.ts";
import { SwapJob, type SwapOptions } from "./swap.ts";
import type { Key } from "./types.ts";

/** The kernel's key to an instance's core. */
export const coreOf: unique symbol = Symbol("kith.core");

/** Extend it to write a component. */
export abstract class Component {
  /** @internal */
  readonly [coreOf]: ComponentCore;

  constructor() {
    this[coreOf] = takeCore(new.target);
  }

  // --- ports -----------------------------------------------------------------------------------

  /**
   * Declares a port that this component provides; keep it in a field, whose name becomes the port's.
   *
   * @param key routes indications to the channels that carry the same key; see `by`
   */
  protected provides<P extends AnyPort>(type: P, key?: KeyExtractor): ProvidedPort<P> {
    return this.#half(type, true, key ?? null) as unknown as ProvidedPort<P>;
  }

  /** Declares a port that this component needs; keep it in a field, whose name becomes the port's. */
  protected requires<P extends AnyPort>(type: P): RequiredPort<P> {
    return this.#half(type, false, null) as unknown as RequiredPort<P>;
  }

  /**
   * Makes a child's port a port of this component: an alias, without a hop for the events, that
   * survives a swap on either level. Keep it in a field.
   */
  protected exposes<P extends AnyPort>(ref: ProvidedRef<P>): ProvidedRef<P>;
  protected exposes<P extends AnyPort>(ref: RequiredRef<P>): RequiredRef<P>;
  protected exposes(ref: AnyRef): unknown {
    const core = this.#declaring("exposes");
    const target = ref as unknown as Reference;
    inScope(core, target);
    const exposed = new ExposedRef(core, target);
    core.ports = core.ports.concat(exposed);
    return exposed;
  }

  /** On this port the kernel tells about children, swaps, load and settings. */
  protected get control(): RequiredPort<typeof Control> {
    return this[coreOf].controlHalf() as unknown as RequiredPort<typeof Control>;
  }

  #half(type: AnyPort, provided: boolean, key: KeyExtractor | null): PortHalf {
    const core = this.#declaring(provided ? "provides" : "requires");
    const half = new PortHalf(core, type, provided, key);
    // concat makes an array of the exact length.
    core.ports = core.ports.concat(half);
    return half;
  }

  // --- children and wiring ---------------------------------------------------------------------

  /**
   * Creates a child. Its constructor runs now, and a throw in it is this component's; it starts with
   * this component, or at once where that has started.
   */
  protected create<K extends ComponentClass>(
    cls: K,
    ...args: InitArguments<K, ChildOptions>
  ): Child<InstanceType<K>> {
    const core = this.#own("create");
    const [init, options] = args as [unknown, ChildOptions?];
    const handle = createChild(core, cls, init, options ?? {});
    core.system.created(core, handle);
    return handle as unknown as Child<InstanceType<K>>;
  }

  /** Joins a provider and a user, each a child's port or this component's own. */
  protected connect<P extends AnyPort>(
    provider: ProvidedRef<P>,
    user: RequiredRef<NoInfer<P>>,
    options?: ChannelOptions<NoInfer<P>>,
  ): Channel<P> {
    const core = this.#own("connect");
    return connectPorts(
      core,
      provider as unknown as Reference,
      user as unknown as Reference,
      (options ?? {}) as ChannelOptions,
    ) as Channel<P>;
  }

  /**
   * Offers a provided port to all components below this one: a required port of that type that nobody
   * connected resolves, when its component starts, to the nearest offer above.
   *
   * @param options a key, carried by every channel that the offer makes
   */
  protected offers<P extends AnyPort>(ref: ProvidedRef<P>, options?: { readonly key?: Key }): void {
    offerPort(this.#own("offers"), ref as unknown as Reference, options?.key);
  }

  /**
   * Lets all components below take what is offered above this one under a key: a required port of that
   * type that an offer from above resolves gets a channel with it, as if the offer had named it. So a
   * virtual peer sees its own messages alone, of a Network that many share. An offer that has a key keeps
   * that one; called in the constructor.
   */
  protected narrows(type: AnyPort, key: Key): void {
    (this.#declaring("narrows").narrowed ??= new Few()).set(type.name, key);
  }

  /** Starts a child that was stopped; harmless where it has started. */
  protected start(child: Child): void {
    this.#own("start").system.start(handleOf(child));
  }

  /** Stops a child and all below it, from the bottom up; harmless where it has stopped. */
  protected stop(child: Child): void {
    this.#own("stop").system.stopChild(handleOf(child));
  }

  /** Stops a child and removes it; what its mailbox still holds becomes dead letters. */
  protected kill(child: Child): void {
    this.#own("kill").system.kill(handleOf(child));
  }

  /**
   * Replaces a child by an instance of another class (or the same), with its state, queue, timers and
   * asks, without losing, doubling or reordering an event. Returns at once; `Swapped` or `SwapFailed`
   * comes on the control port.
   */
  protected swap<C extends Component, K extends ComponentClass>(
    child: Child<C>,
    cls: K & Replacement<C, K>,
    ...args: InitArguments<K, SwapOptions>
  ): void {
    this.#own("swap");
    const [init, options] = args as [unknown, SwapOptions?];
    SwapJob.enqueue(handleOf(child), cls, init, options ?? {}, null);
  }

  // --- life ------------------------------------------------------------------------------------

  /** Runs when the component starts: after its parent's, before its children's. */
  protected onStart(handler: () => void | boolean): void {
    this.#hook("start", handler);
  }

  /** Runs when the component stops, before anything below it is torn down. */
  protected onStop(handler: () => void | boolean): void {
    this.#hook("stop", handler);
  }

  /** Acquires what lies outside (a socket, a file), once for each instance: at its start, or when it replaces another. */
  protected onAcquire(handler: () => void | boolean): void {
    this.#hook("acquire", handler);
  }

  /** Gives back what `onAcquire` acquired: at its stop, kill or restart, or when it is replaced. */
  protected onRelease(handler: () => void | boolean): void {
    this.#hook("release", handler);
  }

  /** Decides over faults of the children for which `create` was given no policy of their own. */
  protected onFault(policy: FaultPolicy): void {
    this.#own("onFault").policy = policy;
  }

  /**
   * The only entrance from outside: runs `action` in the component's own turn, soon, ahead of queued
   * events. Callbacks of sockets, files and promises come in here. On a component that is gone it is a
   * dead letter.
   */
  protected enter(action: () => void): void {
    this[coreOf].enter(action);
  }

  /**
   * Declares a way in for a provider whose engine decides itself whose turn it is: what it returns is
   * called from outside with data, and runs `action` in the component's own turn, at once where nothing
   * stands before it. Unlike a closure given to `enter`, a call that has to wait can be held by a
   * checkpoint and made again at a component that was restored; the data is shared then, so it should
   * not change.
   */
  protected entrance<T>(action: (data: T) => void): (data: T) => void {
    const core = this.#declaring("entrance");
    const entrances = (core.entrances ??= []);
    const entered = action as (data: unknown) => void;
    const number = entrances.push(entered) - 1;
    return (data) => core.enterBy(number, entered, data);
  }

  #hook(kind: keyof Hooks, handler: () => unknown): void {
    const hooks = (this.#declaring("a lifecycle handler").hooks ??= {});
    hooks[kind] = (hooks[kind] ?? []).concat(handler);
  }

  // --- state and environment -------------------------------------------------------------------

  /**
   * Declares the component's state: the kernel copies it out of this instance and into its
   * replacement. Keep it in a field, and write to its properties.
   */
  protected declareState<S extends object>(state: S): Declared<S> {
    const core = this.#declaring("declareState");
    if (core.declared !== null)
      throw coreError(
        "KITH_BAD_ARGUMENT",
        `${core.path} declared two state objects; one holds all.`,
      );
    core.declared = state as Declared<S>;
    return state as Declared<S>;
  }

  /** The value that holds here for a setting: given to this component or the nearest above, else the default. */
  protected setting<T>(setting: Setting<T>): T {
    return this[coreOf].setting(setting);
  }

  /** Gives a setting another value, for this component and all below it; they are told on the control port. */
  protected configure(given: Given): void {
    const core = this.#own("configure");
    core.system.configureCore(core, given);
  }

  /** Random draws for one purpose, keyed by seed, path, purpose and count. */
  protected random(purpose: string): Draw {
    return this[coreOf].draws(purpose);
  }

  /**
   * Declares a cold path: a place where the rare case is as right as the usual one, such as giving up
   * early, a batch of one, a queue that is full. A simulation takes it at random; everywhere else what
   * is returned is always false, and costs a call.
   *
   * @param name unique in the package, such as `"give up early"`; declared once, kept in a field
   */
  protected cold(name: string): () => boolean {
    const { system, path } = this[coreOf];
    return system.cold?.(path, name) ?? never;
  }

  /** What the world keeps behind its providers, for them alone; undefined in a world that keeps nothing. */
  protected get host(): object | undefined {
    return this[coreOf].system.host;
  }

  /** The time of this turn. */
  protected get clock(): ComponentClock {
    return this[coreOf].system.componentClock;
  }

  /** The logger of this component. */
  protected get log(): Logger {
    return this[coreOf].system.loggerOf(this[coreOf]);
  }

  /** `Pinger /Main-1/Pinger-1` */
  toString(): string {
    return `${this.constructor.name} ${this[coreOf].path}`;
  }

  #own(what: string): ComponentCore {
    const core = this[coreOf];
    if (!core.constructing && core.system.current !== core)
      throw core.outsideTurn(`${what} was called`);
    return core;
  }

  #declaring(what: string): ComponentCore {
    const core = this[coreOf];
    if (core.constructing) return core;
    throw coreError(
      "KITH_BAD_ARGUMENT",
      `${what} was called at ${core.path} after its construction; a component declares itself in its constructor.`,
    );
  }
}

/** Connects two ports on behalf of `owner`, after checking that they fit and are its to connect. */
export function connectPorts(
  owner: ComponentCore,
  provider: Reference,
  user: Reference,
  options: ChannelOptions,
): ChannelCore {
  inScope(owner, provider);
  inScope(owner, user);
  const from = resolve(provider);
  const to = resolve(user);
  for (const { core } of [from, to])
    if (core.phase === "destroyed")
      throw coreError("KITH_DESTROYED", `${owner.path} connected a port of ${core.path}.`);
  if (!from.provided || to.provided || from.type.name !== to.type.name) {
    throw coreError(
      "KITH_CONNECT_MISMATCH",
      `${owner.path} connected ${from.describe()} to ${to.describe()}.`,
    );
  }
  if ((options.key !== undefined || options.fallback === true) && from.extractor === null) {
    throw coreError(
      "KITH_BAD_ARGUMENT",
      `${owner.path} gave a key or fallback to a channel of ${from.describe()}, which has no key extractor (see \`by\`).`,
    );
  }
  const twice = to.plain.some(
    (channel) => channel.provider === from && channel.key === options.key,
  );
  if (twice)
    throw coreError(
      "KITH_ALREADY_CONNECTED",
      `${owner.path} connected ${from.describe()} to ${to.describe()} twice.`,
    );
  const channel = new ChannelCore(owner, provider, user, options);
  (owner.channels ??= new Set()).add(channel);
  return channel;
}

/** Offers a port on behalf of `owner`, after checking that it is one to offer. */
export function offerPort(owner: ComponentCore, reference: Reference, key: Key | undefined): void {
  inScope(owner, reference);
  const half = resolve(reference);
  if (!half.provided)
    throw coreError("KITH_CONNECT_MISMATCH", `${owner.path} offered the ${half.describe()}.`);
  if (key !== undefined && half.extractor === null) {
    throw coreError(
      "KITH_BAD_ARGUMENT",
      `${owner.path} gave a key to its offer of the ${half.describe()}, which has no key extractor (see \`by\`).`,
    );
  }
  (owner.offers ??= []).push({ type: half.type, reference, key });
}

function inScope(owner: ComponentCore, reference: Reference): void {
  const mine =
    reference instanceof ChildPortRef
      ? reference.child.core.parent === owner
      : (reference instanceof PortHalf || reference instanceof ExposedRef) &&
        reference.core === owner;
  if (!mine)
    throw coreError(
      "KITH_CONNECT_SCOPE",
      `${owner.path} wired a port that is neither its own nor a child's.`,
    );
}

function handleOf(child: Child): ChildHandle {
  return child as unknown as ChildHandle;
}

function never(): boolean {
  return false;
}

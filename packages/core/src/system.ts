/**
 * A system: one tree of components in one world, and the hub through which the kernel's parts meet.
 *
 * Several systems live in one process and share nothing. A library never ends the process: what a
 * system cannot handle it reports, and leaves the rest to whoever started it.
 */

import { EventEmitter } from "eventemitter3";
import type typedEmitter from "typed-emitter";
import type { Child, ChildHandle, ComponentClass, InitArguments, InitOf } from "./child.ts";
import type { ComponentClock } from "./clock.ts";
import { Component } from "./component.ts";
import type { ComponentCore } from "./component-core.ts";
import type { Given } from "./config.ts";
import { createChild, createRoot } from "./construction.ts";
import { HighWater, LowWater, SettingChanged, SwapFailed, type Swapped } from "./control.ts";
import { coreError } from "./errors.ts";
import type { Event, EventClass } from "./event.ts";
import type { Fault } from "./fault.ts";
import { Few } from "./few.ts";
import type { PortHalf } from "./half.ts";
import { hostLog } from "./host.ts";
import type {
  DeadLetter,
  DeadLetterReason,
  InspectionRecord,
  RecordKind,
  Traced,
} from "./inspect.ts";
import { isOf } from "./interest.ts";
import * as life from "./lifecycle.ts";
import { type Logger, logger } from "./log.ts";
import type { PendingRow, Token } from "./pending.ts";
import type { SystemCounters } from "./checkpoint-data.ts";
import { rootOf } from "./root.ts";
import type { Scheduler } from "./scheduler.ts";
import { asError, Settlement } from "./settlement.ts";
import { type Outcome, SwapJob, type SwapOptions } from "./swap.ts";
import { drawTree } from "./tree.ts";
import { bare, type World } from "./world.ts";

/** What ordinary code outside the component world can listen to. */
export type SystemEvents = {
  /** A fault that no policy handled. */
  fault: (fault: Fault) => void;
  /** Everything has stopped. */
  stopped: () => void;
  /** An event that nobody took. */
  deadLetter: (letter: DeadLetter) => void;
  /** A mailbox has filled to its high-water mark. */
  highWater: (path: string, size: number) => void;
  /** A mailbox is down to half of its high-water mark again. */
  lowWater: (path: string, size: number) => void;
};

/** How a component is replaced from outside: by its handle where it is at hand, else by its path. */
export type Place = string | Child;

const defaultBound = 2 ** 20;

/** A component's view of the clock. */
class TurnClock implements ComponentClock {
  readonly #system: System;

  constructor(system: System) {
    this.#system = system;
  }

  get monotonic(): number {
    return this.#system.nowMicros() / 1000;
  }

  get wall(): number {
    return this.#system.wallMicros() / 1000;
  }
}

/** The root of every tree, which holds the world's providers beside the main component. */
class RootComponent extends Component {}

/** A running tree of components. Made by `run` and `launch`. */
export class System<C extends Component = Component> {
  /** Emits faults, the stop, dead letters and load to code outside. */
  readonly events: Pick<typedEmitter.default<SystemEvents>, "on" | "once" | "off">;
  /** The prefix of this system's node. */
  readonly node: string;
  /** The seed of its random draws. */
  readonly seed: number | string;
  /** @internal */
  readonly scheduler: Scheduler;
  /** @internal */
  readonly host: object | undefined;
  /** @internal */
  readonly cold: World["cold"];
  /** @internal The component whose turn it is. */
  current: ComponentCore | null = null;
  /** @internal The monotonic time of this turn, or -1 before it was read. */
  turnMicros = -1;
  /** @internal Takes the records, while someone listens. */
  tap: ((record: InspectionRecord) => void) | null = null;
  /** @internal */
  keptOrder = 0;
  /** @internal */
  readonly holdBound: number;
  /** @internal */
  readonly componentClock: ComponentClock;

  readonly #world: World;
  readonly #emitter = new EventEmitter<SystemEvents>();
  readonly #root: ComponentCore;
  readonly #main: ChildHandle;
  readonly #cores = new Map<number, ComponentCore>();
  // Ten thousand simulated systems should not hold ten thousand tables of what few of them use.
  #listeners: Set<(record: InspectionRecord) => void> | null = null;
  #letters: Map<DeadLetterReason, number> | null = null;
  #loggers: WeakMap<ComponentCore, Logger> | null = null;
  readonly #done = new Settlement();
  readonly #started = new Settlement();
  readonly #stopped = new Settlement();
  #lastId = 0;
  #lastRecord = 0;
  #cause = 0;
  #turnWallMicros = -1;

  /** @internal */
  constructor(cls: ComponentClass<C>, init: unknown, world: World) {
    this.#world = world;
    this.scheduler = world.scheduler;
    this.host = world.host;
    this.cold = world.cold;
    this.node = world.node ?? "";
    this.seed = world.seed ?? 0;
    this.holdBound = world.holdBound ?? defaultBound;
    this.events = this.#emitter as unknown as Pick<
      typedEmitter.default<SystemEvents>,
      "on" | "once" | "off"
    >;
    this.componentClock = new TurnClock(this as unknown as System);
    this.#root = createRoot(this, RootComponent, world.mailboxBound ?? defaultBound);
    this.#root.constructing = true;
    if (world.settings !== undefined)
      this.#root.settings = new Few(world.settings.map((given) => [given.name, given]));
    world.install?.(rootOf(this.#root));
    this.#main = createChild(this.#root, cls, init, {
      name: `${cls.name === "" ? "Main" : cls.name}-1`,
    });
    this.#root.constructing = false;
    this.#root.post(life.start);
  }

  // --- for whoever started it ------------------------------------------------------------------

  /** The handle of the main component. */
  get main(): Child<C> {
    return this.#main as unknown as Child<C>;
  }

  /** The main component itself, for assertions of tests; its replacement after a swap. */
  get instance(): C {
    return this.#main.core.instance as C;
  }

  /** Resolves once everything has started; rejects with a fault that nobody handled before that. */
  get started(): Promise<void> {
    return this.#started.promise();
  }

  /**
   * Settles when the system has stopped, or rejects at a fault that nobody handled. It is created when
   * it is first read: an unread fault is logged and emitted, and never an unhandled rejection.
   */
  get done(): Promise<void> {
    return this.#done.promise();
  }

  /** Stops everything, from the bottom up, and what the world provides at last. @returns resolves when all has stopped */
  stop(): Promise<void> {
    const stopped = this.#stopped.promise();
    this.#root.post(life.stop);
    return stopped;
  }

  /** Dead letters so far, by reason. */
  get deadLetters(): Readonly<Partial<Record<DeadLetterReason, number>>> {
    return Object.fromEntries(this.#letters ?? []);
  }

  /** Listens to the stream of records; the returned function ends it. */
  inspect(listener: (record: InspectionRecord) => void): () => void {
    const listeners = (this.#listeners ??= new Set());
    listeners.add(listener);
    this.tap = (record) => {
      for (const one of listeners) {
        try {
          one(record);
        } catch (cause) {
          // It would be the fault of a component that knows nothing of it.
          listeners.delete(one);
          this.#write(
            "",
            "error",
            "a listener to the inspection stream has thrown, and gets no more records",
            cause,
          );
        }
      }
    };
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.tap = null;
    };
  }

  /** Runs an action in the turn of the main component, or of the component at a path. */
  enter(action: () => void, place: Place = this.main): void {
    this.#coreAt(place).enter(action);
  }

  /**
   * Replaces a component, also by a class that was loaded while the system ran. Types are checked as
   * far as the place has one; ports and state are checked again before anything is changed.
   *
   * @returns resolves with the facts of the swap, rejects with the reason where it was given up
   */
  swap<K extends ComponentClass>(
    place: Place,
    cls: K,
    ...args: InitArguments<K, SwapOptions>
  ): Promise<Swapped> {
    const [init, options] = args as [unknown, SwapOptions?];
    return new Promise((resolveSwap, reject) => {
      this.swapThen(
        place,
        { cls, init, ...(options === undefined ? {} : { options }) },
        (result) => {
          if (result instanceof SwapFailed) reject(asError(result.cause));
          else resolveSwap(result);
        },
      );
    });
  }

  /**
   * As `swap`, for worlds that cannot wait for a promise: `outcome` is told in a turn of the kernel.
   *
   * @param replacement the class and its init; each by default the one that the place has now
   * @throws KithError `KITH_UNKNOWN_PATH`, `KITH_INIT_NOT_PLAIN`
   */
  swapThen(
    place: Place,
    replacement: {
      readonly cls?: ComponentClass;
      readonly init?: unknown;
      readonly options?: SwapOptions;
    },
    outcome: (result: Swapped | SwapFailed) => void,
  ): void {
    const { handle } = this.#coreAt(place);
    if (handle === null)
      throw coreError("KITH_UNKNOWN_PATH", "The root of a system cannot be swapped.");
    // A class that is given but is none is a mistake to be told, not the wish for the present one.
    const cls = "cls" in replacement ? replacement.cls : handle.cls;
    const init = "init" in replacement ? replacement.init : handle.init;
    SwapJob.enqueue(handle, cls as ComponentClass, init, replacement.options ?? {}, outcome);
  }

  /** Gives a setting another value, for all components or for those from a path down. */
  configure(given: Given, place?: Place): void {
    this.configureCore(place === undefined ? this.#root : this.#coreAt(place), given);
  }

  /** The tree of components as text, a line each. */
  tree(): string {
    return drawTree(this.#root);
  }

  /** The system in one line. */
  toString(): string {
    return `System ${this.node === "" ? "" : `${this.node} `}of ${this.#main.path.slice(1)}, ${this.#cores.size - 1} components`;
  }

  #coreAt(place: Place): ComponentCore {
    if (typeof place !== "string") return (place as unknown as ChildHandle).core;
    let at: ComponentCore | undefined = this.#root;
    for (const name of place.split("/").filter((part) => part !== ""))
      at = at?.children?.get(name)?.core;
    if (at === undefined)
      throw coreError("KITH_UNKNOWN_PATH", `There is no component at ${place}.`);
    return at;
  }

  // --- for the kernel --------------------------------------------------------------------------

  /** @internal */
  nextId(): number {
    return ++this.#lastId;
  }

  /** @internal The top of the tree, where checkpoints begin. */
  get rootCore(): ComponentCore {
    return this.#root;
  }

  /** @internal What the system counts, for checkpoints. */
  counters(): SystemCounters {
    const { keptOrder } = this;
    const letters = [...(this.#letters ?? [])];
    return { lastId: this.#lastId, lastRecord: this.#lastRecord, keptOrder, letters };
  }

  /** @internal Counts on from a checkpoint; its components have their numbers again. */
  recount(counters: SystemCounters, cores: readonly ComponentCore[]): void {
    this.#lastId = counters.lastId;
    this.#lastRecord = counters.lastRecord;
    this.keptOrder = counters.keptOrder;
    this.#letters = new Map(counters.letters);
    this.#cores.clear();
    for (const core of cores) this.register(core);
  }

  /** @internal */
  register(core: ComponentCore): void {
    this.#cores.set(core.id, core);
  }

  /** @internal */
  forget(core: ComponentCore): void {
    if (this.#cores.get(core.id) === core) this.#cores.delete(core.id);
  }

  /** @internal The monotonic time of this turn; outside of turns, of now. */
  nowMicros(): number {
    const { clock } = this.scheduler;
    if (this.current === null) return clock.monotonicMicros();
    if (this.turnMicros < 0) {
      this.turnMicros = clock.monotonicMicros();
      this.#turnWallMicros = -1;
    }
    return this.turnMicros;
  }

  /** @internal The wall clock's time of this turn; outside of turns, of now. */
  wallMicros(): number {
    const { clock } = this.scheduler;
    if (this.current === null) return clock.wallMicros();
    // Only one field is reset at each turn: the other clock is known to be of this turn by it.
    this.nowMicros();
    if (this.#turnWallMicros < 0) this.#turnWallMicros = clock.wallMicros();
    return this.#turnWallMicros;
  }

  /** @internal A core has been constructed. */
  born(core: ComponentCore): void {
    this.#cores.set(core.id, core);
    this.note("created", core);
  }

  /** @internal A child has been created: it starts at once where its parent has started its children. */
  created(parent: ComponentCore, handle: ChildHandle): void {
    if (parent.childrenStarted) life.awaitStart(parent, handle);
  }

  /** @internal */
  start(handle: ChildHandle): void {
    handle.core.post(life.start);
  }

  /** @internal */
  stopChild(handle: ChildHandle): void {
    handle.core.post(life.stop);
  }

  /** @internal */
  kill(handle: ChildHandle): void {
    handle.core.post(life.kill);
  }

  /** @internal */
  startFresh(parent: ComponentCore, handle: ChildHandle): void {
    life.awaitStart(parent, handle);
  }

  /** @internal */
  raise(core: ComponentCore, cause: unknown, event: Event | undefined): void {
    life.raise(core, cause, event);
    this.#cause = 0;
  }

  /** @internal */
  restartChild(parent: ComponentCore, name: string): void {
    const handle = parent.children?.get(name);
    if (handle !== undefined) life.restartNow(handle);
  }

  /** @internal Whether something is a component class, of this copy of the package. */
  isComponentClass(cls: unknown): boolean {
    return typeof cls === "function" && cls.prototype instanceof Component;
  }

  /** @internal Runs something in the turn of a core, from a procedure of the kernel. */
  within(core: ComponentCore, action: () => void): void {
    const before = this.current;
    this.current = core;
    try {
      action();
    } finally {
      this.current = before;
    }
  }

  /** @internal */
  acquireOf(core: ComponentCore): void {
    this.within(core, () => life.acquire(core));
  }

  /** @internal */
  releaseOf(core: ComponentCore): void {
    this.within(core, () => life.release(core));
  }

  /** @internal Makes a shadow real. */
  unveil(core: ComponentCore): void {
    core.shadow = false;
    for (const half of core.halves()) half.refresh();
  }

  /** @internal Does what a core has triggered while it was a shadow. */
  runDeferred(core: ComponentCore): void {
    const { deferred } = core;
    core.deferred = null;
    for (const action of deferred ?? []) {
      this.within(core, () => {
        try {
          action();
        } catch (cause) {
          this.raise(core, cause, undefined);
        }
      });
    }
  }

  /** @internal Removes a core whose place another one has taken. */
  buryQuietly(core: ComponentCore): void {
    life.bury(core);
  }

  /** @internal Removes a tree that never came into its place, without a trace. */
  discard(core: ComponentCore): void {
    for (const handle of core.childHandles()) this.discard(handle.core);
    this.releaseOf(core);
    core.deferred = null;
    core.entries = null;
    core.mailbox.reset();
    life.bury(core);
  }

  /** @internal Counts and shows an event that nobody took. */
  deadLetter(
    reason: DeadLetterReason,
    core: ComponentCore,
    port: string,
    event: Event | undefined,
    id = 0,
  ): void {
    const letters = (this.#letters ??= new Map());
    letters.set(reason, (letters.get(reason) ?? 0) + 1);
    if (this.#emitter.listenerCount("deadLetter") > 0)
      this.#emit("deadLetter", { reason, path: core.path, port, event });
    if (this.tap !== null) this.#record("dead-letter", core, port, event, id, this.#cause, reason);
  }

  /** @internal */
  note(kind: RecordKind, core: ComponentCore, event?: Event, detail = ""): void {
    if (this.tap !== null) this.#record(kind, core, "", event, 0, this.#cause, detail);
  }

  /** @internal Numbers an event that is triggered while someone listens; `cause` where no handler runs. */
  traceTrigger(half: PortHalf, event: Event, meta: unknown, cause = 0): Traced {
    const id = ++this.#lastRecord;
    if (this.#cause !== 0) cause = this.#cause;
    this.#record("trigger", half.core, half.name, event, id, cause, "");
    return { traced: true, id, cause, meta };
  }

  /** @internal Executes an event that was numbered. */
  traced(half: PortHalf, event: Event, { id, cause }: Traced, execute: () => void): void {
    if (this.tap !== null) this.#record("handle", half.core, half.name, event, id, cause, "");
    this.#cause = id;
    // After a throw it stays until the fault has been recorded.
    execute();
    this.#cause = 0;
  }

  #record(
    kind: RecordKind,
    core: ComponentCore,
    port: string,
    event: Event | undefined,
    id: number,
    cause: number,
    detail: string,
  ): void {
    const { path } = core;
    this.tap?.({
      kind,
      time: this.nowMicros() / 1000,
      node: this.node,
      path,
      port,
      event,
      id,
      cause,
      detail,
    });
  }

  /** @internal */
  reply(half: PortHalf, token: unknown, response: Event): void {
    const { asker, ask } = (token ?? {}) as Partial<Token>;
    const core = asker === undefined ? undefined : this.#cores.get(asker);
    const row: PendingRow | undefined =
      ask === undefined || core?.hasPending !== true ? undefined : core.pending.rows.get(ask);
    if (row !== undefined) checkResponse(half, row, response);
    if (row === undefined || core?.pending.answer(row, response, half) !== true) {
      this.deadLetter("no-asker", half.core, half.name, response);
    }
  }

  /** @internal A mailbox has crossed a mark. */
  highWater(core: ComponentCore, high: boolean): void {
    const { path, bound, mailbox } = core;
    const facts = { path, size: mailbox.size, bound };
    const event = high ? new HighWater(facts) : new LowWater(facts);
    core.tell(event);
    core.parent?.tell(event);
    this.#emit(high ? "highWater" : "lowWater", path, mailbox.size);
  }

  /** @internal */
  configureCore(core: ComponentCore, given: Given): void {
    (core.settings ??= new Few()).set(given.name, { ...given, updated: true });
    const tell = (at: ComponentCore): void => {
      at.tell(new SettingChanged({ name: given.name }));
      for (const { core: child } of at.childHandles())
        if (child.settings?.has(given.name) !== true) tell(child);
    };
    tell(core);
  }

  /** @internal */
  loggerOf(core: ComponentCore): Logger {
    const loggers = (this.#loggers ??= new WeakMap());
    let found = loggers.get(core);
    if (found === undefined) {
      found = logger((level, text, data) => this.#write(core.path, level, text, data));
      loggers.set(core, found);
    }
    return found;
  }

  #write(
    path: string,
    level: "trace" | "debug" | "info" | "warn" | "error",
    text: string,
    data: unknown,
  ): void {
    const time = this.wallMicros() / 1000;
    const record = {
      level,
      time,
      node: this.node,
      path,
      text,
      ...(data === undefined ? {} : { data }),
    };
    try {
      (this.#world.log ?? hostLog)(record);
    } catch (cause) {
      // Whoever logs is not to blame for the sink.
      hostLog(record);
      hostLog({ ...record, level: "error", text: "the sink of the log has thrown", data: cause });
    }
  }

  // --- the end ---------------------------------------------------------------------------------

  /** @internal A component has started; the root's start is the system's. */
  settled(core: ComponentCore): void {
    if (core === this.#root) this.#started.settle({});
  }

  /** @internal */
  rootStopped(): void {
    if (!this.#stopped.settle({})) return;
    this.#started.settle({
      error: coreError(
        "KITH_SYSTEM_STOPPED",
        `${this.toString()} was stopped before all had started.`,
      ),
    });
    this.#done.settle({});
    this.#emit("stopped");
  }

  /** @internal A fault that no policy handled. */
  unhandled(fault: Fault): void {
    const outcome = { error: fault.cause };
    // Both are told; somebody has to be, or it goes to the log.
    const startRead = this.#started.settle(outcome) && this.#started.read;
    const doneRead = this.#done.settle(outcome) && this.#done.read;
    this.reportFault(fault, !startRead && !doneRead);
  }

  /** @internal Logs and emits a fault. */
  reportFault(fault: Fault, log = true): void {
    if (log) {
      const of = fault.event === undefined ? "" : ` while handling ${fault.event.constructor.name}`;
      this.#write(fault.path, "error", `fault${of}`, fault.cause);
    }
    this.#emit("fault", fault);
  }

  /** @internal Tells outside code the outcome of a swap; a throw in it must not stop the kernel. */
  tellOutside(outcome: Outcome, result: Swapped | SwapFailed): void {
    try {
      outcome(result);
    } catch (cause) {
      this.#write("", "error", "the code that was told the outcome of a swap has thrown", cause);
    }
  }

  /** A listener that throws is a fault of outside code: it is logged, and must not stop the kernel. */
  #emit<K extends keyof SystemEvents>(name: K, ...facts: Parameters<SystemEvents[K]>): void {
    try {
      (this.#emitter as unknown as EventEmitter).emit(name, ...facts);
    } catch (cause) {
      this.#write("", "error", `a listener to ${name} has thrown`, cause);
    }
  }
}

function checkResponse(half: PortHalf, row: PendingRow, response: Event): void {
  if (row.waiting.kind !== "answer") return;
  const { request } = row.waiting;
  const wanted = (request.constructor as unknown as { readonly response: EventClass }).response;
  if (!isOf(response?.constructor, wanted)) {
    throw coreError(
      "KITH_BAD_RESPONSE",
      `${half.describe()} answered ${request.constructor.name} with ${response?.constructor?.name ?? typeof response}, not ${wanted.name}.`,
    );
  }
}

/**
 * Builds a system and schedules its start; for worlds and tests that drive the scheduler themselves.
 * A throw in a constructor is thrown here.
 */
export function launch<K extends ComponentClass>(
  cls: K,
  init: InitOf<K>,
  world: World,
): System<InstanceType<K>> {
  return new System<InstanceType<K>>(
    cls as unknown as ComponentClass<InstanceType<K>>,
    init,
    world,
  );
}

/**
 * Runs a component, and all that it creates, in a world.
 *
 * @param world `real({ … })` for sockets and disks; without one, a world that offers no ports
 * @returns resolves once everything has started; rejects at a fault that nobody handled before that
 */
export async function run<K extends ComponentClass>(
  cls: K,
  ...args: [] extends ConstructorParameters<K>
    ? [init?: InitOf<K>, world?: World]
    : [init: InitOf<K>, world?: World]
): Promise<System<InstanceType<K>>> {
  const [init, world] = args as [InitOf<K>, World?];
  const system = launch(cls, init, world ?? bare());
  try {
    await system.started;
  } catch (error) {
    // Nobody will have a handle to what has started, such as a socket that listens.
    void system.stop();
    throw error;
  }
  return system;
}

/**
 * The kernel's side of a component: its place in the tree, its mailbox, its turn, and the tables that
 * the component never sees. The instance is user code; a swap or restart replaces core and instance
 * together and carries the tables over.
 *
 * Invariants: `runs` ⇔ the phase is starting or started and nothing suspends it, and only then are
 * data executed; `queued` ⇔ it stands in the scheduler's queue, and it stands there once at most; it
 * is queued whenever it has work, so a stopped component with a full mailbox costs nothing.
 */

import type { ChannelCore } from "./channel.ts";
import type { ChildHandle } from "./child.ts";
import type { Component } from "./component.ts";
import type { Given, Setting } from "./config.ts";
import { Control } from "./control.ts";
import { coreError, type KithError } from "./errors.ts";
import type { Event } from "./event.ts";
import type { Escalation, FaultPolicy } from "./fault.ts";
import type { Few } from "./few.ts";
import { PortHalf } from "./half.ts";
import { Mailbox, type Target } from "./mailbox.ts";
import { entering, type Entry, type Operation, telling } from "./operation.ts";
import { answerLost, PendingTable } from "./pending.ts";
import type { AnyPort } from "./port.ts";
import { type Draw, type DrawCounts, DrawStream, streamKey } from "./random.ts";
import type { ExposedRef, Reference } from "./reference.ts";
import type { Runnable } from "./scheduler.ts";
import type { Declared } from "./state.ts";
import type { System } from "./system.ts";
import { Timer } from "./timer.ts";
import type { Key } from "./types.ts";
import { resolveByOffer } from "./offer.ts";

/** Where a component is in its life. In `starting` it handles data already; its children are not all up. */
export type Phase = "created" | "starting" | "started" | "stopping" | "stopped" | "destroyed";

/** A provided port that a component offers to its subtree. */
export interface Offer {
  readonly type: AnyPort;
  readonly reference: Reference;
  readonly key: Key | undefined;
}

/** The handlers of a component's life. */
export interface Hooks {
  acquire?: (() => unknown)[];
  start?: (() => unknown)[];
  stop?: (() => unknown)[];
  release?: (() => unknown)[];
}

const timerName = "(kernel timer)";
const highWaterShare = 0.8;
/** So many entries are taken before the array is moved up: shifting it for each is quadratic. */
const entriesTakenMax = 4096;

/** One component, as the kernel sees it. */
export class ComponentCore extends Mailbox implements Runnable {
  // The fields that every event touches stand together, behind those of the mailbox; the mailbox is
  // the base class so that an event finds both in one object.
  runs = false;
  queued = false;
  pressed = false;
  /** From this size on, adding to the mailbox has to look closer. */
  alarm: number;
  /** Control operations; they overtake data and run while suspended. */
  urgent: Operation[] | null = null;
  /** What the outside world has handed in. */
  entries: Entry[] | null = null;
  /** How many at the head of `entries` have run. */
  entriesTaken = 0;
  slot: unknown = null;
  #pending: PendingTable | null = null;
  readonly system: System;
  readonly parent: ComponentCore | null;
  readonly name: string;
  /** The number by which reply tokens name it; carried by swap and restart. */
  id: number;
  handle: ChildHandle | null = null;
  instance: Component | null = null;
  phase: Phase = "created";
  /** How many reasons there are not to run: its own fault, an ancestor's, a swap. */
  suspended = 0;
  /** The faults that suspend it, its own and those that escalated from below. */
  faults: Set<Escalation> | null = null;
  /** Whether a fault of it waits for its next turn. */
  failing = false;
  /** Whether it holds what `onAcquire` acquired. */
  acquired = false;
  /** Whether its children have been told to start. */
  childrenStarted = false;
  /** Children whose start or stop is waited for. */
  awaiting = 0;
  /** What to do once it has stopped. */
  afterStop: "stay" | "start" | "destroy" = "stay";
  /** The replacement of another core, before the commit of a swap. */
  shadow = false;
  /** What a shadow has triggered: done for real at the commit. */
  deferred: (() => void)[] | null = null;
  constructing = true;

  bound: number;
  /** What a control operation is about, for the fault that it may end in. */
  controlEvent: Event | undefined;

  ports: (PortHalf | ExposedRef)[] = [];
  children: Few<string, ChildHandle> | null = null;
  ordinals: Map<string, number> | null = null;
  offers: Offer[] | null = null;
  /** The keys under which the ports below take offers from above, by the name of the port type. */
  narrowed: Few<string, Key> | null = null;
  channels: Set<ChannelCore> | null = null;
  hooks: Hooks | null = null;
  /** The ways in that the component has declared, in order. */
  entrances: ((data: unknown) => void)[] | null = null;
  policy: FaultPolicy | null = null;
  control: PortHalf | null = null;
  declared: Declared<object> | null = null;
  settings: Few<string, Given> | null = null;
  /** The latest first. */
  #draws: DrawStream | null = null;
  #path: string | null = null;

  constructor(system: System, parent: ComponentCore | null, name: string, bound: number) {
    super();
    this.system = system;
    this.parent = parent;
    this.name = name;
    this.id = system.nextId();
    this.bound = bound;
    this.alarm = Math.ceil(bound * highWaterShare);
    this.suspended = parent === null ? 0 : parent.suspended;
  }

  /** `/Main-1/Pinger-1`; the root, which holds the world's providers, is the empty path. */
  get path(): string {
    return (this.#path ??= this.parent === null ? "" : `${this.parent.path}/${this.name}`);
  }

  /** The class of the instance, for people. */
  get className(): string {
    return this.instance?.constructor.name ?? "(under construction)";
  }

  /** Whether a fault suspends it that is not resolved yet. */
  get faulted(): boolean {
    return this.faults !== null;
  }

  // --- the mailbox and the turn ----------------------------------------------------------------

  /** The mailbox, where only that is meant. */
  get mailbox(): Mailbox {
    return this;
  }

  /** Queues an event for one of this component's targets. */
  receive(target: Target, event: object, meta: unknown): void {
    if (this.size >= this.alarm && !this.admitPressed(target, event, meta)) return;
    this.add(target, event, meta);
    if (!this.queued && this.runs) {
      this.queued = true;
      this.system.scheduler.ready(this);
    }
  }

  /** One turn: control first, then what the host has handed in, then data, which control overtakes. */
  run(limit: number): boolean {
    const system = this.system;
    let event: object | undefined;
    system.current = this;
    system.turnMicros = -1;
    try {
      if (this.urgent !== null) this.runUrgent();
      if (this.entries !== null) limit = this.runEntries(limit);
      while (limit > 0 && this.runs && this.size > 0) {
        limit--;
        // Taken out by hand: a local tells a fault its event for nothing, a field would cost a write barrier.
        let target = this.first;
        let meta: unknown;
        if (target === null) {
          const { slots, head } = this;
          target = slots[head] as Target;
          event = slots[head + 1] as object;
          meta = slots[head + 2];
          this.dropFromRing();
        } else {
          event = this.firstEvent as object;
          meta = this.firstMeta;
          this.first = null;
          this.firstEvent = this.firstMeta = undefined;
          this.size--;
        }
        target.execute(event, meta);
        if (this.urgent !== null) {
          event = undefined;
          this.runUrgent();
        }
      }
    } catch (cause) {
      system.raise(this, cause, (this.controlEvent ?? event) as Event | undefined);
    }
    system.current = null;
    this.controlEvent = undefined;
    if (this.pressed) this.relieve();
    return (this.queued =
      this.urgent !== null || (this.runs && (this.size > 0 || this.entries !== null)));
  }

  /** Queues a control operation. */
  post(operation: Operation): void {
    // What is gone or was replaced does nothing any more, whoever still knows it.
    if (this.phase === "destroyed") return;
    // A literal is as long as it must be; the first push onto an empty array makes room for seventeen.
    if (this.urgent === null) this.urgent = [operation];
    else this.urgent.push(operation);
    this.schedule();
  }

  /** Keeps something that a shadow does for when it is real. */
  defer(action: () => void): void {
    (this.deferred ??= []).push(action);
  }

  /** Queues a callback of the outside world, ahead of data: the host's events do not wait for a backlog. */
  enter(action: Entry): void {
    if (this.phase === "destroyed" || this.entriesWaiting >= this.bound) {
      const gone = this.phase === "destroyed";
      this.system.deadLetter(gone ? "no-component" : "mailbox-overflow", this, "", undefined);
      if (!gone) this.failLater(this.overflow(), undefined);
      return;
    }
    (this.entries ??= []).push(action);
    this.schedule();
  }

  /** How many callbacks wait for the component's turn. */
  get entriesWaiting(): number {
    return this.entries === null ? 0 : this.entries.length - this.entriesTaken;
  }

  /**
   * Comes in by a way in that the component has declared, in a turn at once where nothing stands before
   * it: for engines that decide themselves whose turn it is. What has to wait a checkpoint can hold.
   */
  enterBy(entrance: number, action: (data: unknown) => void, data: unknown): void {
    const { system } = this;
    if (system.current !== null || !this.runs || this.urgent !== null || this.entries !== null) {
      this.enter(entering(this, { entrance, data }));
      return;
    }
    system.current = this;
    system.turnMicros = -1;
    try {
      action(data);
    } catch (cause) {
      system.raise(this, cause, undefined);
    }
    system.current = null;
    this.schedule();
  }

  /** Makes the component fault at its next turn, for something that happened outside of it. */
  failLater(error: KithError, event: Event | undefined): void {
    if (this.failing || this.phase === "destroyed") return;
    this.failing = true;
    this.post((core) => {
      core.failing = false;
      core.controlEvent = event;
      throw error;
    });
  }

  /** Puts the component into the scheduler's queue when it has work and is not there. */
  schedule(): void {
    if (this.queued || !this.hasWork()) return;
    this.queued = true;
    this.system.scheduler.ready(this);
  }

  /** Recomputes `runs` after the phase or a reason of suspension has changed. */
  refreshRuns(): void {
    this.runs = this.suspended === 0 && (this.phase === "starting" || this.phase === "started");
    this.schedule();
  }

  private hasWork(): boolean {
    return this.urgent !== null || (this.runs && (this.size > 0 || this.entries !== null));
  }

  private runUrgent(): void {
    while (this.urgent !== null) {
      const operations = this.urgent;
      let done = 0;
      this.urgent = null;
      try {
        // One of them may be the end of the component.
        while (done < operations.length && this.phase !== "destroyed") {
          this.controlEvent = undefined;
          const operation = operations[done++] as (core: ComponentCore) => void;
          operation(this);
        }
        this.controlEvent = undefined;
      } finally {
        // After a throw the others wait for the next turn, before those that came meanwhile.
        if (done < operations.length && this.phase !== "destroyed")
          this.urgent = [...operations.slice(done), ...(this.urgent ?? [])];
      }
    }
  }

  private runEntries(limit: number): number {
    for (let n = 0; n < limit && this.runs && this.entries !== null; n++) {
      const entries = this.entries;
      const action = entries[this.entriesTaken++] as () => void;
      if (this.entriesTaken === entries.length) {
        this.entries = null;
        this.entriesTaken = 0;
      } else if (this.entriesTaken === entriesTakenMax) {
        entries.splice(0, entriesTakenMax);
        this.entriesTaken = 0;
      }
      action();
    }
    // Something is left for data, or a busy host would starve them.
    return Math.max(1, limit >> 1);
  }

  private admitPressed(target: Target, event: object, meta: unknown): boolean {
    const port = target instanceof PortHalf ? target.name : "";
    if (this.phase === "destroyed") {
      this.system.deadLetter("killed", this, port, event as Event);
      return false;
    }
    if (!this.pressed) {
      this.pressed = true;
      this.alarm = this.bound;
      this.system.highWater(this, true);
    }
    if (this.size < this.bound) return true;
    this.system.deadLetter("mailbox-overflow", this, port, event as Event);
    if (target instanceof PendingTable) answerLost(meta);
    this.failLater(this.overflow(), event as Event);
    return false;
  }

  private relieve(): void {
    const highWaterSize = Math.ceil(this.bound * highWaterShare);
    if (this.size > highWaterSize >> 1 || this.phase === "destroyed") return;
    this.pressed = false;
    this.alarm = highWaterSize;
    this.system.highWater(this, false);
  }

  private overflow(): KithError {
    return coreError(
      "KITH_MAILBOX_OVERFLOW",
      `The mailbox of ${this.path} is full with ${this.bound} events.`,
    );
  }

  // --- what it is made of ----------------------------------------------------------------------

  /** The table of asks and timers, made when it is first needed. */
  get pending(): PendingTable {
    return (this.#pending ??= new PendingTable(this));
  }

  /** Whether it has ever asked or scheduled. */
  get hasPending(): boolean {
    return this.#pending !== null;
  }

  /** The handles of its children, in the order in which they were created. */
  childHandles(): ChildHandle[] {
    return this.children === null ? [] : this.children.values();
  }

  /** The port of that name. */
  portNamed(name: string): PortHalf | ExposedRef | undefined {
    return this.ports.find((port) => port.name === name);
  }

  /** Its own halves, without those it exposes of its children. */
  halves(): PortHalf[] {
    return this.ports.filter((port): port is PortHalf => port instanceof PortHalf);
  }

  /** The half on which the kernel schedules for the component: its own Timer port, or one made for the purpose. */
  timerHalf(): PortHalf {
    let half = this.halves().find((port) => port.timers && port.connected);
    if (half !== undefined) return half;
    // One that has lost its provider is connected anew.
    half = this.portNamed(timerName) as PortHalf | undefined;
    const made = half === undefined;
    half ??= new PortHalf(this, Timer, false, null);
    half.name = timerName;
    if (!resolveByOffer(half)) {
      throw coreError(
        "KITH_NO_TIMER",
        `${this.path} needs a Timer for a timeout or a back-off, and none is offered above it.`,
      );
    }
    if (made) this.ports.push(half);
    return half;
  }

  /** Makes the kernel's timer half again in a replacement. */
  addTimerHalf(): void {
    const half = new PortHalf(this, Timer, false, null);
    half.name = timerName;
    this.ports.push(half);
  }

  /** The half on which the kernel tells about children, swaps and settings. */
  controlHalf(): PortHalf {
    if (this.control === null) {
      this.control = new PortHalf(this, Control, false, null);
      this.control.name = "control";
    }
    return this.control;
  }

  /** Whether the component listens on its control port: who asks first need not build the event. */
  get listens(): boolean {
    return this.control !== null;
  }

  /** Tells the component something, if it listens. */
  tell(event: Event): void {
    if (this.control?.wants(event.constructor) === true) {
      this.post(telling(event));
    }
  }

  /** The value of a setting here: given to this component or the nearest ancestor, else the default. */
  setting<T>(setting: Setting<T>): T {
    for (let at: ComponentCore | null = this; at !== null; at = at.parent) {
      const given = at.settings?.get(setting.name);
      if (given !== undefined) return setting.read(given);
    }
    return setting.fallback;
  }

  /** The draws of one purpose. */
  draws(purpose: string): Draw {
    return this.#stream(purpose);
  }

  /** How often was drawn, by purpose; null where nobody has asked for draws. */
  get drawCounts(): DrawCounts | null {
    if (this.#draws === null) return null;
    const counts: [purpose: string, count: number][] = [];
    for (let at: DrawStream | null = this.#draws; at !== null; at = at.next)
      counts.unshift([at.purpose, at.count]);
    return new Map(counts);
  }

  /** Goes on after the draws that another core made. */
  continueDraws(counts: DrawCounts | null): void {
    for (const [purpose, count] of counts ?? []) {
      const stream = this.#stream(purpose);
      stream.count = Math.max(count, stream.count);
    }
  }

  /** Begins all draws again, after the ones that a checkpoint has counted. */
  resetDraws(counts: readonly (readonly [purpose: string, count: number])[]): void {
    for (let at = this.#draws; at !== null; at = at.next) at.count = 0;
    this.continueDraws(new Map(counts));
  }

  #stream(purpose: string): DrawStream {
    let found = this.#draws;
    while (found !== null && found.purpose !== purpose) found = found.next;
    if (found === null) {
      const key = streamKey(this.system.seed, this.system.node, this.path, purpose);
      this.#draws = found = new DrawStream(key, purpose, this.#draws);
    }
    return found;
  }

  /** The error for something done outside the component's own turn. */
  outsideTurn(what: string): KithError {
    if (this.constructing)
      return coreError(
        "KITH_CONSTRUCTOR_TRIGGER",
        `${what} while ${this.path} was being constructed.`,
      );
    const now = this.system.current;
    const where = now === null ? "outside of any turn" : `in the turn of ${now.path}`;
    return coreError("KITH_OUTSIDE_TURN", `${what} ${where}, not in the turn of ${this.path}.`);
  }
}

/**
 * The engine: one thread, one virtual time in whole microseconds, one order.
 *
 * Two queues make the order: what is to happen at a time (`Heap`), and which components are ready now.
 * Both are ordered by draws keyed by the origin and its own count, never by a global counter: so
 * removing one event, rule or draw leaves the order of all the others as it was. At one instant,
 * ready components and due events compete by the same draws, so that every interleaving can come up.
 *
 * Invariants: time never goes back; a component stands in the ready queue once at most; nothing runs
 * that belongs to a node which is down, and nothing of a paused node runs before it is resumed.
 */

import { mix, type Runnable, streamKey } from "@kith/core";
import { simError } from "./errors.ts";
import { Heap, type Placed, type Scheduled } from "./heap.ts";
import { type ReadyTurn, ReadyTurns } from "./ready.ts";
import { decisions, Trace } from "./trace.ts";

/** Who owns what runs: a life of a node, or the simulation itself. */
export interface Owner {
  /** Its name, for errors. */
  readonly name: string;
  /** False once the node has crashed or stopped: nothing of this life runs any more. */
  readonly alive: boolean;
  /** Where what is due waits while the node is paused; null while it runs. */
  readonly parked: Due[] | null;
  /** When it had its last turn, and how many at that instant. The engine counts. */
  turnAt: number;
  turnsThen: number;
}

/**
 * Something to do that says what it is, so that a checkpoint can hold it. It stands in the queue itself:
 * what happens most often should be one object.
 */
export abstract class Due implements Scheduled {
  queued = false;
  cancelled = false;
  readonly owner: Owner;

  constructor(owner: Owner) {
    this.owner = owner;
  }

  /** Does it. */
  abstract run(): void;
}

/** A plain function that is due; it stands in the way of a checkpoint. */
export class Calling extends Due {
  readonly run: () => void;

  constructor(owner: Owner, action: () => void) {
    super(owner);
    this.run = action;
  }
}

/** A turn that was due while its node was paused. */
export class Again extends Due {
  readonly #engine: Engine;
  readonly runnable: Runnable;

  constructor(engine: Engine, owner: Owner, runnable: Runnable) {
    super(owner);
    this.#engine = engine;
    this.runnable = runnable;
  }

  run(): void {
    this.#engine.ready(this.owner, this.runnable, "");
  }
}

/** The simulation itself: it lives as long as anything does. */
export const always: Owner = {
  name: "the simulation",
  alive: true,
  parked: null,
  turnAt: 0,
  turnsThen: 0,
};

/** Whose turn it is. */
export interface Running {
  readonly owner: Owner;
  readonly runnable: { readonly path: string };
}

/** What the engine keeps of a runnable: the key of its draws, and how many turns it has had. */
class Slot {
  /** Signed, so that it is no object of its own. */
  readonly key: number;
  turns = 0;

  constructor(key: number) {
    this.key = key | 0;
  }
}

/** So many turns of one owner at one instant are a circle. Of each: a hundred thousand peers may begin at one. */
const turnsPerInstant = 1_000_000;

/** Runs turns and events in order. */
export class Engine {
  readonly seed: number | string;
  readonly trace = new Trace();
  /** The virtual time. */
  micros = 0;
  /** Turns and events so far. */
  steps = 0;
  /** Whose turn it is, where the engine has not given it: what a leak is blamed on. */
  launching: Running | null = null;
  #turnOf: Runnable | null = null;
  readonly #due = new Heap<Due>();
  readonly #ready = new ReadyTurns();

  constructor(seed: number | string) {
    this.seed = seed;
  }

  /** Whose turn it is: what a leak is blamed on. */
  get running(): Running | null {
    const { owner } = this.#ready;
    if (this.#turnOf === null || owner === null) return this.launching;
    return { owner, runnable: this.#turnOf };
  }

  /** How many events and turns wait. */
  get waiting(): number {
    return this.#due.size + this.#ready.size;
  }

  /** Queues a turn of a runnable that has work. */
  ready(owner: Owner, runnable: Runnable, node: string): void {
    const { slot } = runnable;
    const own = slot instanceof Slot ? slot : this.#slotOf(runnable, node);
    this.#ready.add(owner, runnable, mix(own.key, own.turns++));
  }

  /** Lets something happen at a time. @returns what `cancel` takes */
  at(owner: Owner, micros: number, tie: number, action: () => void): Due {
    const due = new Calling(owner, action);
    this.queue(micros, tie, due);
    return due;
  }

  /** Lets something happen at a time that says itself what it is. */
  queue(micros: number, tie: number, due: Due): void {
    this.#due.add(micros < this.micros ? this.micros : micros, tie, due);
  }

  /** Keeps something from happening. */
  cancel(due: Due): void {
    this.#due.cancel(due);
  }

  /** Does the next thing, unless it lies behind `limit`. @returns whether there was one */
  step(limit: number): boolean {
    const queue = this.#due;
    const ready = this.#ready;
    const micros = queue.firstMicros;
    if (ready.size > 0) {
      this.steps++;
      if (micros > this.micros || ready.firstTie <= queue.firstTie) this.#turn();
      else this.#happen(queue.firstTie);
      return true;
    }
    if (micros > limit || micros === Infinity) return false;
    this.steps++;
    if (micros > this.micros) this.micros = micros;
    this.#happen(queue.firstTie);
    return true;
  }

  #turn(): void {
    const ready = this.#ready;
    const runnable = ready.take();
    const { owner } = ready;
    if (runnable === null || owner === null) return;
    if (owner.turnAt !== this.micros) {
      owner.turnAt = this.micros;
      owner.turnsThen = 0;
    }
    if (++owner.turnsThen > turnsPerInstant) {
      throw simError(
        "KITH_SIM_LIVELOCK",
        `${owner.name} took ${turnsPerInstant} turns at ${this.micros} µs; the last one was that of ${runnable.path}.`,
      );
    }
    if (!owner.alive) return;
    if (owner.parked !== null) {
      owner.parked.push(new Again(this, owner, runnable));
      return;
    }
    const { slot } = runnable;
    this.#turnOf = runnable;
    this.trace.add(decisions.turn, this.micros, slot instanceof Slot ? slot.key >>> 0 : 0);
    const more = runnable.run(1);
    this.#turnOf = null;
    if (more) this.ready(owner, runnable, "");
  }

  #happen(tie: number): void {
    const due = this.#due.take();
    if (due === undefined) return;
    const { owner } = due;
    if (!owner.alive) return;
    if (owner.parked !== null) {
      owner.parked.push(due);
      return;
    }
    this.trace.add(decisions.event, this.micros, tie);
    due.run();
  }

  /** What waits, in the order in which it was queued, for checkpoints. */
  queues(): { readonly due: readonly Placed<Due>[]; readonly ready: readonly ReadyTurn[] } {
    return { due: this.#due.entries(), ready: this.#ready.entries() };
  }

  /** Queues a turn that a checkpoint has held; it has its draw. */
  turn(owner: Owner, runnable: Runnable, tie: number): void {
    this.#ready.add(owner, runnable, tie);
  }

  /** The key of a runnable's draws and how many turns it has had; null before the first. */
  turnsOf(runnable: Runnable): readonly [key: number, turns: number] | null {
    return runnable.slot instanceof Slot ? [runnable.slot.key, runnable.slot.turns] : null;
  }

  /** Goes on after the turns of a runnable that a checkpoint has held. */
  setTurns(runnable: Runnable, turns: readonly [key: number, turns: number] | null): void {
    if (turns === null) {
      runnable.slot = null;
      return;
    }
    const slot = new Slot(turns[0]);
    slot.turns = turns[1];
    runnable.slot = slot;
  }

  /** Lets a runnable go on with the turns of another: one that has taken its place, or had it. */
  shareTurns(runnable: Runnable, other: Runnable): void {
    runnable.slot = other.slot;
  }

  /** The time, the steps, the turns at this instant, and the state of the hash. */
  save(): readonly number[] {
    return [this.micros, this.steps, ...this.trace.save()];
  }

  /** Goes on from a saved state; its queues are filled by whoever knows what is in them. */
  load([micros = 0, steps = 0, ...trace]: readonly number[]): void {
    this.micros = micros;
    this.steps = steps;
    this.trace.load(trace);
  }

  #slotOf(runnable: Runnable, node: string): Slot {
    const { low } = streamKey(this.seed, "turn", node, runnable.path);
    const slot = new Slot(low);
    runnable.slot = slot;
    this.trace.name(low, () => `turn of ${node} ${runnable.path}`);
    return slot;
  }

  /** Moves the time to an instant before which nothing is left to do. */
  moveTo(micros: number): void {
    if (micros > this.micros) this.micros = micros;
  }
}

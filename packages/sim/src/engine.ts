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
import { Heap, type Scheduled } from "./heap.ts";
import { decisions, Trace } from "./trace.ts";

/** Who owns what runs: a life of a node, or the simulation itself. */
export interface Owner {
  /** Its name, for errors. */
  readonly name: string;
  /** False once the node has crashed or stopped: nothing of this life runs any more. */
  readonly alive: boolean;
  /** Where what is due waits while the node is paused; null while it runs. */
  readonly parked: Action[] | null;
}

/** Something to do that says what it is, so that a checkpoint can hold it. */
export interface Doable {
  run(): void;
}

/** What an entry of the engine does: a plain function stands in the way of a checkpoint. */
export type Action = (() => void) | Doable;

/** Does it. */
export function act(action: Action): void {
  if (typeof action === "function") action();
  else action.run();
}

/** A turn that was due while its node was paused. */
export class Again implements Doable {
  readonly #engine: Engine;
  readonly #owner: Owner;
  readonly runnable: Runnable;

  constructor(engine: Engine, owner: Owner, runnable: Runnable) {
    this.#engine = engine;
    this.#owner = owner;
    this.runnable = runnable;
  }

  run(): void {
    this.#engine.ready(this.#owner, this.runnable, "");
  }
}

/** The simulation itself: it lives as long as anything does. */
export const always: Owner = { name: "the simulation", alive: true, parked: null };

/** Whose turn it is. */
export interface Running {
  readonly owner: Owner;
  readonly runnable: { readonly path: string };
}

/** What the engine keeps of a runnable: the key of its draws, and how many turns it has had. */
class Slot {
  readonly key: number;
  turns = 0;

  constructor(key: number) {
    this.key = key;
  }
}

/** A turn that is due. */
export class Turn implements Scheduled {
  readonly micros: number;
  readonly tie: number;
  cancelled = false;
  readonly key: number;
  readonly #engine: Engine;
  readonly owner: Owner;
  readonly runnable: Runnable;

  constructor(
    engine: Engine,
    owner: Owner,
    runnable: Runnable,
    key: number,
    tie: number,
    micros = engine.micros,
  ) {
    this.#engine = engine;
    this.owner = owner;
    this.runnable = runnable;
    this.micros = micros;
    this.key = key;
    this.tie = tie;
  }

  fire(): void {
    if (!this.owner.alive) return;
    if (this.owner.parked !== null) {
      this.owner.parked.push(new Again(this.#engine, this.owner, this.runnable));
      return;
    }
    this.#engine.running = this;
    this.#engine.trace.add(decisions.turn, this.micros, this.key);
    const more = this.runnable.run(1);
    this.#engine.running = null;
    if (more) this.#engine.ready(this.owner, this.runnable, "");
  }
}

/** An event of the simulated world that is due at a time. */
export class Due implements Scheduled {
  readonly micros: number;
  readonly tie: number;
  cancelled = false;
  readonly #engine: Engine;
  readonly owner: Owner;
  readonly action: Action;

  constructor(engine: Engine, owner: Owner, micros: number, tie: number, action: Action) {
    this.#engine = engine;
    this.owner = owner;
    this.micros = micros;
    this.tie = tie;
    this.action = action;
  }

  fire(): void {
    // It has left the heap: cancelling it later must not be counted there.
    this.cancelled = true;
    if (!this.owner.alive) return;
    if (this.owner.parked !== null) {
      this.owner.parked.push(this.action);
      return;
    }
    this.#engine.trace.add(decisions.event, this.micros, this.tie);
    act(this.action);
  }
}

const turnsPerInstant = 1_000_000;

/** Runs turns and events in order. */
export class Engine {
  readonly seed: number | string;
  readonly trace = new Trace();
  /** The virtual time. */
  micros = 0;
  /** Turns and events so far. */
  steps = 0;
  /** Whose turn it is: what a leak is blamed on. */
  running: Running | null = null;
  readonly #due = new Heap<Due>();
  readonly #ready = new Heap<Turn>();
  #atInstant = 0;

  constructor(seed: number | string) {
    this.seed = seed;
  }

  /** How many events and turns wait. */
  get waiting(): number {
    return this.#due.size + this.#ready.size;
  }

  /** Queues a turn of a runnable that has work. */
  ready(owner: Owner, runnable: Runnable, node: string): void {
    const slot = this.#slotOf(runnable, node);
    this.#ready.add(new Turn(this, owner, runnable, slot.key, mix(slot.key, slot.turns++)));
  }

  /** Lets something happen at a time. @returns what `cancel` takes */
  at(owner: Owner, micros: number, tie: number, action: Action): Scheduled {
    const due = new Due(this, owner, Math.max(micros, this.micros), tie, action);
    this.#due.add(due);
    return due;
  }

  /** Keeps something from happening. */
  cancel(scheduled: Scheduled): void {
    if (scheduled instanceof Due) this.#due.cancel(scheduled);
  }

  /** Does the next thing, unless it lies behind `limit`. @returns whether there was one */
  step(limit: number): boolean {
    const turn = this.#ready.first;
    const due = this.#due.first;
    if (turn === undefined && (due === undefined || due.micros > limit)) return false;
    this.steps++;
    if (
      turn !== undefined &&
      (due === undefined || due.micros > this.micros || turn.tie <= due.tie)
    ) {
      this.#ready.take();
      if (++this.#atInstant > turnsPerInstant) {
        throw simError(
          "KITH_SIM_LIVELOCK",
          `${turnsPerInstant} turns were taken at ${this.micros} µs; the last one by ${turn.runnable.path}.`,
        );
      }
      turn.fire();
    } else if (due !== undefined) {
      this.#due.take();
      if (due.micros > this.micros) {
        this.micros = due.micros;
        this.#atInstant = 0;
      }
      due.fire();
    }
    return true;
  }

  /** What waits, in the order in which it was queued, for checkpoints. */
  queues(): { readonly due: readonly Due[]; readonly ready: readonly Turn[] } {
    return { due: this.#due.entries(), ready: this.#ready.entries() };
  }

  /** Queues a turn that a checkpoint has held; it has its draw. */
  turn(owner: Owner, runnable: Runnable, key: number, tie: number, micros: number): void {
    this.#ready.add(new Turn(this, owner, runnable, key, tie, micros));
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
    return [this.micros, this.steps, this.#atInstant, ...this.trace.save()];
  }

  /** Goes on from a saved state; its queues are filled by whoever knows what is in them. */
  load([micros = 0, steps = 0, atInstant = 0, ...trace]: readonly number[]): void {
    this.micros = micros;
    this.steps = steps;
    this.#atInstant = atInstant;
    this.trace.load(trace);
  }

  #slotOf(runnable: Runnable, node: string): Slot {
    if (runnable.slot instanceof Slot) return runnable.slot;
    const { low } = streamKey(this.seed, "turn", node, runnable.path);
    const slot = new Slot(low);
    runnable.slot = slot;
    this.trace.name(low, () => `turn of ${node} ${runnable.path}`);
    return slot;
  }

  /** Moves the time to an instant before which nothing is left to do. */
  moveTo(micros: number): void {
    if (micros > this.micros) {
      this.micros = micros;
      this.#atInstant = 0;
    }
  }
}

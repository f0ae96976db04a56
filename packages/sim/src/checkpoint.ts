/**
 * Taking a checkpoint of a whole simulation: every node's system, disk and clock, the network with all
 * that is on its way, and the engine's queues in their order.
 *
 * Everything that waits says what it is: deeds of the network, errands of the providers, actions of the
 * script, turns of components. A plain function in a queue stands in the way. Taking a checkpoint draws
 * nothing and decides nothing, so the simulation goes on to the hash that it would have had.
 */

import { type ComponentClass, KithError, type Runnable } from "@kith/core";
import { checkpointSystem, runnablesOf } from "@kith/core/checkpoint";
import type {
  Checkpoint,
  SavedAction,
  SavedItem,
  SavedLane,
  SavedLife,
  SavedNode,
  SavedRoute,
  SavedRunnable,
} from "./checkpoint-data.ts";
import { Datagram, type DeedMap, Doing, mapDeed } from "./deed.ts";
import type { Endpoint } from "./endpoint.ts";
import { Again, always, Due, type Engine, type Owner } from "./engine.ts";
import { Errand } from "./errand.ts";
import { simError } from "./errors.ts";
import type { Lane } from "./lane.ts";
import { Life, type SimNode } from "./node.ts";
import type { Item, Route } from "./place.ts";
import type { Simulation } from "./simulation.ts";

export type { Checkpoint } from "./checkpoint-data.ts";

/** An action of the test's script, by its number. */
export class Scripted extends Due {
  readonly number: number;
  readonly #action: () => void;

  constructor(number: number, action: () => void) {
    super(always);
    this.number = number;
    this.#action = action;
  }

  run(): void {
    this.#action();
  }
}

/** Whether what stands in the way of a checkpoint goes away by itself. */
export function passes(cause: unknown): boolean {
  return (
    cause instanceof KithError &&
    (cause.code === "KITH_CHECKPOINT_BUSY" || cause.code === "KITH_CHECKPOINT_SWAP")
  );
}

/** Takes a checkpoint. */
export function takeCheckpoint<K extends ComponentClass>(simulation: Simulation<K>): Checkpoint<K> {
  if (simulation.busy)
    throw simError("KITH_SIM_CHECKPOINT", "A checkpoint was asked for in the midst of a step.");
  return new Capture(simulation.engine, simulation.nodes).take(simulation);
}

/** Things by the number that they have in the checkpoint. */
class Numbers<T> {
  readonly all: T[] = [];
  readonly #numbers = new Map<T, number>();

  of(one: T): number {
    let number = this.#numbers.get(one);
    if (number === undefined) {
      number = this.all.push(one) - 1;
      this.#numbers.set(one, number);
    }
    return number;
  }
}

/** One checkpoint that is being taken. */
class Capture {
  readonly #engine: Engine;
  readonly #nodes: readonly SimNode[];
  readonly #ends = new Numbers<Endpoint>();
  readonly #lanes = new Numbers<Lane>();
  readonly #items = new Numbers<Item>();
  /** The components that are there, and who stands at each path of a life. */
  readonly #present = new Set<Runnable>();
  readonly #standing = new Map<Life, Map<string, Runnable>>();
  readonly #map: DeedMap<Endpoint, Lane, Item, Route, number, number, number, SavedRoute> = {
    end: (end) => this.#ends.of(end),
    lane: (lane) => this.#lanes.of(lane),
    item: (item) => this.#items.of(item),
    route: ({ from, to }) => [from, to],
  };

  constructor(engine: Engine, nodes: readonly SimNode[]) {
    this.#engine = engine;
    this.#nodes = nodes;
    for (const { life, state, system } of nodes.map((node) => this.#up(node))) {
      if (life === null || system === null || state === "down") continue;
      this.#ends.of(life.endpoint);
      const standing = new Map<string, Runnable>();
      for (const runnable of runnablesOf(system)) {
        this.#present.add(runnable);
        standing.set(runnable.path, runnable);
      }
      this.#standing.set(life, standing);
    }
  }

  #up(node: SimNode) {
    const { life, state } = node;
    return { life, state, system: life === null ? null : node.system };
  }

  take<K extends ComponentClass>(simulation: Simulation<K>): Checkpoint<K> {
    const { engine, fabric, hash, made, steps, time } = simulation;
    const nodes = this.#nodes.map((node) => this.#node(node));
    const queues = engine.queues();
    const due = queues.due.map(({ micros, tie, entry }) => ({
      owner: this.#owner(entry.owner),
      micros,
      tie,
      action: this.#action(entry),
    }));
    const ready = queues.ready.map(({ owner, tie, runnable }) => ({
      owner: this.#owner(owner),
      tie,
      who: this.#runnable(owner, runnable),
    }));
    const lives: SavedLife[] = [];
    const lanes: SavedLane[] = [];
    // Each names others of both kinds.
    while (lives.length < this.#ends.all.length || lanes.length < this.#lanes.all.length) {
      for (const end of this.#ends.all.slice(lives.length)) lives.push(this.#life(end));
      for (const lane of this.#lanes.all.slice(lanes.length)) lanes.push(this.#lane(lane));
    }
    return {
      time,
      steps,
      hash,
      made,
      progress: simulation.progress(),
      engine: engine.save(),
      rules: fabric.rules.save(),
      counts: { ...fabric.counts },
      waitingMax: fabric.waitingMax,
      places: fabric.places().map((place) => ({
        name: place.name,
        within: place.within,
        sent: place.sent(),
      })),
      nodes,
      lives,
      lanes,
      items: this.#items.all.map((item): SavedItem => ({ ...item })),
      due,
      ready,
    };
  }

  #node(node: SimNode): SavedNode {
    const { life, skew, lives, incarnation, sinceMicros } = node;
    const kept = { skew, lives, incarnation, sinceMicros, disk: node.disk.save() };
    if (life === null) return { ...kept, life: null, parked: null, system: null, turns: [] };
    return {
      ...kept,
      life: this.#ends.of(life.endpoint),
      parked: life.parked?.map((due) => this.#action(due)) ?? null,
      system: checkpointSystem(node.system),
      turns: runnablesOf(node.system).map((one) => [one.path, this.#engine.turnsOf(one)]),
    };
  }

  #life(end: Endpoint): SavedLife {
    const { life, peer } = end;
    return {
      node: peer.peerId - 1,
      number: life.number,
      alive: life.alive,
      stopping: life.stopping,
      clock: life.clock.save(),
      lanes: end.lanes.map(this.#map.lane),
      ends: end.ends(),
    };
  }

  #lane(lane: Lane): SavedLane {
    const { to, dialled, before, up, closed, blocked, full } = lane;
    const { messages, notices, flying, lastArrival, outbox, unacknowledged } = lane;
    const numbers = (items: Iterable<Item>): number[] =>
      [...items].map((item) => this.#items.of(item));
    return {
      end: this.#ends.of(lane.end),
      to,
      route: this.#map.route(lane.route),
      dialled,
      before,
      other: lane.other === null ? null : this.#lanes.of(lane.other),
      up,
      closed,
      blocked,
      full,
      messages,
      notices,
      outbox: outbox === null ? null : numbers(outbox),
      flying,
      unacknowledged: unacknowledged === null ? null : numbers(unacknowledged),
      lastArrival,
    };
  }

  #owner(owner: Owner): number {
    if (owner === always) return -1;
    if (owner instanceof Life) return this.#ends.of(owner.endpoint);
    throw simError("KITH_SIM_CHECKPOINT", `Something waits that belongs to ${owner.name}.`);
  }

  #action(action: Due): SavedAction {
    const { owner } = action;
    if (!owner.alive) return { kind: "nothing" };
    if (action instanceof Doing || action instanceof Datagram)
      return { kind: "deed", deed: mapDeed(action.deed, this.#map) };
    if (action instanceof Errand) {
      const { name, id, cancelled } = action;
      return { kind: "errand", name, id, cancelled };
    }
    if (action instanceof Scripted) return { kind: "script", number: action.number };
    if (action instanceof Again)
      return { kind: "turn", who: this.#runnable(owner, action.runnable) };
    throw simError("KITH_SIM_CHECKPOINT", `A function waits in the queue of ${owner.name}.`);
  }

  #runnable(owner: Owner, runnable: Runnable): SavedRunnable {
    const { path } = runnable;
    const turns = this.#engine.turnsOf(runnable);
    const gone = !this.#present.has(runnable);
    const standing = owner instanceof Life ? this.#standing.get(owner)?.get(path) : undefined;
    const shared = gone && standing?.slot === runnable.slot;
    return { path, gone, shared, turns };
  }
}

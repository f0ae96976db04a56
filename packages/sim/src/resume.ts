/**
 * Going on from a checkpoint: a new simulation is filled with what the checkpoint holds, bottom up (the
 * disks and lives, the network between them, the systems, and at last the engine's queues in their
 * order), and runs to the hash to which the original would have run.
 *
 * Invariant: nothing that changes is shared, neither with the original nor with other simulations that
 * were resumed from the same checkpoint.
 */

import type { ComponentClass, Runnable } from "@kith/core";
import { runnablesOf } from "@kith/core/checkpoint";
import type {
  Checkpoint,
  SavedAction,
  SavedLane,
  SavedRoute,
  SavedRunnable,
} from "./checkpoint-data.ts";
import { Datagram, type DeedMap, Doing, mapDeed } from "./deed.ts";
import type { Endpoint } from "./endpoint.ts";
import { Again, always, Calling, type Due, type Owner } from "./engine.ts";
import { Errand } from "./errand.ts";
import { simError } from "./errors.ts";
import { Lane } from "./lane.ts";
import type { Life } from "./node.ts";
import { type Item, Route } from "./place.ts";
import { Simulation } from "./simulation.ts";

/**
 * Builds a simulation that goes on where a checkpoint was taken.
 *
 * Its nodes run again what they ran; `onAcquire` has run in every instance, `onStart` in none. Listeners
 * to systems are the test's, and not carried. Actions that a script has still to do are given this
 * simulation: what they hold of the original by a closure, they do to the original.
 *
 * @throws KithError `KITH_CHECKPOINT_LOST` where a component does not make again what it had
 */
export function resume<K extends ComponentClass>(checkpoint: Checkpoint<K>): Simulation<K> {
  const { main, options } = checkpoint.made;
  const simulation = new Simulation(main, options);
  new Resumption(simulation, checkpoint).run();
  return simulation;
}

/** One checkpoint that is being resumed. */
class Resumption<K extends ComponentClass> {
  readonly #simulation: Simulation<K>;
  readonly #checkpoint: Checkpoint<K>;
  #lives: readonly Life[] = [];
  #items: readonly Item[] = [];
  #lanes: readonly Lane[] = [];
  readonly #runnables = new Map<Owner, Map<string, Runnable>>();
  readonly #map: DeedMap<number, number, number, SavedRoute, Endpoint, Lane, Item, Route> = {
    end: (number) => at(this.#lives, number).endpoint,
    lane: (number) => at(this.#lanes, number),
    item: (number) => at(this.#items, number),
    route: (route) => this.#route(route),
  };

  constructor(simulation: Simulation<K>, checkpoint: Checkpoint<K>) {
    this.#simulation = simulation;
    this.#checkpoint = checkpoint;
  }

  run(): void {
    const { engine, nodes } = this.#simulation;
    const checkpoint = this.#checkpoint;
    engine.load(checkpoint.engine);
    this.#simulation.proceed(checkpoint.progress);
    checkpoint.nodes.forEach(({ disk }, number) => at(nodes, number).disk.load(disk));
    this.#lives = checkpoint.lives.map(({ node, number, alive, stopping, clock }) => {
      const life = at(nodes, node).lifeAgain(number, clock);
      life.alive = alive;
      life.stopping = stopping;
      return life;
    });
    this.#network();
    this.#systems();
    this.#queues();
  }

  #network(): void {
    const { rules, counts, waitingMax, places, items, lanes, lives } = this.#checkpoint;
    const { fabric } = this.#simulation;
    fabric.rules.load(rules);
    Object.assign(fabric.counts, counts);
    fabric.waitingMax = waitingMax;
    for (const { name, within, sent } of places) fabric.place(name).load(within, sent);
    this.#items = items.map((item) => ({ ...item }));
    this.#lanes = lanes.map(
      ({ end, to, route, dialled, before }) =>
        new Lane(this.#map.end(end), to, this.#route(route), dialled, before),
    );
    lanes.forEach((saved, number) => this.#lane(at(this.#lanes, number), saved));
    lives.forEach(({ lanes: table, ends }, number) => {
      at(this.#lives, number).endpoint.load(table.map(this.#map.lane), ends);
    });
  }

  #lane(lane: Lane, saved: SavedLane): void {
    const { up, closed, blocked, full, messages, notices, flying, lastArrival } = saved;
    const { other, outbox, unacknowledged } = saved;
    Object.assign(lane, { up, closed, blocked, full, messages, notices, flying, lastArrival });
    lane.other = other === null ? null : this.#map.lane(other);
    lane.outbox = outbox === null ? null : outbox.map(this.#map.item);
    lane.unacknowledged =
      unacknowledged === null ? null : new Set(unacknowledged.map(this.#map.item));
  }

  #systems(): void {
    const { engine, nodes } = this.#simulation;
    this.#checkpoint.nodes.forEach(
      ({ skew, lives, incarnation, sinceMicros, life: number, system, turns }, index) => {
        const node = at(nodes, index);
        const life = number === null ? null : at(this.#lives, number);
        node.restore(skew, { lives, incarnation, sinceMicros }, life, system);
        if (life === null) return;
        const runnables = new Map(runnablesOf(node.system).map((one) => [one.path, one]));
        for (const [path, had] of turns) engine.setTurns(known(runnables, path), had);
        this.#runnables.set(life, runnables);
      },
    );
  }

  /** In the order in which they were queued: at one instant and tie, it decides. */
  #queues(): void {
    const { engine } = this.#simulation;
    const { due, ready, nodes } = this.#checkpoint;
    for (const { owner: number, micros, tie, action } of due) {
      engine.queue(micros, tie, this.#action(this.#owner(number), action));
    }
    for (const { owner: number, tie, who } of ready) {
      const owner = this.#owner(number);
      engine.turn(owner, this.#runnable(owner, who), tie);
    }
    for (const { life: number, parked } of nodes) {
      if (number === null || parked === null) continue;
      const life = at(this.#lives, number);
      life.parked = parked.map((action) => this.#action(life, action));
    }
  }

  #owner(number: number): Owner {
    return number === -1 ? always : at(this.#lives, number);
  }

  #action(owner: Owner, saved: SavedAction): Due {
    switch (saved.kind) {
      case "deed": {
        const { fabric } = this.#simulation;
        const deed = mapDeed(saved.deed, this.#map);
        if (deed.verb !== "datagram") return new Doing(owner, fabric, deed);
        return new Datagram(fabric, deed.from, deed.route, deed.item);
      }
      case "errand":
        return this.#errand(owner, saved);
      case "script":
        return this.#simulation.scripted(saved.number);
      case "turn":
        return new Again(this.#simulation.engine, owner, this.#runnable(owner, saved.who));
      case "nothing":
        return new Calling(owner, () => undefined);
    }
  }

  #errand(owner: Owner, saved: Extract<SavedAction, { readonly kind: "errand" }>): Due {
    const life = this.#lives.find((one) => one === owner);
    if (life === undefined) throw broken(`an errand of ${owner.name}`);
    const errand = new Errand(life, saved.name, saved.id);
    errand.cancelled = saved.cancelled;
    if (saved.cancelled) return errand;
    return life.agents.get(saved.name)?.restoreErrand(errand) ?? errand;
  }

  #runnable(owner: Owner, { path, gone, shared, turns }: SavedRunnable): Runnable {
    const runnables = this.#runnables.get(owner) ?? new Map<string, Runnable>();
    if (!gone && owner.alive) return known(runnables, path);
    // A component that is gone, or one of a life that has ended: its turn comes, and nothing is done.
    const ghost: Runnable = { path, slot: null, run: () => false };
    const { engine } = this.#simulation;
    if (shared) engine.shareTurns(ghost, known(runnables, path));
    else engine.setTurns(ghost, turns);
    return ghost;
  }

  #route([from, to]: SavedRoute): Route {
    const { fabric } = this.#simulation;
    return new Route(fabric.place(from), fabric.place(to));
  }
}

function known(runnables: ReadonlyMap<string, Runnable>, path: string): Runnable {
  const found = runnables.get(path);
  if (found === undefined) throw broken(`the component at ${path}`);
  return found;
}

function at<T>(list: readonly T[], number: number): T {
  const found = list[number];
  if (found === undefined) throw broken(`number ${number} of ${list.length}`);
  return found;
}

function broken(what: string): Error {
  return simError("KITH_SIM_CHECKPOINT", `The checkpoint names ${what}, which it does not hold.`);
}

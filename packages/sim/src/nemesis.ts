/**
 * The swap nemesis: replaces components of running nodes at random instants, by a new instance of their
 * own class unless told otherwise. Whatever else is tested has to hold all the same.
 */

import { type ComponentClass, type Millis, mix, streamKey, SwapFailed } from "@kith/core";
import type { Simulation } from "./simulation.ts";

/** What the nemesis may do. */
export interface SwapNemesisOptions {
  /** The mean time between two swaps, in milliseconds. */
  readonly every: Millis;
  /** The paths of the components that may be swapped, such as `/Main-1/Ring`; each is picked as often as the others. */
  readonly paths: readonly string[];
  /** The class to swap to, by path; by default the one that it has. */
  readonly replacement?: (
    path: string,
  ) => { readonly cls: ComponentClass; readonly init?: unknown } | undefined;
}

/** What it has done in one simulation. */
export interface SwapNemesis {
  /** Swaps that were committed. */
  readonly swapped: number;
  /** Swaps that were given up, with the reasons. */
  readonly failed: readonly unknown[];
  /** Ends it. */
  stop(): void;
  /** The same nemesis in a simulation that was resumed from a checkpoint: it goes on there by itself. */
  of<K extends ComponentClass>(simulation: Simulation<K>): SwapNemesis;
}

/** Lets a swap nemesis loose. */
export function swapNemesis<K extends ComponentClass>(
  simulation: Simulation<K>,
  options: SwapNemesisOptions,
): SwapNemesis {
  const nemesis = new Nemesis(options, streamKey(simulation.engine.seed, "swap nemesis").low);
  nemesis.next(simulation, 1);
  return nemesis.of(simulation);
}

/** In one simulation: what is counted, and what takes back the next strike. */
class Deeds implements SwapNemesis {
  swapped = 0;
  readonly failed: unknown[] = [];
  stopped = false;
  withdraw: (() => void) | null = null;
  readonly #nemesis: Nemesis;

  constructor(nemesis: Nemesis) {
    this.#nemesis = nemesis;
  }

  stop(): void {
    this.stopped = true;
    this.withdraw?.();
  }

  of<K extends ComponentClass>(simulation: Simulation<K>): SwapNemesis {
    return this.#nemesis.of(simulation);
  }
}

/**
 * What it draws depends on the number of the strike alone, which each strike hands to the next: so a
 * simulation and those that were resumed from its checkpoints do not count each other's.
 */
class Nemesis {
  readonly #options: SwapNemesisOptions;
  readonly #key: number;
  readonly #deeds = new WeakMap<object, Deeds>();

  constructor(options: SwapNemesisOptions, key: number) {
    this.#options = options;
    this.#key = key;
  }

  of(simulation: object): Deeds {
    let deeds = this.#deeds.get(simulation);
    if (deeds === undefined) this.#deeds.set(simulation, (deeds = new Deeds(this)));
    return deeds;
  }

  /** Lets the strike of that number come when its time has come. */
  next<K extends ComponentClass>(simulation: Simulation<K>, count: number): void {
    const wait = this.#draw(count, 1, Math.round(this.#options.every * 2000)) / 1000;
    this.of(simulation).withdraw = simulation.at(simulation.time + wait, (present) => {
      if (this.of(present).stopped) return;
      this.#strike(present, count);
      this.next(present, count + 1);
    });
  }

  #strike<K extends ComponentClass>(simulation: Simulation<K>, count: number): void {
    const { paths, replacement } = this.#options;
    const node = simulation.nodes[this.#draw(count, 2, simulation.nodes.length)];
    const path = paths[this.#draw(count, 3, paths.length)];
    if (node === undefined || path === undefined || node.state !== "up") return;
    const deeds = this.of(simulation);
    node.system.swapThen(path, replacement?.(path) ?? {}, (result) => {
      if (result instanceof SwapFailed) deeds.failed.push(result.cause);
      else deeds.swapped++;
    });
  }

  #draw(count: number, purpose: number, bound: number): number {
    return mix(this.#key ^ purpose, count) % bound;
  }
}

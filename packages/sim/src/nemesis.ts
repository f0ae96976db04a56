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

/** What it has done. */
export interface SwapNemesis {
  /** Swaps that were committed. */
  readonly swapped: number;
  /** Swaps that were given up, with the reasons. */
  readonly failed: readonly unknown[];
  /** Ends it. */
  stop(): void;
}

/** Lets a swap nemesis loose. */
export function swapNemesis<K extends ComponentClass>(
  simulation: Simulation<K>,
  options: SwapNemesisOptions,
): SwapNemesis {
  const { low } = streamKey(simulation.engine.seed, "swap nemesis");
  const failed: unknown[] = [];
  const done = { swapped: 0, stopped: false };
  let count = 0;
  const draw = (purpose: number, bound: number): number => mix(low ^ purpose, count) % bound;
  const next = (): void => {
    count++;
    const wait = draw(1, Math.round(options.every * 2000)) / 1000;
    simulation.at(simulation.time + wait, () => {
      if (done.stopped) return;
      strike();
      next();
    });
  };
  const strike = (): void => {
    const node = simulation.nodes[draw(2, simulation.nodes.length)];
    const path = options.paths[draw(3, options.paths.length)];
    if (node === undefined || path === undefined || node.state !== "up") return;
    node.system.swapThen(path, options.replacement?.(path) ?? {}, (result) => {
      if (result instanceof SwapFailed) failed.push(result.cause);
      else done.swapped++;
    });
  };
  next();
  return {
    get swapped() {
      return done.swapped;
    },
    get failed() {
      return failed;
    },
    stop: () => {
      done.stopped = true;
    },
  };
}

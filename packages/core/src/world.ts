/**
 * Worlds: a world is a value that brings a scheduler, an environment, and the root ports (Timer,
 * Network, Storage, …), which it offers to all components of a system.
 */

import type { Child, ComponentClass, InitArguments } from "./child.ts";
import type { Given } from "./config.ts";
import type { ChildOptions } from "./construction.ts";
import type { Channel, ChannelOptions } from "./channel.ts";
import type { LogSink } from "./log.ts";
import type { AnyPort, ProvidedRef, RequiredRef } from "./port.ts";
import { RealScheduler } from "./real-scheduler.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Key } from "./types.ts";

/** What a world may do at the root of a system: create providers, wire them, and offer their ports. */
export interface Root {
  /** Creates a provider beside the main component. */
  create<K extends ComponentClass>(
    cls: K,
    ...args: InitArguments<K, ChildOptions>
  ): Child<InstanceType<K>>;
  /** Joins two providers. */
  connect<P extends AnyPort>(
    provider: ProvidedRef<P>,
    user: RequiredRef<NoInfer<P>>,
    options?: ChannelOptions<NoInfer<P>>,
  ): Channel<P>;
  /** Offers a port to every component of the system. */
  offers<P extends AnyPort>(ref: ProvidedRef<P>, options?: { readonly key?: Key }): void;
}

/** Where a system runs. */
export interface World {
  readonly scheduler: Scheduler;
  /** Creates the providers of the root ports, and offers them. */
  readonly install?: (root: Root) => void;
  /**
   * What stands behind the providers of the root ports: they, and nobody else, reach it as `this.host`
   * and narrow it by its class. It is no plain data, so it cannot be handed over in an init.
   */
  readonly host?: object;
  /**
   * Forces cold paths: given the path of a component and the name of its cold path, when it is declared,
   * says what decides whether to take it each time. A real world has none.
   */
  readonly cold?: ((path: string, name: string) => () => boolean) | undefined;
  /** Names the system in logs and records, and keys its random draws; empty where there is one system. */
  readonly node?: string;
  /** The seed of all random draws; a world without one draws from seed 0. */
  readonly seed?: number | string;
  /** Values of settings for all components. */
  readonly settings?: readonly Given[];
  /** Where log records go; by default warnings and errors go to the console. */
  readonly log?: LogSink;
  /** The default bound of mailboxes, in events; default 2^20. */
  readonly mailboxBound?: number;
  /** The bound of what a held channel keeps, in events; default 2^20. */
  readonly holdBound?: number;
}

/** The world of a program that needs nothing but the host's clock: no ports are offered. */
export function bare(): World {
  return { scheduler: new RealScheduler() };
}

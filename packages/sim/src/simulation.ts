/**
 * A simulation: nodes, the network between them, their disks and clocks, and the time that drives all.
 *
 * `simulate(Main, { seed, nodes })` builds it; nothing runs until it is told to. What it did is told
 * by `hash`: the same seed gives the same hash, in another process and in a browser alike.
 */

import {
  type ComponentClass,
  type InitOf,
  type KithError,
  type LogRecord,
  type Millis,
  mix,
  type Root,
  streamKey,
} from "@kith/core";
import { type Codec, type PeerRef, PlainCodec } from "@kith/network";
import type { ClockSkew } from "./clock.ts";
import type { DiskOptions } from "./disk.ts";
import { type Checkpoint, passes, Scripted, takeCheckpoint } from "./checkpoint.ts";
import { Engine } from "./engine.ts";
import { simError } from "./errors.ts";
import { Fabric } from "./fabric.ts";
import { SimNetwork } from "./network.ts";
import { peerOf, SimNode } from "./node.ts";
import { type Latency, type Rule, Rules, uniform } from "./rules.ts";
import { SimStorage, type StorageLimits } from "./storage.ts";
import { SimTimer } from "./timer.ts";
import { trapped } from "./traps.ts";

/** What a simulation is made of. */
export interface SimulationOptions<K extends ComponentClass> {
  /** Decides everything that is left to chance. */
  readonly seed: number | string;
  /** How many nodes; default 1. */
  readonly nodes?: number;
  /** The init of the main components. */
  readonly init?: InitOf<K>;
  /** The init of each node's main component, where they differ. */
  readonly initOf?: (node: { readonly name: string; readonly index: number }) => InitOf<K>;
  /** The clocks of a node; by default they are right. */
  readonly clock?: (index: number) => ClockSkew;
  /** The disks of the nodes; by default they are as fast and reliable as such disks are. */
  readonly disk?: (index: number) => DiskOptions;
  /** What the storages take on at a time. */
  readonly storage?: StorageLimits;
  /** What the wall clocks show at the beginning, in milliseconds since 1970; default 1 January 2026. */
  readonly epoch?: Millis;
  /** Takes the nodes' log records; by default nobody. */
  readonly log?: (record: LogRecord) => void;
  /** How long a message takes; default uniform from 0.2 to 2 ms. */
  readonly latency?: Latency;
  /**
   * `stream` (the default) gives what the Network port promises; `datagram` lets the rules' losses,
   * copies and reorderings through to the components.
   */
  readonly transport?: "stream" | "datagram";
  /**
   * What messages pass through; default the plain codec. False hands them over as they are: faster, and
   * blind to shared objects and unregistered classes.
   */
  readonly codec?: boolean | Codec;
  /** How many messages may wait for one peer; default 10,000. */
  readonly waitingMax?: number;
  /** Offers more at the root of each life, beside Timer, Storage and Network. */
  readonly install?: (root: Root) => void;
  /** Which nodes `boot` starts; by default all. */
  readonly boots?: (index: number) => boolean;
  /** Told of a fault that no policy of a node handled; true where it is not to be thrown. */
  readonly fault?: (
    node: { readonly name: string; readonly index: number },
    error: KithError,
  ) => boolean;
  /** Decides over the cold paths of a node's components; see `Component.cold`. By default none is taken. */
  readonly cold?: (node: string, path: string, name: string) => () => boolean;
  /** False lets components use the host's clocks, randomness and timers; for measuring what the traps cost. */
  readonly traps?: boolean;
}

/** How long something may take. */
export interface Within {
  /** Simulated milliseconds; default 60,000. */
  readonly within?: Millis;
}

/** How far a simulation is, as far as its engine and nodes do not know it. */
export interface Progress<K extends ComponentClass> {
  readonly booted: boolean;
  readonly scripted: number;
  readonly scripts: readonly (readonly [number, (simulation: Simulation<K>) => void])[];
}

const defaultWaitingMax = 10_000;
const newYear2026 = 1_767_225_600_000;

/** A running simulation. Made by `simulate`. */
export class Simulation<K extends ComponentClass = ComponentClass> {
  /** The nodes, in order. */
  readonly nodes: readonly SimNode<K>[];
  /** @internal */
  readonly engine: Engine;
  readonly #traps: boolean;
  /** @internal What it was made of, for checkpoints. */
  readonly made: { readonly main: K; readonly options: SimulationOptions<K> };
  /** @internal */
  readonly fabric: Fabric;
  #booted = false;
  #failure: KithError | null = null;
  #scripted = 0;
  readonly #scripts = new Map<number, (simulation: Simulation<K>) => void>();
  #acting = false;

  /** @internal */
  constructor(main: K, options: SimulationOptions<K>) {
    const count = options.nodes ?? 1;
    if (!(Number.isSafeInteger(count) && count > 0))
      throw simError("KITH_SIM_ARGUMENT", `A simulation of ${count} nodes was asked for.`);
    this.made = { main, options };
    this.engine = new Engine(options.seed);
    this.#traps = options.traps ?? true;
    this.fabric = new Fabric(this.engine, new Rules(options.seed), {
      latency: options.latency ?? uniform(0.2, 2),
      codec: codecOf(options.codec ?? true),
      datagrams: options.transport === "datagram",
      waitingMax: options.waitingMax ?? defaultWaitingMax,
    });
    const { init, initOf = () => init } = options;
    this.nodes = Array.from({ length: count }, (_, index) => {
      const name = `n${index + 1}`;
      return new SimNode<K>({
        engine: this.engine,
        name,
        index,
        main,
        init: () => initOf({ name, index }),
        clock: options.clock?.(index) ?? {},
        epochMicros: (options.epoch ?? newYear2026) * 1000,
        log: options.log ?? (() => undefined),
        fabric: this.fabric,
        disk: options.disk?.(index) ?? {},
        install: (root) => {
          root.offers(root.create(SimTimer, {}, { name: "Timer" }).ports.timer);
          root.offers(
            root.create(SimStorage, options.storage ?? {}, { name: "Storage" }).ports.storage,
          );
          root.offers(root.create(SimNetwork, {}, { name: "Network" }).ports.network);
          options.install?.(root);
        },
        guard: (action) => this.#run(action),
        fault: (error) => {
          if (options.fault?.({ name, index }, error) !== true) this.#failure ??= error;
        },
        cold: options.cold && ((path, cold) => options.cold?.(name, path, cold) ?? (() => false)),
      });
    });
  }

  /** The simulated time since the beginning, in milliseconds. */
  get time(): Millis {
    return this.engine.micros / 1000;
  }

  /** The rolling hash over all decisions so far: 16 hexadecimal digits. */
  get hash(): string {
    return this.engine.trace.hash;
  }

  /** Turns and events so far. */
  get steps(): number {
    return this.engine.steps;
  }

  /** The node of that number, from 0. */
  node(index: number): SimNode<K> {
    const node = this.nodes[index];
    if (node === undefined)
      throw simError(
        "KITH_SIM_ARGUMENT",
        `There is no node ${index}; there are ${this.nodes.length}, from 0.`,
      );
    return node;
  }

  /** Starts all nodes, in order; the other methods do it where it was not done. */
  boot(): this {
    if (this.#booted) return this;
    this.#booted = true;
    this.#run(() => {
      for (const node of this.nodes) {
        const wanted = this.made.options.boots?.(node.index) ?? true;
        if (wanted && node.state === "down" && node.lives === 0) node.start();
      }
    });
    return this;
  }

  /** Lets so many milliseconds pass. @throws the fault that no policy of a node handled */
  runFor(duration: Millis): void {
    if (!(duration >= 0))
      throw simError("KITH_SIM_ARGUMENT", `The simulation was to run for ${duration} ms.`);
    this.boot();
    const end = this.engine.micros + Math.round(duration * 1000);
    this.#run(() => {
      while (this.#failure === null && this.engine.step(end));
    });
    this.#raise();
    this.engine.moveTo(end);
  }

  /**
   * Runs until a condition holds; it is looked at after every step, so it should be cheap.
   *
   * @throws KithError `KITH_SIM_TIMEOUT` where it does not hold in time
   */
  until(condition: () => boolean, { within = 60_000 }: Within = {}): void {
    this.boot();
    const begin = this.engine.micros;
    const end = begin + Math.round(within * 1000);
    let holds = condition();
    this.#run(() => {
      while (!holds && this.#failure === null && this.engine.step(end)) holds = condition();
    });
    this.#raise();
    if (holds) return;
    this.engine.moveTo(end);
    throw simError(
      "KITH_SIM_TIMEOUT",
      `The condition did not hold within ${within} ms, from ${begin / 1000} to ${end / 1000} ms of seed ${String(this.engine.seed)}.`,
    );
  }

  /** Does the next thing. @returns false where nothing is left to do */
  step(): boolean {
    this.boot();
    const more = this.#run(() => this.engine.step(Infinity));
    this.#raise();
    return more;
  }

  /** Takes a rule out of force by itself: also in a simulation resumed from a checkpoint. */
  withdraw(rule: Rule): void {
    this.fabric.rules.remove(rule);
  }

  /** Puts a rule of the network into force, behind the others. @returns takes it back */
  rule(rule: Rule): () => void {
    return this.fabric.rules.add(rule);
  }

  /** From now on so many messages may wait for one peer; without a number as many as where nothing is said. */
  limitQueues(waitingMax: number = defaultWaitingMax): void {
    if (!(Number.isSafeInteger(waitingMax) && waitingMax > 0))
      throw simError("KITH_SIM_ARGUMENT", `A queue of ${waitingMax} messages was asked for.`);
    this.fabric.waitingMax = waitingMax;
  }

  /** Breaks the connection between two nodes: both learn it, each in its time; a suffix of what was sent is lost. */
  reset(a: SimNode<K>, b: SimNode<K>): void {
    this.fabric.reset(a.name, b.name);
  }

  /** Lets the first node lose its end of the connection to the second, which believes in it until it next sends. */
  halfOpen(a: SimNode<K>, b: SimNode<K>): void {
    this.fabric.halfOpen(a.name, b.name);
  }

  /** The reference to a node's present life, or to the one to come where it is down. */
  peer(index: number): PeerRef {
    const node = this.node(index);
    return peerOf(node.name, index, node.incarnation + (node.state === "down" ? 1 : 0));
  }

  /**
   * Lets the script of a test act at a simulated time, in milliseconds.
   *
   * @param action is given the simulation: one that was resumed from a checkpoint, where that is so
   * @returns takes it back, for this simulation and for checkpoints taken from then on
   */
  at(time: Millis, action: (simulation: Simulation<K>) => void): () => void {
    const number = this.#scripted++;
    const tie = mix(streamKey(this.engine.seed, "script").low, number);
    this.#scripts.set(number, action);
    this.engine.queue(Math.round(time * 1000), tie, this.scripted(number));
    // Its time still comes, as a step in which nothing is done.
    return () => void this.#scripts.delete(number);
  }

  /**
   * Takes a checkpoint of the whole simulation between two steps; `resume` goes on from it, any number
   * of times, and this simulation goes on unaffected.
   *
   * @param options.patience so many steps may be done first, while something stands in its way
   * @throws KithError `KITH_SIM_CHECKPOINT`, `KITH_CHECKPOINT_BUSY`, `KITH_CHECKPOINT_SWAP`
   */
  checkpoint({ patience = 0 }: { readonly patience?: number } = {}): Checkpoint<K> {
    for (let steps = 0; ; steps++) {
      try {
        return takeCheckpoint(this);
      } catch (cause) {
        if (steps >= patience || !passes(cause) || !this.step()) throw cause;
      }
    }
  }

  /** @internal What the engine does for a script, by the number of the action. */
  scripted(number: number): Scripted {
    return new Scripted(number, () => {
      const action = this.#scripts.get(number);
      this.#scripts.delete(number);
      this.#acting = true;
      try {
        action?.(this);
      } finally {
        this.#acting = false;
      }
    });
  }

  /** @internal Whether something is being done: what comes after it would be missing in a checkpoint. */
  get busy(): boolean {
    return this.#acting || this.engine.running !== null;
  }

  /** @internal How far it is, for checkpoints. */
  progress(): Progress<K> {
    return { booted: this.#booted, scripted: this.#scripted, scripts: [...this.#scripts] };
  }

  /** @internal Goes on from a checkpoint. */
  proceed({ booted, scripted, scripts }: Progress<K>): void {
    this.#booted = booted;
    this.#scripted = scripted;
    for (const [number, action] of scripts) this.#scripts.set(number, action);
  }

  /** @internal Something of the host was used: by a component, or by nobody whom it concerns. */
  leaked(what: string): KithError | null {
    const { running } = this.engine;
    if (running === null) return null;
    const who = `${running.owner.name} ${running.runnable.path}`;
    const error = simError("KITH_SIM_LEAK", `${who} used ${what} in a simulation.`);
    // Also where the component or a policy swallows it.
    this.#failure ??= error;
    return error;
  }

  #run<T>(action: () => T): T {
    if (!this.#traps) return action();
    return trapped((what) => this.leaked(what), action);
  }

  #raise(): void {
    if (this.#failure === null) return;
    const failure = this.#failure;
    this.#failure = null;
    throw failure;
  }
}

/**
 * Builds a simulation of `nodes` systems, each with a `Main` of its own.
 *
 * @param main the main component of every node; its Timer, Network and Storage are offered
 */
export function simulate<K extends ComponentClass>(
  main: K,
  options: SimulationOptions<K>,
): Simulation<K> {
  return new Simulation(main, options);
}

function codecOf(codec: boolean | Codec): Codec | null {
  if (typeof codec !== "boolean") return codec;
  return codec ? new PlainCodec() : null;
}

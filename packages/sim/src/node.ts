/**
 * A simulated node: a machine with a disk and clocks that lives, crashes and lives again.
 *
 * Each life is a system of its own. A crash forgets the life as it is: nothing of it runs any more, no
 * handler is called, and what was not flushed is the disk's to decide. A pause parks what is due, and
 * a resume lets all of it happen at once, late, as after a stopped process or a long collection.
 */

import {
  type ComponentClass,
  type InitOf,
  type KithError,
  launch,
  type LogSink,
  type Root,
  type Runnable,
  type Scheduler,
  type System,
  type World,
} from "@kith/core";
import { restoreSystem, type SystemCheckpoint } from "@kith/core/checkpoint";
import { type ClockSkew, NodeClock } from "./clock.ts";
import { formatPeer, type PeerRef, self } from "@kith/network";
import type { Due, Engine, Owner } from "./engine.ts";
import type { Agent } from "./errand.ts";
import { simError } from "./errors.ts";
import { Disk, type DiskOptions } from "./disk.ts";
import { Endpoint } from "./endpoint.ts";
import type { Fabric } from "./fabric.ts";
import { decisions } from "./trace.ts";

/** Whether a node lives. */
export type NodeState = "down" | "up" | "paused";

/** What a life is made of. */
export interface LifeOptions {
  readonly engine: Engine;
  readonly fabric: Fabric;
  readonly name: string;
  readonly index: number;
  readonly number: number;
  readonly clock: NodeClock;
  readonly disk: Disk;
}

/** One life of a node, from its start to its crash or stop. */
export class Life implements Owner, Scheduler {
  readonly name: string;
  readonly engine: Engine;
  readonly clock: NodeClock;
  /** The number of this life, from 1: the node's incarnation. */
  readonly number: number;
  alive = true;
  parked: Due[] | null = null;
  turnAt = 0;
  turnsThen = 0;
  /** Who does the errands of the providers, by the name of their business. */
  readonly agents = new Map<string, Agent>();
  /** Whether it ends when its system has stopped. */
  stopping = false;
  /** While its system is restored from a checkpoint: who is ready comes from there. */
  restoring = false;
  /** Arms the timers anew when the clock's drift changes. */
  rearm: (() => void) | null = null;
  /** Its end of the network. */
  readonly endpoint: Endpoint;

  /** The disk of its node. */
  readonly disk: Disk;

  constructor({ engine, fabric, name, index, number, clock, disk }: LifeOptions) {
    this.engine = engine;
    this.name = name;
    this.number = number;
    this.clock = clock;
    this.disk = disk;
    this.endpoint = new Endpoint(fabric, this, peerOf(name, index, number));
  }

  ready(runnable: Runnable): void {
    if (this.alive && !this.restoring) this.engine.ready(this, runnable, this.name);
  }
}

/** The life behind the providers of a node's root ports. */
export function lifeOf(host: object | undefined): Life {
  if (host instanceof Life) return host;
  throw simError("KITH_SIM_ARGUMENT", "A simulated provider was created outside of a simulation.");
}

/** The reference to a life of a node: its identity is its number from 1, its host its name. */
export function peerOf(host: string, index: number, incarnation: number): PeerRef {
  return { peerId: index + 1, host, port: 7000, incarnation };
}

/** The world of one life. */
export function worldOf(life: Life, install: (root: Root) => void, log: LogSink): World {
  return {
    scheduler: life,
    node: life.name,
    seed: life.engine.seed,
    log,
    host: life,
    settings: [self.of(formatPeer(life.endpoint.peer))],
    install,
  };
}

/** What a node is made with. */
export interface NodeOptions<K extends ComponentClass> {
  readonly engine: Engine;
  readonly name: string;
  readonly index: number;
  readonly main: K;
  readonly init: () => InitOf<K>;
  readonly clock: ClockSkew;
  readonly epochMicros: number;
  readonly log: LogSink;
  readonly fabric: Fabric;
  readonly disk: DiskOptions;
  /** Installs the providers of the root ports for a life. */
  readonly install: (root: Root) => void;
  /** Runs what components do with the traps set. */
  readonly guard: (action: () => void) => void;
  /** Told of a fault that no policy handled. */
  readonly fault: (error: KithError) => void;
  /** Decides over the cold paths of the node's components, by the path of a component and a name. */
  readonly cold?: ((path: string, name: string) => () => boolean) | undefined;
}

/** A machine of the simulation. */
export class SimNode<K extends ComponentClass = ComponentClass> {
  /** Its name, such as `n1`, which prefixes its logs and keys its draws. */
  readonly name: string;
  /** Its number, from 0. */
  readonly index: number;
  /** Its disk, with its faults; it outlives the node's lives. */
  readonly disk: Disk;
  readonly #options: NodeOptions<K>;
  #skew: ClockSkew;
  #lives = 0;
  #incarnation = 0;
  #sinceMicros = 0;
  #life: Life | null = null;
  #system: System<InstanceType<K>> | null = null;

  /** @internal */
  constructor(options: NodeOptions<K>) {
    this.#options = options;
    this.name = options.name;
    this.index = options.index;
    this.disk = new Disk(options.engine, options.name, options.disk);
    this.#skew = options.clock;
  }

  /** Whether it is up, paused or down. */
  get state(): NodeState {
    if (this.#life === null) return "down";
    return this.#life.parked === null ? "up" : "paused";
  }

  /** Since when it has been in that state, in simulated microseconds. */
  get sinceMicros(): number {
    return this.#sinceMicros;
  }

  /** How often it has been started. */
  get lives(): number {
    return this.#lives;
  }

  /** The system of its present life. @throws KithError `KITH_SIM_NODE_STATE` while it is down */
  get system(): System<InstanceType<K>> {
    if (this.#system === null)
      throw simError("KITH_SIM_NODE_STATE", `${this.name} is down, so it has no system.`);
    return this.#system;
  }

  /** The main component of its present life, for assertions. */
  get root(): InstanceType<K> {
    return this.system.instance;
  }

  /** The incarnation of its present life, or of its last one; 0 before the first. */
  get incarnation(): number {
    return this.#incarnation;
  }

  /**
   * Starts a life: with the disk as the last one has left it, or on an empty one; with an incarnation of
   * its own or, which a real host does when its clock or its disk was set back, with that of the last one.
   */
  start({
    disk = "kept",
    identity = "new",
  }: { readonly disk?: "kept" | "wiped"; readonly identity?: "new" | "reused" } = {}): void {
    if (this.#life !== null)
      throw simError("KITH_SIM_NODE_STATE", `${this.name} was started, but it is ${this.state}.`);
    const { engine, main, epochMicros, fabric } = this.#options;
    if (disk === "wiped") this.disk.wipe();
    const clock = new NodeClock(engine, epochMicros, this.#skew);
    this.#lives++;
    if (identity === "new" || this.#incarnation === 0) this.#incarnation++;
    const life = new Life({
      engine,
      fabric,
      name: this.name,
      index: this.index,
      number: this.#incarnation,
      clock,
      disk: this.disk,
    });
    engine.trace.add(decisions.node, engine.micros, this.index * 8 + 1);
    this.#sinceMicros = engine.micros;
    this.#life = life;
    const { launching } = engine;
    engine.launching = { owner: life, runnable: { path: `/${main.name}-1` } };
    try {
      this.#options.guard(() => this.#launch(life));
    } catch (cause) {
      this.#end(true);
      throw cause;
    } finally {
      engine.launching = launching;
    }
  }

  #launch(life: Life): void {
    const { main, init, install, log, cold } = this.#options;
    this.#adopt(launch(main, init(), { ...worldOf(life, install, log), seed: this.#seed, cold }));
  }

  /** Each life has draws of its own, as each process has: nothing is drawn twice, though all else is as before. */
  get #seed(): number | string {
    const { seed } = this.#options.engine;
    return this.#lives === 1 ? seed : `${seed} life ${this.#lives}`;
  }

  #adopt(system: System<InstanceType<K>>): void {
    const { fault } = this.#options;
    this.#system = system;
    system.events.on("fault", ({ path, cause }) => {
      const what = cause instanceof Error ? cause.message : String(cause);
      fault(simError("KITH_SIM_FAULT", `${this.name} ${path}: ${what}`, cause));
    });
  }

  /** Ends its life at once: memory is gone, and of what was not flushed the disk keeps what it likes. */
  crash(): void {
    this.#end(true);
  }

  /** Stops its components properly, without waiting for them to be through with it. */
  stop(): void {
    this.#endWhenStopped();
    void this.system.stop();
  }

  #endWhenStopped(): void {
    const { system } = this;
    const life = this.#alive("stopped");
    if (life.stopping) return;
    life.stopping = true;
    system.events.once("stopped", () => {
      if (this.#life === life) this.#end(false);
    });
  }

  /** Freezes it: nothing runs, while time and messages go on. */
  pause(): void {
    const life = this.#alive("paused");
    if (life.parked !== null) return;
    life.parked = [];
    this.#sinceMicros = this.#options.engine.micros;
    this.#options.engine.trace.add(decisions.node, this.#options.engine.micros, this.index * 8 + 3);
  }

  /** Lets everything happen that came due meanwhile. */
  resume(): void {
    const life = this.#alive("resumed");
    const parked = life.parked ?? [];
    life.parked = null;
    this.#sinceMicros = this.#options.engine.micros;
    this.#options.engine.trace.add(decisions.node, this.#options.engine.micros, this.index * 8 + 4);
    this.#options.guard(() => {
      for (const due of parked) due.run();
    });
  }

  /** Lets its clocks run faster or slower, in this life and those to come. */
  drift(driftPpm: number): void {
    this.#skew = { ...this.#skew, driftPpm };
    this.#life?.clock.drift(driftPpm);
    this.#life?.rearm?.();
  }

  /** Sets its wall clock forward or back by milliseconds. */
  jump(millis: number): void {
    this.#skew = { ...this.#skew, offset: (this.#skew.offset ?? 0) + millis };
    this.#life?.clock.jump(millis);
  }

  /** Its present life, for checkpoints. */
  get life(): Life | null {
    return this.#life;
  }

  /** How its clocks differ, in this life and those to come, for checkpoints. */
  get skew(): ClockSkew {
    return this.#skew;
  }

  /** A life of this node that a checkpoint has held. */
  lifeAgain(number: number, clockState: readonly number[]): Life {
    const { engine, epochMicros, fabric } = this.#options;
    const { name, index, disk } = this;
    const clock = new NodeClock(engine, epochMicros, this.#skew);
    clock.load(clockState);
    return new Life({ engine, fabric, name, index, number, clock, disk });
  }

  /** Goes on where a checkpoint was taken. `life` has its clock and its disk again. */
  restore(
    skew: ClockSkew,
    { lives, incarnation, sinceMicros }: Pick<SimNode, "lives" | "incarnation" | "sinceMicros">,
    life: Life | null,
    system: SystemCheckpoint | null,
  ): void {
    this.#skew = skew;
    this.#lives = lives;
    this.#incarnation = incarnation;
    this.#sinceMicros = sinceMicros;
    this.#life = life;
    if (life === null || system === null) return;
    const { main, init, install, log, guard, cold } = this.#options;
    const world = { ...worldOf(life, install, log), seed: this.#seed, cold };
    life.restoring = true;
    guard(() => this.#adopt(restoreSystem(main, init(), world, system)));
    life.restoring = false;
    if (!life.stopping) return;
    life.stopping = false;
    this.#endWhenStopped();
  }

  #alive(what: string): Life {
    if (this.#life === null)
      throw simError("KITH_SIM_NODE_STATE", `${this.name} was ${what}, but it is down.`);
    return this.#life;
  }

  #end(crashed: boolean): void {
    const life = this.#alive(crashed ? "crashed" : "stopped");
    life.alive = false;
    life.parked = null;
    this.#sinceMicros = this.#options.engine.micros;
    this.#options.engine.trace.add(
      decisions.node,
      this.#options.engine.micros,
      this.index * 8 + (crashed ? 2 : 5),
    );
    this.#life = this.#system = null;
    this.#options.fabric.ended(life, crashed);
    if (crashed) this.disk.crash();
    else this.disk.close();
  }
}

/**
 * Processes of the real world for compliance suites: each is a system with sockets of its own on loopback, and
 * all of them live in the test's process.
 *
 * The cases of a suite name times that suit the default settings. Here a case's waits are shortened by one factor
 * and the settings by a smaller one, so that a busy machine has room: a suite of minutes takes seconds.
 * A crash is a stop: the components under test say nothing when they are stopped, and the process is silent
 * from then on. That a killed process is survived too is for tests with processes of their own.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Component,
  type ComponentClass,
  type Given,
  type InitOf,
  run,
  type System,
} from "@kith/core";
import type { PeerRef } from "@kith/network";
import { bindAddress, type BoundAddress } from "@kith/network/host";
import { real, type RealWorld } from "../real.ts";

/** Addresses for the tests of one file, bound beforehand, because a harness has to name them at once. */
export class Addresses {
  readonly #free: BoundAddress[] = [];
  readonly #ends = new Set<Promise<void>>();

  /** Binds so many. */
  async bind(count: number): Promise<void> {
    for (let i = 0; i < count; i++) this.#free.push(await bindAddress());
  }

  /** Takes one of them. */
  take(): BoundAddress {
    const address = this.#free.pop();
    if (address === undefined) throw new Error("Bind more addresses.");
    return address;
  }

  /** Keeps the end of some processes that had some of them, for `close`. */
  endsWith(end: Promise<void>): void {
    this.#ends.add(end);
    void end.then(() => this.#ends.delete(end));
  }

  /** Frees those that nobody took, and waits until the processes that had the others have ended. */
  async close(): Promise<void> {
    for (const address of this.#free.splice(0)) address.close();
    await Promise.all(this.#ends);
  }
}

/** What the processes of a suite are. */
export interface RealProcessesOptions<K extends ComponentClass> {
  readonly main: K;
  readonly initOf: (index: number) => InitOf<K>;
  readonly settings: readonly Given[];
  readonly addresses: Addresses;
  /** How much shorter the waits of a case are: 0.1 for a tenth. */
  readonly scale: number;
  /** Whether each process has a disk, which its next life finds again; default false. */
  readonly durable?: boolean;
}

interface Process<C extends Component> {
  readonly at: BoundAddress;
  world: RealWorld;
  /** Its present or coming life; null while it is down. */
  system: Promise<System<C>> | null;
  /** When the life before has let its address go. */
  ended: Promise<unknown>;
}

/** How often a condition is looked at, in milliseconds. */
const lookMillis = 5;

/** Some processes, numbered from 0, of which each starts when it is first asked for. */
export class RealProcesses<K extends ComponentClass> {
  /** For `Harness.patience`: what has to come may take long on a busy machine. */
  readonly patience = 50;
  readonly #options: RealProcessesOptions<K>;
  readonly #processes = new Map<number, Process<InstanceType<K>>>();
  #closed = false;
  #data: string | null = null;

  constructor(options: RealProcessesOptions<K>) {
    this.#options = options;
  }

  /** For `Harness.wait`. */
  wait(until: () => boolean, within: number, done: (held: boolean) => void): void {
    const end = performance.now() + within * this.#options.scale;
    const look = (): void => {
      if (until()) done(true);
      else if (performance.now() > end) done(false);
      else setTimeout(look, lookMillis);
    };
    look();
  }

  /** The reference to a process's present life, or to its next one where it is down. */
  self(index: number): PeerRef {
    return this.#process(index).world.peer;
  }

  /** Starts a process where it is down. */
  start(index: number): void {
    const one = this.#process(index);
    const { main, initOf } = this.#options;
    one.system ??= one.ended.then(() => run(main, initOf(index), one.world));
  }

  /** Runs something in the turn of a process's main component, soon. */
  enter(index: number, action: (main: InstanceType<K>) => void): void {
    this.#with(index, (system) => system.enter(() => action(system.instance)));
  }

  /** Ends a process; its next life is known from now on. */
  crash(index: number): void {
    const one = this.#process(index);
    const { system } = one;
    if (system === null) return;
    one.system = null;
    one.ended = system.then((it) => it.stop());
    one.world = this.#world(one.at, index);
  }

  /** Replaces a component of a process. */
  swap(index: number, path: string, cls: ComponentClass): void {
    this.#with(index, (system) =>
      system.swapThen(path, { cls }, (result) => {
        if ("cause" in result && !this.#closed) throw result.cause;
      }),
    );
  }

  /** For `Harness.close`: ends all processes, and removes what was on their disks. */
  close(): void {
    this.#closed = true;
    const ends = [...this.#processes.values()].map(async ({ system, ended, at }) => {
      at.close();
      await ended;
      await (await system)?.stop();
    });
    const end = Promise.all(ends).then(() => {
      if (this.#data !== null) rmSync(this.#data, { recursive: true });
    });
    this.#options.addresses.endsWith(end);
  }

  #with(index: number, action: (system: System<InstanceType<K>>) => void): void {
    this.start(index);
    const one = this.#process(index);
    const life = one.system;
    void life?.then((system) => {
      if (one.system === life && !this.#closed) action(system);
    });
  }

  #process(index: number): Process<InstanceType<K>> {
    let one = this.#processes.get(index);
    if (one === undefined) {
      const at = this.#options.addresses.take();
      one = { at, world: this.#world(at, index), system: null, ended: Promise.resolve() };
      this.#processes.set(index, one);
    }
    return one;
  }

  #world(at: BoundAddress, index: number): RealWorld {
    const { settings, durable = false } = this.#options;
    const listen = { host: at.host, port: at.port };
    if (durable) this.#data ??= mkdtempSync(join(tmpdir(), "kith-processes-"));
    return real({
      listen,
      peerId: index + 1,
      settings,
      log: () => undefined,
      ...(this.#data === null ? {} : { data: join(this.#data, `${index}`) }),
    });
  }
}

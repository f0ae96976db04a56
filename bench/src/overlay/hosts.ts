/**
 * Rings of many virtual peers, simulated, as they grow in the field: some found the ring, and then as many as are
 * in it start at once, again and again. Neighbours on the ring are of different processes, so that the detectors have
 * to watch them all.
 */

import { PeerHost, type PeerHostInit } from "@kith/peer";
import type { PeerRef } from "@kith/network";
import type { RelaxedRing, RingState } from "@kith/ring";
import { partition, simulate, type Simulation } from "@kith/sim";

/** The kernel's side of a child, as far as it is looked at here. */
interface Handle {
  readonly core: {
    readonly instance: RelaxedRing;
    readonly children: ReadonlyMap<string, Handle>;
  };
}

class Host extends PeerHost {
  /** The ring states of its peers, by identity. */
  states(): [peerId: number, ring: RingState][] {
    return [...this.peers].map(([peerId, peer]) => {
      const { core } = peer as unknown as Handle;
      const ring = core.children.get("Ring")?.core.instance;
      if (ring === undefined) throw new Error(`peer ${peerId} has no ring`);
      return [peerId, ring.exportState().ring];
    });
  }
}

/** How a ring is made. */
export interface Shape {
  readonly peers: number;
  readonly perProcess: number;
  readonly transport: "stream" | "datagram";
}

/** How long peers gossip before as many again join them: one round of Cyclon. */
const pauseMillis = 5500;
const stepMillis = 100;
const patienceMillis = 600_000;

/** A growing ring. */
export class Hosts {
  readonly world: Simulation<typeof Host>;
  readonly #shape: Shape;
  readonly #processes: number;
  #started = 0;

  constructor(shape: Shape) {
    this.#shape = shape;
    const { peers, perProcess, transport } = shape;
    this.#processes = Math.round(peers / perProcess);
    this.world = simulate(Host, {
      seed: 1,
      nodes: this.#processes,
      codec: false,
      transport,
      boots: () => false,
      initOf: ({ index }) => this.#initOf(index),
    });
    this.world.boot();
  }

  /** How many peers there are. */
  get size(): number {
    return this.#processes * this.#shape.perProcess;
  }

  #peerIds(index: number): number[] {
    const { perProcess } = this.#shape;
    return Array.from({ length: perProcess }, (_, i) => i * this.#processes + index + 1);
  }

  #introducer(index: number): PeerRef {
    const { perProcess } = this.#shape;
    const peerId = this.#peerIds(index)[index % perProcess] ?? 1;
    return { peerId, host: `n${index + 1}`, port: 7000, incarnation: 1 };
  }

  #initOf(index: number): PeerHostInit {
    const members = Math.max(1, this.#started);
    const known =
      index === 0 ? [] : [this.#introducer((index * 7919) % members), this.#introducer(0)];
    const servers = [this.#introducer(0)];
    return { peerIds: this.#peerIds(index), founds: index === 0, servers, known };
  }

  /** Starts processes until there are so many, without waiting for them. */
  start(processes: number): void {
    const from = this.#started;
    const to = Math.min(processes, this.#processes);
    for (let index = from; index < to; index++) {
      this.world.node(index).start();
      if (index === 0) this.#started = 1;
    }
    this.#started = to;
  }

  /** Starts all of them at once. */
  startAll(): void {
    this.start(this.#processes);
  }

  /** Grows to full size. @returns how long the last doubling took, in simulated milliseconds */
  grow(): number {
    let took = 0;
    for (let processes = 1; ; processes *= 2) {
      this.start(processes);
      took = this.settle();
      if (processes >= this.#processes) return took;
      this.world.runFor(pauseMillis);
    }
  }

  /** Crashes a tenth of the processes at one instant. @returns how long the others took to close the ring */
  tear(): number {
    for (const { index } of this.world.nodes) if (index % 10 === 5) this.world.node(index).crash();
    return this.settle();
  }

  /**
   * Cuts the ring into two of every second process, and lets them meet again when each half is a ring of its own.
   *
   * @returns how long the two took to be one ring
   */
  rejoin(): number {
    const halves = [0, 1].map((half) =>
      this.world.nodes.filter(({ index }) => index % 2 === half).map(({ name }) => name),
    );
    const [one = [], other = []] = halves;
    const heal = this.world.rule(partition(one, other));
    for (const half of halves) this.settle(half);
    heal();
    return this.settle();
  }

  /**
   * Runs until the ring of those that are up is in the sorted order. @returns how long that took
   * @param names of some of the processes: their ring alone
   */
  settle(names?: readonly string[]): number {
    const begin = this.world.time;
    this.world.runFor(1);
    const some = names === undefined ? null : new Set(names);
    while (!this.#closed(some)) {
      if (this.world.time - begin > patienceMillis) throw new Error("the ring does not close");
      this.world.runFor(stepMillis);
    }
    return this.world.time - begin;
  }

  #closed(some: ReadonlySet<string> | null): boolean {
    const rings = this.world.nodes
      .filter(({ state, name }) => state === "up" && (some === null || some.has(name)))
      .flatMap(({ root }) => root.states())
      .sort(([a], [b]) => a - b);
    return rings.every(([, { status, successors, predecessor }], at) => {
      const [after] = rings[(at + 1) % rings.length] ?? [];
      const [before] = rings.at(at - 1) ?? [];
      return status === "in" && successors[0]?.peerId === after && predecessor?.peerId === before;
    });
  }
}

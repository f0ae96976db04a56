/** What tests of whole processes share: a manager whose peers' stores can be asked, simulated. */

import { AskTimeout, type Child, Component } from "@kith/core";
import { bytesText, textBytes } from "@kith/paxos";
import { type Simulation, simulate, type SimulationOptions } from "@kith/sim";
import { Apply, Get, Got, Put, Store, type StoreAnswer } from "@kith/store";
import {
  AskView,
  Cluster,
  ClusterFailed,
  ClusterState,
  type ClusterView,
  Monitor,
  PeerManager,
  type PeerManagerInit,
  type VirtualPeer,
} from "./index.ts";

/** Asks a store, and keeps what comes back. */
export class Asker extends Component {
  readonly store = this.requires(Store);
  readonly answers: StoreAnswer[] = [];
  readonly #get = this.store.onAnswer(Get, (answer) => this.#took(answer));
  readonly #put = this.store.onAnswer(Put, (answer) => this.#took(answer));
  readonly #apply = this.store.onAnswer(Apply, (answer) => this.#took(answer));

  ask(what: Get | Put | Apply): void {
    this.enter(() => {
      if (what instanceof Get) this.#get(what);
      else if (what instanceof Put) this.#put(what);
      else this.#apply(what);
    });
  }

  #took(answer: StoreAnswer | AskTimeout): void {
    if (!(answer instanceof AskTimeout)) this.answers.push(answer);
  }
}

/** A process that can be looked into. */
export class Process extends PeerManager {
  readonly askers = new Map<number, Asker>();
  readonly view = this.requires(Monitor);
  readonly how = this.requires(Cluster);
  failed: ClusterFailed | null = null;
  last: ClusterState | null = null;
  seen: ClusterView | null = null;
  /** Why peers have ended. */
  readonly endings: string[] = [];
  readonly #look = this.view.onAnswer(AskView, (answer) => {
    if (!(answer instanceof AskTimeout)) this.seen = answer;
  });

  constructor(init: PeerManagerInit) {
    super(init);
    this.connect(this.monitor, this.view);
    this.connect(this.cluster, this.how);
    this.how.on(ClusterState, (state) => void (this.last = state));
    this.how.on(ClusterFailed, (failed) => void (this.failed = failed));
  }

  /** Looks at the cluster; `seen` is what was found. */
  look(): void {
    this.seen = null;
    this.enter(() => this.#look(new AskView()));
  }

  get hostedIds(): number[] {
    return [...this.peers.keys()];
  }

  protected override ended(_peerId: number, reason: string): void {
    this.endings.push(reason);
  }

  protected override hosted(peerId: number, peer: Child<VirtualPeer>): void {
    // Behind the others, as in `peers`.
    this.askers.delete(peerId);
    const asker = this.create(Asker, {}, { name: `Asker-of-${peer.name}` });
    this.connect(peer.ports.store, asker.ports.store);
    this.askers.set(peerId, (asker as unknown as { core: { instance: Asker } }).core.instance);
  }
}

export type World = Simulation<typeof Process>;

/** A cluster of so many processes, each with some peers; the first founds it. */
export function cluster(
  {
    seed,
    nodes,
    each = 1,
    founders = nodes * each,
    groups = 4,
    more = {},
  }: {
    readonly seed: number | string;
    readonly nodes: number;
    readonly each?: number;
    readonly founders?: number;
    readonly groups?: number;
    readonly more?: Partial<PeerManagerInit>;
  },
  options: Partial<SimulationOptions<typeof Process>> = {},
): World {
  const born = new Set<number>();
  return simulate(Process, {
    seed,
    nodes,
    initOf: ({ index }) => {
      const first = !born.has(index);
      born.add(index);
      const peers = peerIdsOf(index, nodes, each);
      const founds = index === 0 && first ? { create: { peers: founders, groups } } : {};
      return { peers, ...founds, ...(index === 0 ? {} : { join: ["n1:7000"] }), ...more };
    },
    ...options,
  });
}

/** Identities that lie apart on the ring. */
export function peerIdsOf(index: number, nodes: number, each: number): number[] {
  const share = 2 ** 50 / (nodes * each);
  return Array.from({ length: each }, (_, i) => Math.floor((i * nodes + index + 0.5) * share));
}

/** Runs until all processes are ready. */
export function ready(world: World, within = 60_000): void {
  world.until(
    () => world.nodes.every((node) => node.state !== "up" || node.root.last?.phase === "ready"),
    { within },
  );
}

/** Asks the store of a peer, and runs until the answer is there. */
export function ask(world: World, node: number, what: Get | Put | Apply, at = 0): StoreAnswer {
  const { root } = world.node(node);
  const asker = [...root.askers.values()][at];
  if (asker === undefined) throw new Error(`node ${node} has no asker`);
  const before = asker.answers.length;
  asker.ask(what);
  world.until(() => asker.answers.length > before, { within: 60_000 });
  const answer = asker.answers.at(-1);
  if (answer === undefined) throw new Error("no answer");
  return answer;
}

/** Writes a text. */
export function put(key: string, value: string): Put {
  return new Put({ key, value: textBytes(value), within: 30_000 });
}

/** The text in an answer. */
export function textIn(answer: StoreAnswer): string | null {
  if (!(answer instanceof Got)) throw new Error(`a ${answer.constructor.name}`);
  const { value } = answer.entry;
  return value === null ? null : bytesText(value);
}

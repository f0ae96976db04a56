/**
 * Whole peers under all faults: processes found a cluster on the ring that they form, place its groups, and serve registers from
 * every peer, those without replicas too. What clients see is linearizable; in the end there is one closed ring, and all are ready.
 *
 * The same manager runs here and on sockets. `kith sim peers --peers 64` takes so many processes instead of those that a seed draws.
 */

import { AskTimeout, type Child, Component, event } from "@kith/core";
import { bytesText, textBytes } from "@kith/paxos";
import { Ring, type RingStatus, RingView } from "@kith/ring";
import {
  exponential,
  Fact,
  isReport,
  type OutcomeType,
  Perform,
  Performed,
  scenario,
  type View,
  Workload,
} from "@kith/sim/scenario";
import {
  Ambiguous,
  Applied,
  Apply,
  Get,
  Got,
  Put,
  Store,
  type StoreAnswer,
  Written,
} from "@kith/store";
import { checkRegisters, complaint } from "@kith/testing/history";
import {
  Cluster,
  type ClusterPhase,
  ClusterState,
  PeerManager,
  type PeerManagerInit,
  type VirtualPeer,
} from "../src/index.ts";

/** How a process is with its cluster. */
export class Belongs extends event("peers/Belongs", Fact)<{
  readonly clusterId: string;
  readonly phase: ClusterPhase;
  /** Which peers have replicas, of all; none while that is not known. */
  readonly members: readonly number[];
}> {}

/** What a peer sees of the ring. */
export class Sees extends event("peers/Sees", Fact)<{
  readonly peerId: number;
  readonly status: RingStatus;
  readonly successor: number | null;
}> {}

/** A peer has done what it was asked. */
export class Served extends event("peers/Served", Fact)<{
  readonly peerId: number;
  /** Whether it was asked before the store was there. */
  readonly early: boolean;
}> {}

/** A peer was stopped, as a part of it failed too often. */
export class Stopped extends event("peers/Stopped", Fact)<{ readonly reason: string }> {}

const within = 6000;
const idSpace = 2 ** 50;
/** So many processes have two peers each; more have one. */
const twinsMax = 8;

// --- a node ----------------------------------------------------------------------------------------

interface CallerInit {
  readonly peerId: number;
  /** Which of the peers of its process it stands beside, and how many there are. */
  readonly place: number;
  readonly of: number;
  readonly early: boolean;
}

interface Call {
  readonly id: number;
  readonly reads: boolean;
  readonly early: boolean;
}

/** Stands beside a peer, and does there what the processes of the scenario ask for. */
export class Caller extends Component {
  readonly workload = this.requires(Workload);
  readonly cluster = this.requires(Cluster);
  readonly store = this.requires(Store);
  readonly ring = this.requires(Ring);
  readonly #peerId: number;
  #early: boolean;
  readonly #get = this.store.onAnswer(Get, (answer, _, call: Call) => this.#end(call, answer));
  readonly #put = this.store.onAnswer(Put, (answer, _, call: Call) => this.#end(call, answer));
  readonly #apply = this.store.onAnswer(Apply, (answer, _, call: Call) => this.#end(call, answer));

  constructor({ peerId, place, of, early }: CallerInit) {
    super();
    this.#peerId = peerId;
    this.#early = early;
    this.cluster.on(ClusterState, ({ genesis }) => {
      if (genesis !== null) this.#early = false;
    });
    this.ring.on(RingView, ({ status, successors: [next] }) =>
      this.workload.trigger(new Sees({ peerId, status, successor: next?.peerId ?? null })),
    );
    this.workload.on(Perform, ({ id, op, key = "", value }) => {
      if (id % of !== place) return;
      const context = { id, reads: op === "read", early: this.#early };
      if (op === "read") this.#get(new Get({ key, within }), { context });
      else if (op === "write")
        this.#put(new Put({ key, value: textBytes(String(value)), within }), { context });
      else this.#compareAndSet(key, value, context);
    });
  }

  #compareAndSet(key: string, value: unknown, context: Call): void {
    const [from, to]: unknown[] = Array.isArray(value) ? value : [];
    const when = { kind: "value", value: textBytes(String(from)) } as const;
    const updates = [{ kind: "put", key, value: textBytes(String(to)), when } as const];
    this.#apply(new Apply({ updates, within }), { context });
  }

  #end({ id, reads, early }: Call, answer: StoreAnswer | AskTimeout): void {
    const isDone = answer instanceof Got || answer instanceof Written || answer instanceof Applied;
    if (isDone) this.workload.trigger(new Served({ peerId: this.#peerId, early }));
    const unknown = !reads && (answer instanceof Ambiguous || answer instanceof AskTimeout);
    const type: OutcomeType = isDone ? "ok" : unknown ? "info" : "fail";
    const error = answer.constructor.name;
    if (!(answer instanceof Got))
      return this.workload.trigger(new Performed({ id, type, ...(isDone ? {} : { error }) }));
    const { value: bytes } = answer.entry;
    const value = bytes === null ? null : Number(bytesText(bytes));
    return this.workload.trigger(new Performed({ id, type, value }));
  }
}

/** A process. */
export class Process extends PeerManager {
  readonly workload = this.requires(Workload);
  readonly how = this.requires(Cluster);
  readonly #count: number;
  #known = false;

  constructor(init: PeerManagerInit) {
    super(init);
    this.#count = init.peers.length;
    this.connect(this.cluster, this.how);
    this.offers(this.cluster);
    this.how.on(ClusterState, ({ phase, clusterId, genesis }) => {
      this.#known = genesis !== null;
      const members = genesis?.groups.flatMap((group) => group.members.map((one) => one.peerId));
      this.workload.trigger(new Belongs({ phase, clusterId, members: members ?? [] }));
    });
    this.workload.on(Perform, ({ id }) => {
      if (id % this.#count >= this.peers.size)
        this.workload.trigger(new Performed({ id, type: "fail", error: "no peer yet" }));
    });
  }

  protected override hosted(peerId: number, peer: Child<VirtualPeer>): void {
    const place = this.peers.size - 1;
    const init = { peerId, place, of: this.#count, early: !this.#known };
    const caller = this.create(Caller, init, { name: `Caller-${peerId}` });
    this.connect(peer.ports.store, caller.ports.store);
    this.connect(peer.ports.ring, caller.ports.ring);
  }

  protected override ended(_peerId: number, reason: string): void {
    // Without a reason it has ended with its process.
    if (reason !== "") this.workload.trigger(new Stopped({ reason }));
  }
}

// --- the cluster -----------------------------------------------------------------------------------

/** The peers of a process: one, or two with halves of the ring between them. */
export function peersOf(index: number, nodes: number): number[] {
  const each = nodes <= twinsMax ? 2 : 1;
  const share = idSpace / (nodes * each);
  return Array.from({ length: each }, (_, i) => Math.floor((i * nodes + index + 0.5) * share));
}

/** More than half found it, so that it is founded while some are gone, and some have no replicas. */
function foundersOf(nodes: number): number {
  return Math.max(3, Math.ceil(nodes * 0.6)) * peersOf(0, nodes).length;
}

// --- what has to hold ------------------------------------------------------------------------------

/** What is missing to one cluster on one closed ring. */
function unsettled({ nodes, ...view }: View): string | undefined {
  const clusters = new Set<string>();
  const belongs = view.last(Belongs);
  const seen = new Map<number, Sees>();
  const lives = new Map(nodes.map(({ name, life }) => [name, life]));
  for (const { node, life, fact } of view.facts(Sees))
    if (lives.get(node) === life) seen.set(fact.peerId, fact);
  const ids: number[] = [];
  for (const { name, life, core, index } of nodes) {
    if (!core) continue;
    const one = belongs.get(name);
    if (one?.life !== life || one.fact.phase !== "ready")
      return `${name} is ${one?.life === life ? one.fact.phase : "silent"}`;
    clusters.add(one.fact.clusterId);
    ids.push(...peersOf(index, nodes.length));
  }
  if (clusters.size !== 1) return `there are ${clusters.size} clusters`;
  ids.sort((a, b) => a - b);
  for (const [i, id] of ids.entries()) {
    const one = seen.get(id);
    const next = ids[(i + 1) % ids.length];
    if (one?.status !== "in") return `${id} is ${one?.status ?? "silent"}`;
    if (one.successor !== next) return `behind ${id} is ${one.successor}, not ${next}`;
  }
  return undefined;
}

/** A peer that has done something, and what is known of its process. */
function served(
  holds: (served: Served, belongs: Belongs, life: number) => boolean,
): () => (view: View) => boolean {
  return () => (view) => {
    const { news } = view;
    if (!isReport(news, Served)) return false;
    const belongs = view.last(Belongs).get(news.node)?.fact;
    return belongs !== undefined && holds(news.fact, belongs, news.life);
  };
}

/** The scenario of whole peers. */
export const peers = scenario({
  name: "peers",
  about:
    "Processes of one or two peers form a ring, found a cluster on it and place the groups of its store. Clients read, write and compare registers at every peer, those without replicas too, before it is founded and after, while processes crash and come back, links fail, and parts of peers are replaced. What they see is linearizable; in the end there is one cluster on one closed ring, and every process is ready.",
  nodes: { min: 4, max: 12 },
  main: Process,
  init: ({ index, peers: lives }) => ({
    peers: peersOf(index, lives.length),
    ...(index === 0
      ? { create: { peers: foundersOf(lives.length), groups: 4 }, resume: true }
      : { join: ["n1:7000", "n2:7000"].filter((one) => one !== `n${index + 1}:7000`) }),
  }),
  transport: "stream",
  keys: ["x", "a", "b", "c", "d", "e"],
  duration: 15_000,
  settle: 90_000,
  fault: "crash",
  // The founder has to be there until it has founded, and majorities of all groups.
  tolerates: { down: () => 0 },
  processes: [
    {
      name: "client",
      count: 6,
      wait: exponential(200),
      timeout: within + 14_000,
      next: ({ draw, key, unique, last }) => {
        const chance = draw.float();
        if (chance < 0.5) return { op: "read", key: key() };
        if (chance < 0.8 || typeof last !== "number")
          return { op: "write", key: key(), value: unique() };
        return { op: "cas", key: key(), value: [last, unique()] };
      },
    },
  ],
  closing: ({ keys, nodes }) =>
    Array.from({ length: Math.max(2 * keys.length, nodes) }, (_, i) => ({
      op: "read",
      key: keys[i % keys.length] ?? "x",
    })),
  succeed: { each: 12, mean: 60 },
  invariants: [
    {
      name: "there is one cluster",
      inputs: [Belongs],
      begin: () => {
        let first = "";
        return ({ news }) => {
          if (!isReport(news, Belongs) || news.fact.clusterId === "") return undefined;
          first = first === "" ? news.fact.clusterId : first;
          return first === news.fact.clusterId ? undefined : `${news.node} belongs to another`;
        };
      },
    },
    {
      name: "nobody is refused, and no peer is given up",
      inputs: [Belongs, Stopped],
      begin:
        () =>
        ({ news }) => {
          if (isReport(news, Stopped))
            return `${news.node} has stopped a peer: ${news.fact.reason}`;
          const isRefused = isReport(news, Belongs) && news.fact.phase === "failed";
          return isRefused ? `${news.node} is refused` : undefined;
        },
    },
  ],
  eventually: [
    {
      name: "one cluster, one ring, and all ready",
      within: 80_000,
      holds: (view) => unsettled(view) === undefined,
      why: unsettled,
    },
  ],
  sometimes: [
    {
      name: "a peer without replicas serves",
      inputs: [Served],
      begin: served(({ peerId }, { members }) => members.length > 0 && !members.includes(peerId)),
    },
    {
      name: "a peer with replicas serves in a later life",
      inputs: [Served],
      begin: served(({ peerId }, { members }, life) => members.includes(peerId) && life > 1),
    },
    {
      name: "what was asked before the founding is done after it",
      inputs: [Served],
      begin: served(({ early }) => early),
    },
    {
      name: "founding goes on in a later life",
      inputs: [Belongs],
      begin:
        () =>
        ({ news }) =>
          isReport(news, Belongs) && news.life > 1 && news.fact.phase === "placing",
    },
  ],
  finally: [
    {
      name: "linearizable",
      check: ({ history }) => complaint(checkRegisters(history)),
    },
  ],
});

/**
 * Keeps a process with its cluster: finds out which one it is, or founds one, and sees to it that what was founded is
 * placed (algorithms.md §6.5.10, §6.5.12).
 *
 * 1. **Who.** What the storage says is true. Where it says nothing, the cluster is that of the processes that are to be
 *    joined, or a new one where this process was told to create it, and all whom it is to join say that they have none.
 * 2. **What.** The founder waits until enough peers are on one closed ring, places groups on them, and makes that durable: the
 *    genesis. Nothing of it was said to anybody before.
 * 3. **Where.** It tells each process that has replicas to found them, again and again, until all have said that they have. Others
 *    ask for the genesis.
 *
 * Invariants: a process has one cluster, for good. Replicas are founded by a process that the founder told to, and on the storage
 * that was there when they were placed: a peer that has lost its disk does not vote as the one that it was.
 */

import {
  AskTimeout,
  Component,
  event,
  type Millis,
  port,
  type ReplyToken,
  ScheduleTimeout,
  timeout,
  Timer,
} from "@kith/core";
import {
  addressOf,
  ConnectionUp,
  Dropped,
  Network,
  parseAddress,
  parsePeer,
  type PeerRef,
  self,
} from "@kith/network";
import { ringSize } from "@kith/membership";
import { bytesText, textBytes } from "@kith/paxos";
import {
  Flushed,
  KeyValue,
  ListNamespaces,
  Namespaces,
  ReadKey,
  Storage,
  StorageFailed,
  StorageLost,
  Write,
} from "@kith/storage";
import {
  Cluster,
  ClusterFailed,
  type ClusterInit,
  type ClusterPhase,
  ClusterState,
  type Founders,
  type Genesis,
} from "./cluster.ts";
import { AskCluster, Place, Placed, TellCluster } from "./cluster-messages.ts";
import {
  type ClusterRecord,
  readRecord,
  recordNamespace,
  recordOf,
  writeRecord,
} from "./cluster-record.ts";
import { peerError, type PeerErrorCode } from "./errors.ts";
import { AskHosting, Hosting, Hostings, PeerSettled } from "./hosting.ts";
import { AskView, type ClusterView, Monitor, type PeerReport } from "./monitor.ts";
import { groupsAtGenesis, slots } from "./placement.ts";

/** The process belongs to a cluster: its peers may start. */
export class Admitted extends event("peer/Admitted")<{
  readonly clusterId: string;
  /** Whether this process begins the ring: it has just founded the cluster. */
  readonly founds: boolean;
  /** Whether it founds the ring after a while alone: it was here before, and all may have been gone at once. */
  readonly returns: "founder" | "member" | null;
  /** Processes that may know the others, in any life. */
  readonly servers: readonly PeerRef[];
}> {}

/** Tells that. Provider: `ClusterKeeper`. */
export const Admission = port("Admission", { indications: [Admitted] });

/** What a keeper has to know. */
export interface KeeperInit extends ClusterInit {
  /** The peers of this process. */
  readonly peers: readonly number[];
}

class Tick extends timeout("peer/KeeperTick") {}

const place = { namespace: recordNamespace, key: textBytes("record") };
const tickMs: Millis = 500;
const createWithinMs: Millis = 30_000;
/** So long a member waits to be told to found its replicas, until it is clear that it has lost them. */
const lostAfterMs: Millis = 30_000;
const groupsMax = 1024;
const peersMax = 4096;

/** Keeps a process with its cluster. */
export class ClusterKeeper extends Component {
  readonly cluster = this.provides(Cluster);
  readonly admission = this.provides(Admission);
  readonly hostings = this.provides(Hostings);
  readonly network = this.requires(Network);
  readonly storage = this.requires(Storage);
  readonly timer = this.requires(Timer);
  readonly monitor = this.requires(Monitor);
  readonly #init: KeeperInit;
  readonly #self = parsePeer(this.setting(self));
  readonly #draw = this.random("cluster");
  #phase: ClusterPhase = "reading";
  #detail = "";
  /** What is durable. */
  #record: ClusterRecord | null = null;
  /** What will be when all that is being written is. */
  #latest: ClusterRecord | null = null;
  #began: Millis = 0;
  /** Since when the genesis is known here. */
  #knewAt: Millis = 0;
  /** Those to join, by address, in the life that was heard of last; and what they have said. */
  readonly #lives = new Map<string, PeerRef>();
  readonly #said = new Map<string, string>();
  readonly #joins: readonly string[];
  /** Those of another cluster, told once each. */
  readonly #strangers = new Set<string>();
  /** Whether one of those to join was of this cluster. */
  #hasMet = false;
  /** Peers that want to know what they have to do. */
  readonly #waiting = new Map<number, ReplyToken<Hosting>>();
  readonly #settled = new Set<number>();
  /** Whether replicas of this process were founded on another storage. */
  #lost = false;
  /** Who has told this process to found its replicas. */
  #founder: PeerRef | null = null;
  /** The writes under way, in their order, each with what is done when it is durable. */
  readonly #writes: { readonly record: ClusterRecord; readonly done: () => void }[] = [];
  readonly #list = this.storage.onAnswer(ListNamespaces, (answer) => {
    if (answer instanceof Namespaces)
      this.#read(new ReadKey(place), { context: answer.names.length > 0 });
    else this.#storageFailed(answer);
  });
  readonly #read = this.storage.onAnswer(ReadKey, (answer, _, used: boolean) => {
    if (answer instanceof KeyValue) this.#begin(answer.value, used);
    else this.#storageFailed(answer);
  });
  readonly #write = this.storage.onAnswer(Write, (answer) => {
    if (answer instanceof StorageFailed) this.#storageFailed(answer);
    if (!(answer instanceof Flushed)) return;
    const written = this.#writes.shift();
    this.#record = written?.record ?? this.#record;
    written?.done();
  });
  readonly #look = this.monitor.onAnswer(AskView, (answer) => {
    if (!(answer instanceof AskTimeout)) this.#counted(answer);
  });

  constructor(init: KeeperInit) {
    super();
    this.#init = init;
    this.#joins = (init.join ?? []).map((text) => {
      const at = { ...parseAddress(text), peerId: 0, incarnation: 1 };
      this.#lives.set(addressOf(at), at);
      return addressOf(at);
    });
    this.network.on(ConnectionUp, ({ peer }) => this.#met(peer));
    this.network.on(AskCluster, ({ from }) => this.#tell(from));
    this.network.on(TellCluster, (told) => this.#told(told));
    this.network.on(Place, (order) => this.#place(order));
    this.network.on(Placed, ({ clusterId, peerIds }) => this.#placed(clusterId, peerIds));
    this.network.on(Dropped, ({ reason, tag, from }) => {
      // Who has an address only does not know this life of the process: now it does.
      const mine = tag === AskCluster.tag || tag === Place.tag;
      if (reason === "wrong-incarnation" && mine) this.#tell(from);
    });
    this.storage.on(StorageLost, ({ code, detail }) => {
      // Its peers cannot go on, nor begin anew in this process.
      throw peerError("KITH_PEER_STORAGE", `The storage is lost: ${detail} (${code}).`);
    });
    this.hostings.on(AskHosting, ({ peerId }, token) => {
      this.#waiting.set(peerId, token);
      this.#host();
    });
    this.hostings.on(PeerSettled, ({ peerId }) => this.#peerSettled(peerId));
    this.timer.on(Tick, () => this.#tick());
    this.onStart(() => {
      this.#began = this.clock.monotonic;
      this.#list(new ListNamespaces());
      this.#again();
    });
  }

  // --- who -----------------------------------------------------------------------------------------

  #begin(bytes: Uint8Array | null, used: boolean): void {
    const { create, join = [] } = this.#init;
    const problem = create === undefined ? null : problemOf(create);
    if (problem !== null) return this.#fail("KITH_PEER_ARGUMENT", problem);
    if (bytes !== null) {
      const record = readRecord(bytesText(bytes));
      if (create !== undefined && this.#init.resume !== true) {
        const what = `The storage belongs to cluster ${record.clusterId} already: nothing was founded.`;
        return this.#fail("KITH_PEER_FOUNDED", what);
      }
      this.#record = record;
      this.#latest = record;
      return this.#admitted(false);
    }
    if (create !== undefined && used)
      return this.#fail("KITH_PEER_FOUNDED", "The storage is not empty: nothing was founded.");
    if (create !== undefined && join.length === 0) return this.#found(create);
    if (join.length === 0)
      return this.#fail(
        "KITH_PEER_ALONE",
        "The process belongs to no cluster, and knows nobody to join.",
      );
    return this.#moved("asking", `asks ${join.join(", ")}`);
  }

  #met(peer: PeerRef): void {
    const address = addressOf(peer);
    const known = this.#lives.get(address);
    if (known !== undefined && known.incarnation <= peer.incarnation)
      this.#lives.set(address, peer);
  }

  #tell(to: PeerRef): void {
    // As long as it does not know itself, it says nothing: silence founds nothing.
    if (this.#phase === "reading") return;
    const { clusterId = "", genesis = null } = this.#record ?? {};
    this.network.trigger(new TellCluster({ to, clusterId, genesis }));
  }

  #told({ from, clusterId, genesis }: TellCluster): void {
    this.#met(from);
    const address = addressOf(from);
    const record = this.#record;
    if (record !== null) {
      this.#said.set(address, clusterId);
      if (clusterId === record.clusterId) {
        if (this.#joins.includes(address)) this.#hasMet = true;
        this.#learn(genesis);
      } else if (clusterId !== "" && this.#joins.includes(address))
        this.#foreign(address, clusterId, record.clusterId);
      return;
    }
    if (this.#phase !== "asking" || !this.#joins.includes(address)) return;
    const { create } = this.#init;
    if (create !== undefined && clusterId !== "") {
      const what = `${address} belongs to cluster ${clusterId}: nothing was founded.`;
      return this.#fail("KITH_PEER_EXISTS", what);
    }
    this.#said.set(address, clusterId);
    if (create !== undefined) {
      if (this.#joins.every((one) => this.#said.get(one) === "")) {
        this.#moved("reading", "");
        this.#found(create);
      }
      return;
    }
    if (clusterId === "") return;
    // Until that is durable, it asks no more.
    this.#moved("reading", "");
    this.#latest = { ...recordOf(clusterId, this.#name()), genesis };
    this.#change({}, () => this.#admitted(false, true));
  }

  /**
   * One of those to join is of another cluster. Where all are, the order or the storage is the wrong one. A single one that has changed hands
   * stops nobody, and who has met its own cluster there is not stopped by what others have become.
   */
  #foreign(address: string, theirs: string, ours: string): void {
    const what = `${address} belongs to cluster ${theirs}, and this process to ${ours}.`;
    if (!this.#strangers.has(address)) this.log.warn(`${what} It is not listened to.`);
    this.#strangers.add(address);
    if (!this.#hasMet && this.#joins.every((one) => this.#strangers.has(one)))
      this.#fail("KITH_PEER_FOREIGN", what);
  }

  #admitted(founds: boolean, joins = false): void {
    const record = this.#record;
    if (record === null) return;
    const { clusterId, genesis, create } = record;
    const servers = new Map(this.#lives);
    for (const { members } of genesis?.groups ?? [])
      for (const member of members) {
        const at = { ...member, peerId: 0, incarnation: 1 };
        if (!servers.has(addressOf(at))) servers.set(addressOf(at), at);
      }
    // Its own server is told of its peers, too.
    servers.set(addressOf(this.#self), this.#self);
    const returns = founds || joins ? null : create === null ? "member" : "founder";
    this.#knewAt = this.clock.monotonic;
    this.#moved("gathering", "");
    this.admission.trigger(
      new Admitted({ clusterId, founds, returns, servers: [...servers.values()] }),
    );
    this.#host();
  }

  // --- what ----------------------------------------------------------------------------------------

  #counted({ processes }: ClusterView): void {
    const record = this.#latest;
    if (record === null || record.create === null || record.genesis !== null) return;
    const { peers: wanted, groups = 8, replicas = 3, ordered = false } = record.create;
    const here = processes.filter(
      ({ silent, clusterId }) => !silent && clusterId === record.clusterId,
    );
    const peers = here.flatMap((one) => one.peers);
    const problem = ringProblem(peers, wanted);
    if (problem !== null) return this.#moved("gathering", problem);
    const all = peers.map(({ peer }) => peer);
    const placed = groupsAtGenesis(groups, all, {
      replicas,
      ordered,
      size: this.setting(ringSize),
    });
    const genesis = { clusterId: record.clusterId, ordered, groups: placed };
    const disks = Object.fromEntries(here.map(({ process, disk }) => [addressOf(process), disk]));
    this.#change({ genesis, disks, told: true }, () => this.#host());
  }

  #learn(genesis: Genesis | null): void {
    if (genesis === null || this.#latest === null || this.#latest.genesis !== null) return;
    this.#knewAt = this.clock.monotonic;
    this.#change({ genesis }, () => this.#host());
  }

  // --- where ---------------------------------------------------------------------------------------

  #place({ from, genesis, disk }: Place): void {
    const record = this.#record;
    if (record === null) return; // It comes again.
    if (genesis.clusterId !== record.clusterId) {
      this.log.error("replicas of another cluster were to be founded here", { from, genesis });
      return;
    }
    this.#founder = from;
    if (disk !== record.disk) {
      // They were placed on the storage that was here before.
      this.#lost = true;
      this.#learn(genesis);
      this.#host();
      this.#thank();
    } else if (record.settled) this.#thank();
    else if (this.#latest?.told === false)
      this.#change({ genesis, told: true }, () => this.#host());
  }

  /** Says to the peers of this process what they have to do, as far as that is known. */
  #host(): void {
    const { genesis = null, told = false, settled = false } = this.#record ?? {};
    if (genesis === null) return;
    const isLate = this.clock.monotonic >= this.#knewAt + lostAfterMs;
    const isLost = !told && (this.#lost || isLate);
    for (const [peerId, token] of this.#waiting) {
      const isMember = isMemberOf(genesis, peerId);
      if (isMember && !told && !isLost) continue;
      if (isMember && !told) {
        const what = "its replicas are gone: this is not the disk that they were founded on";
        this.log.error(`peer ${peerId} takes part without replicas, ${what}`);
      }
      this.#waiting.delete(peerId);
      const as = !isMember || !told ? "guest" : settled ? "member" : "founder";
      this.hostings.reply(token, new Hosting({ genesis, as }));
    }
    const isDone = settled || isLost || this.#own.length === 0;
    this.#moved(isDone ? "ready" : "placing", isDone ? "" : "waits for its replicas to be founded");
    if (told && this.#own.length === 0) this.#close();
  }

  /** The peers of this process that have replicas. */
  get #own(): number[] {
    const genesis = this.#record?.genesis ?? null;
    return genesis === null ? [] : this.#init.peers.filter((one) => isMemberOf(genesis, one));
  }

  #peerSettled(peerId: number): void {
    this.#settled.add(peerId);
    if (this.#own.every((one) => this.#settled.has(one))) this.#close();
  }

  /** All replicas of this process are founded. */
  #close(): void {
    const record = this.#latest;
    if (record === null || record.settled) return;
    const placed = record.create === null ? [] : [...new Set([...record.placed, ...this.#own])];
    this.#change({ placed, settled: true }, () => {
      this.#moved("ready", "");
      this.#thank();
    });
  }

  #thank(): void {
    const { clusterId = "" } = this.#record ?? {};
    if (this.#founder !== null)
      this.network.trigger(new Placed({ to: this.#founder, clusterId, peerIds: this.#own }));
  }

  #placed(clusterId: string, peerIds: readonly number[]): void {
    const record = this.#latest;
    if (record === null || record.clusterId !== clusterId || record.create === null) return;
    const placed = [...new Set([...record.placed, ...peerIds])];
    if (placed.length > record.placed.length) this.#change({ placed }, () => undefined);
  }

  /** The processes that have replicas to found and have not said that they have. */
  #missing(): PeerRef[] {
    const { genesis = null, placed = [], create = null } = this.#record ?? {};
    if (genesis === null || create === null) return [];
    const missing = new Map<string, PeerRef>();
    for (const { members } of genesis.groups)
      for (const member of members) {
        if (placed.includes(member.peerId) || this.#init.peers.includes(member.peerId)) continue;
        const at = { ...member, peerId: 0, incarnation: 1 };
        const address = addressOf(at);
        const known = this.#lives.get(address) ?? at;
        this.#lives.set(address, known);
        missing.set(address, known);
      }
    return [...missing.values()];
  }

  // --- time, storage, and what is told ---------------------------------------------------------------

  #again(): void {
    this.timer.trigger(new ScheduleTimeout({ delay: tickMs, timeout: new Tick(), id: "tick" }));
  }

  #tick(): void {
    if (this.#phase === "failed") return;
    const { genesis = null, create = null, disks = {} } = this.#record ?? {};
    const silent = this.#joins.filter((one) => !this.#said.has(one));
    const isLate =
      this.clock.monotonic >= this.#began + (this.#init.createWithin ?? createWithinMs);
    if (this.#phase === "asking") {
      if (this.#init.create !== undefined && isLate) {
        const what = `${silent.join(", ")} did not answer: nothing was founded.`;
        return this.#fail("KITH_PEER_SILENT", what);
      }
      this.#askAll(this.#joins);
    } else if (genesis === null && create !== null) this.#look(new AskView());
    else if (genesis === null) this.#askAll(this.#joins);
    else {
      const missing = this.#missing();
      for (const to of missing)
        this.network.trigger(new Place({ to, genesis, disk: disks[addressOf(to)] ?? "" }));
      if (this.#waiting.size > 0) this.#host();
      // Those whom it was told to join may be of another cluster.
      if (!isLate) this.#askAll(silent);
      const isDone = missing.length === 0 && (isLate || silent.length === 0);
      if (this.#phase === "ready" && isDone) return;
    }
    this.#again();
  }

  #askAll(addresses: Iterable<string>): void {
    for (const address of addresses) {
      const to = this.#lives.get(address);
      if (to !== undefined && address !== addressOf(this.#self))
        this.network.trigger(new AskCluster({ to }));
    }
  }

  #found(create: Founders): void {
    this.#latest = recordOf(this.#name() + this.#name(), this.#name(), create);
    this.#change({}, () => this.#admitted(true));
  }

  /** 16 hexadecimal digits that nobody else has. */
  #name(): string {
    let name = "";
    while (name.length < 16) name += this.#draw.below(16).toString(16);
    return name;
  }

  /** Changes the record; `done` is called when that is durable. */
  #change(change: Partial<ClusterRecord>, done: () => void): void {
    if (this.#latest === null) return;
    const record = { ...this.#latest, ...change };
    this.#latest = record;
    this.#writes.push({ record, done });
    const value = textBytes(writeRecord(record));
    const { namespace, key } = place;
    this.#write(new Write({ namespace, operations: [{ kind: "put", key, value }] }));
  }

  #moved(phase: ClusterPhase, detail: string): void {
    if (this.#phase === "failed" || (this.#phase === phase && this.#detail === detail)) return;
    this.#phase = phase;
    this.#detail = detail;
    const { clusterId = "", disk = "", genesis = null } = this.#record ?? {};
    this.cluster.trigger(new ClusterState({ phase, clusterId, disk, genesis, detail }));
  }

  #fail(code: PeerErrorCode, detail: string): void {
    if (this.#phase === "failed") return;
    this.#moved("failed", detail);
    this.log.error(detail, { code });
    this.cluster.trigger(new ClusterFailed({ code, detail }));
  }

  #storageFailed(answer: StorageFailed | AskTimeout): void {
    if (answer instanceof AskTimeout) return;
    const { code, detail } = answer;
    throw peerError(
      "KITH_PEER_STORAGE",
      `The record of the cluster was not written: ${detail} (${code}).`,
    );
  }
}

function isMemberOf({ groups }: Genesis, peerId: number): boolean {
  return groups.some(({ members }) => members.some((one) => one.peerId === peerId));
}

/** What is wrong with how a cluster is to be founded; null where nothing is. */
function problemOf({ peers, groups = 1, replicas = 1 }: Founders): string | null {
  const isCount = (value: number, max: number): boolean =>
    Number.isSafeInteger(value) && value >= 1 && value <= max;
  if (!isCount(peers, peersMax)) return `A cluster cannot be founded by ${peers} peers.`;
  if (!isCount(groups, groupsMax)) return `A store cannot have ${groups} groups at first.`;
  if (!isCount(replicas, slots)) return `A group cannot have ${replicas} replicas.`;
  return null;
}

/** What is missing to one closed ring of enough peers; null where nothing is. */
export function ringProblem(
  peers: readonly Pick<PeerReport, "peer" | "state" | "ring" | "successors">[],
  wanted: number,
): string | null {
  const up = peers.filter(({ state, ring }) => state === "up" && ring === "in");
  if (up.length < wanted) return `${up.length} of ${wanted} peers are on the ring`;
  const sorted = up.toSorted((a, b) => a.peer.peerId - b.peer.peerId);
  const isClosed = sorted.every(
    ({ successors }, i) => successors[0]?.peerId === sorted[(i + 1) % sorted.length]?.peer.peerId,
  );
  return isClosed ? null : "the ring is not closed yet";
}

/**
 * A process of the scenario `peers`: the manager as it is, and beside each peer what asks its store. On order it hosts further peers and
 * removes them, renews one that has replicas, lets a part of one fail, and looks at the cluster. What it states are facts; judging them is the scenario's.
 */

import {
  AskTimeout,
  type Child,
  Component,
  event,
  KithError,
  type Millis,
  port,
  SchedulePeriodic,
  ScheduleTimeout,
  timeout,
} from "@kith/core";
import { addressOf, parsePeer, self } from "@kith/network";
import { bytesText, textBytes } from "@kith/paxos";
import { Ring, type RingStatus, RingView } from "@kith/ring";
import { Fact, type OutcomeType, Perform, Performed, Workload } from "@kith/sim/scenario";
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
import {
  AskView,
  Cluster,
  type ClusterPhase,
  ClusterState,
  type ClusterView,
  Monitor,
  PeerManager,
  type PeerManagerInit,
  VirtualPeer,
  type VirtualPeerInit,
} from "../src/index.ts";

/** A group, and the peers that have its replicas, each with the address of its process. */
export interface Placed {
  readonly gid: string;
  readonly members: readonly { readonly peerId: number; readonly process: string }[];
}

/** How a process is with its cluster. */
export class Belongs extends event("peers/Belongs", Fact)<{
  readonly clusterId: string;
  readonly phase: ClusterPhase;
  /** Where replicas are; none while that is not known. */
  readonly groups: readonly Placed[];
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
  /** How often it has begun anew in this life of its process. */
  readonly rebirth: number;
}> {}

/** A further peer is hosted, or any peer is no more. */
export class Hosts extends event("peers/Hosts", Fact)<{
  readonly peerId: number;
  readonly hosted: boolean;
  /** Why a part of it has failed for good; empty where it was removed. */
  readonly reason: string;
  /** Whether it was removed to come back soon. */
  readonly returns: boolean;
}> {}

/** A second peer of one identity was not refused. */
export class Doubled extends event("peers/Doubled", Fact)<{ readonly peerId: number }> {}

/** A part of a peer fails now. */
export class Fails extends event("peers/Fails", Fact)<{ readonly peerId: number }> {}

/** That part begins, for the first time or anew. */
export class Begins extends event("peers/Begins", Fact)<{ readonly peerId: number }> {}

/** What somebody who looked at the cluster has seen of a peer. */
export interface Shown {
  readonly peerId: number;
  readonly state: string;
  readonly ring: RingStatus;
  /** The groups of which it has replicas, and who leads them as far as it knows. */
  readonly groups: Readonly<Record<string, number | null>>;
}

/** Somebody has looked at the cluster. */
export class Looked extends event("peers/Looked", Fact)<{
  /** What is missing to a whole and settled cluster; null where nothing is. */
  readonly missing: string | null;
  readonly peers: readonly Shown[];
}> {}

/** So long a client tries, in milliseconds. */
export const within = 6000;
/** How many points the ring has. */
export const idSpace = 2 ** 50;
/** How often a part may fail within a minute; one that fails once more takes its peer down. */
export const faultsBorne = 5;
/** So often a peer that is needed fails: never too often. */
const careful = 3;

interface CallerInit {
  readonly peerId: number;
  readonly rebirth: number;
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

/** Stands beside a peer, and does there what the clients of the scenario ask for. */
export class Caller extends Component {
  readonly workload = this.requires(Workload);
  readonly cluster = this.requires(Cluster);
  readonly store = this.requires(Store);
  readonly ring = this.requires(Ring);
  readonly #peerId: number;
  readonly #rebirth: number;
  #early: boolean;
  readonly #get = this.store.onAnswer(Get, (answer, _, call: Call) => this.#end(call, answer));
  readonly #put = this.store.onAnswer(Put, (answer, _, call: Call) => this.#end(call, answer));
  readonly #apply = this.store.onAnswer(Apply, (answer, _, call: Call) => this.#end(call, answer));

  constructor({ peerId, rebirth, place, of, early }: CallerInit) {
    super();
    this.#peerId = peerId;
    this.#rebirth = rebirth;
    this.#early = early;
    this.cluster.on(ClusterState, ({ genesis }) => {
      if (genesis !== null) this.#early = false;
    });
    this.ring.on(RingView, ({ status, successors: [next] }) =>
      this.workload.trigger(new Sees({ peerId, status, successor: next?.peerId ?? null })),
    );
    this.workload.on(Perform, ({ id, op, key = "", value }) => {
      if (!isForStore(op) || id % of !== place) return;
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
    const served = { peerId: this.#peerId, rebirth: this.#rebirth, early };
    if (isDone) this.workload.trigger(new Served(served));
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

/** Whether an operation is one of those that a client asks of the store. */
export function isForStore(op: string): boolean {
  return op === "read" || op === "write" || op === "cas";
}

/** That part of this peer is to fail. */
class Break extends event("peers/Break")<{ readonly peerId: number }> {}

/** What a process orders its peers. */
const Orders = port("Orders", { indications: [Break] });

/** A part of a peer, which fails when it is told to. */
class Frail extends Component {
  readonly workload = this.requires(Workload);
  readonly orders = this.requires(Orders);

  constructor() {
    super();
    const { peerId } = parsePeer(this.setting(self));
    this.orders.on(Break, (order) => {
      if (order.peerId !== peerId) return;
      this.workload.trigger(new Fails({ peerId }));
      throw new Error("it was told to fail");
    });
    this.onStart(() => this.workload.trigger(new Begins({ peerId })));
  }
}

/** A peer with that part. */
class FrailPeer extends VirtualPeer {
  constructor(init: VirtualPeerInit) {
    super(init);
    this.create(Frail, {}, { name: "Frail" });
  }
}

/** It is this process's turn to look at the cluster. */
class LookNow extends timeout("peers/LookNow") {}

/** What a process of the scenario has to know. Plain data. */
export interface ProcessInit extends PeerManagerInit {
  /** When somebody at this process looks at the cluster for the first time, and how often after that. */
  readonly looks: { readonly first: Millis; readonly every: Millis };
}

/** A peer that was removed to be renewed is hosted again. */
class Renew extends timeout("peers/Renew")<{ readonly peerId: number }> {}

/** A process. */
export class Process extends PeerManager {
  readonly workload = this.requires(Workload);
  readonly how = this.requires(Cluster);
  readonly view = this.requires(Monitor);
  readonly orders = this.provides(Orders);
  /** The peers that it hosts from its beginning. */
  readonly #own: readonly number[];
  /** How often parts of those were told to fail. */
  readonly #broken = new Map<number, number>();
  /** Peers that are to be hosted again, each so many milliseconds after it has ended. */
  readonly #renewing = new Map<number, Millis>();
  /** What asks the peers, and how often each has been hosted. */
  readonly #callers = new Map<number, Child<Caller>>();
  readonly #times = new Map<number, number>();
  #groups: readonly Placed[] = [];
  readonly #look = this.view.onAnswer(AskView, (answer, _, id: number | null) => {
    if (!(answer instanceof AskTimeout)) this.#looked(id, answer);
  });

  constructor({ looks, ...init }: ProcessInit) {
    super(init);
    this.#own = init.peers;
    this.connect(this.cluster, this.how);
    this.connect(this.monitor, this.view);
    this.offers(this.cluster);
    this.offers(this.orders);
    this.how.on(ClusterState, ({ phase, clusterId, genesis }) => {
      this.#groups = (genesis?.groups ?? []).map(({ descriptor, members }) => ({
        gid: descriptor.gid,
        members: members.map((one) => ({
          peerId: one.peerId,
          process: addressOf({ ...one, incarnation: 1 }),
        })),
      }));
      this.workload.trigger(new Belongs({ phase, clusterId, groups: this.#groups }));
    });
    this.workload.on(Perform, (what) => this.#perform(what));
    this.timer.on(LookNow, () => this.#look(new AskView(), { context: null }));
    this.onStart(() =>
      this.timer.trigger(
        new SchedulePeriodic({
          delay: looks.first,
          period: looks.every,
          timeout: new LookNow(),
          id: "look",
        }),
      ),
    );
    this.timer.on(Renew, ({ peerId }) => void this.#add(peerId));
  }

  protected override peerClass(): typeof FrailPeer {
    return FrailPeer;
  }

  protected override hosted(peerId: number, peer: Child<VirtualPeer>): void {
    const of = this.#own.length;
    // One that was added does not serve clients of the scenario.
    const place = this.#own.includes(peerId) ? this.#own.indexOf(peerId) : of;
    const times = this.#times.get(peerId) ?? 0;
    this.#times.set(peerId, times + 1);
    const init = { peerId, rebirth: times, place, of, early: this.#groups.length === 0 };
    const caller = this.create(Caller, init, { name: `Caller-of-${peer.name}` });
    this.#callers.set(peerId, caller);
    this.connect(peer.ports.store, caller.ports.store);
    this.connect(peer.ports.ring, caller.ports.ring);
  }

  protected override ended(peerId: number, reason: string): void {
    const delay = this.#renewing.get(peerId);
    const returns = delay !== undefined;
    this.workload.trigger(new Hosts({ peerId, hosted: false, reason, returns }));
    const caller = this.#callers.get(peerId);
    if (caller !== undefined) this.kill(caller);
    if (delay === undefined) return;
    this.#renewing.delete(peerId);
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Renew({ peerId }) }));
  }

  #perform({ id, op, value }: Perform): void {
    const [own] = this.#own;
    const added = [...this.peers.keys()].find((one) => !this.#own.includes(one));
    if (isForStore(op)) {
      const asked = this.#own[id % this.#own.length];
      if (asked === undefined || !this.peers.has(asked)) this.#done(id, "no peer yet");
    } else if (op === "look") this.#look(new AskView(), { context: id });
    else if (op === "add") this.#done(id, added === undefined ? this.#add(Number(value)) : "full");
    else if (op === "add again") this.#again(id, added ?? own);
    else if (op === "remove") this.#done(id, this.#remove(added));
    else if (op === "renew") this.#done(id, this.#renew(Number(value)));
    else if (op === "break") this.#done(id, this.#break(added ?? own));
  }

  #done(id: number, error: string | null): void {
    this.workload.trigger(
      error === null
        ? new Performed({ id, type: "ok" })
        : new Performed({ id, type: "fail", error }),
    );
  }

  /** @returns why not, else null */
  #add(peerId: number): string | null {
    // Before, it would be given replicas, and be gone with them.
    if (this.#groups.length === 0) return "nothing is founded yet";
    try {
      this.add(peerId);
    } catch (cause) {
      if (!(cause instanceof KithError)) throw cause;
      return cause.code;
    }
    this.workload.trigger(new Hosts({ peerId, hosted: true, reason: "", returns: false }));
    return null;
  }

  #again(id: number, peerId: number | undefined): void {
    if (peerId === undefined || !this.peers.has(peerId)) return this.#done(id, "no peer yet");
    const refused = this.#add(peerId);
    if (refused === null) this.workload.trigger(new Doubled({ peerId }));
    return this.#done(id, null);
  }

  #remove(peerId: number | undefined): string | null {
    if (peerId === undefined) return "none was added";
    this.remove(peerId);
    return null;
  }

  /** Removes a peer that may have replicas, for at most eight seconds. */
  #renew(number: number): string | null {
    const peerId = this.#own[number % this.#own.length];
    if (peerId === undefined || !this.peers.has(peerId)) return "no peer yet";
    if (this.#groups.length === 0) return "nothing is founded yet";
    if (this.#renewing.has(peerId)) return "it is on its way";
    // Often at once: nobody has missed it then.
    this.#renewing.set(peerId, number % 3 === 0 ? 0 : (number * 997) % 8000);
    this.remove(peerId);
    return null;
  }

  /** A peer that serves clients is spared the fault that would be its last. */
  #break(peerId: number | undefined): string | null {
    if (peerId === undefined || !this.peers.has(peerId)) return "no peer yet";
    const times = (this.#broken.get(peerId) ?? 0) + 1;
    if (this.#own.includes(peerId) && times > careful) return "it has failed often enough";
    this.#broken.set(peerId, times);
    this.orders.trigger(new Break({ peerId }));
    return null;
  }

  #looked(id: number | null, { processes, complete }: ClusterView): void {
    const peers = processes.flatMap((one) =>
      one.peers.map(({ peer, state, ring, groups }) => ({
        peerId: peer.peerId,
        state,
        ring,
        groups: Object.fromEntries(groups.map(({ gid, leader }) => [gid, leader])),
      })),
    );
    const missing = this.#missing(peers) ?? (complete ? null : "it is not complete");
    this.workload.trigger(new Looked({ missing, peers }));
    if (id !== null) this.#done(id, missing);
  }

  #missing(peers: readonly Shown[]): string | null {
    for (const { peerId, state, ring } of peers)
      if (state !== "failed" && (state !== "up" || ring !== "in"))
        return `${peerId} is ${state}, and ${ring} of the ring`;
    for (const { gid, members } of this.#groups)
      for (const { peerId } of members) {
        const one = peers.find((peer) => peer.peerId === peerId);
        if (one !== undefined && !Object.hasOwn(one.groups, gid))
          return `${peerId} shows no ${gid}`;
      }
    return null;
  }
}

/**
 * The manager of a process: hosts virtual peers, which share Timer, Network and Storage, one failure detector, and one client and
 * server of Bootstrap. The main component of a peer's process, simulated or real.
 *
 * It starts no peer before it is known which cluster the process belongs to. Peers come and go while it runs; one of them that fails
 * for good stops, and the others go on.
 *
 * Invariants: no two peers of one identity at a time; one that comes back does so in a life of its own (`PeerRef.rebirth`), so that
 * nobody takes it for the one that was there. Whoever has gone is not among those that the detector tells others to live here.
 */

import {
  CancelTimeout,
  type Child,
  ChildKilled,
  ChildStopped,
  Component,
  type Fault,
  type FaultPolicy,
  type Millis,
  ScheduleTimeout,
  timeout,
  Timer,
} from "@kith/core";
import { AdaptiveDetector, Arrived, FailureDetector } from "@kith/fd";
import { BootstrapClient, BootstrapServer, clusterId } from "@kith/membership";
import { formatPeer, parsePeer, peerKey, type PeerRef, self } from "@kith/network";
import { StoreDirectory } from "@kith/store";
import { Cluster, ClusterFailed, type ClusterInit, ClusterState } from "./cluster.ts";
import { Admission, Admitted, ClusterKeeper } from "./cluster-keeper.ts";
import { peerError } from "./errors.ts";
import { Retire, Retired, Retirement } from "./hosting.ts";
import { MonitorServer, PeerListed, Roster } from "./monitor-server.ts";
import { virtualPeer } from "./peer-host.ts";
import { Switchboard } from "./peer-network.ts";
import type { StoreSettings } from "./peer-store.ts";
import { faultText, type RestartRule } from "./supervisor.ts";
import { VirtualPeer, type VirtualPeerInit } from "./virtual-peer.ts";

/** What a process has to know. Plain data. */
export interface PeerManagerInit extends ClusterInit {
  /** The identities of its peers, none twice in the whole cluster; `spreadIds` makes some. */
  readonly peers: readonly number[];
  /** How peers hold their part of the store. */
  readonly store?: StoreSettings;
  /** When a part of a peer that has failed begins anew, and when its peer stops. */
  readonly restarts?: RestartRule;
  /**
   * How long a process that was here before looks for others until it begins a ring again, which merges with others when they meet;
   * default 2 s for the founder, three to five times as long for others.
   */
  readonly aloneAfter?: Millis;
  /** How long a peer that is to stop may take to hand over the groups that it leads; default 1 s. */
  readonly retiresWithin?: Millis;
}

/** It was time enough to hand over what a peer leads. */
class RetiresNow extends timeout("peer/RetiresNow")<{ readonly peerId: number }> {}

const aloneAfterMs: Millis = 2000;
const retiresWithinMs: Millis = 1000;

/** Hosts virtual peers, each at `Peer-` and its identity, and after a rebirth its life with it. Whoever extends it may wire them, in `hosted` and `ended`. */
export class PeerManager extends Component {
  protected readonly keeping = this.requires(Cluster);
  protected readonly admission = this.requires(Admission);
  protected readonly roster = this.requires(Roster);
  protected readonly living = this.requires(FailureDetector);
  protected readonly retirement = this.provides(Retirement);
  protected readonly timer = this.requires(Timer);
  readonly #detector = this.create(AdaptiveDetector, {}, { name: "Detector" });
  readonly #switchboard = this.create(Switchboard, {}, { name: "Switchboard" });
  readonly #monitor = this.create(MonitorServer, {}, { name: "Monitor" });
  readonly #keeper;
  /** How far this process is with its cluster. */
  readonly cluster;
  /** The cluster at one glance. */
  readonly monitor;
  /** The peers that run, by their identities. */
  protected readonly peers: ReadonlyMap<number, Child<VirtualPeer>>;
  readonly #peers = new Map<number, Child<VirtualPeer>>();
  readonly #init: PeerManagerInit;
  readonly #process = parsePeer(this.setting(self));
  readonly #draw = this.random("alone");
  /** In which lives those are who are hosted, or were the last time, in this life of the process. */
  readonly #refs = new Map<number, PeerRef>();
  /** Why a peer is about to stop. */
  readonly #failing = new Map<number, string>();
  /** Peers that hand over what they lead, and what is done with each when it has, or when its time is over. */
  readonly #retiring = new Map<number, (() => void)[]>();
  #admitted: Admitted | null = null;
  #hasDirectory = false;

  constructor(init: PeerManagerInit) {
    super();
    this.#init = init;
    this.peers = this.#peers;
    const { peers, create, resume, join, createWithin } = init;
    const given = {
      peers,
      ...(create === undefined ? {} : { create }),
      ...(resume === undefined ? {} : { resume }),
      ...(join === undefined ? {} : { join }),
      ...(createWithin === undefined ? {} : { createWithin }),
    };
    for (const [i, peerId] of peers.entries())
      if (peers.indexOf(peerId) !== i)
        throw peerError("KITH_PEER_DUPLICATE", `Two peers were to have the identity ${peerId}.`);
    this.#keeper = this.create(ClusterKeeper, given, { name: "Cluster" });
    // Before any peer: what the first one says of itself on entering its ring is said once in a long while.
    this.create(BootstrapServer, {}, { name: "BootstrapServer" });
    const keeper = this.#keeper.ports;
    this.cluster = this.exposes(keeper.cluster);
    this.monitor = this.exposes(this.#monitor.ports.monitor);
    this.connect(keeper.cluster, this.keeping);
    this.connect(keeper.cluster, this.#monitor.ports.cluster);
    this.connect(keeper.admission, this.admission);
    this.connect(this.#monitor.ports.monitor, keeper.monitor);
    this.connect(this.#monitor.ports.roster, this.roster);
    this.connect(this.#switchboard.ports.connections, this.#monitor.ports.connections);
    this.connect(this.#detector.ports.detector, this.living);
    this.offers(this.#detector.ports.detector);
    this.offers(this.#switchboard.ports.losses);
    this.offers(this.#switchboard.ports.connections);
    this.offers(keeper.hostings);
    this.offers(this.retirement);
    this.offers(this.#monitor.ports.reports);
    this.admission.on(Admitted, (admitted) => this.#begin(admitted));
    this.keeping.on(ClusterState, ({ genesis }) => {
      if (genesis === null || this.#hasDirectory) return;
      this.#hasDirectory = true;
      // Who has an address only speaks to the process.
      const { groups, ordered } = genesis;
      this.create(StoreDirectory, { groups, ordered }, { name: "Directory" });
    });
    this.keeping.on(ClusterFailed, ({ detail }) => {
      for (const peerId of [...this.#peers.keys()]) this.#end(peerId, detail);
    });
    this.retirement.on(Retired, ({ peerId }) => this.#retired(peerId));
    this.timer.on(RetiresNow, ({ peerId }) => this.#retired(peerId));
    this.control.on(ChildStopped, ({ name }) => this.#gone(name));
    this.control.on(ChildKilled, ({ name }) => this.#gone(name));
  }

  /**
   * Called for each peer when it is created: to put beside it what uses it, such as a server of `peer.ports.store`. What is created
   * here belongs to the process, not to the peer: it stays when the peer has gone.
   */
  protected hosted(_peerId: number, _peer: Child<VirtualPeer>): void {}

  /**
   * What a peer is made of: asked for each one. Whoever extends `VirtualPeer` may put services into it, which begin anew after a fault as its
   * other parts do, and end with it.
   */
  protected peerClass(): new (init: VirtualPeerInit) => VirtualPeer {
    return VirtualPeer;
  }

  /** Called when a peer is no more. @param _reason why it has failed; empty where it was removed */
  protected ended(_peerId: number, _reason: string): void {}

  /**
   * Hosts another peer. One that was here before takes up what it has in the storage, in a new life. To be called in the manager's turn.
   *
   * @throws KithError `KITH_PEER_DUPLICATE`, `KITH_PEER_ARGUMENT` before the process belongs to a cluster
   */
  add(peerId: number): void {
    if (this.#peers.has(peerId) || (this.#admitted === null && this.#init.peers.includes(peerId)))
      throw peerError("KITH_PEER_DUPLICATE", `This process hosts peer ${peerId} already.`);
    if (this.#admitted === null)
      throw peerError("KITH_PEER_ARGUMENT", `The process has no cluster for peer ${peerId} yet.`);
    this.#announce(peerId);
    this.#host(peerId, this.#admitted, false);
  }

  /**
   * Stops a peer, as soon as others lead the groups that it leads, or after `retiresWithin`: to the others it is as if it had crashed.
   * Its data stay in the storage, for when it is added again or the process has restarted. To be called in the manager's turn.
   *
   * @throws KithError `KITH_PEER_UNKNOWN`
   */
  remove(peerId: number): void {
    if (!this.#peers.has(peerId))
      throw peerError("KITH_PEER_UNKNOWN", `This process hosts no peer ${peerId}.`);
    this.#retire(peerId, () => this.#end(peerId, ""));
  }

  /**
   * Hands over what the peers of this process lead, before it is stopped. They go on until then. To be called in the manager's turn.
   *
   * @param done called when nothing is led here any more, or after `retiresWithin`
   */
  retire(done: () => void): void {
    let open = this.#peers.size;
    if (open === 0) return done();
    for (const peerId of this.#peers.keys())
      this.#retire(peerId, () => {
        if (--open === 0) done();
      });
  }

  #retire(peerId: number, done: () => void): void {
    const waiting = this.#retiring.get(peerId);
    if (waiting !== undefined) return void waiting.push(done);
    this.#retiring.set(peerId, [done]);
    const { retiresWithin: within = retiresWithinMs } = this.#init;
    this.timer.trigger(
      new ScheduleTimeout({
        delay: within,
        timeout: new RetiresNow({ peerId }),
        id: `retires ${peerId}`,
      }),
    );
    this.retirement.trigger(new Retire({ peerId, within }));
  }

  #retired(peerId: number): void {
    const waiting = this.#retiring.get(peerId) ?? [];
    this.#retiring.delete(peerId);
    this.timer.trigger(new CancelTimeout({ id: `retires ${peerId}` }));
    for (const done of waiting) done();
  }

  #begin(admitted: Admitted): void {
    this.#admitted = admitted;
    const { servers } = admitted;
    const settings = [clusterId.of(admitted.clusterId)];
    const options = { name: "Bootstrap", settings };
    const client = this.create(BootstrapClient, { servers }, options);
    this.offers(client.ports.bootstrap);
    // All before the first begins: one that they hear of and the detector does not would count as gone for good.
    for (const peerId of this.#init.peers) this.#announce(peerId);
    for (const peerId of this.#init.peers) this.#host(peerId, admitted, admitted.founds);
  }

  #announce(peerId: number): void {
    const before = this.#refs.get(peerId);
    const rebirth = before === undefined ? 0 : (before.rebirth ?? 0) + 1;
    const peer = virtualPeer(this.#process, peerId, rebirth);
    this.#refs.set(peerId, peer);
    this.living.trigger(new Arrived({ peer }));
  }

  /** @param founds whether it may found the ring; later than at the beginning of the process nobody does */
  #host(peerId: number, { clusterId: id, returns }: Admitted, founds: boolean): void {
    const [first] = this.#peers.keys();
    const isFirst = first === undefined;
    const peer = this.#refOf(peerId);
    const isBack = peer.rebirth !== undefined;
    const { store, restarts, aloneAfter = aloneAfterMs } = this.#init;
    const patience = returns === "founder" ? 1 : 3 + 2 * this.#draw.float();
    const init = {
      founds: founds && isFirst,
      // A server does not name the peers of the process that asks.
      known: first === undefined ? [] : [this.#refOf(first)],
      ...((returns !== null || isBack) && isFirst ? { foundsAfter: aloneAfter * patience } : {}),
      ...(store === undefined ? {} : { store }),
      ...(restarts === undefined ? {} : { restarts }),
    };
    const settings = [self.of(formatPeer(peer)), clusterId.of(id)];
    const onFault: FaultPolicy = (fault) => this.#failed(peerId, fault);
    const name = nameOf(peer);
    const child = this.create(this.peerClass(), init, { name, settings, onFault });
    this.#peers.set(peerId, child);
    this.roster.trigger(new PeerListed({ peer, state: "up", reason: "" }));
    this.hosted(peerId, child);
  }

  #refOf(peerId: number): PeerRef {
    return this.#refs.get(peerId) ?? virtualPeer(this.#process, peerId);
  }

  #failed(peerId: number, fault: Fault): "stop" {
    const reason = faultText(fault);
    this.log.error(`peer ${peerId} is stopped: a part of it failed too often`, { reason });
    this.#failing.set(peerId, reason);
    return "stop";
  }

  #end(peerId: number, reason: string): void {
    const child = this.#peers.get(peerId);
    if (child === undefined) return;
    this.#failing.set(peerId, reason);
    this.kill(child);
  }

  #gone(name: string): void {
    for (const [peerId, child] of this.#peers) {
      if (child.name !== name) continue;
      this.#peers.delete(peerId);
      const peer = this.#refOf(peerId);
      const reason = this.#failing.get(peerId) ?? "";
      this.#failing.delete(peerId);
      const state = reason === "" ? "gone" : "failed";
      this.roster.trigger(new PeerListed({ peer, state, reason }));
      this.ended(peerId, reason);
      this.#retired(peerId);
      // One that was stopped for its faults would lie there for ever; it comes back as another.
      this.kill(child);
      return;
    }
  }
}

/** A life has a place of its own in the tree: what is drawn there, such as names of sessions, was never drawn before. */
function nameOf(peer: PeerRef): string {
  return `Peer-${peerKey(peer)}`;
}

/**
 * The monitor of a process: gathers how its peers are, tells that to whoever asks, and asks others when somebody wants to see the
 * whole cluster. It finds them by walking: each process names the neighbours of its peers.
 *
 * Nothing is sent while nobody looks, and no request of the store passes through here. What it says is a hint.
 *
 * Invariants: one round at a time, each with an end; so many processes are known, and of those that do not answer the one that has
 * been silent for longest is forgotten first.
 */

import {
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
  ConnectionDown,
  ConnectionUp,
  Dropped,
  Network,
  parseAddress,
  parsePeer,
  type PeerRef,
  self,
} from "@kith/network";
import { Cluster, ClusterState } from "./cluster.ts";
import { AskProcess, TellProcess } from "./cluster-messages.ts";
import {
  AskHere,
  AskView,
  ClusterView,
  HereView,
  Monitor,
  monitorPatience,
  type PeerReport,
  type ProcessReport,
} from "./monitor.ts";
import { Connections } from "./peer-network.ts";
import { countersOf, PeerTold, Reports, TellNow } from "./peer-monitor.ts";

/** A peer is hosted from now on, or has failed for good, or is gone. */
export class PeerListed extends event("peer/Listed")<{
  readonly peer: PeerRef;
  readonly state: "up" | "failed" | "gone";
  readonly reason: string;
}> {}

/** Tells the monitor which peers there are. Provider: `MonitorServer`. */
export const Roster = port("Roster", { requests: [PeerListed] });

class Gathered extends timeout("peer/Gathered")<{ readonly round: number }> {}
class RoundOver extends timeout("peer/RoundOver")<{ readonly round: number }> {}

const gatherMs: Millis = 200;
const processesMax = 1024;
const waitingMax = 1024;

/** What a monitor has to know. Plain data. */
export interface MonitorInit {
  /** Processes to begin with, `host:port`: for one that is of no cluster itself. */
  readonly seeds?: readonly string[];
}

interface Known {
  at: PeerRef;
  report: ProcessReport | null;
  /** In which round it has answered last. */
  answered: number;
}

/** Shows the cluster, and tells others of this process. */
export class MonitorServer extends Component {
  readonly monitor = this.provides(Monitor);
  readonly reports = this.provides(Reports);
  readonly roster = this.provides(Roster);
  readonly cluster = this.requires(Cluster);
  readonly connections = this.requires(Connections);
  readonly network = this.requires(Network);
  readonly timer = this.requires(Timer);
  readonly #self = parsePeer(this.setting(self));
  readonly #peers = new Map<number, PeerReport>();
  /** To which addresses there are connections. */
  readonly #open = new Set<string>();
  #state: Pick<ClusterState, "phase" | "clusterId" | "disk" | "detail"> = {
    phase: "reading",
    clusterId: "",
    disk: "",
    detail: "",
  };
  /** Which cluster is shown. */
  #cluster = "";
  /** A gathering of the own peers, and who waits for it. */
  #gathering: { readonly round: number; readonly open: Set<number> } | null = null;
  #gatherings = 0;
  readonly #here: ReplyToken<HereView>[] = [];
  readonly #askers = new Map<string, PeerRef>();
  /** A round through the cluster, and who waits for it. */
  #round: { readonly number: number; readonly open: Set<string>; left: boolean } | null = null;
  #rounds = 0;
  readonly #viewers: ReplyToken<ClusterView>[] = [];
  readonly #known = new Map<string, Known>();

  constructor({ seeds = [] }: MonitorInit = {}) {
    super();
    for (const seed of seeds) this.#know({ ...parseAddress(seed), peerId: 0, incarnation: 1 });
    this.cluster.on(ClusterState, ({ phase, clusterId, disk, detail, genesis }) => {
      this.#state = { phase, clusterId, disk, detail };
      this.#cluster = clusterId;
      for (const { members } of genesis?.groups ?? [])
        for (const { host, port: at } of members)
          this.#know({ peerId: 0, host, port: at, incarnation: 1 });
    });
    this.connections.on(ConnectionUp, ({ peer }) => void this.#open.add(addressOf(peer)));
    this.connections.on(ConnectionDown, ({ peer }) => void this.#open.delete(addressOf(peer)));
    this.roster.on(PeerListed, (listed) => this.#listed(listed));
    this.monitor.on(AskHere, (_, token) => {
      if (this.#here.length < waitingMax) this.#here.push(token);
      this.#gather();
    });
    this.monitor.on(AskView, (_, token) => {
      if (this.#viewers.length < waitingMax) this.#viewers.push(token);
      if (this.#round === null) this.#begin();
    });
    this.network.on(AskProcess, ({ from }) => this.#asked(from));
    this.network.on(Dropped, ({ reason, tag, from }) => {
      // It was for an earlier life of this process: the answer tells which one this is.
      if (reason === "wrong-incarnation" && tag === AskProcess.tag) this.#asked(from);
    });
    this.network.on(TellProcess, ({ from, report }) => this.#told(from, report));
    this.reports.on(PeerTold, ({ round, report }) => this.#gathered(round, report));
    this.timer.on(Gathered, ({ round }) => {
      if (this.#gathering?.round === round) this.#report();
    });
    this.timer.on(RoundOver, ({ round }) => {
      if (this.#round?.number === round) this.#end();
    });
  }

  // --- this process ----------------------------------------------------------------------------------

  #listed({ peer, state, reason }: PeerListed): void {
    if (state === "gone") {
      this.#peers.delete(peer.peerId);
      return;
    }
    const before = this.#peers.get(peer.peerId);
    this.#peers.set(peer.peerId, {
      ring: "out",
      predecessor: null,
      successors: [],
      groups: [],
      counters: countersOf({ done: 0, notDone: 0, unknown: 0, open: 0 }, 0),
      ...before,
      peer,
      state,
      reason,
    });
  }

  #gather(): void {
    if (this.#gathering !== null) return;
    const round = ++this.#gatherings;
    const up = [...this.#peers.values()].filter(({ state }) => state !== "failed");
    this.#gathering = { round, open: new Set(up.map(({ peer }) => peer.peerId)) };
    if (up.length === 0) return this.#report();
    this.reports.trigger(new TellNow({ round }));
    const delay = gatherMs;
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Gathered({ round }) }));
  }

  #gathered(round: number, report: PeerReport): void {
    const { peerId } = report.peer;
    if (this.#peers.get(peerId)?.state === "failed" || !this.#peers.has(peerId)) return;
    this.#peers.set(peerId, report);
    if (this.#gathering?.round !== round) return;
    this.#gathering.open.delete(peerId);
    if (this.#gathering.open.size === 0) this.#report();
  }

  #report(): void {
    for (const peerId of this.#gathering?.open ?? []) {
      const one = this.#peers.get(peerId);
      if (one?.state === "up") this.#peers.set(peerId, { ...one, state: "silent" });
    }
    this.#gathering = null;
    const here = this.#process();
    for (const token of this.#here.splice(0)) this.monitor.reply(token, new HereView({ here }));
    for (const to of this.#askers.values())
      this.network.trigger(new TellProcess({ to, report: here }));
    this.#askers.clear();
    if (this.#round !== null) this.#told(this.#self, here);
  }

  #process(): ProcessReport {
    const peers = [...this.#peers.values()];
    return { process: this.#self, ...this.#state, connections: this.#open.size, peers };
  }

  #asked(from: PeerRef): void {
    if (this.#askers.size < waitingMax) this.#askers.set(addressOf(from), from);
    this.#gather();
  }

  // --- the cluster -----------------------------------------------------------------------------------

  #begin(): void {
    const number = ++this.#rounds;
    const own = addressOf(this.#self);
    this.#round = { number, open: new Set([own]), left: false };
    const delay = monitorPatience;
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new RoundOver({ round: number }) }));
    for (const { at } of this.#known.values()) this.#ask(at);
    this.#gather();
  }

  #ask(to: PeerRef): void {
    const address = addressOf(to);
    if (this.#round === null || address === addressOf(this.#self)) return;
    this.#round.open.add(address);
    this.network.trigger(new AskProcess({ to }));
  }

  #told(from: PeerRef, report: ProcessReport): void {
    const address = addressOf(from);
    const known = this.#know(from);
    const round = this.#round;
    if (known === undefined) return;
    known.report = report;
    known.answered = this.#rounds;
    if (round === null) return;
    // Who is of no cluster looks at that of the first who answers.
    if (this.#cluster === "") this.#cluster = report.clusterId;
    // Another cluster's processes are no way to this one's.
    if (report.clusterId === this.#cluster)
      for (const { predecessor, successors } of report.peers)
        for (const peer of predecessor === null ? successors : [predecessor, ...successors]) {
          const isNew = !this.#known.has(addressOf(peer));
          const next = this.#know(peer);
          if (next !== undefined && isNew) this.#ask(next.at);
        }
    round.open.delete(address);
    if (round.open.size === 0) this.#end();
  }

  /** Takes note of a process; undefined where there are too many. */
  #know(at: PeerRef): Known | undefined {
    const address = addressOf(at);
    const known = this.#known.get(address);
    if (known !== undefined) {
      if (known.at.incarnation < at.incarnation || known.at.peerId === 0) known.at = at;
      return known;
    }
    if (this.#known.size >= processesMax && !this.#forget()) {
      if (this.#round !== null) this.#round.left = true;
      return undefined;
    }
    const fresh = { at, report: null, answered: this.#rounds };
    this.#known.set(address, fresh);
    return fresh;
  }

  /** @returns whether there was one that has been silent for a round at least */
  #forget(): boolean {
    let oldest: [string, Known] | undefined;
    for (const one of this.#known)
      if (oldest === undefined || one[1].answered < oldest[1].answered) oldest = one;
    if (oldest === undefined || oldest[1].answered >= this.#rounds - 1) return false;
    return this.#known.delete(oldest[0]);
  }

  #end(): void {
    const round = this.#round;
    if (round === null) return;
    this.#round = null;
    const processes: ClusterView["processes"][number][] = [];
    const here = this.#process();
    const living = new Set<number>();
    for (const { report, answered } of this.#known.values())
      if (answered >= round.number)
        for (const { peer } of report?.peers ?? []) living.add(peer.peerId);
    for (const { report, answered } of this.#known.values()) {
      if (report === null || report.clusterId !== this.#cluster) continue;
      const silent = answered < round.number;
      // Its peers have come back at other addresses.
      if (
        silent &&
        report.peers.length > 0 &&
        report.peers.every(({ peer }) => living.has(peer.peerId))
      )
        continue;
      const peers = silent
        ? report.peers.map((one): PeerReport => ({ ...one, state: "silent" }))
        : report.peers;
      processes.push({ ...report, peers, silent });
    }
    const complete = round.open.size === 0 && !round.left;
    for (const token of this.#viewers.splice(0))
      this.monitor.reply(token, new ClusterView({ here, processes, complete }));
  }
}

/**
 * A bootstrap client: finds the first peers, and keeps the servers informed about the own ones
 * (algorithms.md §13). It asks all servers and all peers that are remembered from earlier, until one names
 * somebody.
 *
 * Invariant: an answer to `FindPeers` names at least one peer. Nobody learns from here that a cluster does
 * not exist: an empty server may have lost its memory, and silence may be a partition.
 *
 * Servers are configured by address, so the incarnation that is given may be of an earlier life. Which one
 * answers is learned from the connection, or from the server itself, and what was sent to the wrong one is sent again.
 */

import {
  Component,
  type ReplyToken,
  SchedulePeriodic,
  ScheduleTimeout,
  timeout,
  Timer,
} from "@kith/core";
import {
  addressOf,
  ConnectionUp,
  Network,
  parsePeer,
  type PeerRef,
  samePeer,
  self,
} from "@kith/network";
import { Answer, Ask, Reborn, Refresh } from "./bootstrap-messages.ts";
import { Bootstrap, FindPeers, PeersFound, Register, Unregister } from "./port.ts";
import { clusterId, findPeriod, refreshPeriod } from "./settings.ts";

/** What a client has to know. */
export interface BootstrapInit {
  /** Servers, in any incarnation; every process may run one. */
  readonly servers: readonly PeerRef[];
  /** Peers known from an earlier life of this process: they are asked as servers are. */
  readonly remembered?: readonly PeerRef[];
}

class Retry extends timeout("membership/BootstrapRetry") {}
class RefreshNow extends timeout("membership/BootstrapRefresh") {}

const waitingMax = 1000;

/** Finds peers. What it says are hints: see `Bootstrap`. */
export class BootstrapClient extends Component {
  readonly bootstrap = this.provides(Bootstrap);
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);
  readonly state;
  readonly #self = parsePeer(this.setting(self));
  readonly #cluster = this.setting(clusterId);

  constructor({ servers, remembered = [] }: BootstrapInit) {
    super();
    const unique = new Map([...remembered, ...servers].map((peer) => [addressOf(peer), peer]));
    this.state = this.declareState<BootstrapState>({
      servers: unique,
      own: [],
      waiting: [],
    });
    this.bootstrap.on(FindPeers, (_, token) => this.#find(token));
    this.bootstrap.on(Register, ({ peer }) => this.#register(peer));
    this.bootstrap.on(Unregister, ({ peer }) => {
      this.state.own = this.state.own.filter((one) => !samePeer(one, peer));
    });
    this.net.on(Answer, ({ from, cluster, peers }) => {
      if (cluster === this.#cluster) this.#answered(from, peers);
    });
    this.net.on(ConnectionUp, ({ peer }) => this.#learned(peer));
    this.net.on(Reborn, ({ from }) => this.#learned(from));
    this.timer.on(Retry, () => this.#retry());
    this.timer.on(RefreshNow, () => this.#refresh([...this.state.servers.values()]));
    this.onStart(() => {
      const period = this.setting(refreshPeriod);
      const delay = this.random("refresh").float() * period;
      this.timer.trigger(new SchedulePeriodic({ period, delay, timeout: new RefreshNow() }));
    });
  }

  #find(token: ReplyToken<PeersFound>): void {
    const { waiting } = this.state;
    // The oldest has waited in vain for very long; its asker has a timeout, or does not care.
    if (waiting.length >= waitingMax) waiting.shift();
    waiting.push(token);
    if (waiting.length === 1) this.#retryLater();
    this.#ask([...this.state.servers.values()]);
  }

  #retry(): void {
    if (this.state.waiting.length === 0) return;
    this.#ask([...this.state.servers.values()]);
    this.#retryLater();
  }

  #retryLater(): void {
    const delay = this.setting(findPeriod);
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Retry(), id: "retry" }));
  }

  #ask(servers: readonly PeerRef[]): void {
    const others = servers.filter((to) => addressOf(to) !== addressOf(this.#self));
    // Its own server would answer before the others, and may know less. Whoever founds a cluster has no other one.
    for (const to of this.#knowsOthers() ? others : servers)
      this.net.trigger(new Ask({ to, cluster: this.#cluster }));
  }

  #knowsOthers(): boolean {
    const own = addressOf(this.#self);
    return [...this.state.servers.keys()].some((address) => address !== own);
  }

  #answered(from: PeerRef, named: readonly PeerRef[]): void {
    this.#learned(from);
    const peers = named.filter(
      ({ peerId }) =>
        peerId !== this.#self.peerId && !this.state.own.some((own) => own.peerId === peerId),
    );
    if (peers.length === 0) return;
    const { waiting } = this.state;
    this.state.waiting = [];
    for (const token of waiting) this.bootstrap.reply(token, new PeersFound({ peers }));
  }

  #register(peer: PeerRef): void {
    this.state.own = [...this.state.own.filter(({ peerId }) => peerId !== peer.peerId), peer];
    this.#refresh([...this.state.servers.values()]);
  }

  #refresh(servers: readonly PeerRef[]): void {
    const { own } = this.state;
    if (own.length === 0) return;
    for (const to of servers)
      this.net.trigger(new Refresh({ to, cluster: this.#cluster, peers: own }));
  }

  /** A server answers in another life than was believed: tell it what the earlier one was told. */
  #learned(peer: PeerRef): void {
    const known = this.state.servers.get(addressOf(peer));
    if (known === undefined || known.incarnation === peer.incarnation) return;
    const server = { ...known, incarnation: peer.incarnation };
    this.state.servers.set(addressOf(peer), server);
    this.#refresh([server]);
    if (this.state.waiting.length > 0) this.#ask([server]);
  }
}

/** What a client hands to its replacement. */
export interface BootstrapState {
  /** By address, in the incarnation that answered last. */
  servers: Map<string, PeerRef>;
  /** The own peers that take part. */
  own: readonly PeerRef[];
  /** Who waits for peers. */
  waiting: ReplyToken<PeersFound>[];
}

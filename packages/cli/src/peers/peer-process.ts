/**
 * The main component of a process that `kith` starts: a peer manager, with a Redis port and an HTTP port beside each of its peers, and
 * an edge for the code that has started it.
 *
 * What that code waits for is no plain data, so this component cannot be swapped; what it hosts can.
 */

import { type Child, ChildKilled, Component, type FaultPolicy, KithError } from "@kith/core";
import {
  HttpServer,
  HttpServerBesideRedis,
  Listener,
  Listening,
  RedisGateway,
  type ServerCertificate,
} from "@kith/gateway";
import {
  Cluster,
  ClusterFailed,
  ClusterState,
  faultText,
  PeerManager,
  type PeerManagerInit,
  restarting,
  type VirtualPeer,
} from "@kith/peer";
import { cliError } from "../errors.ts";

/** Where a server listens. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** What the process has to know. Plain data. */
export interface PeerProcessInit extends PeerManagerInit {
  /** Where the Redis ports are, one for each peer; none where it is left out. */
  readonly redis?: readonly Place[];
  /** The same for HTTP. */
  readonly http?: readonly Place[];
  /** What clients of both have to know. */
  readonly password?: string;
  /** What both show their clients, who have to speak TLS then. */
  readonly clientsTls?: ServerCertificate;
  /** Names by which clients may call HTTP. */
  readonly hosts?: readonly string[];
}

/** What is told to the code that has started the process. */
export interface PeerProcessListener {
  readonly state: (state: ClusterState) => void;
  readonly failed: (failed: ClusterFailed) => void;
  /** A server takes calls. */
  readonly up: (server: "redis" | "http", at: Place) => void;
  /** A peer has stopped for good; `left` others run. */
  readonly ended: (peerId: number, reason: string, left: number) => void;
}

/** Stands where the servers will be: they come when the peers do. */
class NoServer extends Component {
  readonly listener = this.provides(Listener);
}

/**
 * The process. A server that fails begins anew, and its clients call again; it ends with its peer, and the process with the last of
 * its peers that has failed: whoever watches over processes starts it again.
 */
export class PeerProcess extends PeerManager {
  readonly how = this.requires(Cluster);
  readonly redisUp = this.requires(Listener);
  readonly httpUp = this.requires(Listener);
  readonly #init: PeerProcessInit;
  #listener: PeerProcessListener | null = null;
  readonly #servers = new Map<number, Child[]>();
  /** Servers that are about to go, by their names, with their peers; and peers that wait for that. */
  readonly #leaving = new Map<string, number>();
  readonly #waiting = new Map<number, Child<VirtualPeer>>();
  readonly #onFault: FaultPolicy;
  /** What happened before anybody listened. */
  #told: ((listener: PeerProcessListener) => void)[] = [];

  constructor(init: PeerProcessInit) {
    super(init);
    this.#init = init;
    const policy = restarting(init.restarts ?? {}, (fault) =>
      this.log.error("a server has failed, and begins anew", { fault: faultText(fault) }),
    );
    // A port that is taken now is so the next time, too.
    this.#onFault = (fault) => (isAboutListening(fault.cause) ? "escalate" : policy(fault));
    this.connect(this.cluster, this.how);
    const none = this.create(NoServer);
    this.connect(none.ports.listener, this.redisUp);
    this.connect(none.ports.listener, this.httpUp);
    this.how.on(ClusterState, (state) => this.#tell((to) => to.state(state)));
    this.how.on(ClusterFailed, (failed) => this.#tell((to) => to.failed(failed)));
    this.control.on(ChildKilled, ({ name }) => this.#left(name));
    this.redisUp.on(Listening, (at) => this.#tell((to) => to.up("redis", at)));
    this.httpUp.on(Listening, (at) => this.#tell((to) => to.up("http", at)));
  }

  /** Tells from now on, and what has happened until now. */
  listen(listener: PeerProcessListener): void {
    this.#listener = listener;
    const told = this.#told;
    this.#told = [];
    for (const tell of told) tell(listener);
  }

  protected override hosted(peerId: number, peer: Child<VirtualPeer>): void {
    // Its servers of before hold its ports until they have gone.
    if ([...this.#leaving.values()].includes(peerId)) this.#waiting.set(peerId, peer);
    else this.#begin(peerId, peer);
  }

  #left(name: string): void {
    const peerId = this.#leaving.get(name);
    if (peerId === undefined) return;
    this.#leaving.delete(name);
    const peer = this.#waiting.get(peerId);
    if (peer === undefined || [...this.#leaving.values()].includes(peerId)) return;
    this.#waiting.delete(peerId);
    this.#begin(peerId, peer);
  }

  #begin(peerId: number, peer: Child<VirtualPeer>): void {
    const { peers, redis = [], http = [], password, hosts = [], clientsTls } = this.#init;
    const index = peers.indexOf(peerId);
    const given = {
      ...(password === undefined ? {} : { password }),
      ...(clientsTls === undefined ? {} : { tls: clientsTls }),
    };
    const redisAt = redis[index];
    const httpAt = http[index];
    const servers: Child[] = [];
    this.#servers.set(peerId, servers);
    const named = (kind: string) => ({ name: `${kind}-${peerId}`, onFault: this.#onFault });
    const gateway =
      redisAt === undefined
        ? null
        : this.create(RedisGateway, { ...redisAt, ...given }, named("Redis"));
    if (gateway !== null) {
      servers.push(gateway);
      this.connect(peer.ports.store, gateway.ports.store);
      this.connect(gateway.ports.listener, this.redisUp);
    }
    if (httpAt === undefined) return;
    const init = { ...httpAt, ...given, hosts };
    if (gateway === null)
      servers.push(this.#serve(peer, this.create(HttpServer, init, named("Http"))));
    else {
      const server = this.create(HttpServerBesideRedis, init, named("Http"));
      this.connect(gateway.ports.listener, server.ports.redis);
      servers.push(this.#serve(peer, server));
    }
  }

  protected override ended(peerId: number, reason: string): void {
    // Nobody would answer their clients.
    for (const server of this.#servers.get(peerId) ?? []) {
      this.#leaving.set(server.name, peerId);
      this.kill(server);
    }
    this.#servers.delete(peerId);
    this.#waiting.delete(peerId);
    const left = this.peers.size;
    this.#tell((to) => to.ended(peerId, reason, left));
    if (this.peers.size === 0 && reason !== "")
      throw cliError("KITH_CLI_ENDED", `No peer of this process is left: ${reason}`);
  }

  #serve(peer: Child<VirtualPeer>, server: Child<HttpServer>): Child {
    this.connect(peer.ports.store, server.ports.store);
    this.connect(this.monitor, server.ports.monitor);
    this.connect(server.ports.listener, this.httpUp);
    return server;
  }

  #tell(tell: (listener: PeerProcessListener) => void): void {
    if (this.#listener === null) this.#told.push(tell);
    else tell(this.#listener);
  }
}

function isAboutListening(cause: unknown): boolean {
  return cause instanceof KithError && cause.code === "KITH_GATEWAY_LISTEN";
}

/**
 * What is asked of the groups of a process, through the port Consensus: handed to the replica that it is about, and answered
 * at once where that can be said at once. The rest waits in the replica (`replica.ts`).
 */

import type { Millis, ProvidedPort, ReplyToken } from "@kith/core";
import type { PeerRef } from "@kith/network";
import {
  type Change,
  foundingConfig,
  isGroupName,
  peersProblem,
  type ReplicaId,
} from "./config.ts";
import { propose, rouse, upgrade } from "./group.ts";
import { changeMembers } from "./membership.ts";
import type { Consensus } from "./port.ts";
import {
  AskGroups,
  AskStatus,
  Busy,
  ChangeMembers,
  type ConsensusAnswer,
  type Done,
  Follow,
  Found,
  GroupsHere,
  NotLeader,
  PeerAt,
  Peek,
  Propose,
  Query,
  Refused,
  TransferLeadership,
  Transferring,
  Upgrade,
} from "./port.ts";
import { read, type Refusal } from "./reads.ts";
import {
  awaitEntry,
  leaderOf,
  type Replica,
  type Reply,
  statusOf,
  type WaitingQuery,
} from "./replica.ts";
import { type Durable, founded } from "./state.ts";
import { transferTo } from "./transfer.ts";
import type { WritesState } from "./writes.ts";

/** What of a host's state requests are about. */
export interface Hosting {
  readonly ready: boolean;
  readonly replicas: ReadonlyMap<string, Replica>;
  readonly loading: ReadonlyMap<string, unknown>;
  readonly tombs: ReadonlyMap<string, ReplicaId>;
  readonly writes: WritesState;
  /** Where peers are. */
  readonly peers: ReadonlyMap<number, PeerRef>;
}

/** What requests need of the host. */
export interface RequestPorts {
  readonly peerId: number;
  readonly now: () => Millis;
  readonly met: (peer: PeerRef) => void;
  readonly create: (gid: string, replicaId: ReplicaId, durable: Durable) => void;
  /** Asks the machine a query of the table as it is. */
  readonly answer: (one: Replica, query: Uint8Array) => Done | Refused;
  /** Runs a step of a replica; what it throws stops this replica. */
  readonly guard: (one: Replica, action: () => void) => void;
  /** Something may have to happen in a group. */
  readonly touch: (gid: string) => void;
}

/** What a storage takes as one record, less what stands around it. */
const commandBytesMax = 15 * 1024 * 1024;

/** Answers requests. */
export class Requests {
  readonly #consensus: ProvidedPort<typeof Consensus>;
  readonly #state: Hosting;
  readonly #ports: RequestPorts;

  constructor(consensus: ProvidedPort<typeof Consensus>, state: Hosting, ports: RequestPorts) {
    this.#consensus = consensus;
    this.#state = state;
    this.#ports = ports;
    consensus.on(PeerAt, ({ peer }) => ports.met(peer));
    consensus.on(Found, (ask, token) => this.#found(ask, token));
    consensus.on(Propose, ({ gid, command }, token) => {
      if (command.length <= commandBytesMax)
        this.#propose(gid, token, (one) => propose(one.state, command));
      else this.refuse(token, "invalid", `a command has at most ${commandBytesMax} bytes`);
    });
    consensus.on(Upgrade, ({ gid, version }, token) =>
      this.#propose(gid, token, (one) => upgrade(one.state, version)),
    );
    consensus.on(Query, ({ gid, query }, token) => this.ask(gid, { token, query }));
    consensus.on(Peek, ({ gid, query }, token) =>
      this.#at(gid, token, (one) => {
        // What it has applied would be of the past for ever.
        if (one.state.halted !== null) return this.#refused(one, token, "halted");
        this.reply({ token, answer: ports.answer(one, query) });
      }),
    );
    consensus.on(Follow, ({ gid, on }) => {
      const one = state.replicas.get(gid);
      if (one !== undefined) one.followed = on;
    });
    consensus.on(ChangeMembers, ({ gid, change, expectedEpoch }, token) =>
      this.#at(gid, token, (one) => this.#change(one, token, change, expectedEpoch)),
    );
    consensus.on(TransferLeadership, ({ gid, to }, token) =>
      this.#at(gid, token, (one) => this.#transfer(one, token, to)),
    );
    consensus.on(AskStatus, ({ gid }, token) =>
      this.#at(gid, token, (one) => this.reply({ token, answer: statusOf(one) })),
    );
    consensus.on(AskGroups, (_, token) =>
      this.reply({ token, answer: new GroupsHere({ gids: [...state.replicas.keys()] }) }),
    );
  }

  /** Asks a query, or asks it again. */
  ask(gid: string, waiting: WaitingQuery): void {
    this.#at(gid, waiting.token, (one) => {
      const id = ++one.lastQuery;
      const refused = read(one.state, id);
      if (refused === null) one.queries.set(id, waiting);
      else this.#refused(one, waiting.token, refused);
    });
  }

  /** Says that something is not done. */
  refuse(token: ReplyToken<ConsensusAnswer>, reason: Refused["reason"], detail: string): void {
    this.reply({ token, answer: new Refused({ reason, detail }) });
  }

  /** Answers. A leader is named where it is now, which may not be where the membership has it. */
  reply({ token, answer }: Reply): void {
    const leader = answer instanceof NotLeader ? answer.leader : null;
    const now = leader === null ? undefined : this.#state.peers.get(leader.peerId);
    if (leader === null || now === undefined) return this.#consensus.reply(token, answer);
    const { host, port, incarnation, rebirth } = now;
    const there = {
      ...leader,
      host,
      port,
      incarnation,
      ...(rebirth === undefined ? {} : { rebirth }),
    };
    return this.#consensus.reply(token, new NotLeader({ leader: there }));
  }

  /** Refuses the queries that wait in a replica: it answers none any more. */
  refuseQueries(one: Replica): void {
    for (const { token } of one.queries.values())
      this.reply({ token, answer: new NotLeader({ leader: leaderOf(one.state) }) });
    one.queries.clear();
  }

  #found({ gid, peers }: Found, token: ReplyToken<ConsensusAnswer>): void {
    const { ready, loading, replicas, tombs, writes } = this.#state;
    const { peerId, create } = this.#ports;
    const config = foundingConfig(peers);
    const own = config.members.find((member) => member.peerId === peerId);
    const problem = isGroupName(gid) ? peersProblem(peers) : `${gid} cannot be the id of a group`;
    if (problem !== null) this.refuse(token, "invalid", problem);
    else if (!ready || loading.has(gid)) this.refuse(token, "pending", "the storage is being read");
    else if (replicas.has(gid) || tombs.has(gid))
      this.refuse(token, "exists", `${gid} is or was here`);
    else if (own === undefined)
      this.refuse(token, "invalid", `peer ${peerId} is none of the founders`);
    else {
      create(gid, own.replicaId, founded(config));
      writes.founding.push(token);
    }
  }

  #propose(
    gid: string,
    token: ReplyToken<ConsensusAnswer>,
    action: (one: Replica) => ReturnType<typeof propose>,
  ): void {
    this.#at(gid, token, (one) => {
      const done = action(one);
      if (done.accepted) awaitEntry(one, done.index, token, (reply) => this.reply(reply));
      else this.#refused(one, token, done.reason);
    });
  }

  #change(
    one: Replica,
    token: ReplyToken<ConsensusAnswer>,
    change: Change,
    expectedEpoch: number | undefined,
  ): void {
    const done = changeMembers(one.state, change, expectedEpoch);
    if (done.accepted) awaitEntry(one, done.index, token, (reply) => this.reply(reply));
    else if (done.reason === "not-leader" || done.reason === "busy" || done.reason === "halted")
      this.#refused(one, token, done.reason);
    else this.refuse(token, done.reason, done.detail);
  }

  #transfer(one: Replica, token: ReplyToken<ConsensusAnswer>, to: ReplicaId): void {
    const refused = transferTo(one.state, to);
    if (refused === null) this.reply({ token, answer: new Transferring() });
    else if (refused === "not-leader")
      this.reply({ token, answer: new NotLeader({ leader: leaderOf(one.state) }) });
    else this.refuse(token, refused === "busy" ? "pending" : refused, `replica ${to}`);
  }

  /** Does something with a replica, at the present time; what it throws stops the replica. */
  #at(gid: string, token: ReplyToken<ConsensusAnswer>, action: (one: Replica) => void): void {
    const { ready, loading, replicas, writes } = this.#state;
    const one = replicas.get(gid);
    if (one === undefined) {
      if (writes.refused !== null) this.reply({ token, answer: new Busy() });
      else if (!ready || loading.has(gid))
        this.reply({ token, answer: new NotLeader({ leader: null }) });
      else this.refuse(token, "no-group", `${gid} has no replica here`);
      return;
    }
    one.state.now = this.#ports.now();
    this.#ports.guard(one, () => action(one));
    this.#ports.touch(gid);
  }

  #refused(one: Replica, token: ReplyToken<ConsensusAnswer>, reason: Refusal): void {
    if (reason === "busy") this.reply({ token, answer: new Busy() });
    else if (reason === "halted") this.refuse(token, "halted", one.state.halted ?? "");
    else {
      rouse(one.state, this.#ports.now());
      this.reply({ token, answer: new NotLeader({ leader: leaderOf(one.state) }) });
    }
  }
}

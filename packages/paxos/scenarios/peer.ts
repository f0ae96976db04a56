/**
 * A node of `group-chaos`: the replicated groups, a view into them, a gate, and a client. What an operator wants is done where
 * the leader is, and fails elsewhere.
 *
 * It says `fail` only where it was told that nothing was done: what was not answered in time is `info`.
 */

import {
  AskTimeout,
  Component,
  event,
  KithError,
  mix,
  SchedulePeriodic,
  timeout,
  Timer,
} from "@kith/core";
import type { PeerRef } from "@kith/network";
import { Fact, Perform, Performed, Workload } from "@kith/sim/scenario";
import {
  Applied,
  AskStatus,
  Bundle,
  messagesIn,
  bytesText,
  type Change,
  ChangeMembers,
  Changed,
  type Config,
  Consensus,
  type ConsensusAnswer,
  Execute,
  Executed,
  Found,
  Founded,
  GroupClient,
  GroupGate,
  GroupHalted,
  GroupLeft,
  type GroupSettings,
  Inquire,
  LeaderChanged,
  MembersChanged,
  Refused,
  Replicated,
  ReplicatedGroups,
  Status,
  TransferLeadership,
  Transferring,
  Unknown,
} from "../src/index.ts";
import { holdsLease } from "../src/lease.ts";
import { lastIndex } from "../src/log.ts";
import { operationBytes, registers } from "./registers.ts";

// --- facts -----------------------------------------------------------------------------------------

/** An entry, as it stands in a log: what it says is a number. */
export interface SeenEntry {
  readonly index: number;
  readonly term: number;
  readonly before: number;
  readonly digest: number;
}

/** How a replica stands, and what has come to its log since this was last said. */
export class Standing extends event("group-chaos/Standing", Fact)<{
  /** Its id; 0 where there is none. */
  readonly replica: number;
  readonly term: number;
  /** Its vote in that term, once it is durable; null before. */
  readonly vote: number | null;
  readonly leads: boolean;
  readonly base: number;
  readonly last: number;
  readonly commit: number;
  readonly applied: number;
  /** Over all that was applied. */
  readonly hash: number;
  /** Whether entries that were there stand there no more. */
  readonly truncated: boolean;
  /** Whether a snapshot has come. */
  readonly installed: boolean;
  readonly entries: readonly SeenEntry[];
}> {}

/** A vote has arrived. */
export class Voted extends event("group-chaos/Voted", Fact)<{
  readonly voter: number;
  readonly term: number;
  readonly candidate: number;
}> {}

/** A command was applied. */
export class CommandApplied extends event("group-chaos/CommandApplied", Fact)<{
  readonly index: number;
  readonly command: string;
  readonly result: string;
}> {}

/** A replica leads, or does not any more. */
export class Office extends event("group-chaos/Office", Fact)<{
  readonly term: number;
  readonly here: boolean;
}> {}

/** A replica has a lease, for the first time in its life. */
export class Leased extends event("group-chaos/Leased", Fact) {}

/** The last one of several parts of a snapshot has come. */
export class Parts extends event("group-chaos/Parts", Fact) {}

/** A query that waited for its round was refused, because the leader is none any more. */
export class ReadLost extends event("group-chaos/ReadLost", Fact) {}

/** A membership is committed. */
export class Membership extends event("group-chaos/Membership", Fact)<{
  readonly config: Config;
}> {}

/** A change of the membership was done. */
export class ChangeDone extends event("group-chaos/ChangeDone", Fact)<{
  readonly kind: Change["kind"] | "transfer";
  /** Whether it was the leader that was removed. */
  readonly leader: boolean;
}> {}

/** A group has stopped, or the component has failed for no fault of the storage. */
export class Broken extends event("group-chaos/Broken", Fact)<{ readonly reason: string }> {}

// --- the groups, and a view into them ------------------------------------------------------------

const gid = "g";
class Look extends timeout("group-chaos/Look") {}

/** The groups; says every now and then how the replica stands. */
export class WatchedGroups extends ReplicatedGroups {
  readonly workload = this.requires(Workload);
  protected override readonly machine = registers;
  #replica = 0;
  #last = 0;
  #lastTerm = 0;
  #stand = "";
  #leased = false;

  constructor(init: ConstructorParameters<typeof ReplicatedGroups>[0]) {
    super(init);
    this.timer.on(Look, () => this.#look());
    // What came just before a crash was never flushed: it is seen here, and not there afterwards.
    this.network.on(Bundle, (bundle) => {
      for (const { kind, from: voter, to: candidate, term, ...rest } of messagesIn(bundle))
        if (kind === "vote-answer" && "granted" in rest && rest.granted)
          this.workload.trigger(new Voted({ voter, term, candidate }));
        else if (kind === "snapshot" && "last" in rest && rest.part > 0 && rest.last)
          this.workload.trigger(new Parts());
      const one = this.state.replicas.get(gid);
      if (one === undefined) return;
      if (one.state.role !== "leader" && one.queries.size > 0)
        this.workload.trigger(new ReadLost());
      if (lastIndex(one.state.log) !== this.#last) this.#look();
    });
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: 40, timeout: new Look() })),
    );
  }

  #look(): void {
    const one = this.state.replicas.get(gid);
    if (one === undefined) {
      if (this.#last >= 0) this.workload.trigger(new Standing(noStanding));
      this.#replica = 0;
      this.#last = -1;
      this.#stand = "";
      return;
    }
    if (!this.#leased && holdsLease(one.state, this.clock.monotonic)) {
      this.#leased = true;
      this.workload.trigger(new Leased());
    }
    const { self, term, role, log, commit } = one.state;
    const vote = one.state.hardWrite <= one.state.flushed ? one.state.vote : null;
    const { applied, hash } = one.table;
    const last = lastIndex(log);
    const known = self === this.#replica ? this.#last : 0;
    const stand = `${self} ${term} ${vote} ${role} ${log.base} ${last} ${commit} ${applied}`;
    if (stand === this.#stand) return;
    this.#stand = stand;
    const installed = self === this.#replica && role !== "leader" && known < log.base;
    const stands = log.entries[known - log.base - 1]?.term;
    const truncated =
      self === this.#replica &&
      known > log.base &&
      (stands === undefined || stands !== this.#lastTerm);
    // What was truncated is looked at again from the commit on: what is committed stays.
    const from = truncated ? Math.min(known, commit) : known;
    const entries = log.entries.slice(Math.max(0, from - log.base)).map((entry): SeenEntry => ({
      index: entry.index,
      term: entry.term,
      before: log.entries[entry.index - log.base - 2]?.term ?? -1,
      digest: digestOf(
        entry.kind === "command" ? bytesText(entry.data) : `${entry.kind} ${entry.time}`,
      ),
    }));
    this.#replica = self;
    this.#last = last;
    this.#lastTerm = log.entries.at(-1)?.term ?? log.baseTerm;
    const leads = role === "leader";
    const place = { replica: self, term, vote, leads, base: log.base, last, commit, applied, hash };
    this.workload.trigger(new Standing({ ...place, truncated, installed, entries }));
  }
}

const noStanding = {
  replica: 0,
  term: 0,
  vote: null,
  leads: false,
  base: 0,
  last: 0,
  commit: 0,
  applied: 0,
  hash: 0,
  truncated: false,
  installed: false,
  entries: [],
};

// --- the node ------------------------------------------------------------------------------------

class Turn extends timeout("group-chaos/Turn") {}

/** What the nodes of a run are told. */
export interface ChaosInit {
  readonly peers: readonly PeerRef[];
  readonly index: number;
  /** Whether leaders have leases; default false. */
  readonly leases?: boolean;
}

/** For which call something is asked. */
interface Context {
  readonly id: number;
}

type Answer = ConsensusAnswer | AskTimeout;

const within = 1500;

/** How many voters a group has at least, in a cluster of so many nodes. */
export function votersOf(nodes: number): number {
  return nodes >= 6 ? 5 : 3;
}

/** One node. */
export class Peer extends Component {
  readonly workload = this.requires(Workload);
  readonly timer = this.requires(Timer);
  readonly consensus = this.requires(Consensus);
  readonly replicated = this.requires(Replicated);
  readonly groups;
  readonly gate = this.create(GroupGate, {}, { name: "gate" });
  readonly client;
  readonly #init: ChaosInit;
  #leads = false;
  #founding: boolean;
  readonly #found = this.consensus.onAnswer(Found, (answer) => {
    if (answer instanceof Founded || (answer instanceof Refused && answer.reason === "exists"))
      this.#founding = false;
  });
  readonly #execute = this.replicated.onAnswer(Execute, (answer, _ask, { id }: Context) => {
    if (!(answer instanceof Executed)) return this.#refused(id, answer);
    const text = bytesText(answer.result);
    return this.#end(id, text === "done" ? { type: "ok" } : { type: "fail", error: text });
  });
  readonly #inquire = this.replicated.onAnswer(Inquire, (answer, _ask, { id }: Context) => {
    if (!(answer instanceof Executed)) return this.#refused(id, answer);
    const text = bytesText(answer.result);
    return this.#end(id, { type: "ok", value: text === "none" ? null : Number(text) });
  });
  readonly #status = this.consensus.onAnswer(
    AskStatus,
    (answer, _ask, { id, choice }: Context & { choice: number }) => {
      if (answer instanceof Status && answer.role === "leader")
        this.#reconfigure(id, choice, answer);
      else this.#end(id, { type: "fail", error: "another one leads" });
    },
  );
  readonly #change = this.consensus.onAnswer(
    ChangeMembers,
    (answer, { change }, { id, self }: Context & { self: number }) => {
      if (!(answer instanceof Changed)) return this.#refused(id, answer);
      const leader = change.kind === "remove" && change.replicaId === self;
      this.workload.trigger(new ChangeDone({ kind: change.kind, leader }));
      return this.#end(id, { type: "ok" });
    },
  );
  readonly #transfer = this.consensus.onAnswer(
    TransferLeadership,
    (answer, _ask, { id }: Context) => {
      if (!(answer instanceof Transferring)) return this.#refused(id, answer);
      this.workload.trigger(new ChangeDone({ kind: "transfer", leader: false }));
      return this.#end(id, { type: "ok" });
    },
  );

  constructor(init: ChaosInit) {
    super();
    this.#init = init;
    this.#founding = init.index < votersOf(init.peers.length);
    this.groups = this.create(
      WatchedGroups,
      { announce: true, twice: true, settings: settingsOf(init) },
      {
        name: "groups",
        onFault: ({ cause }) => {
          // A storage that fails is a crash. Anything else is a defect.
          if (!(cause instanceof KithError && cause.code === "KITH_PAXOS_STORAGE"))
            this.workload.trigger(new Broken({ reason: String(cause) }));
          return "escalate";
        },
      },
    );
    this.client = this.create(
      GroupClient,
      { groups: { [gid]: init.peers }, retry: 300 },
      { name: "client" },
    );
    this.connect(this.groups.ports.consensus, this.consensus);
    this.connect(this.groups.ports.consensus, this.gate.ports.consensus);
    this.connect(this.client.ports.replicated, this.replicated);
    this.#listen();
    this.workload.on(Perform, (perform) => this.#perform(perform));
    this.timer.on(Turn, () => {
      const { peers } = this.#init;
      if (this.#founding)
        this.#found(new Found({ gid, peers: peers.slice(0, votersOf(peers.length)) }));
    });
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: 20, timeout: new Turn() })),
    );
  }

  #listen(): void {
    this.consensus.on(LeaderChanged, ({ term, here }) => {
      if (here || this.#leads) this.workload.trigger(new Office({ term, here }));
      this.#leads = here;
    });
    this.consensus.on(GroupLeft, () => void (this.#leads = false));
    this.consensus.on(MembersChanged, ({ config }) =>
      this.workload.trigger(new Membership({ config })),
    );
    this.consensus.on(Applied, ({ index, command, result }) =>
      this.workload.trigger(
        new CommandApplied({ index, command: bytesText(command), result: bytesText(result) }),
      ),
    );
    this.consensus.on(GroupHalted, ({ reason }) => this.workload.trigger(new Broken({ reason })));
  }

  #perform({ id, op, key = "", value }: Perform): void {
    const [from = 0, to = 0]: number[] = Array.isArray(value) ? value.map(Number) : [Number(value)];
    if (op === "members")
      return this.#status(new AskStatus({ gid }), { context: { id, choice: from } });
    if (op === "read") {
      const query = operationBytes({ op, key });
      return this.#inquire(new Inquire({ gid, query, within }), { context: { id } });
    }
    const command = operationBytes(
      op === "cas" ? { op, key, from, to } : { op: "write", key, value: from },
    );
    return this.#execute(new Execute({ gid, command, within }), { context: { id } });
  }

  /** Changes the membership; how, the choice decides among what is possible. */
  #reconfigure(id: number, choice: number, { config, self }: Status): void {
    const at = <T>(list: readonly T[]): T | undefined => list[choice % list.length];
    const { members } = config;
    const voters = members.filter(({ voter }) => voter);
    const others = voters.filter(({ replicaId }) => replicaId !== self);
    const learner = at(members.filter(({ voter }) => !voter));
    const outside = at(
      this.#init.peers.filter((peer) => !members.some(({ peerId }) => peerId === peer.peerId)),
    );
    const kind = Math.floor(choice / 1000) % 10;
    const change = (what: Change): void =>
      this.#change(new ChangeMembers({ gid, change: what, expectedEpoch: config.epoch }), {
        context: { id, self },
      });
    const successor = at(others);
    if (kind < 2 && successor !== undefined)
      this.#transfer(new TransferLeadership({ gid, to: successor.replicaId }), { context: { id } });
    else if (learner !== undefined && !(kind === 8 && outside !== undefined)) {
      const { replicaId } = learner;
      change({ kind: kind === 9 ? "remove" : "promote", replicaId });
    } else if (learner === undefined && voters.length > votersOf(this.#init.peers.length)) {
      const victim = kind < 6 ? self : (successor?.replicaId ?? self);
      change({ kind: "remove", replicaId: victim });
    } else if (outside !== undefined) {
      const { peerId, host, port } = outside;
      change({ kind: "add-learner", peer: { peerId, host, port } });
    } else this.#end(id, { type: "fail", error: "nothing to change" });
  }

  /** Not done; or nobody knows, and it may yet be. */
  #refused(id: number, answer: Answer): void {
    const isOpen = answer instanceof Unknown || answer instanceof AskTimeout;
    this.#end(id, { type: isOpen ? "info" : "fail", error: answer.constructor.name });
  }

  #end(id: number, outcome: Pick<Performed, "type" | "value" | "error">): void {
    this.workload.trigger(new Performed({ id, ...outcome }));
  }
}

/** What only its own replica goes by may be different at each: how much of the log is kept and sent at once. */
function settingsOf({ index, leases = false }: ChaosInit): Partial<GroupSettings> {
  const sizes: Partial<GroupSettings>[] = [
    { keepEntries: 0, cutEntries: 1, partBytesMax: 500 },
    { keepEntries: 30, cutEntries: 20, batchBytesMax: 200, inflightMax: 2, partBytesMax: 1 },
    { keepEntries: 5, cutEntries: 50, partBytesMax: 2000 },
    { keepEntries: 100, cutEntries: 100, batchBytesMax: 1, inflightMax: 1 },
  ];
  return {
    heartbeat: 50,
    electionMin: 250,
    electionMax: 500,
    quietAfter: 600,
    quietHeartbeat: 250,
    // Clocks of nodes differ from the right time by up to 500 ppm: two of them by twice that.
    lease: leases ? { drift: 0.0011, margin: 1 } : false,
    ...sizes[index % sizes.length],
  };
}

function digestOf(text: string): number {
  let digest = 1;
  for (let i = 0; i < text.length; i++) digest = mix(digest, text.charCodeAt(i));
  return digest;
}

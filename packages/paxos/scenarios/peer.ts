/**
 * A node of `group-chaos`: the replicated groups, a view into them, and a client that passes what it is asked on to
 * whoever leads.
 *
 * The client asks again, in the same session and with the same number, until it is told an outcome or gives up. It
 * says `fail` only where it was told that nothing was done: what was not answered in time is `info`.
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
import { message, Network, parsePeer, type PeerRef, self as ownPeer } from "@kith/network";
import { Fact, Perform, Performed, Workload } from "@kith/sim/scenario";
import {
  Applied,
  AskStatus,
  Bundle,
  bytesText,
  type Change,
  ChangeMembers,
  Changed,
  type Config,
  Consensus,
  type ConsensusAnswer,
  Done,
  Found,
  Founded,
  GroupHalted,
  GroupLeft,
  type GroupSettings,
  inSession,
  LeaderChanged,
  type Member,
  MembersChanged,
  NotLeader,
  openSession,
  Propose,
  Query,
  Refused,
  ReplicatedGroups,
  sessionResult,
  Status,
  TransferLeadership,
  Transferring,
  Unknown,
} from "../src/index.ts";
import { holdsLease } from "../src/lease.ts";
import { lastIndex } from "../src/log.ts";
import { operationBytes, type RegisterOperation, registers } from "./registers.ts";

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
    this.network.on(Bundle, ({ messages }) => {
      for (const { kind, from: voter, to: candidate, term, ...rest } of messages)
        if (kind === "vote-answer" && "granted" in rest && rest.granted)
          this.workload.trigger(new Voted({ voter, term, candidate }));
      const one = this.state.replicas.get(gid);
      if (one !== undefined && lastIndex(one.state.log) !== this.#last) this.#look();
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

// --- the client ----------------------------------------------------------------------------------

/** What a client wants. */
type Wanted =
  | { readonly kind: "register"; readonly operation: RegisterOperation }
  /** A change of the membership; which one, the number chooses among those that are possible. */
  | { readonly kind: "members"; readonly choice: number };

/** What became of it: `again`, where it was certainly not done yet. */
type Outcome =
  | { readonly type: "ok"; readonly value?: number | null }
  | { readonly type: "fail"; readonly error: string }
  | { readonly type: "again" }
  | { readonly type: "info" };

/** Passes a call on to the leader. */
class Ask extends message("group-chaos/Ask")<{
  readonly call: number;
  readonly process: number;
  readonly wanted: Wanted;
}> {}

/** Its outcome. */
class Told extends message("group-chaos/Told")<{
  readonly call: number;
  readonly outcome: Outcome;
  /** Who leads, as far as is known where it comes from. */
  readonly leader: Member | null;
}> {}

/** A call of this node's own. */
interface Call {
  readonly process: number;
  readonly wanted: Wanted;
  readonly until: number;
  nextAt: number;
}

/** For whom something is asked of the group. */
interface Errand {
  readonly call: number;
  readonly process: number;
  readonly wanted: Wanted;
  /** Who has passed it on; null for this node itself. */
  readonly from: PeerRef | null;
}

class Turn extends timeout("group-chaos/Turn") {}

/** What the nodes of a run are told. */
export interface ChaosInit {
  readonly peers: readonly PeerRef[];
  readonly index: number;
  /** Whether leaders have leases; default false. */
  readonly leases?: boolean;
}

const patience = 1500;
/** How long an answer of the leader may take before it is asked again. */
const answerWithin = 300;

/** How many voters a group has at least, in a cluster of so many nodes. */
export function votersOf(nodes: number): number {
  return nodes >= 6 ? 5 : 3;
}

/** One node. */
export class Peer extends Component {
  readonly workload = this.requires(Workload);
  readonly network = this.requires(Network);
  readonly timer = this.requires(Timer);
  readonly consensus = this.requires(Consensus);
  readonly groups;
  readonly #self: PeerRef;
  readonly #init: ChaosInit;
  readonly #refs = new Map<number, PeerRef>();
  readonly #calls = new Map<number, Call>();
  /** The clients whose session was opened from here. */
  readonly #opened = new Set<number>();
  #leader: Member | null = null;
  /** Who leads, as others say; a node without a replica knows nothing else. */
  #hint: Member | null = null;
  #asked = 0;
  #founding: boolean;
  readonly #found = this.consensus.onAnswer(Found, (answer) => {
    if (answer instanceof Founded || (answer instanceof Refused && answer.reason === "exists"))
      this.#founding = false;
  });
  readonly #propose = this.consensus.onAnswer(
    Propose,
    (answer, _ask, { errand, opens }: { errand: Errand; opens: boolean }) => {
      if (!(answer instanceof Done)) return this.#end(errand, refusal(answer));
      const result = sessionResult(answer.result);
      if (opens || result.kind === "unknown-session") {
        if (opens) this.#opened.add(errand.process);
        else this.#opened.delete(errand.process);
        return this.#do(errand);
      }
      // A copy of this very call has had the result that is not kept any more.
      if (result.kind === "stale") return this.#end(errand, { type: "info" });
      if (result.kind !== "done") return this.#end(errand, { type: "again" });
      const text = bytesText(result.result);
      if (text === "done") return this.#end(errand, { type: "ok" });
      return this.#end(errand, { type: "fail", error: text });
    },
  );
  readonly #query = this.consensus.onAnswer(Query, (answer, _ask, errand: Errand) => {
    // The answers come before the news.
    if (answer instanceof NotLeader && this.#leader?.peerId === this.#self.peerId)
      this.workload.trigger(new ReadLost());
    if (!(answer instanceof Done)) return this.#end(errand, { type: "again" });
    const text = bytesText(answer.result);
    return this.#end(errand, { type: "ok", value: text === "none" ? null : Number(text) });
  });
  readonly #status = this.consensus.onAnswer(AskStatus, (answer, _ask, errand: Errand) => {
    if (!(answer instanceof Status) || answer.role !== "leader")
      return this.#end(errand, { type: "again" });
    return this.#reconfigure(errand, answer);
  });
  readonly #change = this.consensus.onAnswer(
    ChangeMembers,
    (answer, { change }, { errand, self }: { errand: Errand; self: number }) => {
      if (!(answer instanceof Changed)) return this.#end(errand, changeRefusal(answer));
      const leader = change.kind === "remove" && change.replicaId === self;
      this.workload.trigger(new ChangeDone({ kind: change.kind, leader }));
      return this.#end(errand, { type: "ok" });
    },
  );
  readonly #transfer = this.consensus.onAnswer(
    TransferLeadership,
    (answer, _ask, errand: Errand) => {
      if (!(answer instanceof Transferring)) return this.#end(errand, changeRefusal(answer));
      this.workload.trigger(new ChangeDone({ kind: "transfer", leader: false }));
      return this.#end(errand, { type: "ok" });
    },
  );

  constructor(init: ChaosInit) {
    super();
    this.#init = init;
    this.#self = parsePeer(this.setting(ownPeer));
    this.#founding = init.index < votersOf(init.peers.length);
    // Who is called in a life that is over answers which one it lives now.
    for (const peer of init.peers) this.#met({ ...peer, incarnation: 1 });
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
    this.connect(this.groups.ports.consensus, this.consensus);
    this.network.on(Bundle, ({ from }) => this.#met(from));
    this.network.on(Ask, ({ from, call, process, wanted }) => {
      this.#met(from);
      this.#do({ call, process, wanted, from });
    });
    this.network.on(Told, ({ from, call, outcome, leader }) => {
      this.#met(from);
      if (leader?.peerId !== this.#self.peerId) this.#hint = leader;
      this.#settle(call, outcome);
    });
    this.#listen();
    this.workload.on(Perform, (perform) => this.#perform(perform));
    this.timer.on(Turn, () => this.#turn());
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: 20, timeout: new Turn() })),
    );
  }

  #listen(): void {
    this.consensus.on(LeaderChanged, ({ term, leader, here }) => {
      const was = this.#leader?.peerId === this.#self.peerId;
      this.#leader = leader;
      if (here || was) this.workload.trigger(new Office({ term, here }));
    });
    this.consensus.on(GroupLeft, () => void (this.#leader = null));
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

  // --- calls of this node ------------------------------------------------------------------------

  #perform({ id, op, key = "", value, process }: Perform): void {
    const wanted = wantedOf(op, key, value);
    const now = this.clock.monotonic;
    this.#calls.set(id, { process, wanted, until: now + patience, nextAt: now });
    this.#attempt(id);
  }

  #attempt(id: number): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    const { process, wanted } = call;
    call.nextAt = this.clock.monotonic + answerWithin;
    const { peers } = this.#init;
    const known = this.#leader ?? this.#hint ?? peers[this.#asked++ % peers.length];
    const { peerId } = known ?? this.#self;
    this.#hint = null;
    const to = this.#refs.get(peerId);
    if (peerId === this.#self.peerId || to === undefined)
      this.#do({ call: id, process, wanted, from: null });
    else this.network.trigger(new Ask({ to, from: this.#self, call: id, process, wanted }));
  }

  #turn(): void {
    if (this.#founding) {
      const { peers } = this.#init;
      this.#found(new Found({ gid, peers: peers.slice(0, votersOf(peers.length)) }));
    }
    const now = this.clock.monotonic;
    for (const [id, call] of this.#calls) {
      if (now >= call.until) {
        this.#calls.delete(id);
        // Some copy of it may still be on its way, or in a log.
        this.workload.trigger(new Performed({ id, type: "info", error: "no outcome" }));
      } else if (now >= call.nextAt) this.#attempt(id);
    }
  }

  #settle(id: number, outcome: Outcome): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    if (outcome.type === "again") {
      call.nextAt = Math.min(call.nextAt, this.clock.monotonic + 30);
      return;
    }
    // Only a command in a session can be asked again.
    if (outcome.type === "info" && call.wanted.kind === "register") {
      call.nextAt = Math.min(call.nextAt, this.clock.monotonic + 30);
      return;
    }
    this.#calls.delete(id);
    this.workload.trigger(new Performed({ id, ...outcome }));
  }

  // --- at the leader -------------------------------------------------------------------------------

  #do(errand: Errand): void {
    const { wanted, process, call } = errand;
    if (wanted.kind === "members") return this.#status(new AskStatus({ gid }), { context: errand });
    const command = operationBytes(wanted.operation);
    if (wanted.operation.op === "read")
      return this.#query(new Query({ gid, query: command }), { context: errand });
    const client = `p${process}`;
    if (!this.#opened.has(process))
      return this.#propose(new Propose({ gid, command: openSession(client, 1) }), {
        context: { errand, opens: true },
      });
    // Whoever calls has had the outcomes of all calls before this one.
    const inside = inSession({ client, seq: call, ackedBelow: call, command });
    return this.#propose(new Propose({ gid, command: inside }), {
      context: { errand, opens: false },
    });
  }

  #reconfigure(errand: Errand, { config, self }: Status): void {
    const choice = errand.wanted.kind === "members" ? errand.wanted.choice : 0;
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
        context: { errand, self },
      });
    const successor = at(others);
    if (kind < 2 && successor !== undefined)
      this.#transfer(new TransferLeadership({ gid, to: successor.replicaId }), {
        context: errand,
      });
    else if (learner !== undefined && !(kind === 8 && outside !== undefined)) {
      const { replicaId } = learner;
      change({ kind: kind === 9 ? "remove" : "promote", replicaId });
    } else if (learner === undefined && voters.length > votersOf(this.#init.peers.length)) {
      const victim = kind < 6 ? self : (successor?.replicaId ?? self);
      change({ kind: "remove", replicaId: victim });
    } else if (outside !== undefined) {
      const { peerId, host, port } = outside;
      change({ kind: "add-learner", peer: { peerId, host, port } });
    } else this.#end(errand, { type: "fail", error: "nothing to change" });
  }

  #end({ call, from }: Errand, outcome: Outcome): void {
    if (from === null) this.#settle(call, outcome);
    else {
      const leader = this.#leader;
      this.network.trigger(new Told({ to: from, from: this.#self, call, outcome, leader }));
    }
  }

  #met(peer: PeerRef): void {
    const known = this.#refs.get(peer.peerId);
    if (known === undefined || known.incarnation <= peer.incarnation)
      this.#refs.set(peer.peerId, peer);
  }
}

/** What an answer that is no result says: not done, or nobody knows. */
function refusal(answer: ConsensusAnswer | AskTimeout): Outcome {
  return answer instanceof Unknown || answer instanceof AskTimeout
    ? { type: "info" }
    : { type: "again" };
}

/** A change that is refused is not asked for again: another one comes. */
function changeRefusal(answer: ConsensusAnswer | AskTimeout): Outcome {
  const { type } = refusal(answer);
  return type === "info" ? { type } : { type: "fail", error: answer.constructor.name };
}

function wantedOf(op: string, key: string, value: unknown): Wanted {
  const [from = 0, to = 0]: number[] = Array.isArray(value) ? value.map(Number) : [Number(value)];
  if (op === "members") return { kind: "members", choice: from };
  if (op === "read") return { kind: "register", operation: { op, key } };
  if (op === "cas") return { kind: "register", operation: { op, key, from, to } };
  return { kind: "register", operation: { op: "write", key, value: from } };
}

/** What only its own replica goes by may be different at each: how much of the log is kept and sent at once. */
function settingsOf({ index, leases = false }: ChaosInit): Partial<GroupSettings> {
  const sizes: Partial<GroupSettings>[] = [
    { keepEntries: 0, cutEntries: 1 },
    { keepEntries: 30, cutEntries: 20, batchBytesMax: 200, inflightMax: 2 },
    { keepEntries: 5, cutEntries: 50 },
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

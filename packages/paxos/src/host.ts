/**
 * The replicated groups of one process: the component around the pure group.
 *
 * What all replicas want of a turn goes out together, behind everything that was queued: one write with one
 * flush for all groups, one message for each other process. Nothing that depends on that write leaves before the
 * storage has flushed it (`durability.ts` keeps it back). A replica in which something fails stops, with its
 * data kept; a storage that fails stops the component, since only a new start knows what is on the disk.
 */

import {
  AskTimeout,
  Component,
  event,
  KithError,
  mix,
  type Millis,
  port,
  SchedulePeriodic,
  streamKey,
  timeout,
  Timer,
} from "@kith/core";
import {
  ConnectionDown,
  ConnectionUp,
  Dropped,
  Network,
  parsePeer,
  type PeerRef,
  self as ownPeer,
} from "@kith/network";
import {
  BeginInstall,
  CommitInstall,
  Flushed,
  InstallChunk,
  ListNamespaces,
  OpenView,
  type Operation,
  ReadBounds,
  ReadLog,
  Scan,
  Storage,
  StorageFailed,
  StorageLost,
  Write,
} from "@kith/storage";
import { memberOf, noConfig } from "./config.ts";
import { Bundle, messagesIn, Records, unpack, type WireMessage } from "./bundle.ts";
import { sharing } from "./decide/peer-book.ts";
import { paxosError } from "./errors.ts";
import { dueAt, flushed, halt, receive, suspect, tick, turn } from "./group.ts";
import { holdsLease } from "./lease.ts";
import { Loader, type LoadContext, type Loading } from "./loading.ts";
import type { Machine } from "./machine.ts";
import { Mail } from "./mail.ts";
import type { PeerMessage } from "./peer-message.ts";
import {
  Applied,
  Consensus,
  Done,
  Founded,
  GroupHalted,
  GroupLeft,
  GroupSpawned,
  LeaderChanged,
  MembersChanged,
  NotLeader,
  Refused,
} from "./port.ts";
import { birth, death, operationsOf, tableNamespace, tableOperations } from "./records.ts";
import { answerUnknown, applyTo, leaderOf, newReplica, type Replica } from "./replica.ts";
import { Requests } from "./requests.ts";
import { type GroupSettings, settingsProblem } from "./settings.ts";
import { type Durable, type Effects, joining, replica, spawned } from "./state.ts";
import { noStreams, type StreamContext, Streams } from "./streams.ts";
import { emptyTable, queryTable, type Spawned, spawnedTable, takeDirty } from "./table.ts";
import { type Batch, noWrites, type WriteContext, Writes, type Written } from "./writes.ts";

/** The init of the component. */
export interface GroupsInit {
  readonly settings?: Partial<GroupSettings>;
  /** Between two looks at what is due; default 25 ms. Raising it saves CPU and makes timers coarser. */
  readonly tick?: Millis;
  /** Whether each command is told as `Applied`; default false. */
  readonly announce?: boolean;
  /** Whether each command is applied to a shadow too, and compared; default false. Doubles what applying costs. */
  readonly twice?: boolean;
}

class Tick extends timeout("paxos/Tick") {}
/** Behind everything that is queued: time to write and to send. */
class TurnEnds extends event("paxos/TurnEnds") {}
const Turns = port("PaxosTurns", { requests: [TurnEnds] });

type UseContext = StreamContext | LoadContext;

const dirtyMax = 2048;
const saveEveryMs = 1000;
const stallMs = 250;
/** How long to wait before a storage that took no write is asked again. */
const retryMs = 500;

/** Replicates the machine that a subclass names, in any number of groups; see `replicatedGroups`. */
export abstract class ReplicatedGroups extends Component {
  readonly consensus = this.provides(Consensus);
  protected readonly network = this.requires(Network);
  protected readonly disk = this.requires(Storage);
  protected readonly timer = this.requires(Timer);
  protected readonly turns = this.provides(Turns);
  protected readonly turner = this.requires(Turns);
  /** What is replicated. */
  protected abstract readonly machine: Machine;

  readonly state = this.declareState({
    ready: false,
    replicas: new Map<string, Replica>(),
    loading: new Map<string, Loading>(),
    /** By group: the least replica id that may still come. */
    tombs: new Map<string, number>(),
    peers: new Map<number, PeerRef>(),
    dirty: new Set<string>(),
    turnDue: false,
    writes: noWrites(),
    lastTick: 0,
    lastSave: 0,
    streams: noStreams(),
  });

  readonly #init: GroupsInit;
  readonly #self: PeerRef;
  readonly #mail: Mail;
  readonly #records = new Records();
  readonly #writes: Writes;
  readonly #streams: Streams;
  readonly #loader: Loader;
  readonly #requests: Requests;

  constructor(init: GroupsInit = {}) {
    super();
    const problem = settingsProblem(init.settings ?? {});
    if (problem !== null) throw paxosError("KITH_PAXOS_ARGUMENT", problem);
    this.#init = init;
    this.#self = parsePeer(this.setting(ownPeer));
    this.connect(this.turns, this.turner);
    this.turns.on(TurnEnds, () => this.#turn());
    const scan = this.disk.onAnswer(Scan, (answer, ask, context: UseContext) => {
      if (answer instanceof AskTimeout) return;
      if (context.use === "snapshot") this.#streams.scanned(answer, context);
      else this.#loader.scanned(answer, ask, context);
    });
    this.#mail = new Mail(this.state, this.#self, (bundle) => this.network.trigger(bundle));
    this.#writes = this.#makeWrites();
    this.#streams = this.#makeStreams(scan);
    this.#loader = this.#makeLoader(scan);
    this.#requests = new Requests(this.consensus, this.state, {
      peerId: this.#self.peerId,
      now: () => this.clock.monotonic,
      met: (peer) => this.#mail.met(peer),
      create: (gid, replicaId, durable) => void this.#create(gid, replicaId, durable),
      answer: (one, query) => this.#queried(one, query),
      guard: (one, action) => this.#guard(one, action),
      touch: (gid) => this.#touch(gid),
    });
    this.network.on(Bundle, (bundle) => this.#receive(bundle));
    this.network.on(ConnectionUp, ({ peer }) => this.#mail.met(peer));
    this.network.on(ConnectionDown, ({ peer }) => this.#suspect(peer));
    this.network.on(Dropped, ({ reason, from }) => {
      if (reason !== "wrong-incarnation") return;
      // It was for an earlier life of this process: tell the sender which one this is.
      this.#mail.greet(from);
    });
    this.disk.on(StorageLost, ({ code, detail }) => {
      throw paxosError("KITH_PAXOS_STORAGE", `The storage is lost: ${detail} (${code}).`);
    });
    this.timer.on(Tick, () => this.#tick());
    this.onStart(() => {
      const period = init.tick ?? 25;
      this.timer.trigger(new SchedulePeriodic({ period, timeout: new Tick() }));
      this.#loader.begin();
    });
  }

  // --- the network and the time ------------------------------------------------------------------

  #receive(bundle: Bundle): void {
    this.#mail.met(bundle.from);
    if (!this.state.ready) return; // As if it were lost: it comes again.
    const now = this.clock.monotonic;
    for (const message of this.#messages(bundle)) {
      const unpacked = this.#unpacked(message);
      const one = unpacked === null ? undefined : this.#receiver(unpacked);
      if (unpacked === null || one === undefined) continue;
      this.#guard(one, () => receive(one.state, unpacked, now));
      this.#touch(message.gid);
    }
  }

  /** The connection to a process is gone, and with it all peers that it hosts. */
  #suspect(peer: PeerRef): void {
    const now = this.clock.monotonic;
    for (const peerId of sharing(this.state.peers, peer))
      for (const one of this.state.replicas.values())
        this.#guard(one, () => suspect(one.state, peerId, now));
  }

  /** The messages; none where they cannot be read, which is as if they were lost. */
  #messages(bundle: Bundle): readonly WireMessage[] {
    try {
      return messagesIn(bundle);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.log.error(`messages of peer ${bundle.from.peerId} cannot be read`, { reason });
      return [];
    }
  }

  /** The message; null where its entries cannot be read, which is as if it was lost. */
  #unpacked(message: WireMessage): PeerMessage | null {
    try {
      return unpack(message, this.#records);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.log.error(`entries of group ${message.gid} cannot be read`, { reason });
      return null;
    }
  }

  /** The replica that a message is for; it comes into being by what a leader sends it. */
  #receiver({ gid, to, kind }: PeerMessage): Replica | undefined {
    const one = this.state.replicas.get(gid);
    if (one !== undefined && to <= one.state.self) return one;
    const led = kind === "append" || kind === "snapshot";
    const voted = kind === "pre-vote" || kind === "vote";
    if (!led && !(voted && this.#isBornElsewhere(gid, to))) return undefined;
    if (this.state.loading.has(gid) || to < (this.state.tombs.get(gid) ?? 0)) return undefined;
    // A later replica of this peer was added: this one has been removed, also where nobody told it.
    if (one !== undefined) this.#destroy(one, to);
    return this.#create(gid, to, joining);
  }

  /**
   * Whether a group is one of those that a group of this process has made, and this process, which got a snapshot that was
   * later, has never made. It votes there without having anything: else the others might be no majority.
   */
  #isBornElsewhere(gid: string, replicaId: number): boolean {
    for (const { table } of this.state.replicas.values()) {
      const own = table.children.get(gid)?.members.find((one) => one.replicaId === replicaId);
      if (own?.peerId === this.#self.peerId) return true;
    }
    return false;
  }

  /** Makes a group that a command has asked for, durably with or before the table that the command leaves. */
  #spawn(parent: Replica, index: number, what: Spawned, batch: Batch): void {
    const { gid } = what;
    const { replicas, loading, tombs } = this.state;
    const config = parent.table.children.get(gid) ?? noConfig;
    const { self } = parent.state;
    if (memberOf(config, self) === undefined) return;
    // It was made before a crash, or by what others sent: that is as late as this, or later.
    if (replicas.has(gid) || loading.has(gid) || self < (tombs.get(gid) ?? 0)) return;
    const table = spawnedTable(parent.table, what);
    const durable = spawned(config, table.time);
    const state = replica(this.#optionsOf(gid, self), durable);
    const { electionMax, heartbeat } = state.settings;
    // There was no leader yet to be loyal to. Who leads the parent stands first, when the others have heard of the commit.
    state.contact = state.now - 2 * electionMax;
    if (parent.state.role === "leader") state.deadline = state.now + 2 * heartbeat;
    replicas.set(gid, newReplica(state, table));
    // A crash may have left a part of it.
    batch.operations.push({ kind: "drop", namespace: tableNamespace(gid) });
    batch.operations.push(...birth(gid, self, durable));
    batch.operations.push(...operationsOf(gid, { kind: "base", base: durable.base }));
    for (const row of tableOperations(gid, takeDirty(table))) batch.operations.push(row);
    this.consensus.trigger(new GroupSpawned({ gid, parent: parent.state.gid, index }));
    this.#touch(gid);
  }

  #create(gid: string, replicaId: number, durable: Durable): Replica {
    const { versions } = this.machine;
    const state = replica(this.#optionsOf(gid, replicaId), durable);
    const one = newReplica(state, emptyTable(versions[0] ?? 1));
    this.state.replicas.set(gid, one);
    this.state.writes.births.push(...birth(gid, replicaId, durable));
    this.#touch(gid);
    return one;
  }

  #optionsOf(gid: string, replicaId: number): Parameters<typeof replica>[0] {
    const { peerId, incarnation, rebirth } = this.#self;
    const life = mix(streamKey(gid, peerId, replicaId).low, incarnation);
    const seed = rebirth === undefined ? life : mix(life, rebirth);
    const { settings = {} } = this.#init;
    const now = this.clock.monotonic;
    const version = this.machine.versions.at(-1) ?? 1;
    return { gid, self: replicaId, peerId, seed, now, settings, version };
  }

  #destroy(one: Replica, leastId: number): void {
    const { gid } = one.state;
    answerUnknown(one, Infinity, (reply) => this.#requests.reply(reply));
    this.#requests.refuseQueries(one);
    this.state.replicas.delete(gid);
    this.state.tombs.set(gid, leastId);
    this.state.writes.births.push(...death(gid, leastId));
    this.#touch(gid);
  }

  #tick(): void {
    const now = this.clock.monotonic;
    const { state } = this;
    const stalled = state.lastTick > 0 && now - state.lastTick > (this.#init.tick ?? 25) + stallMs;
    state.lastTick = now;
    const version = this.machine.versions.at(-1) ?? 1;
    for (const [gid, one] of state.replicas) {
      // A replacement may be able to apply by newer rules than its predecessor.
      one.state.version = version;
      if (!stalled && now < dueAt(one.state)) continue;
      this.#guard(one, () => tick(one.state, now, stalled));
      this.#touch(gid);
    }
    this.#streams.tidy();
    if (state.writes.again.length > 0) this.#writes.resume();
    if (now >= state.writes.retryAt) {
      state.writes.retryAt = Infinity;
      this.#loader.begin();
    }
    if (now - state.lastSave < saveEveryMs) return;
    state.lastSave = now;
    for (const [gid, one] of state.replicas) {
      if (one.table.applied === one.saved) continue;
      one.saveDue = true;
      this.#touch(gid);
    }
  }

  /** Runs a step of a replica; what it throws stops this replica, and no other. */
  #guard(one: Replica, action: () => void): void {
    try {
      action();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const { gid, halted } = one.state;
      if (halted !== null) return;
      halt(one.state, reason);
      // What a torn step wanted must not happen.
      Object.assign(one.state.out, { messages: [], records: [], apply: [], snapshots: [] });
      this.log.error(`group ${gid} has stopped`, { reason });
      this.consensus.trigger(new GroupHalted({ gid, reason }));
      answerUnknown(one, Infinity, (reply) => this.#requests.reply(reply));
      this.#requests.refuseQueries(one);
    }
  }

  // --- the end of a turn -------------------------------------------------------------------------

  #touch(gid: string): void {
    this.state.dirty.add(gid);
    if (this.state.turnDue) return;
    this.state.turnDue = true;
    this.turner.trigger(new TurnEnds());
  }

  #turn(): void {
    const { state } = this;
    state.turnDue = false;
    const batch = this.#writes.begin();
    if (batch === null) return;
    // Snapshots that are sent read the table as this batch leaves it.
    const snapshots: { one: Replica; effects: Effects }[] = [];
    const dirty = [...state.dirty];
    state.dirty.clear();
    for (const gid of dirty) {
      const one = state.replicas.get(gid);
      if (one === undefined) continue;
      this.#guard(one, () => {
        const effects = turn(one.state);
        this.#collect(one, effects, batch);
        if (effects.snapshots.length > 0) snapshots.push({ one, effects });
      });
    }
    this.#writes.commit(batch);
    this.#mail.send(batch.messages, this.#records);
    this.#records.clear();
    for (const { one, effects } of snapshots) this.#guard(one, () => this.#stream(one, effects));
    if (state.writes.births.length > 0) this.#touch("");
  }

  #collect(one: Replica, effects: Effects, batch: Batch): void {
    const { gid, self } = one.state;
    const { records, write } = effects;
    const installs = records.findIndex(({ kind }) => kind === "install");
    if (installs < 0)
      for (const record of records)
        for (const operation of operationsOf(gid, record, this.#records.of))
          batch.operations.push(operation);
    else {
      const operations = records.map((record) => operationsOf(gid, record));
      // What comes before it is written before it; the snapshot and what comes after it, as one batch.
      batch.operations.push(...operations.slice(0, installs).flat());
      this.#writes.commit(batch);
      this.#install(one, write, operations.slice(installs).flat());
    }
    if (write > 0) {
      batch.flush = true;
      if (installs < 0) batch.groups.set(gid, { self, write, applied: one.saved });
    }
    this.#apply(one, effects, batch);
    const sends = effects.snapshots.some(({ kind }) => kind === "send");
    const due = one.saveDue || sends || one.table.dirty.size >= dirtyMax;
    // What stopped it may have done so while its table was to be written: what is on the disk stays as it is.
    if (due && one.state.halted === null) {
      one.saveDue = false;
      // One by one: a split may leave more of them than fit into the arguments of a call.
      for (const row of tableOperations(gid, takeDirty(one.table))) batch.operations.push(row);
      one.saved = one.table.applied;
      batch.groups.set(gid, { self, write: one.state.written, applied: one.saved });
    }
    batch.messages.push(...effects.messages);
    this.#tell(one, effects);
  }

  #apply(one: Replica, { apply, reads }: Effects, batch: Batch): void {
    const { gid } = one.state;
    for (const entry of apply) {
      const { index } = entry;
      const { twice = false, announce = false } = this.#init;
      const done = applyTo(one, this.machine, entry, twice, (reply) => this.#requests.reply(reply));
      for (const what of done.spawned) this.#spawn(one, index, what, batch);
      const { result } = done;
      if (!(announce || one.followed) || result === null || entry.kind !== "command") continue;
      const written = [...done.written];
      this.consensus.trigger(new Applied({ gid, index, command: entry.data, result, written }));
    }
    for (const { id, outcome } of reads) {
      const waiting = one.queries.get(id);
      if (waiting === undefined) continue;
      one.queries.delete(id);
      const { token, query } = waiting;
      if (outcome === "refused") {
        this.#requests.reply({ token, answer: new NotLeader({ leader: leaderOf(one.state) }) });
        continue;
      }
      const answer = this.#queried(one, query);
      // By the clock after the reading: the process may have stood still, and another one may lead since.
      if (outcome === "leased" && !holdsLease(one.state, this.clock.monotonic)) {
        this.#requests.ask(gid, waiting);
        continue;
      }
      this.#requests.reply({ token, answer });
    }
  }

  /** What the machine answers. What it throws is its answer, too: anybody may ask anything, and no question stops a group. */
  #queried(one: Replica, query: Uint8Array): Done | Refused {
    try {
      const result = queryTable(one.table, this.machine, query);
      return new Done({ index: one.table.applied, result });
    } catch (cause) {
      if (cause instanceof KithError && cause.code === "KITH_PAXOS_VERSION") throw cause;
      const detail = cause instanceof Error ? cause.message : String(cause);
      return new Refused({ reason: "invalid", detail });
    }
  }

  #tell(one: Replica, { news }: Effects): void {
    const { gid, self: own } = one.state;
    for (const what of news) {
      if (what.kind === "leader") {
        const leader = leaderOf(one.state);
        const here = what.leader === own;
        this.consensus.trigger(new LeaderChanged({ gid, term: what.term, leader, here }));
      } else if (what.kind === "members")
        this.consensus.trigger(new MembersChanged({ gid, config: what.config }));
      else if (what.kind === "drift")
        this.log.error(`group ${gid}: a clock is too fast for leases`, { replica: what.replica });
      else {
        this.#destroy(one, own + 1);
        this.consensus.trigger(new GroupLeft({ gid }));
      }
    }
  }

  /** Makes what is staged the table, with the records that belong to it. */
  #install(one: Replica, write: number, operations: readonly Operation[]): void {
    const { gid, self } = one.state;
    const ready = this.#streams.takeReady(gid);
    if (ready === undefined)
      throw paxosError("KITH_PAXOS_INVARIANT", `L7 is violated: nothing is staged for ${gid}.`);
    one.table = ready.table;
    one.saved = ready.table.applied;
    one.saveDue = false;
    answerUnknown(one, ready.table.applied, (reply) => this.#requests.reply(reply));
    const groups: Written = new Map([[gid, { self, write, applied: one.saved }]]);
    this.#writes.install(ready.install, operations, groups);
  }

  #stream(one: Replica, { snapshots }: Effects): void {
    for (const deed of snapshots) {
      if (deed.kind === "send") this.#streams.send(one, deed.to);
      else if (deed.kind === "stage") this.#streams.stage(one, deed.message);
      else this.#streams.proceed(one, deed.to, deed.part, deed.taken);
    }
    this.#touch(one.state.gid);
  }

  // --- the storage -------------------------------------------------------------------------------

  #written(answer: unknown, ask: Write | CommitInstall, context: WriteContext): void {
    const { state } = this;
    const { groups, founded } = context;
    const waited = this.#writes.answered();
    if (answer instanceof StorageFailed && !this.#writes.postpone(answer, ask, context)) {
      if (!this.#writes.refuse(answer))
        throw paxosError(
          "KITH_PAXOS_STORAGE",
          `A write failed: ${answer.detail} (${answer.code}).`,
        );
      for (const token of founded) this.#requests.refuse(token, "pending", answer.detail);
    }
    if (answer instanceof Flushed) {
      const now = this.clock.monotonic;
      for (const [gid, { self, write, applied }] of groups) {
        const one = state.replicas.get(gid);
        // The write may have been that of a replica which was removed since.
        if (one?.state.self !== self) continue;
        this.#guard(one, () => flushed(one.state, write, applied, now));
        this.#touch(gid);
      }
      for (const token of founded) this.#requests.reply({ token, answer: new Founded() });
    }
    if (waited) this.#touch("");
    if (state.writes.refused === null || state.writes.underWay > 0) return;
    if (answer instanceof Flushed && state.writes.dropped) {
      // There is room again: go on from what is on the disk.
      Object.assign(state.writes, { refused: null, dropped: false });
      this.#loader.begin();
      return;
    }
    if (!state.writes.dropped) this.#drop();
    state.writes.retryAt = this.clock.monotonic + retryMs;
  }

  /** Forgets what the disk may not have, as a crash does: nothing of it was promised to anybody. */
  #drop(): void {
    const { state } = this;
    this.log.warn("nothing can be written", { reason: state.writes.refused });
    state.writes.dropped = true;
    state.ready = false;
    for (const [gid, one] of state.replicas) {
      answerUnknown(one, Infinity, (reply) => this.#requests.reply(reply));
      this.#requests.refuseQueries(one);
      const { term, leader } = one.state;
      if (leader !== 0)
        this.consensus.trigger(new LeaderChanged({ gid, term, leader: null, here: false }));
    }
    for (const token of this.#writes.drop())
      this.#requests.refuse(token, "pending", "the storage is full");
    this.#streams.drop();
    for (const table of [state.replicas, state.loading, state.tombs, state.dirty]) table.clear();
  }

  #makeWrites(): Writes {
    return new Writes(() => this.state.writes, {
      write: this.disk.onAnswer(Write, (answer, ask, context: WriteContext) =>
        this.#written(answer, ask, context),
      ),
      install: this.disk.onAnswer(CommitInstall, (answer, ask, context: WriteContext) =>
        this.#written(answer, ask, context),
      ),
    });
  }

  #makeStreams(scan: (ask: Scan, options: { context: UseContext }) => void): Streams {
    const ports = {
      scan,
      openView: this.disk.onAnswer(OpenView, (answer, _, context: StreamContext) => {
        if (!(answer instanceof AskTimeout)) this.#streams.opened(answer, context);
      }),
      begin: this.disk.onAnswer(BeginInstall, (answer, _, context: StreamContext) => {
        if (!(answer instanceof AskTimeout)) this.#streams.begun(answer, context);
      }),
      chunk: this.disk.onAnswer(InstallChunk, (answer, _, context: StreamContext) =>
        this.#streams.staged(answer instanceof StorageFailed, context),
      ),
      forget: (what: Parameters<typeof this.disk.trigger>[0]) => this.disk.trigger(what),
      replica: (gid: string) => this.state.replicas.get(gid),
      touch: (gid: string) => this.#touch(gid),
    };
    return new Streams(
      () => this.state.streams,
      ports,
      () => this.machine.versions[0] ?? 1,
    );
  }

  #makeLoader(scan: (ask: Scan, options: { context: UseContext }) => void): Loader {
    return new Loader(this.state, {
      scan,
      bounds: this.disk.onAnswer(ReadBounds, (answer) => {
        if (!(answer instanceof AskTimeout)) this.#loader.bounded(answer);
      }),
      numbered: (last) => {
        const { writes } = this.state;
        writes.number = last;
        if (writes.refused === null) return true;
        this.#writes.probe(last);
        return false;
      },
      list: this.disk.onAnswer(ListNamespaces, (answer) => {
        if (!(answer instanceof AskTimeout)) this.#loader.listed(answer);
      }),
      log: this.disk.onAnswer(ReadLog, (answer, ask, context: LoadContext) => {
        if (!(answer instanceof AskTimeout)) this.#loader.logged(answer, ask, context);
      }),
      version: () => this.machine.versions[0] ?? 1,
      loaded: (gid, replicaId, durable, table) => {
        const state = replica(this.#optionsOf(gid, replicaId), durable);
        this.state.replicas.set(gid, newReplica(state, table));
      },
      broken: (gid, reason) => {
        this.log.error(`group ${gid} cannot be recovered`, { reason });
        this.state.tombs.set(gid, Infinity);
        this.consensus.trigger(new GroupHalted({ gid, reason }));
      },
    });
  }
}

/** A component that replicates a machine: `create(replicatedGroups(counter), {}, { name: "Groups" })`. */
export function replicatedGroups(machine: Machine): new (init?: GroupsInit) => ReplicatedGroups {
  return class Groups extends ReplicatedGroups {
    protected override readonly machine = machine;
  };
}

/**
 * A laboratory for the pure group: replicas with disks and a network that do nothing by themselves.
 *
 * Every step is asked for: deliver this message, flush that write, crash here. It keeps ghosts beside what the
 * replicas know, and checks the invariants across them (G1 to G4, L4, L9) at every step.
 */

import { mix } from "@kith/core";
import {
  type Change,
  type Config,
  foundingConfig,
  type Member,
  memberOf,
  type PeerAddress,
  votersOf,
} from "./config.ts";
import type { Entry, Index } from "./entry.ts";
import { dueAt, flushed, propose, receive, suspect, tick, turn } from "./group.ts";
import { holdsLease } from "./lease.ts";
import { entryAt, lastIndex, termAt } from "./log.ts";
import { changeMembers } from "./membership.ts";
import type { Base, PeerMessage, SnapshotPart } from "./peer-message.ts";
import { read } from "./reads.ts";
import type { GroupSettings } from "./settings.ts";
import { giveUpSnapshot, install, partStaged, sendPart, snapshotBase } from "./snapshots.ts";
import {
  configOf,
  type Durable,
  type Effects,
  founded,
  type GroupState,
  joining,
  type LogRecord,
  replica,
} from "./state.ts";
import { transferTo } from "./transfer.ts";

/** What a group has applied: the commands, and a hash over everything. */
export interface Table {
  applied: Index;
  lines: string[];
  hash: number;
}

interface PendingWrite {
  readonly number: number;
  readonly records: readonly LogRecord[];
  readonly table: Table | null;
}

/** A replica's disk: what is durable, and what was written since. */
export interface Disk {
  term: number;
  vote: number;
  base: Base;
  entries: Entry[];
  table: Table;
  pending: PendingWrite[];
}

export interface Machine {
  readonly peerId: number;
  self: number;
  state: GroupState | null;
  disk: Disk;
  table: Table;
  lives: number;
  /** Snapshots that it sends, by receiver. */
  sending: Map<number, { base: Base; lines: string[]; hash: number }>;
  staged: string[];
}

export interface LabOptions {
  readonly settings?: Partial<GroupSettings>;
  readonly seed?: number;
  /** Told what happens, a line each. */
  readonly say?: (line: string) => void;
  /** How often a write takes the table along; 1 is always. */
  readonly tableEvery?: number;
  /** How fast a peer's clock runs; default 1. */
  readonly rate?: (peerId: number) => number;
}

export function address(peerId: number): PeerAddress {
  return { peerId, host: `n${peerId}`, port: 7000 };
}

const text = new TextDecoder();
const bytes = new TextEncoder();
const partLines = 2;

export class Lab {
  readonly machines = new Map<number, Machine>();
  network: PeerMessage[] = [];
  now = 0;
  /** Pairs of peers that cannot hear each other: `a>b`. */
  readonly cuts = new Set<string>();
  /** The last questions that were asked in the name of a leader that hands over: they may be on their way for ever. */
  readonly invitations: PeerMessage[] = [];
  /** Reads without an answer, and who was asked. */
  readonly openReads = new Map<number, number>();
  readonly readsDone: { readonly id: number; readonly outcome: string }[] = [];
  readonly #options: LabOptions;
  readonly #say: (line: string) => void;
  #writes = 0;
  // Ghosts: what no replica could know alone.
  readonly #leaders = new Map<number, number>();
  readonly #entries = new Map<string, string>();
  readonly #committed: string[] = [];
  readonly #hashes: number[] = [];
  readonly #votes = new Map<string, number>();
  readonly #commits = new Map<number, { term: number; led: boolean; commit: number }>();
  readonly #reads = new Map<number, Index>();
  readonly #ahead = new Map<number, number>();
  readonly #seen = { leaderChanges: 0, snapshots: 0, truncations: 0, leased: 0 };

  constructor(options: LabOptions = {}) {
    this.#options = options;
    this.#say = options.say ?? (() => undefined);
  }

  get marks(): { leaderChanges: number; snapshots: number; truncations: number; leased: number } {
    return this.#seen;
  }

  get committed(): number {
    return this.#committed.length;
  }

  found(voters: readonly number[]): void {
    const config = foundingConfig(voters.map(address));
    for (const { replicaId, peerId } of config.members)
      this.#join(peerId, replicaId, diskOf(founded(config)));
  }

  machine(peerId: number): Machine {
    const machine = this.machines.get(peerId);
    if (machine === undefined) throw new Error(`there is no peer ${peerId}`);
    return machine;
  }

  state(peerId: number): GroupState {
    const { state } = this.machine(peerId);
    if (state === null) throw new Error(`peer ${peerId} is down`);
    return state;
  }

  get up(): Machine[] {
    return [...this.machines.values()].filter(({ state }) => state !== null);
  }

  leader(): Machine | undefined {
    return this.up
      .filter(({ state }) => state?.role === "leader" && state.halted === null)
      .sort((a, b) => (b.state?.term ?? 0) - (a.state?.term ?? 0))[0];
  }

  /** What a peer's clock shows. */
  clock(peerId: number): number {
    return this.now * (this.#options.rate?.(peerId) ?? 1);
  }

  // --- inputs ------------------------------------------------------------------------------------

  propose(peerId: number, line: string): ReturnType<typeof propose> {
    const state = this.state(peerId);
    state.now = this.clock(peerId);
    const done = propose(state, bytes.encode(line));
    if (!done.accepted) this.#say(`${peerId} refuses: ${done.reason}`);
    this.#turn(this.machine(peerId));
    return done;
  }

  read(peerId: number, id: number): void {
    const state = this.state(peerId);
    state.now = this.clock(peerId);
    this.#reads.set(id, this.#committed.length);
    const refused = read(state, id);
    if (refused === null) this.openReads.set(id, peerId);
    if (refused !== null) this.#say(`${peerId} refuses read ${id}: ${refused}`);
    this.#turn(this.machine(peerId));
  }

  change(peerId: number, change: Change): boolean {
    const state = this.state(peerId);
    state.now = this.clock(peerId);
    const done = changeMembers(state, change);
    if (!done.accepted) this.#say(`${peerId} refuses: ${done.reason} ${done.detail}`.trim());
    this.#turn(this.machine(peerId));
    return done.accepted;
  }

  transfer(peerId: number, to: number): void {
    const state = this.state(peerId);
    state.now = this.clock(peerId);
    const refused = transferTo(state, to);
    if (refused !== null) this.#say(`${peerId} refuses: ${refused}`);
    this.#turn(this.machine(peerId));
  }

  /** Lets a peer's election timer run out. */
  timeout(peerId: number): void {
    const state = this.state(peerId);
    this.now = Math.max(this.now, state.deadline / (this.#options.rate?.(peerId) ?? 1));
    tick(state, Math.max(this.clock(peerId), state.deadline));
    this.#turn(this.machine(peerId));
  }

  tick(peerId: number, stalled = false): void {
    tick(this.state(peerId), this.clock(peerId), stalled);
    this.#turn(this.machine(peerId));
  }

  /** Lets time pass; whose time has come acts. */
  wait(duration: number): void {
    this.now += duration;
    for (const { state, peerId } of this.up)
      if (state !== null && dueAt(state) <= this.clock(peerId)) this.tick(peerId);
  }

  /** The connection of a peer to another one has ended. */
  disconnect(peerId: number, other: number): void {
    suspect(this.state(peerId), other, this.clock(peerId));
    this.#turn(this.machine(peerId));
  }

  deliver(message: PeerMessage): void {
    const at = this.network.indexOf(message);
    if (at >= 0) this.network.splice(at, 1);
    this.hand(message);
  }

  /** Hands over a message, which stays in the network where it is there. */
  hand(message: PeerMessage): void {
    let machine = this.machines.get(message.toPeer);
    if (machine === undefined) {
      // A replica comes into being by what its leader sends it.
      if (message.kind !== "append" && message.kind !== "snapshot") return;
      machine = this.#join(message.toPeer, message.to, diskOf(joining));
    } else if (machine.state !== null && message.to > machine.self) {
      if (message.kind !== "append" && message.kind !== "snapshot") return;
      machine = this.#join(message.toPeer, message.to, diskOf(joining));
    }
    if (machine.state === null) return;
    receive(machine.state, structuredClone(message), this.clock(machine.peerId));
    this.#turn(machine);
  }

  flush(peerId: number): boolean {
    const machine = this.machine(peerId);
    const write = machine.disk.pending.shift();
    if (write === undefined) return false;
    applyWrite(machine.disk, write);
    if (machine.state === null) return true;
    this.#say(`${peerId} flushed #${write.number}`);
    flushed(machine.state, write.number, machine.disk.table.applied, this.clock(peerId));
    this.#turn(machine);
    return true;
  }

  /** Ends a life; of the writes that were not flushed the first `kept` survive. */
  crash(peerId: number, kept = 0): void {
    const machine = this.machine(peerId);
    for (const write of machine.disk.pending.slice(0, kept)) applyWrite(machine.disk, write);
    machine.disk.pending = [];
    machine.state = null;
    machine.sending.clear();
    for (const [id, asked] of this.openReads) if (asked === peerId) this.openReads.delete(id);
  }

  restart(peerId: number): void {
    const machine = this.machine(peerId);
    machine.lives++;
    machine.table = structuredClone(machine.disk.table);
    machine.state = this.#live(machine);
    machine.staged = [];
  }

  #join(peerId: number, self: number, disk: Disk): Machine {
    const machine: Machine = {
      peerId,
      self,
      state: null,
      disk,
      table: structuredClone(disk.table),
      lives: 1,
      sending: new Map(),
      staged: [],
    };
    machine.state = this.#live(machine);
    this.machines.set(peerId, machine);
    return machine;
  }

  #live({ peerId, self, lives, disk }: Machine): GroupState {
    const seed = mix((this.#options.seed ?? 1) * 1000 + peerId, lives);
    const { settings = {} } = this.#options;
    const durable: Durable = { ...structuredClone(disk), applied: disk.table.applied };
    const now = this.clock(peerId);
    return replica({ gid: "g", self, peerId, seed, now, settings }, durable);
  }

  // --- effects -----------------------------------------------------------------------------------

  #turn(machine: Machine): void {
    const { state } = machine;
    if (state === null) return;
    const effects = turn(state);
    this.#checkCommit(machine);
    this.#write(machine, effects);
    this.#apply(machine, effects);
    for (const { id, outcome } of effects.reads) {
      this.#say(`${machine.peerId} read ${id} ${outcome} at ${state.applied}`);
      const wanted = this.#reads.get(id) ?? 0;
      if (outcome === "leased") {
        this.#seen.leased++;
        if (!holdsLease(state, this.clock(machine.peerId))) throw new Error("no lease after all");
      }
      if (outcome !== "refused" && state.applied < wanted)
        throw new Error(
          `L9: read ${id} saw ${state.applied}, though ${wanted} was committed before`,
        );
      this.openReads.delete(id);
      this.readsDone.push({ id, outcome });
    }
    for (const message of effects.messages) {
      this.#checkPromise(machine, message);
      if (message.kind === "timeout-now" || (message.kind === "vote" && message.transfer))
        this.invitations.push(message);
      if (this.invitations.length > 20) this.invitations.shift();
      this.#say(`${machine.peerId} -> ${message.toPeer} ${describe(message)}`);
      if (!this.cuts.has(`${machine.peerId}>${message.toPeer}`)) this.network.push(message);
    }
    for (const news of effects.news) {
      if (news.kind === "leader") this.#led(machine, news.term, news.leader);
      else if (news.kind === "drift")
        this.#say(`${machine.peerId} has no leases any more: the clock of ${news.replica} is fast`);
      else this.#say(`${machine.peerId} ${news.kind} ${describeConfig(news.config)}`);
    }
    this.#snapshots(machine, effects);
  }

  #write(machine: Machine, { records, write }: Effects): void {
    if (write === 0) return;
    this.#say(`${machine.peerId} writes #${write} ${records.map(describeRecord).join(", ")}`);
    const installs = records.find(({ kind }) => kind === "install");
    for (const record of records) {
      if (record.kind === "truncate") this.#seen.truncations++;
      if (record.kind === "append") this.#ghostEntry(machine, record.entry);
    }
    const every = this.#options.tableEvery ?? 1;
    const table =
      installs !== undefined || ++this.#writes % every === 0
        ? structuredClone(machine.table)
        : null;
    machine.disk.pending.push({ number: write, records, table });
  }

  #apply(machine: Machine, { apply }: Effects): void {
    for (const entry of apply) {
      const { table, peerId } = machine;
      if (entry.index !== table.applied + 1)
        throw new Error(`peer ${peerId} applies ${entry.index} after ${table.applied}`);
      const line = describeEntry(entry);
      this.#say(`${peerId} applies ${line}`);
      table.applied = entry.index;
      if (entry.kind === "command") table.lines.push(text.decode(entry.data));
      table.hash = fold(table.hash, line);
      this.#ghostCommit(machine, entry.index, line);
      const known = this.#hashes[entry.index];
      if (known !== undefined && known !== table.hash) throw new Error(`G4 at ${entry.index}`);
      this.#hashes[entry.index] = table.hash;
    }
  }

  /** What a message promises is on the disk when it leaves. */
  #checkPromise({ disk, self, peerId }: Machine, message: PeerMessage): void {
    const fail = (what: string): never => {
      throw new Error(`T8: peer ${peerId} promises ${what} before it is durable`);
    };
    if (message.kind === "append-answer") {
      if (message.match > disk.base.index + disk.entries.length) fail(`entry ${message.match}`);
      if (message.match > 0 && message.term > disk.term) fail(`term ${message.term}`);
    }
    const votes = message.kind === "vote" || (message.kind === "vote-answer" && message.granted);
    if (!votes || message.term < disk.term) return;
    const vote = message.kind === "vote" ? self : message.to;
    if (disk.term !== message.term || disk.vote !== vote) fail(`a vote in term ${message.term}`);
    const known = this.#votes.get(`${self} ${message.term}`);
    if (known !== undefined && known !== vote)
      throw new Error(`G1: replica ${self} votes for ${known} and ${vote} in term ${message.term}`);
    this.#votes.set(`${self} ${message.term}`, vote);
  }

  /** What a leader commits, it commits by an entry of its own term. */
  #checkCommit({ state, peerId }: Machine): void {
    if (state === null) return;
    const before = this.#commits.get(peerId);
    const at = state.configs.at(-1);
    const entry = at && entryAt(state.log, at.index);
    if (at === undefined || (at.index > state.log.base && entry?.kind !== "config"))
      throw new Error(
        `L5: peer ${peerId} goes by a membership at ${at?.index} that is not in its log`,
      );
    const inLog = state.log.entries.findLast(({ kind }) => kind === "config")?.index;
    if (at.index !== (inLog ?? state.configs[0]?.index))
      throw new Error(`L5: peer ${peerId} goes by the membership of ${at.index}, not of ${inLog}`);
    const led = state.role === "leader" && before?.term === state.term && before.led;
    if (led && state.commit > before.commit) {
      const term = termAt(state.log, state.commit);
      if (term !== state.term)
        throw new Error(`L4: the leader of term ${state.term} commits ${state.commit}.${term}`);
    }
    this.#commits.set(peerId, {
      term: state.term,
      led: state.role === "leader",
      commit: state.commit,
    });
  }

  #ghostEntry({ state }: Machine, entry: Entry): void {
    this.#checkTime(state, entry);
    // G2: an index and a term name one content and one predecessor.
    const before =
      entry.index - 1 === state?.log.base
        ? undefined
        : state && entryAt(state.log, entry.index - 1);
    const key = `${entry.index}.${entry.term}`;
    const line = describeEntry(entry);
    const known = this.#entries.get(key);
    if (known !== undefined && known !== line) throw new Error(`G2: ${known} and ${line}`);
    this.#entries.set(key, line);
    if (before === undefined || before === null) return;
    const link = `<${key}`;
    const chain = `${before.index}.${before.term}`;
    const knownChain = this.#entries.get(link);
    if (knownChain !== undefined && knownChain !== chain)
      throw new Error(`G2: before ${key} stand ${knownChain} and ${chain}`);
    this.#entries.set(link, chain);
  }

  /** The group's time never goes back, and goes on with the clock of whoever leads. */
  #checkTime(state: GroupState | null, entry: Entry): void {
    if (state?.role !== "leader" || entry.term !== state.term) return;
    const before = entryAt(state.log, entry.index - 1)?.time ?? 0;
    // How far the clock was ahead of the group's time when this leader had its first entry.
    const ahead = this.#ahead.get(entry.term) ?? state.now - entry.time;
    this.#ahead.set(entry.term, ahead);
    if (entry.time < before || entry.time + ahead < state.now - 0.01)
      throw new Error(
        `entry ${entry.index} of time ${entry.time} comes after ${before}, at ${state.now - ahead}`,
      );
  }

  #ghostCommit({ state, peerId }: Machine, index: Index, line: string): void {
    const known = this.#committed[index - 1];
    if (known !== undefined) {
      if (known !== line)
        throw new Error(`G3: ${known} was committed, and peer ${peerId} commits ${line}`);
      return;
    }
    this.#committed[index - 1] = line;
    // Who commits it first is its leader: it has to be durable at a majority of the voters.
    if (state === null) return;
    const config = configOf(state);
    const voters = votersOf(config);
    const holders = voters.filter((voter) => this.#holds(voter, index, line));
    if (holders.length * 2 <= voters.length)
      throw new Error(
        `L4: ${line} is committed with ${holders.length} durable copies of ${voters.length}`,
      );
  }

  #holds({ peerId, replicaId }: Member, index: Index, line: string): boolean {
    const machine = this.machines.get(peerId);
    if (machine === undefined || machine.self !== replicaId) return false;
    const { disk } = machine;
    if (disk.base.index >= index) return true;
    const entry = disk.entries[index - disk.base.index - 1];
    return entry !== undefined && describeEntry(entry) === line;
  }

  #led(machine: Machine, term: number, leader: number): void {
    if (leader !== machine.self) return;
    this.#say(`${machine.peerId} leads term ${term}`);
    const known = this.#leaders.get(term);
    if (known !== undefined && known !== leader)
      throw new Error(`G1: replicas ${known} and ${leader} lead term ${term}`);
    if (known === undefined) this.#seen.leaderChanges++;
    this.#leaders.set(term, leader);
    // Nobody reads without asking once another one may have something done.
    for (const other of this.up)
      if (
        other !== machine &&
        other.state !== null &&
        holdsLease(other.state, this.clock(other.peerId))
      )
        throw new Error(
          `peer ${other.peerId} has a lease, and replica ${leader} leads term ${term}`,
        );
    // Leader completeness: it has everything that is committed.
    const { state } = machine;
    for (let index = (state?.log.base ?? 0) + 1; index <= this.#committed.length; index++) {
      const entry = state && entryAt(state.log, index);
      if (!entry || describeEntry(entry) !== this.#committed[index - 1])
        throw new Error(
          `G3: replica ${leader} leads term ${term} without ${this.#committed[index - 1]}`,
        );
    }
  }

  #snapshots(machine: Machine, { snapshots }: Effects): void {
    const { state } = machine;
    if (state === null) return;
    for (const deed of snapshots) {
      if (deed.kind === "send") {
        const { lines, hash } = machine.table;
        machine.sending.set(deed.to, { base: snapshotBase(state), lines: [...lines], hash });
        this.#sendPart(machine, deed.to, 0);
      } else if (deed.kind === "proceed") {
        if (deed.taken === false) giveUpSnapshot(state, deed.to);
        else this.#sendPart(machine, deed.to, deed.part + (deed.taken === true ? 1 : 0));
      } else this.#stage(machine, deed.message);
    }
    if (snapshots.length > 0) this.#turn(machine);
  }

  #sendPart({ state, sending }: Machine, to: number, part: number): void {
    const job = sending.get(to);
    if (job === undefined || state === null) return;
    const lines = job.lines.slice(part * partLines, (part + 1) * partLines);
    const last = (part + 1) * partLines >= job.lines.length;
    const cells = lines.map(
      (line, i) => [String(part * partLines + i), bytes.encode(line)] as const,
    );
    sendPart(state, to, { base: job.base, part, cells, last, digest: job.hash });
  }

  #stage(machine: Machine, message: PeerMessage & SnapshotPart): void {
    const { state } = machine;
    if (state === null) return;
    if (message.part === 0) machine.staged = [];
    machine.staged.push(...message.cells.map(([, value]) => text.decode(value)));
    if (!message.last) {
      partStaged(state, message, true);
      return;
    }
    if (!install(state, message)) return;
    this.#seen.snapshots++;
    const { index } = message.base;
    machine.table = { applied: index, lines: [...machine.staged], hash: message.digest };
    const known = this.#hashes[index];
    if (known !== undefined && known !== message.digest) throw new Error(`G4 at ${index}`);
    this.#say(`${machine.peerId} installs ${index}: ${machine.staged.join(" ")}`);
  }
}

function diskOf(durable: Durable): Disk {
  const { term, vote, base } = durable;
  return {
    term,
    vote,
    base,
    entries: [...durable.entries],
    table: { applied: durable.applied, lines: [], hash: 1 },
    pending: [],
  };
}

function applyWrite(disk: Disk, { records, table }: PendingWrite): void {
  for (const record of records) {
    switch (record.kind) {
      case "hard":
        disk.term = record.term;
        disk.vote = record.vote;
        break;
      case "append": {
        const next = disk.base.index + disk.entries.length + 1;
        if (record.entry.index !== next)
          throw new Error(`entry ${record.entry.index} was written as the ${next}th`);
        disk.entries.push(structuredClone(record.entry));
        break;
      }
      case "truncate":
        disk.entries.length = Math.max(0, record.from - disk.base.index - 1);
        break;
      case "base":
        disk.entries.splice(0, record.base.index - disk.base.index);
        disk.base = record.base;
        break;
      case "install":
        if (record.keep) disk.entries.splice(0, record.base.index - disk.base.index);
        else disk.entries = [];
        disk.base = record.base;
        break;
    }
  }
  if (table !== null) disk.table = table;
}

export function describe(message: PeerMessage): string {
  const head = `${message.kind} t${message.term}`;
  switch (message.kind) {
    case "pre-vote":
      return `${head} last ${message.lastIndex}.${message.lastTerm}`;
    case "vote":
      return `${head} last ${message.lastIndex}.${message.lastTerm}${message.transfer ? " transfer" : ""}`;
    case "pre-vote-answer":
    case "vote-answer":
      return `${head} ${message.granted ? "yes" : "no"}`;
    case "append": {
      const entries = message.entries.map(describeEntry).join(" ");
      const round = message.round > 0 ? ` round ${message.round}` : "";
      return `${head} after ${message.prevIndex}.${message.prevTerm} [${entries}] commit ${message.commit}${round}${message.quiet ? " quiet" : ""}`;
    }
    case "append-answer":
      return `${head} match ${message.match}${message.round > 0 ? ` round ${message.round}` : ""}`;
    case "append-reject":
      return `${head} of ${message.prevIndex}, conflict ${message.conflictIndex}.${message.conflictTerm}`;
    case "snapshot":
      return `${head} of ${message.base.index}.${message.base.term} part ${message.part}${message.last ? " last" : ""}`;
    case "snapshot-answer":
      return `${head} part ${message.part} ${message.taken ? "taken" : "refused"}`;
    case "timeout-now":
      return head;
    case "too-old":
      return `${head} ${describeConfig(message.config)}`;
  }
}

export function describeEntry(entry: Entry): string {
  const head = `${entry.index}.${entry.term}`;
  if (entry.kind === "command") return `${head}:${text.decode(entry.data)}`;
  if (entry.kind === "config") return `${head}:config(${describeConfig(entry.config)})`;
  return `${head}:${entry.kind}`;
}

function describeConfig({ members, epoch }: Config): string {
  return `e${epoch} ${members.map(({ replicaId, peerId, voter }) => `${voter ? "" : "~"}${peerId}${replicaId === peerId ? "" : `#${replicaId}`}`).join(",")}`;
}

function describeRecord(record: LogRecord): string {
  switch (record.kind) {
    case "hard":
      return `term ${record.term} vote ${record.vote}`;
    case "append":
      return describeEntry(record.entry);
    case "truncate":
      return `truncate ${record.from}`;
    case "base":
      return `base ${record.base.index}`;
    case "install":
      return `install ${record.base.index}${record.keep ? " keeping" : ""}`;
  }
}

function fold(hash: number, line: string): number {
  for (let i = 0; i < line.length; i++) hash = mix(hash, line.charCodeAt(i));
  return hash;
}

export function replicaOf(lab: Lab, config: Config, peerId: number): number {
  void lab;
  return config.members.find((member) => member.peerId === peerId)?.replicaId ?? 0;
}

export function lastOf(state: GroupState): number {
  return lastIndex(state.log);
}

export { memberOf };

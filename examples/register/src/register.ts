/**
 * A replicated register for each key, on a fixed group of peers: the multi-writer register of Attiya, Bar-Noy and Dolev
 * ("Sharing memory robustly in message-passing systems", 1995; with more writers: Lynch and Shvartsman 1997), with
 * recovery from crashes. Every peer is a replica, and serves clients.
 *
 * A value carries a tag, and tags are ordered. Each operation has two phases, each with a quorum: it *queries* for the
 * highest tag, then it *stores*: a write its value with a higher tag, a read what it has found, so that nobody who
 * comes later can find less. A phase is repeated towards those who have not answered, until a quorum has.
 *
 * What holds:
 *
 * - **Linearizable**: the order is that of the tags; of reads of one tag, that of time.
 * - **One value for a tag**: a tag is made of a number, the writer, and the name of the writer's *life*, which is drawn at
 *   random. A write that a crash cut off is never confused with one that came after it, whatever the disk remembers.
 * - **Stored is durable**: a replica answers a store once what it has is flushed, also where it had the value before.
 * - **`forgetful` disks may forget**: that many peers, always the same, may come back without what they had flushed, or
 *   with an old copy of it. Quorums are so large that any two share one more. With 0 a quorum is a majority.
 * - **Live** while a quorum is up and can talk. Answers belong to one phase of one operation of one life.
 * - **Swappable** while operations are open: all it knows stands in its state. This is version 1; a later one is in
 *   `quick-register.ts`.
 */

import {
  Component,
  event,
  type Millis,
  port,
  type ReplyToken,
  request,
  SchedulePeriodic,
  ScheduleTimeout,
  type Declared,
  timeout,
  Timer,
} from "@kith/core";
import {
  type Group,
  groupOf,
  heardFrom,
  message,
  Network,
  type PeerRef,
  quorumOf,
} from "@kith/network";
import {
  after,
  Entries,
  Flushed,
  Scan,
  Storage,
  StorageFailed,
  StorageLost,
  Write,
} from "@kith/storage";
import { decode, encode } from "./records.ts";
import { isHigher, NO_TAG, type Tag, type Value, type Versioned } from "./tag.ts";

/** How an operation ended: with a value, or it was not begun because too many are open, or the peer is starting. */
export class RegisterAnswer extends event("register/Answer")<{
  readonly status: "done" | "busy";
  /** What was read or written; null where the key is absent. */
  readonly value: Value;
  readonly tag: Tag;
  /** How many phases it took. */
  readonly phases: 0 | 1 | 2;
}> {}

/** Reads a key. */
export class ReadRegister extends request("register/Read", RegisterAnswer)<{
  readonly key: string;
}> {}

/** Writes a key; null deletes it. */
export class WriteRegister extends request("register/Write", RegisterAnswer)<{
  readonly key: string;
  readonly value: Value;
}> {}

/** Registers that many may read and write. */
export const Register = port("Register", { requests: [ReadRegister, WriteRegister] });

/** Names a phase of an operation: answers to another one do not count. */
export interface PhaseId {
  readonly life: number;
  readonly number: number;
}

/** A new life says that it is there, until everybody has said something. */
export class Hello extends message("register/Hello") {}
/** Says that one is there too. */
export class Welcome extends message("register/Welcome") {}
/** What do you have? */
export class Query extends message("register/Query")<{
  readonly phase: PhaseId;
  readonly key: string;
}> {}
/** This. */
export class Report extends message("register/Report")<{
  readonly phase: PhaseId;
  readonly has: Versioned;
  /** Whether it is flushed. Since version 2; where nothing is said, nobody knows. */
  readonly isDurable?: boolean;
}> {}
/** Keep this, unless you have something newer. */
export class Store extends message("register/Store")<{
  readonly phase: PhaseId;
  readonly key: string;
  readonly what: Versioned;
}> {}
/** It, or something newer, is durable here. */
export class Stored extends message("register/Stored")<{ readonly phase: PhaseId }> {}

class Tick extends timeout("register/Tick") {}
class Gathered extends timeout("register/Gathered") {}

/** A store that waits for its batch. */
type Gathering = Pick<Store, "from" | "phase" | "key" | "what">;

/** Stores that are written, and what is written for each: this or something newer. */
interface Batch {
  readonly stores: readonly Gathering[];
  readonly kept: readonly (readonly [key: string, tag: Tag])[];
}

/** An operation that is not done. */
export interface Open {
  readonly key: string;
  readonly token: ReplyToken<RegisterAnswer>;
  /** What is to be written; undefined in a read. */
  readonly writes: Value | undefined;
  phase: number;
  /** What is stored; null while it queries. */
  stores: Versioned | null;
  highest: Versioned;
  /** Who has answered in this phase. */
  readonly answered: Set<number>;
  /** Those of them who have said that the highest tag is flushed. */
  readonly durable: Set<number>;
  /** Whether it has waited for a whole tick. */
  waited: boolean;
}

/** What a peer is told. */
export interface AbdInit {
  /** Everybody in the group, in the same order everywhere. */
  readonly peers: readonly PeerRef[];
  /** Which of them this peer is. */
  readonly index: number;
  /** How many of them may forget what they had flushed; the same everywhere. Default 0. */
  readonly forgetful?: number;
  /**
   * Whether a phase asks a quorum at first, and the others only where one of it does not answer: fewer messages, but
   * a loss costs a wait. Default false.
   */
  readonly thrifty?: boolean;
  /** How long a store waits for others, in milliseconds, so that one flush does for all of them. Default 0. */
  readonly gather?: Millis;
}

/** All that a peer knows. */
export interface AbdState {
  readonly group: Group;
  readonly values: Map<string, Versioned>;
  /** By the number of the phase. */
  readonly open: Map<number, Open>;
  gathered: Gathering[];
  /** The last number that this life has given to a write of a key. */
  readonly given: Map<string, number>;
  /** The name of this life; 0 until the disk has been read. */
  life: number;
  phases: number;
  /** Whether the disk could not be read. */
  failed: boolean;
  /** What is known to be flushed. Since version 2. */
  readonly durable?: Map<string, Tag>;
}

const NAMESPACE = "register";
const RETRY_MS = 200;
const OPEN_MAX = 256;
const GATHER_MAX = 64;
const LIVES = 2 ** 48;

/** One peer of the group: a replica, and the server of its clients. */
export class Abd extends Component {
  readonly register = this.provides(Register);
  readonly net = this.requires(Network);
  readonly storage = this.requires(Storage);
  readonly timer = this.requires(Timer);

  protected readonly state: Declared<AbdState>;
  readonly #self: number;
  readonly #init: Required<AbdInit>;
  readonly #life = this.random("life");
  readonly #thrift = this.cold("ask a quorum only");
  readonly #alone = this.cold("flush a store alone");

  readonly #scan = this.storage.onAnswer(Scan, (answer) => {
    if (!(answer instanceof Entries)) return this.#retryLater(answer);
    for (const { key, value } of answer.entries) this.#recover(key, value);
    const last = answer.entries.at(-1);
    if (answer.more && last !== undefined) return this.#read(after(last.key));
    return this.#live();
  });
  readonly #write = this.storage.onAnswer(Write, (answer, _write, { stores, kept }: Batch) => {
    // What cannot be written is not acknowledged: it comes again.
    if (!(answer instanceof Flushed)) return;
    for (const [key, tag] of kept) this.flushed(key, tag);
    for (const { from, phase } of stores) this.net.trigger(new Stored({ to: from, phase }));
  });

  constructor({ peers, index, forgetful = 0, thrifty = false, gather = 0 }: AbdInit) {
    super();
    this.#init = { peers, index, forgetful, thrifty, gather };
    this.#self = peers[index]?.peerId ?? -1;
    this.state = this.declareState(this.begin(groupOf(peers, this.#self)));
    this.register.on(ReadRegister, ({ key }, token) => this.#start(key, undefined, token));
    this.register.on(WriteRegister, ({ key, value }, token) => this.#start(key, value, token));
    this.net.on(Hello, ({ from }) => {
      heardFrom(this.state.group, from);
      this.net.trigger(new Welcome({ to: from }));
    });
    this.net.on(Welcome, ({ from }) => heardFrom(this.state.group, from));
    this.net.on(Query, (query) => this.#onQuery(query));
    this.net.on(Report, (report) => this.#onReport(report));
    this.net.on(Store, (store) => this.#onStore(store));
    this.net.on(Stored, (stored) => this.#onStored(stored));
    this.timer.on(Tick, () => this.#tick());
    this.timer.on(Gathered, () => this.#keep());
    this.storage.on(StorageLost, ({ detail }) => {
      throw new Error(`The disk cannot be trusted any more: ${detail}`);
    });
    this.onStart(() => {
      this.#read(new Uint8Array());
      this.timer.trigger(new SchedulePeriodic({ period: RETRY_MS, timeout: new Tick() }));
    });
  }

  // What a later version does in another way.

  /** The state of a peer that has just started. */
  protected begin(group: Group): AbdState {
    return {
      group,
      values: new Map(),
      open: new Map(),
      gathered: [],
      given: new Map(),
      life: 0,
      phases: 0,
      failed: false,
    };
  }

  /** A value is on the disk, or a newer one. */
  protected flushed(_key: string, _tag: Tag): void {
    // Nobody asks, so nobody takes note.
  }

  /** What is said to a query. */
  protected report(to: PeerRef, phase: PhaseId, _key: string, has: Versioned): Report {
    return new Report({ to, phase, has });
  }

  /** A read has found a value at a quorum: it is stored at a quorum before it is told. */
  protected found(open: Open): void {
    this.store(open, open.highest);
  }

  // The client's side: two phases.

  #start(key: string, writes: Value | undefined, token: ReplyToken<RegisterAnswer>): void {
    const { state } = this;
    if (state.life === 0 || state.open.size >= OPEN_MAX) {
      const busy = new RegisterAnswer({ status: "busy", value: null, tag: NO_TAG, phases: 0 });
      return this.register.reply(token, busy);
    }
    const open: Open = {
      key,
      token,
      writes,
      phase: 0,
      stores: null,
      highest: { tag: NO_TAG, value: null },
      answered: new Set(),
      durable: new Set(),
      waited: false,
    };
    this.#begin(open);
  }

  #onReport({ from, phase, has, isDurable = false }: Report): void {
    const open = this.#answered(from, phase);
    if (open === undefined || open.stores !== null) return;
    if (isHigher(has.tag, open.highest.tag)) {
      open.highest = has;
      open.durable.clear();
    }
    if (isDurable && !isHigher(open.highest.tag, has.tag)) open.durable.add(from.peerId);
    if (open.answered.size < this.quorum) return;
    if (open.writes === undefined) return this.found(open);
    // Two writes of this life may find the same highest number.
    const { given, life } = this.state;
    const found = Math.max(open.highest.tag.number, given.get(open.key) ?? 0);
    const tag = { number: found + 1, writer: this.#self, life };
    given.set(open.key, tag.number);
    return this.store(open, { tag, value: open.writes });
  }

  /** Begins the second phase. */
  protected store(open: Open, what: Versioned): void {
    open.stores = what;
    this.#begin(open);
  }

  #begin(open: Open): void {
    const { state } = this;
    state.open.delete(open.phase);
    open.phase = ++state.phases;
    open.answered.clear();
    open.waited = false;
    state.open.set(open.phase, open);
    this.#ask(open);
  }

  #onStored({ from, phase }: Stored): void {
    const open = this.#answered(from, phase);
    if (open === undefined || open.stores === null) return;
    if (open.answered.size >= this.quorum) this.done(open, open.stores);
  }

  /** Tells the client. */
  protected done(open: Open, { tag, value }: Versioned): void {
    this.state.open.delete(open.phase);
    const phases = open.stores === null ? 1 : 2;
    this.register.reply(open.token, new RegisterAnswer({ status: "done", value, tag, phases }));
  }

  /** The operation that this answers, with the answer counted. */
  #answered(from: PeerRef, { life, number }: PhaseId): Open | undefined {
    heardFrom(this.state.group, from);
    if (life !== this.state.life) return undefined;
    const open = this.state.open.get(number);
    open?.answered.add(from.peerId);
    return open;
  }

  /** Asks those who have not answered in this phase; at first no more than are needed, where it is thrifty. */
  #ask({ phase: number, key, stores, answered, waited }: Open): void {
    const phase = { life: this.state.life, number };
    const all = [...this.state.group.peers.keys()];
    const isThrifty = !waited && (this.#init.thrifty || this.#thrift());
    const enough = isThrifty ? this.quorum : all.length;
    for (let i = 0; i < enough; i++) {
      // Others each time, so that all have much of it.
      const id = all[(number + i) % all.length];
      if (id === undefined || answered.has(id)) continue;
      this.#send(id, (to) =>
        stores === null
          ? new Query({ to, phase, key })
          : new Store({ to, phase, key, what: stores }),
      );
    }
  }

  /** How many have to answer. */
  protected get quorum(): number {
    return quorumOf(this.state.group, this.#init.forgetful);
  }

  // The replica's side.

  #onQuery({ from, phase, key }: Query): void {
    heardFrom(this.state.group, from);
    if (this.state.life === 0) return;
    const has = this.state.values.get(key) ?? { tag: NO_TAG, value: null };
    this.net.trigger(this.report(from, phase, key, has));
  }

  #onStore({ from, phase, key, what }: Store): void {
    const { group, life, values, gathered } = this.state;
    heardFrom(group, from);
    if (life === 0) return undefined;
    const isNewer = isHigher(what.tag, values.get(key)?.tag ?? NO_TAG);
    if (isNewer) values.set(key, what);
    gathered.push({ from, phase, key, what });
    const { gather } = this.#init;
    if (gather === 0 || gathered.length >= GATHER_MAX || this.#alone()) return this.#keep();
    if (gathered.length > 1) return undefined;
    return this.timer.trigger(new ScheduleTimeout({ delay: gather, timeout: new Gathered() }));
  }

  /** Writes what was gathered, in one batch. */
  #keep(): void {
    const { gathered: stores, values } = this.state;
    this.state.gathered = [];
    if (stores.length === 0) return;
    // What it has, be it newer or as old: an earlier batch may have failed, or not be flushed yet.
    const keeps = stores.map(({ key, what }) => [key, values.get(key) ?? what] as const);
    const operations = keeps.map(([key, has]) => ({
      kind: "put" as const,
      key: encode(key),
      value: encode(has),
    }));
    const kept = keeps.map(([key, { tag }]) => [key, tag] as const);
    this.#write(new Write({ namespace: NAMESPACE, operations }), { context: { stores, kept } });
  }

  // The life of the peer.

  #recover(key: Uint8Array, value: Uint8Array): void {
    const name = decode(key);
    const record = decode(value);
    if (typeof name !== "string" || typeof record !== "object" || record === null) return;
    this.state.values.set(name, record);
    this.flushed(name, record.tag);
  }

  #read(from: Uint8Array): void {
    this.#scan(new Scan({ namespace: NAMESPACE, from }));
  }

  /** Nothing is said before the disk has been read. */
  #live(): void {
    // A name, not a number: whatever counts lives can be forgotten.
    this.state.life = this.#life.between(1, LIVES);
    this.#greet();
  }

  #greet(): void {
    for (const id of this.state.group.silent) this.#send(id, (to) => new Hello({ to }));
  }

  #retryLater(answer: unknown): void {
    const why = answer instanceof StorageFailed ? answer.detail : "no answer";
    this.log.warn(`The disk could not be read at the start: ${why}`);
    this.state.failed = true;
  }

  #tick(): void {
    if (this.state.failed) {
      this.state.failed = false;
      this.#read(new Uint8Array());
    }
    if (this.state.life === 0) return;
    this.#greet();
    for (const open of this.state.open.values()) {
      if (open.waited) this.#ask(open);
      open.waited = true;
    }
  }

  #send(id: number, build: (to: PeerRef) => Query | Store | Hello): void {
    const to = this.state.group.peers.get(id);
    if (to !== undefined) this.net.trigger(build(to));
  }
}

/**
 * A replicated register for each key, on a fixed group of peers: the multi-writer register of Attiya, Bar-Noy and Dolev
 * ("Sharing memory robustly in message-passing systems", 1995; with more writers: Lynch and Shvartsman 1997), with
 * recovery from crashes. Every peer is a replica, and serves clients.
 *
 * A value carries a tag, and tags are ordered. Each operation has two phases, each with a majority: it *queries* for the
 * highest tag, then it *stores*: a write its value with a higher tag, a read what it has found, so that nobody who
 * comes later can find less. A phase is repeated towards those who have not answered, until a majority has.
 *
 * What holds:
 *
 * - **Linearizable**: the order is that of the tags; of reads of one tag, that of time.
 * - **One value for a tag**: a tag is made of a number, the writer, and the writer's *life*. Lives are counted on the
 *   disk, so that a write which a crash cut off is never confused with one that came after it.
 * - **Stored is durable**: a replica answers a store once what it has is flushed, also where it had the value before.
 * - **Live** while a majority is up and can talk. Answers belong to one phase of one operation of one life.
 * - What a replica once had, it has, or something newer. A disk that loses what was flushed breaks that.
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
interface PhaseId {
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

/** An operation that is not done. */
interface Open {
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
  /** Whether it has waited for a whole tick. */
  waited: boolean;
}

/** What a peer is told. */
export interface AbdInit {
  /** Everybody in the group, in the same order everywhere. */
  readonly peers: readonly PeerRef[];
  /** Which of them this peer is. */
  readonly index: number;
  /**
   * Whether a phase asks a majority at first, and the others only where one of it does not answer: fewer messages, but
   * a loss costs a wait. Default false.
   */
  readonly thrifty?: boolean;
  /** How long a store waits for others, in milliseconds, so that one flush does for all of them. Default 0. */
  readonly gather?: Millis;
}

const NAMESPACE = "register";
const LIFE = "life";
const RETRY_MS = 200;
const OPEN_MAX = 256;
const GATHER_MAX = 64;

/** One peer of the group: a replica, and the server of its clients. */
export class Abd extends Component {
  readonly register = this.provides(Register);
  readonly net = this.requires(Network);
  readonly storage = this.requires(Storage);
  readonly timer = this.requires(Timer);

  readonly #self: number;
  readonly #thrifty: boolean;
  readonly #gather: Millis;
  /** Everybody in the group, this peer too. */
  readonly #group: Group;
  readonly #values = new Map<string, Versioned>();
  readonly #open = new Map<number, Open>();
  readonly #gathered: Gathering[] = [];
  /** The last number that this life has given to a write of a key. */
  readonly #given = new Map<string, number>();
  /** 0 until the disk has been read and the life is counted. */
  #life = 0;
  #lifeOnDisk = 0;
  #phases = 0;
  #failed = false;

  readonly #scan = this.storage.onAnswer(Scan, (answer) => {
    if (!(answer instanceof Entries)) return this.#retryLater(answer);
    for (const { key, value } of answer.entries) this.#recover(key, value);
    const last = answer.entries.at(-1);
    if (answer.more && last !== undefined) return this.#read(after(last.key));
    return this.#countLife();
  });
  readonly #write = this.storage.onAnswer(
    Write,
    (answer, _write, stores: readonly Gathering[] | null) => {
      if (stores === null)
        return answer instanceof Flushed ? this.#live() : this.#retryLater(answer);
      // What cannot be written is not acknowledged: it comes again.
      if (!(answer instanceof Flushed)) return undefined;
      for (const { from, phase } of stores) this.net.trigger(new Stored({ to: from, phase }));
      return undefined;
    },
  );

  constructor({ peers, index, thrifty = false, gather = 0 }: AbdInit) {
    super();
    this.#thrifty = thrifty;
    this.#gather = gather;
    this.#self = peers[index]?.peerId ?? -1;
    this.#group = groupOf(peers, this.#self);
    this.register.on(ReadRegister, ({ key }, token) => this.#start(key, undefined, token));
    this.register.on(WriteRegister, ({ key, value }, token) => this.#start(key, value, token));
    this.net.on(Hello, ({ from }) => {
      heardFrom(this.#group, from);
      this.net.trigger(new Welcome({ to: from }));
    });
    this.net.on(Welcome, ({ from }) => heardFrom(this.#group, from));
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

  // The client's side: two phases.

  #start(key: string, writes: Value | undefined, token: ReplyToken<RegisterAnswer>): void {
    if (this.#life === 0 || this.#open.size >= OPEN_MAX) {
      const busy = new RegisterAnswer({ status: "busy", value: null, tag: NO_TAG });
      return this.register.reply(token, busy);
    }
    const phase = ++this.#phases;
    const answered = new Set<number>();
    const highest = { tag: NO_TAG, value: null };
    const open = { key, token, writes, phase, stores: null, highest, answered, waited: false };
    this.#open.set(phase, open);
    this.#ask(open);
  }

  #onReport({ from, phase, has }: Report): void {
    const open = this.#answered(from, phase);
    if (open === undefined || open.stores !== null) return;
    if (isHigher(has.tag, open.highest.tag)) open.highest = has;
    if (open.answered.size < this.#majority()) return;
    if (open.writes === undefined) return this.#store(open, open.highest);
    // Two writes of this life may find the same highest number.
    const found = Math.max(open.highest.tag.number, this.#given.get(open.key) ?? 0);
    const tag = { number: found + 1, writer: this.#self, life: this.#life };
    this.#given.set(open.key, tag.number);
    return this.#store(open, { tag, value: open.writes });
  }

  #store(open: Open, what: Versioned): void {
    this.#open.delete(open.phase);
    open.phase = ++this.#phases;
    open.stores = what;
    open.answered.clear();
    open.waited = false;
    this.#open.set(open.phase, open);
    this.#ask(open);
  }

  #onStored({ from, phase }: Stored): void {
    const open = this.#answered(from, phase);
    if (open === undefined || open.stores === null) return;
    if (open.answered.size < this.#majority()) return;
    this.#open.delete(open.phase);
    const { tag, value } = open.stores;
    this.register.reply(open.token, new RegisterAnswer({ status: "done", value, tag }));
  }

  /** The operation that this answers, with the answer counted. */
  #answered(from: PeerRef, { life, number }: PhaseId): Open | undefined {
    heardFrom(this.#group, from);
    if (life !== this.#life) return undefined;
    const open = this.#open.get(number);
    open?.answered.add(from.peerId);
    return open;
  }

  /** Asks those who have not answered in this phase; at first no more than are needed, where it is thrifty. */
  #ask({ phase: number, key, stores, answered, waited }: Open): void {
    const phase = { life: this.#life, number };
    const all = [...this.#group.peers.keys()];
    const enough = this.#thrifty && !waited ? this.#majority() : all.length;
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

  // The replica's side.

  #onQuery({ from, phase, key }: Query): void {
    heardFrom(this.#group, from);
    if (this.#life === 0) return;
    const has = this.#values.get(key) ?? { tag: NO_TAG, value: null };
    this.net.trigger(new Report({ to: from, phase, has }));
  }

  #onStore({ from, phase, key, what }: Store): void {
    heardFrom(this.#group, from);
    if (this.#life === 0) return undefined;
    const isNewer = isHigher(what.tag, this.#values.get(key)?.tag ?? NO_TAG);
    if (isNewer) this.#values.set(key, what);
    this.#gathered.push({ from, phase, key, what });
    if (this.#gather === 0 || this.#gathered.length >= GATHER_MAX) return this.#keep();
    if (this.#gathered.length > 1) return undefined;
    return this.timer.trigger(
      new ScheduleTimeout({ delay: this.#gather, timeout: new Gathered() }),
    );
  }

  /** Writes what was gathered, in one batch. */
  #keep(): void {
    const stores = this.#gathered.splice(0);
    if (stores.length === 0) return;
    const operations = stores.map(({ key, what }) => {
      // What it has, be it newer or as old: an earlier batch may have failed, or not be flushed yet.
      const keeps = this.#values.get(key) ?? what;
      return { kind: "put" as const, key: encode(`=${key}`), value: encode(keeps) };
    });
    this.#write(new Write({ namespace: NAMESPACE, operations }), { context: stores });
  }

  // The life of the peer.

  #recover(key: Uint8Array, value: Uint8Array): void {
    const name = decode(key);
    const record = decode(value);
    if (name === LIFE && typeof record === "number") this.#lifeOnDisk = record;
    else if (typeof name === "string" && typeof record === "object" && record !== null) {
      this.#values.set(name.slice(1), record);
    }
  }

  #read(from: Uint8Array): void {
    this.#scan(new Scan({ namespace: NAMESPACE, from }));
  }

  /** Nothing is sent before the life is counted on the disk. */
  #countLife(): void {
    const operations = [
      { kind: "put" as const, key: encode(LIFE), value: encode(this.#lifeOnDisk + 1) },
    ];
    this.#write(new Write({ namespace: NAMESPACE, operations }), { context: null });
  }

  #live(): void {
    this.#life = this.#lifeOnDisk + 1;
    for (const id of this.#group.silent) this.#send(id, (to) => new Hello({ to }));
  }

  #retryLater(answer: unknown): void {
    const why = answer instanceof StorageFailed ? answer.detail : "no answer";
    this.log.warn(`The disk could not be read or written at the start: ${why}`);
    this.#failed = true;
  }

  #tick(): void {
    if (this.#failed) {
      this.#failed = false;
      this.#read(new Uint8Array());
    }
    if (this.#life === 0) return;
    for (const id of this.#group.silent) this.#send(id, (to) => new Hello({ to }));
    for (const open of this.#open.values()) {
      if (open.waited) this.#ask(open);
      open.waited = true;
    }
  }

  #send(id: number, build: (to: PeerRef) => Query | Store | Hello): void {
    const to = this.#group.peers.get(id);
    if (to !== undefined) this.net.trigger(build(to));
  }

  #majority(): number {
    return quorumOf(this.#group);
  }
}

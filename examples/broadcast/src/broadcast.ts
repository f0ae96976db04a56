/**
 * Reliable broadcast on a fixed group over links that lose, double and delay: what one peer broadcasts, all that stay up
 * deliver (Cachin, Guerraoui and Rodrigues, "Introduction to Reliable and Secure Distributed Programming", chapter 3;
 * recovery by a log of what was delivered, §3.6).
 *
 * The messages of a *life* of an origin are a stream: they are numbered without a gap and delivered in that order, so what a
 * peer has delivered is one number for each stream, its *vector*. A message is pushed on eagerly, by whoever delivers it, to
 * all; what gets lost is made up for lazily: peers tell each other their vectors now and then, which acknowledges what
 * they have, and whoever has more sends what the other one lacks.
 *
 * What holds:
 *
 * - **Validity**: what was accepted is in `copies` logs, and is sent on until all have it. So `copies - 1` of the peers may be
 *   gone for good, or come back without what they had flushed: there is one left that has it.
 * - **Agreement**: what one peer has delivered is delivered by all, as far as they are up and can talk.
 * - **Integrity**: a life delivers a message at most once, and only if its origin was asked to broadcast it.
 * - **FIFO**: the messages of a life of an origin are delivered in the order in which it took them.
 * - **Logged first**: nothing is delivered, acknowledged or sent before it is flushed. A new life begins by delivering its log
 *   again, in the old order, before anything new.
 * - **One message for a number**, also where a disk forgets: a life has a name drawn at random, and goes on with no other one's
 *   numbers.
 */

import {
  Component,
  event,
  port,
  type ReplyToken,
  request,
  SchedulePeriodic,
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
import { Flushed, LogRecords, ReadLog, Storage, StorageLost, Write } from "@kith/storage";
import { decode, encode, type Item } from "./record.ts";

/** Whether a message was accepted: then all will deliver it. */
export class Accepted extends event("broadcast/Accepted")<{
  readonly status: "accepted" | "busy";
}> {}

/** Sends to all. Answered when the message is in enough logs, not when it has arrived everywhere. */
export class Broadcast extends request("broadcast/Broadcast", Accepted)<{
  readonly payload: string;
}> {}

/** A message has come: on every peer, on that which sent it too, and again at the beginning of each life. */
export class Delivered extends event("broadcast/Delivered")<Item> {}

/** Broadcast in a group. */
export const ReliableBroadcast = port("ReliableBroadcast", {
  requests: [Broadcast],
  indications: [Delivered],
});

/** Messages on their way; those of an origin in order. */
export class Carry extends message("broadcast/Carry")<{ readonly items: readonly Item[] }> {}

/** What a peer has delivered: how many messages of each stream. Acknowledges them. */
export class Have extends message("broadcast/Have")<{
  readonly vector: readonly (readonly [stream: string, count: number])[];
}> {}

class Tick extends timeout("broadcast/Tick") {}

interface Pending {
  readonly item: Item;
  readonly reply: ReplyToken<Accepted> | null;
}

/** What a peer is told. */
export interface GossipInit {
  /** Everybody in the group, in the same order everywhere. */
  readonly peers: readonly PeerRef[];
  /** Which of them this peer is. */
  readonly index: number;
  /** In how many logs a message is when it is accepted; default a majority. */
  readonly copies?: number;
}

const NAMESPACE = "broadcast";
const TICK_MS = 200;
/** How many messages wait for the log, or for other logs; what comes beyond is lost, and is sent again. */
const PENDING_MAX = 256;
/** How many a peer that lacks some is sent at a time. */
const CATCH_UP_MAX = 32;
const LIVES = 2 ** 48;

/** One peer of the group. */
export class Gossip extends Component {
  readonly broadcast = this.provides(ReliableBroadcast);
  readonly net = this.requires(Network);
  readonly storage = this.requires(Storage);
  readonly timer = this.requires(Timer);

  readonly #self: number;
  readonly #group: Group;
  readonly #copies: number;
  readonly #name = this.random("life");
  readonly #one = this.cold("log one message at a time");
  readonly #lazy = this.cold("leave a push to the next tick");
  readonly #slow = this.cold("send one of what another one lacks");
  /** What was delivered, in order; by stream, message n at n - 1. */
  readonly #delivered = new Map<string, Item[]>();
  /** What others have acknowledged; nothing is known of those who said nothing in this life. */
  readonly #acknowledged = new Map<number, ReadonlyMap<string, number>>();
  /** Waits for the log, in the order in which it will stand there. */
  readonly #pending: Pending[] = [];
  /** Taken in this life and logged here, but not in enough logs yet. */
  #unsafe: Pending[] = [];
  /** How many of the first of those that wait are being written. */
  #writing = 0;
  #logged = 0;
  /** The name of this life; 0 until the log has been read. */
  #life = 0;
  #isReading = false;

  readonly #load = this.storage.onAnswer(ReadLog, (answer) => {
    this.#isReading = false;
    if (!(answer instanceof LogRecords)) return;
    for (const record of answer.records) {
      this.#logged++;
      const item = decode(record);
      if (item !== null) this.#deliver(item);
    }
    if (answer.more) this.#read();
    // A name, not a number: whatever counts lives can be forgotten.
    else this.#life = this.#name.between(1, LIVES);
  });
  readonly #write = this.storage.onAnswer(Write, (answer) => {
    const count = this.#writing;
    this.#writing = 0;
    // What cannot be written stays, and is tried again with the next tick.
    if (!(answer instanceof Flushed)) return;
    this.#logged += count;
    const written = this.#pending.splice(0, count);
    for (const { item } of written) {
      this.#deliver(item);
      if (this.#lazy()) continue;
      for (const id of this.#group.peers.keys()) this.#push(id, item);
    }
    this.#unsafe.push(...written.filter(({ reply }) => reply !== null));
    this.#settle();
    for (const origin of new Set(written.map(({ item }) => item.origin))) this.#tell(origin);
    this.#log();
  });

  constructor({ peers, index, copies }: GossipInit) {
    super();
    this.#self = peers[index]?.peerId ?? -1;
    this.#group = groupOf(peers, this.#self);
    this.#copies = copies ?? quorumOf(this.#group);
    this.broadcast.on(Broadcast, ({ payload }, reply) => this.#accept(payload, reply));
    this.net.on(Carry, ({ from, items }) => {
      heardFrom(this.#group, from);
      for (const item of items) this.#take({ item, reply: null });
    });
    this.net.on(Have, (have) => this.#onHave(have));
    this.timer.on(Tick, () => this.#tick());
    this.storage.on(StorageLost, ({ detail }) => {
      throw new Error(`The disk cannot be trusted any more: ${detail}`);
    });
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: TICK_MS, delay: 0, timeout: new Tick() })),
    );
  }

  #accept(payload: string, reply: ReplyToken<Accepted>): void {
    const waiting = Math.max(this.#pending.length, this.#unsafe.length);
    if (this.#life === 0 || waiting >= PENDING_MAX) {
      return this.broadcast.reply(reply, new Accepted({ status: "busy" }));
    }
    const [origin, life] = [this.#self, this.#life];
    const number = this.#expected(streamOf({ origin, life }));
    return this.#take({ item: { origin, life, number, payload }, reply });
  }

  /** Takes what comes next of its stream. What is known is left, and what is too early comes again. */
  #take(pending: Pending): void {
    if (this.#life === 0 || this.#pending.length >= PENDING_MAX) return;
    const { item } = pending;
    if (item.number !== this.#expected(streamOf(item))) return;
    this.#pending.push(pending);
    this.#log();
  }

  /** The number of the next message of a stream: after what was delivered, and what waits for the log. */
  #expected(stream: string): number {
    const waiting = this.#pending.filter(({ item }) => streamOf(item) === stream).length;
    return this.#count(stream) + waiting + 1;
  }

  #count(stream: string): number {
    return this.#delivered.get(stream)?.length ?? 0;
  }

  #log(): void {
    if (this.#writing > 0 || this.#pending.length === 0) return;
    this.#writing = this.#one() ? 1 : this.#pending.length;
    const operations = this.#pending.slice(0, this.#writing).map(({ item }, i) => ({
      kind: "append" as const,
      index: this.#logged + i + 1,
      record: encode(item),
    }));
    this.#write(new Write({ namespace: NAMESPACE, operations }));
  }

  #deliver(item: Item): void {
    const stream = streamOf(item);
    const items = this.#delivered.get(stream);
    if (items === undefined) this.#delivered.set(stream, [item]);
    else items.push(item);
    this.broadcast.trigger(new Delivered(item));
  }

  /** To one who may not have it: its origin has, and so has this peer. */
  #push(id: number, item: Item): void {
    if (id === this.#self || id === item.origin) return;
    const to = this.#group.peers.get(id);
    if (to !== undefined && !this.#has(id, item))
      this.net.trigger(new Carry({ to, items: [item] }));
  }

  /** Whether a peer has acknowledged a message. It may have forgotten it since, and says so with its next vector. */
  #has(id: number, item: Item): boolean {
    return (this.#acknowledged.get(id)?.get(streamOf(item)) ?? 0) >= item.number;
  }

  /** Accepts what is in enough logs by now. */
  #settle(): void {
    this.#unsafe = this.#unsafe.filter(({ item, reply }) => {
      const others = [...this.#acknowledged.keys()].filter((id) => this.#has(id, item));
      if (1 + others.length < this.#copies || reply === null) return true;
      this.broadcast.reply(reply, new Accepted({ status: "accepted" }));
      return false;
    });
  }

  #onHave({ from, vector }: Have): void {
    heardFrom(this.#group, from);
    const has = new Map(vector);
    if (from.peerId !== this.#self) this.#acknowledged.set(from.peerId, has);
    this.#settle();
    const most = this.#slow() ? 1 : CATCH_UP_MAX;
    const lacks: Item[] = [];
    for (const [stream, items] of this.#delivered) {
      const count = has.get(stream) ?? 0;
      lacks.push(...items.slice(count, count + most - lacks.length));
    }
    if (lacks.length > 0) this.net.trigger(new Carry({ to: from, items: lacks }));
  }

  #tick(): void {
    if (this.#life === 0) return this.#read();
    this.#log();
    for (const id of this.#group.peers.keys()) this.#tell(id);
    return undefined;
  }

  /** Tells a peer what this one has. */
  #tell(id: number): void {
    const to = this.#group.peers.get(id);
    if (to === undefined || id === this.#self) return;
    const vector = [...this.#delivered].map(([stream, { length }]) => [stream, length] as const);
    this.net.trigger(new Have({ to, vector }));
  }

  #read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    this.#load(new ReadLog({ namespace: NAMESPACE, from: this.#logged + 1 }));
  }
}

/** Names the messages that a life of an origin numbers. */
function streamOf({ origin, life }: Pick<Item, "origin" | "life">): string {
  return `${origin}.${life}`;
}

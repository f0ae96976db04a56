/**
 * Reliable broadcast on a fixed group over links that lose, double and delay: what one peer broadcasts, all that stay up
 * deliver (Cachin, Guerraoui and Rodrigues, "Introduction to Reliable and Secure Distributed Programming", chapter 3;
 * recovery by a log of what was delivered, §3.6).
 *
 * Messages of an origin are numbered without a gap and delivered in that order, so what a peer has delivered is one number
 * for each origin: its *vector*. A message is pushed on eagerly, by whoever delivers it, to all; what gets lost is
 * made up for lazily: peers tell each other their vectors now and then, which acknowledges what they have, and whoever has
 * more sends what the other one lacks.
 *
 * What holds:
 *
 * - **Validity**: what was accepted is in the log of its origin, and is delivered there and sent on until all have it.
 * - **Agreement**: what one peer has delivered is delivered by all, as far as they are up and can talk.
 * - **Integrity**: a life delivers a message at most once, and only if its origin accepted it.
 * - **FIFO**: the messages of an origin are delivered in the order in which it accepted them.
 * - **Logged first**: nothing is delivered, acknowledged or sent before it is flushed. So a number stands for one message
 *   for ever, and a new life begins by delivering its log again, in the old order, before anything new.
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
import { type Group, groupOf, heardFrom, message, Network, type PeerRef } from "@kith/network";
import { Flushed, LogRecords, ReadLog, Storage, StorageLost, Write } from "@kith/storage";
import { decode, encode, type Item } from "./record.ts";

/** Whether a message was accepted: then all will deliver it. */
export class Accepted extends event("broadcast/Accepted")<{
  readonly status: "accepted" | "busy";
}> {}

/** Sends to all. Answered when the message is in the log, not when it has arrived everywhere. */
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

/** What a peer has delivered: how many messages of each origin. Acknowledges them. */
export class Have extends message("broadcast/Have")<{
  readonly vector: readonly (readonly [origin: number, count: number])[];
}> {}

class Tick extends timeout("broadcast/Tick") {}

interface Pending {
  readonly item: Item;
  readonly reply: ReplyToken<Accepted> | null;
}

const NAMESPACE = "broadcast";
const TICK_MS = 200;
/** How many messages wait for the log; what comes beyond is lost, and is sent again. */
const PENDING_MAX = 256;
/** How many a peer that lacks some is sent at a time. */
const CATCH_UP_MAX = 32;

/** One peer of the group. */
export class Gossip extends Component {
  readonly broadcast = this.provides(ReliableBroadcast);
  readonly net = this.requires(Network);
  readonly storage = this.requires(Storage);
  readonly timer = this.requires(Timer);

  readonly #self: number;
  readonly #group: Group;
  /** What was delivered, in order; by origin, message n at n - 1. */
  readonly #delivered = new Map<number, Item[]>();
  /** What others have acknowledged; nothing is known of those who said nothing in this life. */
  readonly #acknowledged = new Map<number, Map<number, number>>();
  /** Waits for the log, in the order in which it will stand there. */
  readonly #pending: Pending[] = [];
  /** How many of the first of them are being written. */
  #writing = 0;
  #logged = 0;
  #isReady = false;
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
    else this.#isReady = true;
  });
  readonly #write = this.storage.onAnswer(Write, (answer) => {
    const count = this.#writing;
    this.#writing = 0;
    // What cannot be written stays, and is tried again with the next tick.
    if (!(answer instanceof Flushed)) return;
    this.#logged += count;
    for (const { item, reply } of this.#pending.splice(0, count)) {
      this.#deliver(item);
      if (reply !== null) this.broadcast.reply(reply, new Accepted({ status: "accepted" }));
      for (const id of this.#group.peers.keys()) this.#push(id, item);
    }
    this.#log();
  });

  constructor({ peers, index }: { readonly peers: readonly PeerRef[]; readonly index: number }) {
    super();
    this.#self = peers[index]?.peerId ?? -1;
    this.#group = groupOf(peers, this.#self);
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
    if (!this.#isReady || this.#pending.length >= PENDING_MAX) {
      return this.broadcast.reply(reply, new Accepted({ status: "busy" }));
    }
    const number = this.#expected(this.#self);
    return this.#take({ item: { origin: this.#self, number, payload }, reply });
  }

  /** Takes what comes next of its origin. What is known is left, and what is too early comes again. */
  #take(pending: Pending): void {
    const { origin, number } = pending.item;
    if (!this.#isReady || this.#pending.length >= PENDING_MAX) return;
    if (number !== this.#expected(origin)) return;
    this.#pending.push(pending);
    this.#log();
  }

  /** The number of the next message of an origin: after what was delivered, and what waits for the log. */
  #expected(origin: number): number {
    const waiting = this.#pending.filter(({ item }) => item.origin === origin).length;
    return this.#count(origin) + waiting + 1;
  }

  #count(origin: number): number {
    return this.#delivered.get(origin)?.length ?? 0;
  }

  #log(): void {
    if (this.#writing > 0 || this.#pending.length === 0) return;
    this.#writing = this.#pending.length;
    const operations = this.#pending.map(({ item }, i) => ({
      kind: "append" as const,
      index: this.#logged + i + 1,
      record: encode(item),
    }));
    this.#write(new Write({ namespace: NAMESPACE, operations }));
  }

  #deliver(item: Item): void {
    const items = this.#delivered.get(item.origin);
    if (items === undefined) this.#delivered.set(item.origin, [item]);
    else items.push(item);
    this.broadcast.trigger(new Delivered(item));
  }

  /** To one who may not have it: its origin has, and so has this peer. */
  #push(id: number, item: Item): void {
    if (id === this.#self || id === item.origin) return;
    const known = this.#acknowledged.get(id)?.get(item.origin) ?? 0;
    const to = this.#group.peers.get(id);
    if (to !== undefined && known < item.number) {
      this.net.trigger(new Carry({ to, items: [item] }));
    }
  }

  #onHave({ from, vector }: Have): void {
    heardFrom(this.#group, from);
    const has = new Map(vector);
    this.#acknowledged.set(from.peerId, has);
    const lacks: Item[] = [];
    for (const [origin, items] of this.#delivered) {
      const count = has.get(origin) ?? 0;
      lacks.push(...items.slice(count, count + CATCH_UP_MAX - lacks.length));
    }
    if (lacks.length > 0) this.net.trigger(new Carry({ to: from, items: lacks }));
  }

  #tick(): void {
    if (!this.#isReady) return this.#read();
    this.#log();
    const vector = [...this.#delivered].map(([origin, items]) => [origin, items.length] as const);
    for (const id of this.#group.peers.keys()) {
      const to = this.#group.peers.get(id);
      if (id !== this.#self && to !== undefined) this.net.trigger(new Have({ to, vector }));
    }
    return undefined;
  }

  #read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    this.#load(new ReadLog({ namespace: NAMESPACE, from: this.#logged + 1 }));
  }
}

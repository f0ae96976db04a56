/**
 * The hub of the loopback provider: what joins the networks of one process, be they in one system or in
 * several. It plays what lies between processes: addresses, connections, and queues of bounded length.
 *
 * Invariants: at most one station at an address, and one link in each direction between two of them;
 * both directions of a connection come up and go down together. Whatever a station is to know or to get
 * goes through its one inbox, in order, and is taken out in a turn of its component. What is in an inbox
 * has arrived: the end of a connection does not take it back.
 */

import type { ReplyToken } from "@kith/core";
import { type Codec, UnknownTag } from "./codec.ts";
import { networkError } from "./errors.ts";
import { type Message, withSender } from "./message.ts";
import { addressOf, isPeer, type PeerRef, samePeer } from "./peer-ref.ts";
import { PlainCodec } from "./plain-codec.ts";
import {
  ConnectionDown,
  type ConnectionDownReason,
  ConnectionUp,
  type Deliver,
  Delivery,
  Dropped,
  type DropReason,
  NetworkDrained,
  NetworkFull,
} from "./port.ts";

/** What may be said of a hub. */
export interface HubOptions {
  /**
   * Through which codec messages pass; null turns that off: faster, but receivers then share what
   * senders put in, and classes that no codec knows go unnoticed. Default: a PlainCodec.
   */
  readonly codec?: Codec | null;
  /**
   * How many messages may wait for one receiver from one sender; more are dropped. At half of it comes
   * NetworkFull, at a quarter NetworkDrained. Default 4,096: raise it for longer bursts, at the cost of memory.
   */
  readonly queueMax?: number;
}

/** Whoever asked for the fate of a message. */
export interface Asked {
  readonly token: ReplyToken<Delivery>;
  readonly until: Deliver["until"];
}

/** Why a message is lost. */
export interface Loss {
  readonly reason: DropReason;
  /** More for people; empty where the reason says all. */
  readonly detail: string;
}

/** A message on its way. */
export interface Parcel {
  readonly message: Message;
  readonly asked: Asked | null;
}

/** A message that has arrived. */
export interface Arrival {
  readonly kind: "arrival";
  readonly parcel: Parcel;
  readonly link: Link;
}

/** What a network tells its users of its own accord. */
export type News = ConnectionUp | ConnectionDown | NetworkFull | NetworkDrained | Dropped;

/** What waits in the inbox of a station. */
export type Item =
  | Arrival
  | { readonly kind: "news"; readonly event: News }
  | { readonly kind: "answer"; readonly token: ReplyToken<Delivery>; readonly delivery: Delivery };

/** One network at the hub. */
export interface Station {
  readonly self: PeerRef;
  /** Gives the component a turn; null while it is being replaced. */
  wake: (() => void) | null;
  /** Whether that turn is on its way. */
  woken: boolean;
  inbox: Item[];
  /** How many items at the beginning of the inbox have been taken out. */
  taken: number;
  /** The ways out, by address. */
  readonly links: Map<string, Link>;
  /** Those of them that are not up yet. */
  connecting: Link[];
}

/** One direction between two stations, or of one to itself. */
export interface Link {
  readonly from: Station;
  readonly address: string;
  /** Null until the connection is up. */
  to: Station | null;
  /** What waits for the connection. */
  readonly waiting: Parcel[];
  /** How much of it lies in the receiver's inbox. */
  arrived: number;
  full: boolean;
  /** Deliveries to acknowledge. */
  readonly open: Set<Asked>;
}

/** Joins the networks of one process. */
export class LoopbackHub {
  readonly #codec: Codec | null;
  readonly #queueMax: number;
  readonly #stations = new Map<string, Station>();
  readonly #cuts = new Set<string>();

  constructor(options: HubOptions = {}) {
    this.#codec = options.codec === undefined ? new PlainCodec() : options.codec;
    this.#queueMax = Math.max(4, options.queueMax ?? 4096);
  }

  // --- for tests -------------------------------------------------------------------------------

  /** Breaks the connection between two processes, and lets none be made. */
  cut(a: PeerRef, b: PeerRef): void {
    this.#cuts.add(pairOf(addressOf(a), addressOf(b)));
    const link = this.#stations.get(addressOf(a))?.links.get(addressOf(b));
    if (link !== undefined && link.to !== null) this.#disconnect(link, "lost");
  }

  /** Lets connections be made again. */
  restore(a: PeerRef, b: PeerRef): void {
    this.#cuts.delete(pairOf(addressOf(a), addressOf(b)));
  }

  /** The process of this peer is gone, without a word; its address is free for another life. */
  crash(peer: PeerRef): void {
    const station = this.#stations.get(addressOf(peer));
    if (station !== undefined && samePeer(station.self, peer)) this.remove(station, "lost");
  }

  // --- for networks ----------------------------------------------------------------------------

  /**
   * Puts a network at its address, or the replacement of the one that is there.
   *
   * @throws KithError `KITH_NETWORK_ADDRESS_TAKEN`
   */
  add(self: PeerRef, wake: () => void): Station {
    const address = addressOf(self);
    const before = this.#stations.get(address);
    if (before !== undefined && before.wake === null && samePeer(before.self, self)) {
      before.wake = wake;
      before.woken = false;
      this.#wake(before);
      return before;
    }
    if (before !== undefined && before.wake !== null) {
      throw networkError("KITH_NETWORK_ADDRESS_TAKEN", `There is a network at ${address} already.`);
    }
    if (before !== undefined) this.remove(before, "lost");
    const station: Station = {
      self,
      wake,
      woken: false,
      inbox: [],
      taken: 0,
      links: new Map(),
      connecting: [],
    };
    this.#stations.set(address, station);
    return station;
  }

  /** Takes a network away; those that are connected to it are told. */
  remove(station: Station, reason: ConnectionDownReason): void {
    const address = addressOf(station.self);
    if (this.#stations.get(address) === station) this.#stations.delete(address);
    for (const link of [...station.links.values()]) {
      if (link.to !== null && link.to !== station) this.#disconnect(link, reason);
    }
    station.wake = null;
  }

  /** Takes what a station sends. @returns why it is lost at once, or null */
  send(station: Station, message: Message, asked: Asked | null): Loss | null {
    let passed: Message | UnknownTag;
    try {
      const codec = this.#codec;
      passed =
        codec === null ? withSender(message, station.self) : codec.pass(message, station.self);
    } catch (cause) {
      return {
        reason: "not-encodable",
        detail: cause instanceof Error ? cause.message : String(cause),
      };
    }
    if (passed instanceof UnknownTag) return { reason: "unknown-tag", detail: passed.tag };
    const address = addressOf(passed.to);
    const link = station.links.get(address) ?? this.#link(station, address);
    if (link.arrived + link.waiting.length >= this.#queueMax) return { reason: "full", detail: "" };
    const parcel = { message: passed, asked };
    if (link.to === null) link.waiting.push(parcel);
    else this.#transmit(link, link.to, parcel);
    this.#mark(link);
    return null;
  }

  /** Takes the next items out of a station's inbox. */
  take(station: Station, count: number): readonly Item[] {
    station.woken = false;
    const { inbox } = station;
    const items = inbox.slice(station.taken, station.taken + count);
    station.taken += items.length;
    if (station.taken * 2 > inbox.length) {
      station.inbox = inbox.slice(station.taken);
      station.taken = 0;
    }
    for (const item of items) {
      if (item.kind !== "arrival") continue;
      item.link.arrived--;
      if (item.link.full) this.#mark(item.link);
    }
    if (station.inbox.length > station.taken) this.#wake(station);
    return items;
  }

  /** Makes the connections that are needed; in a turn of the station. */
  connect(station: Station): void {
    const { connecting } = station;
    if (connecting.length === 0) return;
    station.connecting = [];
    for (const link of connecting) if (link.to === null) this.#connect(link);
  }

  /** Tells the sender that its message has arrived, if it has asked for that and can still be told. */
  acknowledge({ link, parcel: { asked } }: Arrival, failure?: DropReason): void {
    if (asked === null || !link.open.delete(asked)) return;
    this.#answer(
      link.from,
      asked,
      failure === undefined ? { status: "acknowledged" } : { status: "failed", reason: failure },
    );
  }

  #link(from: Station, address: string): Link {
    const self = address === addressOf(from.self);
    const link: Link = {
      from,
      address,
      to: self ? from : null,
      waiting: [],
      arrived: 0,
      full: false,
      open: new Set(),
    };
    from.links.set(address, link);
    // In a later turn, as it would be over a wire.
    if (!self) {
      from.connecting.push(link);
      this.#wake(from);
    }
    return link;
  }

  #connect(link: Link): void {
    const { from, address } = link;
    const own = addressOf(from.self);
    const to = this.#stations.get(address);
    if (to === undefined || this.#cuts.has(pairOf(own, address))) {
      this.#refuse(link);
      return;
    }
    const back = to.links.get(own) ?? this.#link(to, own);
    link.to = to;
    back.to = from;
    this.#tell(from, new ConnectionUp({ peer: to.self }));
    this.#tell(to, new ConnectionUp({ peer: from.self }));
    for (const parcel of link.waiting.splice(0)) this.#transmit(link, to, parcel);
    for (const parcel of back.waiting.splice(0)) this.#transmit(back, from, parcel);
  }

  #transmit(link: Link, to: Station, parcel: Parcel): void {
    link.arrived++;
    const { asked } = parcel;
    if (asked?.until === "sent") this.#answer(link.from, asked, { status: "sent" });
    else if (asked !== null) link.open.add(asked);
    this.#put(to, { kind: "arrival", parcel, link });
  }

  #refuse(link: Link): void {
    const { from, waiting } = link;
    from.links.delete(link.address);
    const peer = waiting[0]?.message.to;
    if (peer !== undefined) this.#tell(from, new ConnectionDown({ peer, reason: "refused" }));
    for (const { message, asked } of waiting) {
      const reason = "unreachable";
      if (asked !== null) this.#answer(from, asked, { status: "failed", reason });
      else this.#tell(from, dropped(message, { reason, detail: "" }));
    }
    if (link.full && peer !== undefined) this.#tell(from, new NetworkDrained({ peer }));
  }

  #disconnect(link: Link, reason: ConnectionDownReason): void {
    const { to } = link;
    const back = to?.links.get(addressOf(link.from.self));
    for (const one of back === undefined ? [link] : [link, back]) {
      const far = one.to;
      one.from.links.delete(one.address);
      if (far === null) continue;
      for (const asked of one.open)
        this.#answer(one.from, asked, { status: "unknown", reason: "disconnected" });
      one.open.clear();
      this.#tell(one.from, new ConnectionDown({ peer: far.self, reason }));
      if (one.full) this.#tell(one.from, new NetworkDrained({ peer: far.self }));
      one.full = false;
    }
  }

  /** Says when a link becomes full, and when it is not any more. */
  #mark(link: Link): void {
    const size = link.arrived + link.waiting.length;
    if (link.from.links.get(link.address) !== link) return;
    const peer = link.to?.self ?? link.waiting[0]?.message.to;
    if (peer === undefined) return;
    if (!link.full && size >= this.#queueMax / 2) {
      link.full = true;
      this.#tell(link.from, new NetworkFull({ peer }));
    } else if (link.full && size <= this.#queueMax / 4) {
      link.full = false;
      this.#tell(link.from, new NetworkDrained({ peer }));
    }
  }

  #tell(station: Station, event: News): void {
    this.#put(station, { kind: "news", event });
  }

  #answer(
    station: Station,
    { token }: Asked,
    facts: ConstructorParameters<typeof Delivery>[0],
  ): void {
    this.#put(station, { kind: "answer", token, delivery: new Delivery(facts) });
  }

  #put(station: Station, item: Item): void {
    station.inbox.push(item);
    this.#wake(station);
  }

  #wake(station: Station): void {
    if (station.woken || station.wake === null) return;
    station.woken = true;
    station.wake();
  }
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

/**
 * What is told of a lost message.
 *
 * @param self the sender where the message names none
 */
export function dropped(message: Message, loss: Loss, self: PeerRef = message.from): Dropped {
  const { to, from, constructor } = message;
  const tag = "tag" in constructor && typeof constructor.tag === "string" ? constructor.tag : "";
  return new Dropped({ ...loss, tag, to, from: isPeer(from) ? from : self });
}

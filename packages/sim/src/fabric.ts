/**
 * The network between the nodes: endpoints, one connection for each pair of processes, and what
 * happens on the way.
 *
 * A connection behaves as TCP does: what the rules lose is sent again after 200 ms, 400 ms, … and
 * holds up what comes behind it; when that has lasted too long the connection breaks, each side learns
 * it in its own time, and a suffix of what was sent is lost. So within a connection nothing is lost,
 * doubled or reordered, as the Network port promises. With `datagrams` each message travels alone
 * and the rules' verdicts show as they are: weaker than the port's promise, for protocols that are to
 * hold all the same.
 *
 * Invariants: at most one connection joins two processes; arrivals on a lane never go back in time;
 * every draw is keyed by the lane (the two nodes) and the message's number on it.
 */

import { type Event, mix, type ReplyToken, streamKey } from "@kith/core";
import {
  type Codec,
  ConnectionDown,
  type ConnectionDownReason,
  ConnectionUp,
  type Deliver,
  Delivery,
  Dropped,
  type DropReason,
  type Message,
  NetworkDrained,
  NetworkFull,
  type PeerRef,
  sameProcess,
  UnknownTag,
} from "@kith/network";
import type { Engine, Owner } from "./engine.ts";
import type { Life } from "./node.ts";
import type { Latency, Rules, Verdict } from "./rules.ts";
import { decisions } from "./trace.ts";

/** How the network treats what it carries. */
export interface FabricOptions {
  readonly latency: Latency;
  /** Null where messages are handed over as they are. */
  readonly codec: Codec | null;
  /** Whether messages travel alone, without connections. */
  readonly datagrams: boolean;
  /** How many messages may wait for one peer. */
  readonly waitingMax: number;
}

/** The component at an endpoint. */
export interface Sink {
  indicate(event: Event): void;
  answer(token: ReplyToken<Delivery>, delivery: Delivery): void;
}

/** A message on its way. */
interface Item {
  message: Message | UnknownTag;
  readonly tag: string;
  readonly to: PeerRef;
  readonly from: PeerRef;
  bytes: number;
  readonly number: number;
  readonly deliver: { readonly token: ReplyToken<Delivery>; readonly until: Deliver["until"] } | null;
  attempts: number;
  /** Gone when it arrives: its connection has ended. */
  lost: boolean;
}

/** A node as the network sees it: it outlives the node's lives. */
class Place {
  readonly name: string;
  readonly key: number;
  /** Who listens there now. */
  endpoint: Endpoint | null = null;
  /** Messages sent from here, and other things drawn for it: they number the draws. */
  messages = 0;
  others = 0;

  constructor(seed: number | string, name: string) {
    this.name = name;
    this.key = streamKey(seed, "place", name).low;
  }
}

/** From one node to another. Made when it is needed: a thousand nodes have a million of them. */
class Route {
  readonly source: Place;
  readonly target: Place;
  readonly key: number;

  constructor(source: Place, target: Place) {
    this.source = source;
    this.target = target;
    this.key = mix(source.key, target.key);
  }

  get from(): string {
    return this.source.name;
  }

  get to(): string {
    return this.target.name;
  }

  /** The way back. */
  back(): Route {
    return new Route(this.target, this.source);
  }
}

const retryMicros = 200_000;
const attemptsMax = 7;
/** Set apart the numbers of retries, dials and breaks from those of messages. */
const perAttempt = 0x1000_0000;
const control = 0x4000_0000;
const always: Owner = { alive: true, parked: null };

/** One end of a connection, and the direction that leads away from it. Two of them are a connection. */
class Lane {
  readonly end: Endpoint;
  readonly to: PeerRef;
  readonly route: Route;
  /** Whether this end dialled. */
  readonly dialled: boolean;
  other: Lane | null = null;
  up = false;
  closed = false;
  /** Waits for its message to be sent again. */
  blocked = false;
  full = false;
  /** Sent by the component, and not gone yet. */
  outbox: Item[] | null = null;
  /** Gone, and neither arrived nor lost yet. */
  flying = 0;
  /** Those of the flying whose sender asked what becomes of them. */
  asked: Set<Item> | null = null;
  lastArrival = 0;

  constructor(end: Endpoint, to: PeerRef, route: Route, dialled: boolean) {
    this.end = end;
    this.to = to;
    this.route = route;
    this.dialled = dialled;
  }

  get waiting(): number {
    return this.flying + (this.outbox?.length ?? 0);
  }
}

/** The end of the network at one life of a node. */
export class Endpoint {
  readonly life: Life;
  readonly peer: PeerRef;
  readonly fabric: Fabric;
  readonly place: Place;
  sink: Sink | null = null;
  readonly #lanes = new Map<string, Lane | Map<number, Lane>>();

  constructor(fabric: Fabric, life: Life, peer: PeerRef) {
    this.fabric = fabric;
    this.life = life;
    this.peer = peer;
    this.place = fabric.place(peer.host);
  }

  /** The connection to a process. */
  lane(to: PeerRef): Lane | undefined {
    const found = this.#lanes.get(to.host);
    if (found instanceof Map) return found.get(to.incarnation);
    return found?.to.incarnation === to.incarnation ? found : undefined;
  }

  /** All connections, or those to a host. */
  lanes(host?: string): Lane[] {
    const found = host === undefined ? [...this.#lanes.values()] : [this.#lanes.get(host)];
    return found.flatMap((one) => (one === undefined ? [] : one instanceof Map ? [...one.values()] : [one]));
  }

  /** Keeps a connection. There is a table only for a host of which two lives are known. */
  keep(lane: Lane): void {
    const { host, incarnation } = lane.to;
    const found = this.#lanes.get(host);
    if (found === undefined) this.#lanes.set(host, lane);
    else if (found instanceof Map) found.set(incarnation, lane);
    else this.#lanes.set(host, new Map([[found.to.incarnation, found], [incarnation, lane]]));
  }

  /** Forgets a connection. */
  forget(lane: Lane): void {
    const found = this.#lanes.get(lane.to.host);
    if (found === lane) this.#lanes.delete(lane.to.host);
    else if (found instanceof Map && found.get(lane.to.incarnation) === lane) found.delete(lane.to.incarnation);
  }

  /** Tells the component something. */
  indicate(event: Event): void {
    if (this.life.alive) this.sink?.indicate(event);
  }

  /** Answers a `Deliver`. */
  settle(item: Item, status: "sent" | "acknowledged" | "failed" | "unknown", reason?: DropReason): void {
    if (item.deliver === null || !this.life.alive) return;
    const { token, until } = item.deliver;
    if (status !== "failed" && (status === "sent") !== (until === "sent")) return;
    this.sink?.answer(token, new Delivery(reason === undefined ? { status } : { status, reason }));
  }
}

/** Everything between the nodes. */
export class Fabric {
  readonly rules: Rules;
  /** Messages lost or sent again, by how; for reports. */
  readonly counts = { rules: 0, broken: 0, full: 0 };
  readonly #engine: Engine;
  readonly #options: FabricOptions;
  readonly #places = new Map<string, Place>();

  constructor(engine: Engine, rules: Rules, options: FabricOptions) {
    this.#engine = engine;
    this.rules = rules;
    this.#options = options;
  }

  /** Makes an endpoint reachable. */
  listen(endpoint: Endpoint): void {
    this.place(endpoint.peer.host).endpoint = endpoint;
  }

  /** Ends all connections of a life; the others learn it a latency later, by a reset. */
  ended(life: Life): void {
    const place = this.place(life.name);
    const { endpoint } = place;
    if (endpoint?.life !== life) return;
    place.endpoint = null;
    for (const lane of endpoint.lanes()) {
      lane.closed = true;
      if (lane.other !== null) this.#later(lane.other, "lost");
    }
  }

  /** Breaks the connection between two hosts, where there is one: both sides learn it, each in its time. */
  reset(a: string, b: string): void {
    for (const lane of this.place(a).endpoint?.lanes(b) ?? []) this.#break(lane);
  }

  /** Lets `a` lose its end of the connection to `b`, which believes in it until it next sends. */
  halfOpen(a: string, b: string): void {
    for (const lane of this.place(a).endpoint?.lanes(b) ?? []) this.#close(lane, "lost");
  }

  /** Takes a message from a component. */
  send(from: Endpoint, message: Message, deliver: Item["deliver"]): void {
    const { codec, waitingMax, datagrams } = this.#options;
    const { to } = message;
    const route = new Route(from.place, this.place(to.host));
    const item: Item = {
      message,
      tag: tagOf(message),
      to,
      from: message.from ?? from.peer,
      bytes: 0,
      number: ++route.source.messages,
      deliver,
      attempts: 0,
      lost: false,
    };
    try {
      this.#pass(codec, item);
    } catch (cause) {
      this.#drop(from, item, "not-encodable", cause instanceof Error ? cause.message : String(cause));
      return;
    }
    if (to.host === from.peer.host && to.port === from.peer.port) {
      this.#within(from, route, item);
    } else if (datagrams) {
      this.#datagram(from, route, item);
    } else {
      const lane = from.lane(to) ?? this.#connect(from, to, route);
      if (lane.waiting >= waitingMax) {
        this.counts.full++;
        this.#drop(from, item, "full");
        return;
      }
      if (lane.up && !lane.blocked) this.#launch(lane, item);
      else (lane.outbox ??= []).push(item);
      if (!lane.full && lane.waiting * 2 >= waitingMax) {
        lane.full = true;
        from.indicate(new NetworkFull({ peer: lane.to }));
      }
    }
  }

  /** Makes of the sender's message the receiver's. */
  #pass(codec: Codec | null, item: Item): void {
    if (item.message instanceof UnknownTag) return;
    item.message = codec === null ? withSender(item.message, item.from) : codec.pass(item.message, item.from);
    item.bytes = codec?.bytes ?? 0;
  }

  // --- within a process, and alone -----------------------------------------------------------------

  #within(from: Endpoint, route: Route, item: Item): void {
    from.settle(item, "sent");
    this.#engine.at(from.life, this.#engine.micros, mix(route.key, item.number), () => {
      this.#accept(from, item);
      from.settle(item, "acknowledged");
    });
  }

  #datagram(from: Endpoint, route: Route, item: Item): void {
    const verdict = this.#judge(route, item);
    from.settle(item, "sent");
    if (verdict?.kind === "drop" || verdict?.kind === "reset") {
      this.counts.rules++;
      from.settle(item, "unknown", "disconnected");
      return;
    }
    const copies = verdict?.kind === "duplicate" ? verdict.copies : 1;
    for (let copy = 0; copy < copies; copy++) {
      const tie = mix(route.key, item.number + copy * perAttempt);
      const late = verdict === undefined || verdict.kind === "pass" || (copy === 0 && copies > 1) ? 0 : Math.round(verdict.delay * 1000);
      this.#engine.at(always, this.#engine.micros + this.#latency(route, tie) + late, tie, () => {
        const to = route.target.endpoint;
        if (to === null) from.settle(item, "unknown", "disconnected");
        else this.#meet(to, () => this.#accepted(to, from, item));
      });
    }
  }

  // --- connections ---------------------------------------------------------------------------------

  #connect(from: Endpoint, to: PeerRef, route: Route): Lane {
    const there = route.target.endpoint;
    const lane = new Lane(from, to, route, true);
    from.keep(lane);
    if (there !== null && sameProcess(there.peer, to)) {
      // One connection for the two: what the other side sends before it is up waits for it as well.
      const back = new Lane(there, from.peer, route.back(), false);
      lane.other = back;
      back.other = lane;
      there.keep(back);
    }
    this.#dial(lane, 0);
    return lane;
  }

  /** Sends the packet that opens a connection, again and again until it is answered or nobody hopes any more. */
  #dial(lane: Lane, attempt: number): void {
    const { route, end, other } = lane;
    const number = control + ++route.source.others;
    const tie = mix(route.key, number);
    const verdict = this.#verdict(route, "", 0, number);
    if (verdict?.kind === "drop" || verdict?.kind === "reset") {
      if (attempt + 1 >= attemptsMax) {
        this.#close(lane, "refused");
        return;
      }
      this.#engine.at(always, this.#engine.micros + retryMicros * 2 ** attempt, tie, () => {
        if (!lane.closed && end.life.alive) this.#dial(lane, attempt + 1);
      });
      return;
    }
    this.#engine.at(always, this.#engine.micros + this.#latency(route, tie) + lateness(verdict), tie, () => {
      if (lane.closed || !end.life.alive) return;
      const now = route.target.endpoint;
      const back = this.#engine.micros + this.#latency(route.back(), mix(tie, 8));
      if (other === null || now !== other.end) {
        this.#engine.at(always, back, mix(tie, 9), () => this.#meet(end, () => this.#close(lane, now === null ? "refused" : "restarted")));
        return;
      }
      this.#meet(other.end, () => this.#open(other));
      this.#engine.at(always, back, mix(tie, 9), () => this.#meet(end, () => this.#open(lane)));
    });
  }

  #open(lane: Lane): void {
    if (lane.closed || lane.up) return;
    lane.up = true;
    lane.end.indicate(new ConnectionUp({ peer: lane.to }));
    this.#pump(lane);
  }

  /** Lets go what waits on a lane, in order. */
  #pump(lane: Lane): void {
    const { outbox } = lane;
    if (outbox === null || !lane.up) return;
    lane.outbox = null;
    for (const item of outbox) {
      if (lane.blocked) (lane.outbox ??= []).push(item);
      else this.#launch(lane, item);
    }
  }

  #launch(lane: Lane, item: Item): void {
    const { route, end } = lane;
    const verdict = this.#judge(route, item);
    if (verdict?.kind === "reset" || verdict?.kind === "drop") {
      // What comes behind it waits: within a connection nothing overtakes.
      lane.blocked = true;
      (lane.outbox ??= []).push(item);
      if (verdict.kind === "reset") this.#break(lane);
      else this.#retry(lane, item);
      return;
    }
    lane.flying++;
    if (item.deliver !== null) {
      end.settle(item, "sent");
      (lane.asked ??= new Set()).add(item);
    }
    const tie = mix(route.key, item.number);
    // Strictly later than what was sent before it: a tie would be broken at random.
    lane.lastArrival = Math.max(lane.lastArrival + 1, this.#engine.micros + this.#latency(route, tie) + lateness(verdict));
    this.#engine.at(always, lane.lastArrival, tie, () => this.#arrive(lane, item));
  }

  #retry(lane: Lane, item: Item): void {
    this.counts.rules++;
    const wait = retryMicros * 2 ** item.attempts;
    if (++item.attempts >= attemptsMax) {
      this.#break(lane);
      return;
    }
    this.#engine.at(always, this.#engine.micros + wait, mix(lane.route.key, item.number + item.attempts * perAttempt), () => {
      lane.blocked = false;
      if (!lane.closed) this.#pump(lane);
    });
  }

  #arrive(lane: Lane, item: Item): void {
    const { other } = lane;
    if (item.lost || lane.closed) return;
    if (other === null || other.closed || !other.end.life.alive) {
      // Nobody is there who knows the connection: its reset comes back.
      this.#later(lane, "lost");
      return;
    }
    const { parked } = other.end.life;
    if (parked === null) this.#arrived(lane, other, item);
    else parked.push(() => this.#arrived(lane, other, item));
  }

  #arrived(lane: Lane, other: Lane, item: Item): void {
    if (lane.closed || other.closed) return;
    lane.flying--;
    lane.asked?.delete(item);
    this.#accepted(other.end, lane.end, item);
    if (!lane.full || lane.waiting * 4 > this.#options.waitingMax) return;
    lane.full = false;
    lane.end.indicate(new NetworkDrained({ peer: lane.to }));
  }

  /** Both sides learn, each in its time, that the connection is gone. */
  #break(lane: Lane): void {
    this.#later(lane, "lost");
    if (lane.other !== null) this.#later(lane.other, "lost");
  }

  /** One side learns it, a latency from now. */
  #later(lane: Lane, reason: ConnectionDownReason): void {
    const { route, end } = lane;
    const tie = mix(route.key, control + ++route.source.others);
    this.#engine.at(always, this.#engine.micros + this.#latency(route, tie), tie, () => this.#meet(end, () => this.#close(lane, reason)));
  }

  #close(lane: Lane, reason: ConnectionDownReason): void {
    if (lane.closed) return;
    const { end, up, asked, outbox } = lane;
    lane.closed = true;
    lane.up = false;
    end.forget(lane);
    if (up || lane.dialled) end.indicate(new ConnectionDown({ peer: lane.to, reason }));
    for (const item of asked ?? []) {
      item.lost = true;
      end.settle(item, "unknown", "disconnected");
    }
    this.counts.broken += lane.waiting;
    lane.outbox = null;
    const dropped = reason === "restarted" ? "wrong-incarnation" : up ? "disconnected" : "unreachable";
    for (const item of outbox ?? []) this.#drop(end, item, dropped);
    if (lane.full) end.indicate(new NetworkDrained({ peer: lane.to }));
    lane.full = false;
    // An end that was never told of the connection forgets it with the one that dialled.
    if (!up && lane.other !== null && !lane.other.up) this.#close(lane.other, reason);
  }

  // --- what they have in common --------------------------------------------------------------------

  /** Does something at an endpoint, after its pause where it is paused. */
  #meet(at: Endpoint, action: () => void): void {
    if (!at.life.alive) return;
    if (at.life.parked === null) action();
    else at.life.parked.push(action);
  }

  #accepted(to: Endpoint, from: Endpoint, item: Item): void {
    this.#accept(to, item);
    if (item.deliver?.until !== "acknowledged") return;
    const back = new Route(to.place, from.place);
    const tie = mix(back.key, control + ++back.source.others);
    this.#engine.at(always, this.#engine.micros + this.#latency(back, tie), tie, () => from.settle(item, "acknowledged"));
  }

  #accept(to: Endpoint, item: Item): void {
    const { message } = item;
    this.#engine.trace.add(decisions.message, this.#engine.micros, mix(item.from.peerId, item.number) ^ item.bytes ^ (to.peer.peerId << 16));
    if (item.to.incarnation !== to.peer.incarnation) this.#tell(to, item, "wrong-incarnation");
    else if (message instanceof UnknownTag) this.#tell(to, item, "unknown-tag");
    else to.indicate(message);
  }

  #drop(at: Endpoint, item: Item, reason: DropReason, detail = ""): void {
    if (item.deliver === null) this.#tell(at, item, reason, detail);
    else at.settle(item, "failed", reason);
  }

  #tell(at: Endpoint, { tag, to, from }: Item, reason: DropReason, detail = ""): void {
    at.indicate(new Dropped({ reason, tag, to, from, detail }));
  }

  #judge(route: Route, item: Item): Verdict | undefined {
    return this.rules.none ? undefined : this.#verdict(route, item.tag, item.bytes, item.number + item.attempts * perAttempt);
  }

  #verdict(route: Route, tag: string, bytes: number, number: number): Verdict | undefined {
    if (this.rules.none) return undefined;
    const { micros, trace } = this.#engine;
    const verdict = this.rules.judge({ from: route.from, to: route.to, tag, bytes, time: micros / 1000 }, route.key, number);
    if (verdict !== undefined) trace.add(decisions.verdict, micros, mix(route.key, number) ^ verdict.kind.length);
    return verdict;
  }

  #latency(route: Route, draw: number): number {
    return this.#options.latency(route, mix(draw, 7));
  }

  /** The place of a node. */
  place(name: string): Place {
    let place = this.#places.get(name);
    if (place === undefined) {
      place = new Place(this.#engine.seed, name);
      this.#places.set(name, place);
    }
    return place;
  }
}

function lateness(verdict: Verdict | undefined): number {
  return verdict?.kind === "delay" ? Math.round(verdict.delay * 1000) : 0;
}

function tagOf(message: Message): string {
  const cls: unknown = message.constructor;
  return typeof cls === "function" && "tag" in cls && typeof cls.tag === "string" ? cls.tag : "";
}

/** With the codec off the message itself travels: it belongs to the network now, and gets its sender. */
function withSender(message: Message, sender: PeerRef): Message {
  if (!Object.hasOwn(message, "from")) Reflect.set(message, "from", sender);
  return message;
}

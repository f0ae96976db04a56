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
  readonly message: Message | UnknownTag;
  readonly tag: string;
  readonly to: PeerRef;
  readonly from: PeerRef;
  readonly bytes: number;
  readonly number: number;
  readonly deliver: { readonly token: ReplyToken<Delivery>; readonly until: Deliver["until"] } | null;
  attempts: number;
}

const retryMicros = 200_000;
const attemptsMax = 7;
const always: Owner = { alive: true, parked: null };

/** One direction of a connection. */
class Lane {
  readonly from: Endpoint;
  readonly to: PeerRef;
  readonly key: number;
  /** Sent by the sender's component, and not gone yet. */
  outbox: Item[] = [];
  /** Gone, and neither arrived nor lost yet. */
  readonly flying = new Set<Item>();
  open = false;
  blocked = false;
  lastArrival = 0;
  full = false;

  constructor(from: Endpoint, to: PeerRef, key: number) {
    this.from = from;
    this.to = to;
    this.key = key;
  }

  get waiting(): number {
    return this.outbox.length + this.flying.size;
  }
}

/** A connection between two processes; `lanes[0]` leads away from the one that opened it. */
class Connection {
  readonly lanes: readonly [Lane, Lane];
  readonly ends: readonly [Endpoint, Endpoint];
  /** Whether each end has been told that it is up, and not yet that it is down. */
  readonly up: [boolean, boolean] = [false, false];
  readonly closed: [boolean, boolean] = [false, false];

  constructor(ends: readonly [Endpoint, Endpoint], lanes: readonly [Lane, Lane]) {
    this.ends = ends;
    this.lanes = lanes;
  }
}

/** The end of the network at one life of a node. */
export class Endpoint {
  readonly life: Life;
  readonly peer: PeerRef;
  readonly fabric: Fabric;
  sink: Sink | null = null;
  /** Connections by the host and the incarnation at the other end. */
  readonly #connections = new Map<string, Map<number, Connection>>();
  readonly counts = new Map<string, number>();

  constructor(fabric: Fabric, life: Life, peer: PeerRef) {
    this.fabric = fabric;
    this.life = life;
    this.peer = peer;
  }

  /** The connection to a process. */
  connection(to: PeerRef): Connection | undefined {
    return this.#connections.get(to.host)?.get(to.incarnation);
  }

  /** All connections, or those to a host. */
  connections(host?: string): Connection[] {
    const tables = host === undefined ? [...this.#connections.values()] : [this.#connections.get(host)];
    return tables.flatMap((table) => (table === undefined ? [] : [...table.values()]));
  }

  /** Keeps a connection to a process. */
  keep(to: PeerRef, connection: Connection): void {
    let table = this.#connections.get(to.host);
    if (table === undefined) this.#connections.set(to.host, (table = new Map()));
    table.set(to.incarnation, connection);
  }

  /** Forgets a connection to a process. */
  forget(to: PeerRef, connection: Connection): void {
    const table = this.#connections.get(to.host);
    if (table?.get(to.incarnation) === connection) table.delete(to.incarnation);
  }

  /** Numbers the messages to a host over all connections, so that draws do not depend on those. */
  next(host: string): number {
    const number = (this.counts.get(host) ?? 0) + 1;
    this.counts.set(host, number);
    return number;
  }

  /** Tells the component something. */
  indicate(event: Event): void {
    if (this.life.alive) this.sink?.indicate(event);
  }

  /** Answers a `Deliver`. */
  settle(item: Item, status: "sent" | "acknowledged" | "failed" | "unknown", reason?: DropReason): void {
    if (item.deliver === null || !this.life.alive) return;
    if (status === "sent" && item.deliver.until !== "sent") return;
    if (status !== "failed" && status !== "sent" && item.deliver.until === "sent") return;
    this.sink?.answer(item.deliver.token, new Delivery(reason === undefined ? { status } : { status, reason }));
  }
}

/** Everything between the nodes. */
export class Fabric {
  readonly rules: Rules;
  readonly #engine: Engine;
  readonly #options: FabricOptions;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #keys = new Map<string, number>();
  /** Messages lost, by how; for reports. */
  readonly lost = { rules: 0, reset: 0, full: 0 };

  constructor(engine: Engine, rules: Rules, options: FabricOptions) {
    this.#engine = engine;
    this.rules = rules;
    this.#options = options;
  }

  /** Makes an endpoint reachable. */
  listen(endpoint: Endpoint): void {
    this.#endpoints.set(endpoint.peer.host, endpoint);
  }

  /** Ends all connections of a life; the others learn it a latency later, by a reset. */
  ended(life: Life): void {
    const endpoint = this.#endpoints.get(life.name);
    if (endpoint?.life !== life) return;
    this.#endpoints.delete(life.name);
    for (const connection of endpoint.connections()) {
      const side = connection.ends[0] === endpoint ? 0 : 1;
      connection.closed[side] = true;
      this.#later(connection.ends[side === 0 ? 1 : 0], connection, "lost");
    }
  }

  /** Breaks the connection between two hosts, where there is one: both sides learn it, each in its time. */
  reset(a: string, b: string): void {
    for (const connection of this.#endpoints.get(a)?.connections(b) ?? []) {
      this.#later(connection.ends[0], connection, "lost");
      this.#later(connection.ends[1], connection, "lost");
    }
  }

  /** Lets `a` lose its end of the connection to `b`, which believes in it until it next sends. */
  halfOpen(a: string, b: string): void {
    const endpoint = this.#endpoints.get(a);
    if (endpoint === undefined) return;
    for (const connection of endpoint.connections(b)) this.#close(endpoint, connection, "lost");
  }

  /** Takes a message from a component. */
  send(from: Endpoint, message: Message, deliver: Item["deliver"]): void {
    const { codec, waitingMax, datagrams } = this.#options;
    const { to } = message;
    const number = from.next(to.host);
    const sender = message.from ?? from.peer;
    const tag = tagOf(message);
    let passed: Message | UnknownTag;
    try {
      passed = codec === null ? withSender(message, sender) : codec.pass(message, sender);
    } catch (cause) {
      const lost: Item = { message, tag, to, from: sender, bytes: 0, number, deliver, attempts: 0 };
      this.#drop(from, lost, "not-encodable", cause instanceof Error ? cause.message : String(cause));
      return;
    }
    const item: Item = { message: passed, tag, to, from: sender, bytes: codec?.bytes ?? 0, number, deliver, attempts: 0 };
    if (to.host === from.peer.host && to.port === from.peer.port) {
      this.#within(from, item);
    } else if (datagrams) {
      this.#datagram(from, item);
    } else {
      const connection = this.#connection(from, to);
      const lane = connection.lanes[connection.ends[0] === from ? 0 : 1];
      if (lane.waiting >= waitingMax) {
        this.lost.full++;
        this.#drop(from, item, "full");
        return;
      }
      lane.outbox.push(item);
      if (!lane.full && lane.waiting * 2 >= waitingMax) {
        lane.full = true;
        from.indicate(new NetworkFull({ peer: lane.to }));
      }
      this.#pump(connection, lane);
    }
  }

  // --- within a process, and alone -----------------------------------------------------------------

  #within(from: Endpoint, item: Item): void {
    from.settle(item, "sent");
    this.#engine.at(from.life, this.#engine.micros, mix(this.#key(from, item.to.host), item.number), () => {
      this.#accept(from, item);
      from.settle(item, "acknowledged");
    });
  }

  #datagram(from: Endpoint, item: Item): void {
    const key = this.#key(from, item.to.host);
    const verdict = this.#judge(from, item, key);
    from.settle(item, "sent");
    if (verdict?.kind === "drop" || verdict?.kind === "reset") {
      this.lost.rules++;
      from.settle(item, "unknown", "disconnected");
      return;
    }
    const copies = verdict?.kind === "duplicate" ? verdict.copies : 1;
    for (let copy = 0; copy < copies; copy++) {
      const extra = verdict === undefined || verdict.kind === "pass" ? 0 : copy === 0 && verdict.kind === "duplicate" ? 0 : verdict.delay;
      const tie = mix(key, item.number + copy * 0x1000_0000);
      const at = this.#engine.micros + this.#latency(from.peer.host, item.to.host, mix(tie, 7)) + Math.round(extra * 1000);
      this.#engine.at(always, at, tie, () => {
        const to = this.#endpoints.get(item.to.host);
        this.#arrive(to, () => {
          if (to !== undefined) this.#accept(to, item);
        });
        if (to === undefined) from.settle(item, "unknown", "disconnected");
        else this.#acknowledge(to, from, item);
      });
    }
  }

  // --- connections ---------------------------------------------------------------------------------

  #connection(from: Endpoint, to: PeerRef): Connection {
    const known = from.connection(to);
    if (known !== undefined) return known;
    const there = this.#endpoints.get(to.host);
    // One connection for the two: what the other side sends before it is up waits for it as well.
    const end = there !== undefined && sameProcess(there.peer, to) ? there : new Endpoint(this, from.life, to);
    const connection = new Connection([from, end], [
      new Lane(from, to, this.#key(from, to.host)),
      new Lane(end, from.peer, this.#key(end, from.peer.host)),
    ]);
    from.keep(to, connection);
    if (end === there) end.keep(from.peer, connection);
    this.#dial(connection, 0);
    return connection;
  }

  /** Sends the packet that opens a connection, again and again until it is answered or nobody hopes any more. */
  #dial(connection: Connection, attempt: number): void {
    const [from, end] = connection.ends;
    const [lane] = connection.lanes;
    const { host } = lane.to;
    const number = 0x4000_0000 + from.next(`dial ${host}`);
    const verdict = this.#verdict(from, host, "", 0, lane.key, number);
    const tie = mix(lane.key, number);
    const there = this.#latency(from.peer.host, host, mix(tie, 7)) + delayOf(verdict);
    if (verdict?.kind === "drop" || verdict?.kind === "reset") {
      if (attempt + 1 >= attemptsMax) this.#close(from, connection, "refused");
      else this.#engine.at(always, this.#engine.micros + retryMicros * 2 ** attempt, tie, () => this.#live(connection, 0) && this.#dial(connection, attempt + 1));
      return;
    }
    this.#engine.at(always, this.#engine.micros + there, tie, () => {
      if (!this.#live(connection, 0)) return;
      const now = this.#endpoints.get(host);
      const back = this.#latency(host, from.peer.host, mix(tie, 8));
      if (now !== end) {
        const reason = now === undefined ? "refused" : "restarted";
        this.#engine.at(always, this.#engine.micros + back, mix(tie, 9), () => this.#close(from, connection, reason));
        return;
      }
      this.#arrive(end, () => this.#open(connection, 1));
      this.#engine.at(always, this.#engine.micros + back, mix(tie, 9), () => this.#arrive(from, () => this.#open(connection, 0)));
    });
  }

  #open(connection: Connection, side: 0 | 1): void {
    if (!this.#live(connection, side) || connection.up[side]) return;
    connection.up[side] = true;
    const lane = connection.lanes[side];
    lane.open = true;
    connection.ends[side].indicate(new ConnectionUp({ peer: lane.to }));
    this.#pump(connection, lane);
  }

  /** Lets go what waits on a lane, in order. */
  #pump(connection: Connection, lane: Lane): void {
    if (!lane.open) return;
    while (!lane.blocked) {
      const item = lane.outbox[0];
      if (item === undefined) return;
      const verdict = this.#judge(lane.from, item, lane.key);
      if (verdict?.kind === "reset") {
        this.#later(connection.ends[0], connection, "lost");
        this.#later(connection.ends[1], connection, "lost");
        lane.blocked = true;
        return;
      }
      if (verdict?.kind === "drop") {
        this.#retry(connection, lane, item);
        return;
      }
      lane.outbox.shift();
      lane.flying.add(item);
      lane.from.settle(item, "sent");
      const tie = mix(lane.key, item.number);
      const latency = this.#latency(lane.from.peer.host, lane.to.host, mix(tie, 7)) + (verdict?.kind === "delay" ? delayOf(verdict) : 0);
      lane.lastArrival = Math.max(lane.lastArrival, this.#engine.micros + latency);
      this.#engine.at(always, lane.lastArrival, tie, () => this.#arriveOn(connection, lane, item));
    }
  }

  #retry(connection: Connection, lane: Lane, item: Item): void {
    this.lost.rules++;
    lane.blocked = true;
    const wait = retryMicros * 2 ** item.attempts;
    if (++item.attempts >= attemptsMax) {
      this.#later(connection.ends[0], connection, "lost");
      this.#later(connection.ends[1], connection, "lost");
      return;
    }
    this.#engine.at(always, this.#engine.micros + wait, mix(lane.key, item.number + item.attempts * 0x1000_0000), () => {
      lane.blocked = false;
      this.#pump(connection, lane);
    });
  }

  #arriveOn(connection: Connection, lane: Lane, item: Item): void {
    if (!lane.flying.has(item)) return;
    const side = lane === connection.lanes[0] ? 1 : 0;
    const to = connection.ends[side];
    if (connection.closed[side] || !to.life.alive) {
      // Nobody is there who knows the connection: its reset comes back.
      this.#later(lane.from, connection, "lost");
      return;
    }
    this.#arrive(to, () => {
      if (!lane.flying.delete(item)) return;
      this.#accept(to, item);
      this.#acknowledge(to, lane.from, item);
      if (lane.full && lane.waiting * 4 <= this.#options.waitingMax) {
        lane.full = false;
        lane.from.indicate(new NetworkDrained({ peer: lane.to }));
      }
    });
  }

  #acknowledge(to: Endpoint, from: Endpoint, item: Item): void {
    if (item.deliver?.until !== "acknowledged") return;
    const tie = mix(this.#key(to, from.peer.host), item.number + 0x2000_0000);
    this.#engine.at(always, this.#engine.micros + this.#latency(to.peer.host, from.peer.host, tie), tie, () => from.settle(item, "acknowledged"));
  }

  /** One side learns, a latency from now, that the connection is gone. */
  #later(end: Endpoint, connection: Connection, reason: ConnectionDownReason): void {
    const side = connection.ends[0] === end ? 0 : 1;
    const lane = connection.lanes[side];
    const tie = mix(lane.key, 0x5000_0000 + end.next(`down ${lane.to.host}`));
    const at = this.#engine.micros + this.#latency(lane.to.host, end.peer.host, tie);
    this.#engine.at(always, at, tie, () => this.#arrive(end, () => this.#close(end, connection, reason)));
  }

  #close(end: Endpoint, connection: Connection, reason: ConnectionDownReason): void {
    const side = connection.ends[0] === end ? 0 : 1;
    if (connection.closed[side]) return;
    connection.closed[side] = true;
    const lane = connection.lanes[side];
    end.forget(lane.to, connection);
    const wasUp = connection.up[side];
    connection.up[side] = false;
    lane.open = false;
    if (wasUp || side === 0) end.indicate(new ConnectionDown({ peer: lane.to, reason }));
    const dropped = reason === "restarted" ? "wrong-incarnation" : wasUp ? "disconnected" : "unreachable";
    for (const item of lane.flying) end.settle(item, "unknown", "disconnected");
    this.lost.reset += lane.flying.size + lane.outbox.length;
    lane.flying.clear();
    const waiting = lane.outbox;
    lane.outbox = [];
    for (const item of waiting) this.#drop(end, item, dropped);
    if (lane.full) end.indicate(new NetworkDrained({ peer: lane.to }));
    lane.full = false;
  }

  #live(connection: Connection, side: 0 | 1): boolean {
    return !connection.closed[side] && connection.ends[side].life.alive;
  }

  // --- what they have in common --------------------------------------------------------------------

  /** Does something at an endpoint, after its pause where it is paused. */
  #arrive(at: Endpoint | undefined, action: () => void): void {
    if (at === undefined || !at.life.alive) return;
    if (at.life.parked === null) action();
    else at.life.parked.push(action);
  }

  #accept(to: Endpoint, item: Item): void {
    const { message } = item;
    this.#engine.trace.add("message", this.#engine.micros, mix(this.#key(to, item.from.host), item.number) ^ item.bytes);
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

  #judge(from: Endpoint, item: Item, key: number): Verdict | undefined {
    return this.rules.none ? undefined : this.#verdict(from, item.to.host, item.tag, item.bytes, key, item.number + item.attempts * 0x1000_0000);
  }

  #verdict(from: Endpoint, to: string, tag: string, bytes: number, key: number, number: number): Verdict | undefined {
    const time = this.#engine.micros / 1000;
    const verdict = this.rules.judge({ from: from.peer.host, to, tag, bytes, time }, key, number);
    if (verdict !== undefined) this.#engine.trace.add("verdict", this.#engine.micros, mix(key, number) ^ verdict.kind.length);
    return verdict;
  }

  #latency(from: string, to: string, draw: number): number {
    return this.#options.latency({ from, to }, draw);
  }

  /** The key of everything that is drawn for messages from one node to another. */
  #key(from: Endpoint, to: string): number {
    const name = `${from.peer.host}>${to}`;
    let key = this.#keys.get(name);
    if (key === undefined) {
      key = streamKey(this.#engine.seed, "link", name).low;
      this.#keys.set(name, key);
      this.#engine.trace.name(key, () => `link ${name}`);
    }
    return key;
  }
}

function delayOf(verdict: Verdict | undefined): number {
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

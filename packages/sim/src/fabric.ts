/**
 * The network between the nodes: takes messages from the endpoints, passes them through the codec,
 * asks the rules what becomes of them, and hands them over.
 *
 * By default they travel over connections (`stream.ts`). As datagrams each travels alone and the rules'
 * verdicts show as they are: weaker than the port's promise, for protocols that are to hold all the
 * same. Messages within a process take neither way, but the codec and the queue.
 *
 * Invariant: every draw is keyed by the connection and the message's number there, or by the two nodes
 * and the instant.
 */

import { mix, streamKey } from "@kith/core";
import {
  type Codec,
  Dropped,
  type DropReason,
  type Message,
  type PeerRef,
  UnknownTag,
  withSender,
} from "@kith/network";
import { Datagram, type Deed, Doing } from "./deed.ts";
import { type Endpoint } from "./endpoint.ts";
import { always, type Engine } from "./engine.ts";
import type { Life } from "./node.ts";
import { type Asked, type Item, Place, Route } from "./place.ts";
import { lateness, type Latency, type Rules, type Verdict } from "./rules.ts";
import { Streams } from "./stream.ts";
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

/** Sets apart the draws of copies. */
const perCopy = 0x1000_0000;
/** Sets apart the draws of acknowledgements. */
const acknowledgements = 0x5bd1_e995;
/** After so long without an acknowledgement, the sender of a datagram gives up. */
const acknowledgedMicros = 30_000_000;

/** Everything between the nodes. */
export class Fabric {
  readonly rules: Rules;
  /** Messages sent again or lost by rules, lost with connections, and refused because too many wait. */
  readonly counts = { rules: 0, broken: 0, full: 0 };
  /** How many messages may wait for one peer. */
  waitingMax: number;
  readonly #engine: Engine;
  readonly #options: FabricOptions;
  readonly #streams: Streams;
  readonly #places = new Map<string, Place>();
  /** Those of the nodes, by the identity of their peer: nodes are numbered, so it has few holes. */
  readonly #numbered: (Place | undefined)[] = [];
  readonly #tags = new Map<string, number>();

  constructor(engine: Engine, rules: Rules, options: FabricOptions) {
    this.#engine = engine;
    this.rules = rules;
    this.#options = options;
    this.#streams = new Streams(engine, this);
    this.waitingMax = options.waitingMax;
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

  /** The place of a peer's process: most have the number of the node that they are. */
  #placeOf({ peerId, host }: PeerRef): Place {
    const place = this.#numbered[peerId];
    return place !== undefined && place.name === host ? place : this.place(host);
  }

  /** Makes an endpoint reachable. */
  listen(endpoint: Endpoint): void {
    const { life, place, peer } = endpoint;
    if (!life.alive) return;
    place.endpoint = endpoint;
    this.#numbered[peer.peerId] = place;
  }

  /** Ends all connections of a life; the others learn it a latency later. */
  ended(life: Life, crashed: boolean): void {
    const { endpoint } = life;
    if (endpoint.place.endpoint === endpoint) endpoint.place.endpoint = null;
    this.#streams.ended(endpoint, crashed);
  }

  /** Breaks the connections between two hosts: both sides learn it, each in its time. */
  reset(a: string, b: string): void {
    const lane = this.place(a).endpoint?.lane(b);
    if (lane !== undefined) this.#streams.break(lane);
  }

  /** Lets `a` lose its end of the connection to `b`, which believes in it until it next sends. */
  halfOpen(a: string, b: string): void {
    const lane = this.place(a).endpoint?.lane(b);
    if (lane !== undefined) this.#streams.close(lane, "lost");
  }

  /** Takes a message from a component. */
  send(from: Endpoint, message: Message, asked: Asked | null): void {
    const { to } = message;
    const item: Item = {
      message,
      tag: tagOf(message),
      to,
      from: message.from ?? from.peer,
      bytes: 0,
      digest: 0,
      number: 0,
      asked,
      attempts: 0,
      refused: null,
    };
    try {
      this.#pass(message, item);
    } catch (cause) {
      this.drop(from, item, "not-encodable", cause instanceof Error ? cause.message : "");
      return;
    }
    const route = new Route(from.place, this.#placeOf(to));
    if (route.target === from.place && to.port === from.peer.port) this.#within(from, route, item);
    else if (this.#options.datagrams) this.#datagram(from, route, item);
    else this.#streams.send(from, route, item);
  }

  /** Makes of the sender's message the receiver's. */
  #pass(message: Message, item: Item): void {
    const { codec } = this.#options;
    if (codec === null) {
      item.message = withSender(message, item.from);
      item.digest = this.#keyOf(item.tag);
    } else {
      item.message = codec.pass(message, item.from);
      item.bytes = codec.bytes;
      item.digest = codec.digest() | 0;
    }
  }

  #keyOf(tag: string): number {
    let key = this.#tags.get(tag);
    if (key === undefined) this.#tags.set(tag, (key = streamKey(tag).low | 0));
    return key;
  }

  #within(from: Endpoint, route: Route, item: Item): void {
    item.number = ++route.source.within;
    // One tie for all of an instant, so that they stay in order.
    const tie = mix(route.key, this.#engine.micros);
    const doing = new Doing(from.life, this, { verb: "within", from, route, item });
    this.#engine.queue(this.#engine.micros, tie, doing);
  }

  #datagram(from: Endpoint, route: Route, item: Item): void {
    item.number = route.source.next(this.#engine.micros);
    const verdict = this.verdict(route, route.key, item.number, item);
    from.settle(item, "sent");
    if (item.asked !== null) {
      const tie = mix(route.key ^ acknowledgements, item.number + perCopy);
      const time = this.#engine.micros + acknowledgedMicros;
      this.#engine.queue(time, tie, new Doing(from.life, this, { verb: "unknown", from, item }));
    }
    if (verdict?.kind === "drop" || verdict?.kind === "reset") {
      this.counts.rules++;
      return;
    }
    const copies = verdict?.kind === "duplicate" ? verdict.copies : 1;
    for (let copy = 0; copy < copies; copy++) {
      const tie = mix(route.key, item.number + copy * perCopy);
      // The first of several copies is as fast as one alone.
      const late = copies > 1 && copy === 0 ? 0 : lateness(verdict);
      const time = this.#engine.micros + this.latency(route, tie) + late;
      this.#engine.queue(time, tie, new Datagram(this, from, route, item));
    }
  }

  #arrived(to: Endpoint, from: Endpoint, route: Route, item: Item): void {
    this.accept(to, item, route.key);
    if (item.asked === null) return;
    const back = route.back();
    const key = back.key ^ acknowledgements;
    const verdict = this.verdict(back, key, item.number);
    if (verdict?.kind === "drop" || verdict?.kind === "reset") return;
    const tie = mix(key, item.number);
    const time = this.#engine.micros + this.latency(back, tie) + lateness(verdict);
    const deed: Deed = { verb: "meet", at: from, then: { verb: "settle", from, item } };
    this.#engine.queue(time, tie, new Doing(always, this, deed));
  }

  /** A datagram has arrived at its node. */
  catch({ from, route, item }: Pick<Datagram, "from" | "route" | "item">): void {
    const to = route.target.endpoint;
    if (to === null || !to.life.alive) return;
    if (to.life.parked === null) this.#arrived(to, from, route, item);
    else to.meet({ verb: "land", to, from, route, item });
  }

  /** Does what was put off. */
  do(deed: Deed): void {
    switch (deed.verb) {
      case "meet":
        deed.at.meet(deed.then);
        return;
      case "within":
        deed.from.settle(deed.item, "sent");
        this.accept(deed.from, deed.item, deed.route.key);
        deed.from.settle(deed.item, "acknowledged");
        return;
      case "unknown":
        deed.from.settle(deed.item, "unknown", "disconnected");
        return;
      case "datagram":
        this.catch(deed);
        return;
      case "land":
        this.#arrived(deed.to, deed.from, deed.route, deed.item);
        return;
      case "settle":
        deed.from.settle(deed.item, "acknowledged");
        return;
      case "dialled":
      case "redial":
      case "open":
      case "close":
      case "retry":
      case "arrive":
      case "arrived":
      case "acknowledge":
      case "acknowledged":
        this.#streams.do(deed);
    }
  }

  /** The nodes that it knows, for checkpoints. */
  places(): Place[] {
    return [...this.#places.values()];
  }

  // --- for the streams -----------------------------------------------------------------------------

  /** Hands a message to its receiver. `key` and its number name it in the hash. */
  accept(to: Endpoint, item: Item, key: number): void {
    const { message } = item;
    const { trace, micros } = this.#engine;
    const about = (mix(key, item.number) ^ item.digest) >>> 0;
    if (trace.naming)
      trace.name(about, () => `${item.tag} from ${item.from.host} to ${to.peer.host}`);
    trace.add(decisions.message, micros, about);
    if (item.to.incarnation !== to.incarnation) this.#refuse(to, item, "wrong-incarnation");
    else if (message instanceof UnknownTag) this.#refuse(to, item, "unknown-tag");
    else to.indicate(message);
  }

  /** It has arrived, and nobody gets it: its acknowledgement says so. */
  #refuse(to: Endpoint, item: Item, reason: DropReason): void {
    item.refused = reason;
    this.#tell(to, item, reason);
  }

  /** Tells the sender that a message is lost. */
  drop(at: Endpoint, item: Item, reason: DropReason, detail = ""): void {
    if (item.asked === null) this.#tell(at, item, reason, detail);
    else at.settle(item, "failed", reason);
  }

  /** What the rules say of a message, or of what has none. `key` and `number` key their draws. */
  verdict(route: Route, key: number, number: number, item?: Item): Verdict | undefined {
    if (this.rules.none) return undefined;
    const { micros, trace } = this.#engine;
    const { tag, bytes } = item ?? { tag: "", bytes: 0 };
    const travelling = { from: route.from, to: route.to, tag, bytes, time: micros / 1000 };
    const verdict = this.rules.judge(travelling, key, number);
    if (verdict !== undefined) {
      const about = (mix(key, number) ^ verdict.kind.length) >>> 0;
      if (trace.naming)
        trace.name(about, () => `${verdict.kind} of ${tag} from ${route.from} to ${route.to}`);
      trace.add(decisions.verdict, micros, about);
    }
    return verdict;
  }

  /** How long something takes, in microseconds. */
  latency(route: Route, draw: number): number {
    return this.#options.latency(route, mix(draw, 7));
  }

  #tell(at: Endpoint, { tag, to, from }: Item, reason: DropReason, detail = ""): void {
    at.indicate(new Dropped({ reason, tag, to, from, detail }));
  }
}

function tagOf(message: Message): string {
  const cls: unknown = message.constructor;
  return typeof cls === "function" && "tag" in cls && typeof cls.tag === "string" ? cls.tag : "";
}

/**
 * What the network does later, as data: each is a verb with what it is about, so that a checkpoint can
 * hold it. The same shapes are used twice: with the network's own objects while it runs, and with
 * names and numbers in a checkpoint; `mapDeed` leads from one to the other.
 */

import type { ConnectionDownReason } from "@kith/network";
import type { Endpoint } from "./endpoint.ts";
import { always, Due, type Owner } from "./engine.ts";
import type { Lane } from "./lane.ts";
import type { Item, Route } from "./place.ts";

/** A deed of the network, over ends `E`, lanes `L`, messages `I` and routes `R`. */
export type DeedOf<E, L, I, R> =
  /** A message to the own process arrives. */
  | { readonly verb: "within"; readonly from: E; readonly route: R; readonly item: I }
  /** The sender of a datagram gives up waiting. */
  | { readonly verb: "unknown"; readonly from: E; readonly item: I }
  /** A datagram arrives at a node, and at the component there. */
  | { readonly verb: "datagram"; readonly from: E; readonly route: R; readonly item: I }
  | {
      readonly verb: "land";
      readonly to: E;
      readonly from: E;
      readonly route: R;
      readonly item: I;
    }
  /** Its acknowledgement arrives. */
  | { readonly verb: "settle"; readonly from: E; readonly item: I }
  /** Something happens at an end, after the node's pause where it is paused. */
  | { readonly verb: "meet"; readonly at: E; readonly then: DeedOf<E, L, I, R> }
  /** A dial arrives, is made again, and is answered. */
  | { readonly verb: "dialled"; readonly lane: L; readonly attempt: number }
  | { readonly verb: "redial"; readonly lane: L; readonly attempt: number }
  | { readonly verb: "open"; readonly lane: L }
  /** An end learns that its connection is gone. */
  | { readonly verb: "close"; readonly lane: L; readonly reason: ConnectionDownReason }
  /** What was lost is sent again. */
  | { readonly verb: "retry"; readonly lane: L }
  /** A message arrives at a node, and at the component there. */
  | { readonly verb: "arrive"; readonly lane: L; readonly item: I }
  | { readonly verb: "arrived"; readonly lane: L; readonly other: L; readonly item: I }
  /** Its acknowledgement is sent again, and arrives. */
  | {
      readonly verb: "acknowledge";
      readonly lane: L;
      readonly other: L;
      readonly item: I;
      readonly attempt: number;
    }
  | { readonly verb: "acknowledged"; readonly lane: L; readonly item: I };

/** A deed over the network's own objects. */
export type Deed = DeedOf<Endpoint, Lane, Item, Route>;

/** Leads from one kind of objects to another. */
export interface DeedMap<E, L, I, R, E2, L2, I2, R2> {
  readonly end: (end: E) => E2;
  readonly lane: (lane: L) => L2;
  readonly item: (item: I) => I2;
  readonly route: (route: R) => R2;
}

/** The same deed over other objects. */
export function mapDeed<E, L, I, R, E2, L2, I2, R2>(
  deed: DeedOf<E, L, I, R>,
  map: DeedMap<E, L, I, R, E2, L2, I2, R2>,
): DeedOf<E2, L2, I2, R2> {
  switch (deed.verb) {
    case "within":
    case "datagram":
      return {
        verb: deed.verb,
        from: map.end(deed.from),
        route: map.route(deed.route),
        item: map.item(deed.item),
      };
    case "unknown":
    case "settle":
      return { verb: deed.verb, from: map.end(deed.from), item: map.item(deed.item) };
    case "land":
      return {
        verb: deed.verb,
        to: map.end(deed.to),
        from: map.end(deed.from),
        route: map.route(deed.route),
        item: map.item(deed.item),
      };
    case "meet":
      return { verb: deed.verb, at: map.end(deed.at), then: mapDeed(deed.then, map) };
    case "dialled":
    case "redial":
      return { verb: deed.verb, lane: map.lane(deed.lane), attempt: deed.attempt };
    case "open":
    case "retry":
      return { verb: deed.verb, lane: map.lane(deed.lane) };
    case "close":
      return { verb: deed.verb, lane: map.lane(deed.lane), reason: deed.reason };
    case "arrive":
    case "acknowledged":
      return { verb: deed.verb, lane: map.lane(deed.lane), item: map.item(deed.item) };
    case "arrived":
    case "acknowledge": {
      const about = {
        lane: map.lane(deed.lane),
        other: map.lane(deed.other),
        item: map.item(deed.item),
      };
      if (deed.verb === "arrived") return { verb: deed.verb, ...about };
      return { verb: deed.verb, ...about, attempt: deed.attempt };
    }
  }
}

/** Whoever does deeds. */
export interface Doer {
  do(deed: Deed): void;
}

/** A deed that waits for its time, or for the end of a pause. */
export class Doing extends Due {
  readonly #doer: Doer;
  readonly deed: Deed;

  constructor(owner: Owner, doer: Doer, deed: Deed) {
    super(owner);
    this.#doer = doer;
    this.deed = deed;
  }

  run(): void {
    this.#doer.do(this.deed);
  }
}

/** Whoever takes datagrams that have arrived at their node. */
export interface Catcher {
  catch(datagram: Datagram): void;
}

/** A datagram on its way: the deed of that name, which is done too often to stand in an object of its own. */
export class Datagram extends Due {
  readonly #catcher: Catcher;
  readonly from: Endpoint;
  readonly route: Route;
  readonly item: Item;

  constructor(catcher: Catcher, from: Endpoint, route: Route, item: Item) {
    super(always);
    this.#catcher = catcher;
    this.from = from;
    this.route = route;
    this.item = item;
  }

  /** What it comes down to, for checkpoints. */
  get deed(): Deed {
    const { from, route, item } = this;
    return { verb: "datagram", from, route, item };
  }

  run(): void {
    this.#catcher.catch(this);
  }
}

/**
 * Where messages come from and go to, and a message on its way.
 */

import { mix, type ReplyToken, streamKey } from "@kith/core";
import type { Deliver, Delivery, Message, PeerRef, UnknownTag } from "@kith/network";
import type { Endpoint } from "./endpoint.ts";

/** Who asked what becomes of a message. */
export interface Asked {
  readonly token: ReplyToken<Delivery>;
  readonly until: Deliver["until"];
}

/** A message on its way. */
export interface Item {
  message: Message | UnknownTag;
  readonly tag: string;
  readonly to: PeerRef;
  readonly from: PeerRef;
  /** Its size, and a hash over its bytes; 0 and its tag's where the codec is off. */
  bytes: number;
  digest: number;
  /** Its number on its connection, or among what goes this way without one: it keys its draws. */
  number: number;
  asked: Asked | null;
  /** How often it was lost and is to be sent again. */
  attempts: number;
}

/** A node as the network sees it: it outlives the node's lives. */
export class Place {
  readonly name: string;
  readonly key: number;
  /** Who listens there now. */
  endpoint: Endpoint | null = null;
  /** How many messages it has sent to itself. */
  within = 0;
  #sent: Map<Place, number> | null = null;

  constructor(seed: number | string, name: string) {
    this.name = name;
    this.key = streamKey(seed, "place", name).low;
  }

  /** The number of the next message that goes to a place without a connection. */
  next(to: Place): number {
    const number = ((this.#sent ??= new Map()).get(to) ?? 0) + 1;
    this.#sent.set(to, number);
    return number;
  }

  /** How many messages went to each place without a connection, for checkpoints. */
  sent(): (readonly [string, number])[] {
    return [...(this.#sent ?? [])].map(([to, number]) => [to.name, number]);
  }

  /** Goes on from the counts of a checkpoint. */
  load(within: number, sent: readonly (readonly [Place, number])[]): void {
    this.within = within;
    this.#sent = sent.length === 0 ? null : new Map(sent);
  }
}

/** From one node to another. Made when it is needed: a thousand nodes have a million of them. */
export class Route {
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

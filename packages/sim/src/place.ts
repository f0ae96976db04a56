/**
 * Where messages come from and go to, and a message on its way.
 */

import { mix, type ReplyToken, streamKey } from "@kith/core";
import type { Deliver, Delivery, DropReason, Message, PeerRef, UnknownTag } from "@kith/network";
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
  /** Its number on its connection, or 32 bits of the instant where it goes without one: it keys its draws. */
  number: number;
  asked: Asked | null;
  /** How often it was lost and is to be sent again. */
  attempts: number;
  /** Why the other side has not passed it on, although it arrived. */
  refused: DropReason | null;
}

/** A node as the network sees it: it outlives the node's lives. */
export class Place {
  readonly name: string;
  /** Signed, so that it is no object of its own. */
  readonly key: number;
  /** Who listens there now. */
  endpoint: Endpoint | null = null;
  /** How many messages it has sent to itself. */
  within = 0;
  /** The low bits of the instant at which it has last sent a datagram, and how many at that instant. */
  #instant = 0;
  #nth = 0;

  constructor(seed: number | string, name: string) {
    this.name = name;
    this.key = streamKey(seed, "place", name).low | 0;
  }

  /**
   * The number of the next message that goes without a connection: 32 bits of the instant and of how many
   * this place has sent at it. It keeps no count of what was sent before, so that no message changes the
   * draws of later ones, and no table grows with the pairs of nodes.
   */
  next(micros: number): number {
    const instant = micros | 0;
    if (instant !== this.#instant) {
      this.#instant = instant;
      this.#nth = 0;
    }
    return mix(this.#nth++, micros) | 0;
  }

  /** What numbers its next datagram, for checkpoints. */
  sent(): readonly [instant: number, nth: number] {
    return [this.#instant, this.#nth];
  }

  /** Goes on from the counts of a checkpoint. */
  load(within: number, [instant, nth]: readonly [number, number]): void {
    this.within = within;
    this.#instant = instant;
    this.#nth = nth;
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
    this.key = mix(source.key, target.key) | 0;
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

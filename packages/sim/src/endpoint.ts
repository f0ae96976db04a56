/** The end of the network at one life of a node: the component there, and its connections. */

import type { Event, ReplyToken } from "@kith/core";
import { Delivery, type DropReason, type PeerRef } from "@kith/network";
import { type Deed, Doing } from "./deed.ts";
import type { Fabric } from "./fabric.ts";
import type { Lane } from "./lane.ts";
import type { Life } from "./node.ts";
import type { Item, Place } from "./place.ts";

/** The component at an endpoint. */
export interface Sink {
  indicate(event: Event): void;
  answer(token: ReplyToken<Delivery>, delivery: Delivery): void;
}

/** The end of the network at one life of a node. */
export class Endpoint {
  readonly life: Life;
  readonly peer: PeerRef;
  readonly fabric: Fabric;
  readonly place: Place;
  /** That of its peer, at hand for every message. */
  readonly incarnation: number;
  sink: Sink | null = null;
  #lanes: Map<string, Lane> | null = null;
  #ended: Map<string, number> | null = null;

  constructor(fabric: Fabric, life: Life, peer: PeerRef) {
    this.fabric = fabric;
    this.life = life;
    this.peer = peer;
    this.place = fabric.place(peer.host);
    this.incarnation = peer.incarnation;
  }

  /** The connection to a host. */
  lane(host: string): Lane | undefined {
    return this.#lanes?.get(host);
  }

  /** All connections. */
  get lanes(): readonly Lane[] {
    return [...(this.#lanes?.values() ?? [])];
  }

  /** Keeps a connection. */
  keep(lane: Lane): void {
    (this.#lanes ??= new Map()).set(lane.to.host, lane);
  }

  /** Forgets a connection that has ended. */
  forget(lane: Lane): void {
    const { host } = lane.to;
    (this.#ended ??= new Map()).set(host, this.endedWith(host) + 1);
    if (this.#lanes?.get(host) === lane) this.#lanes.delete(host);
  }

  /** How many connections with a host have ended. */
  endedWith(host: string): number {
    return this.#ended?.get(host) ?? 0;
  }

  /** Tells the component something. */
  indicate(event: Event): void {
    if (this.life.alive) this.sink?.indicate(event);
  }

  /** Does something here, after the node's pause where it is paused. */
  meet(deed: Deed): void {
    if (!this.life.alive) return;
    if (this.life.parked === null) this.fabric.do(deed);
    else this.life.parked.push(new Doing(this.life, this.fabric, deed));
  }

  /** How many connections have ended, by host. */
  ends(): (readonly [string, number])[] {
    return [...(this.#ended ?? [])];
  }

  /** Takes over the connections of a checkpoint. */
  load(lanes: readonly Lane[], ends: readonly (readonly [string, number])[]): void {
    for (const lane of lanes) this.keep(lane);
    this.#ended = ends.length === 0 ? null : new Map(ends);
  }

  /** Answers a `Deliver`, once: `sent` only whom it suffices. */
  settle(item: Item, status: Delivery["status"], reason?: DropReason): void {
    const { asked } = item;
    if (asked === null || (status === "sent" && asked.until !== "sent")) return;
    item.asked = null;
    if (!this.life.alive) return;
    if (status === "acknowledged" && item.refused !== null) {
      const refused = new Delivery({ status: "failed", reason: item.refused });
      this.sink?.answer(asked.token, refused);
      return;
    }
    const delivery = new Delivery(reason === undefined ? { status } : { status, reason });
    this.sink?.answer(asked.token, delivery);
  }
}

/** The end of the network at one life of a node: the component there, and its connections. */

import type { Event, ReplyToken } from "@kith/core";
import { Delivery, type DropReason, type PeerRef } from "@kith/network";
import { type Deed, Doing } from "./deed.ts";
import type { Fabric } from "./fabric.ts";
import { Lane } from "./lane.ts";
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
  sink: Sink | null = null;
  readonly #lanes = new Map<string, Lane | Map<number, Lane>>();
  #ended: Map<string, number> | null = null;

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
    return found.flatMap((one) =>
      one === undefined ? [] : one instanceof Map ? [...one.values()] : [one],
    );
  }

  /** Keeps a connection. There is a table only for a host of which two lives are known. */
  keep(lane: Lane): void {
    const { host, incarnation } = lane.to;
    const found = this.#lanes.get(host);
    if (found instanceof Map) found.set(incarnation, lane);
    else if (found === undefined || found.to.incarnation === incarnation)
      this.#lanes.set(host, lane);
    else {
      const both: [number, Lane][] = [
        [found.to.incarnation, found],
        [incarnation, lane],
      ];
      this.#lanes.set(host, new Map(both));
    }
  }

  /** Forgets a connection that has ended. */
  forget(lane: Lane): void {
    const { host, incarnation } = lane.to;
    (this.#ended ??= new Map()).set(host, this.endedWith(host) + 1);
    const found = this.#lanes.get(host);
    if (found === lane) this.#lanes.delete(host);
    else if (found instanceof Map && found.get(incarnation) === lane) {
      found.delete(incarnation);
      if (found.size === 0) this.#lanes.delete(host);
    }
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
    else this.life.parked.push(new Doing(this.fabric, deed));
  }

  /** Its connections by host, for checkpoints: one, or a table of several lives. */
  table(): [host: string, lanes: Lane | readonly Lane[]][] {
    return [...this.#lanes].map(([host, found]) => [
      host,
      found instanceof Map ? [...found.values()] : found,
    ]);
  }

  /** How many connections have ended, by host. */
  ends(): (readonly [string, number])[] {
    return [...(this.#ended ?? [])];
  }

  /** Takes over the connections of a checkpoint. */
  load(
    table: readonly (readonly [host: string, lanes: Lane | readonly Lane[]])[],
    ends: readonly (readonly [string, number])[],
  ): void {
    for (const [host, lanes] of table) {
      const found = lanes instanceof Lane ? lanes : new Map(lanes.map((lane) => [lane.to.incarnation, lane]));
      this.#lanes.set(host, found);
    }
    this.#ended = ends.length === 0 ? null : new Map(ends);
  }

  /** Answers a `Deliver`, once: `sent` only whom it suffices. */
  settle(item: Item, status: Delivery["status"], reason?: DropReason): void {
    const { asked } = item;
    if (asked === null || (status === "sent" && asked.until !== "sent")) return;
    item.asked = null;
    if (!this.life.alive) return;
    const delivery = new Delivery(reason === undefined ? { status } : { status, reason });
    this.sink?.answer(asked.token, delivery);
  }
}

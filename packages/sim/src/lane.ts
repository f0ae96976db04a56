/** One end of a connection. */

import { mix } from "@kith/core";
import type { PeerRef } from "@kith/network";
import type { Endpoint } from "./endpoint.ts";
import type { Item, Route } from "./place.ts";

/**
 * One end of a connection, and the direction that leads away from it. Two of them are a connection.
 *
 * Its key comes of the two nodes, the life here and how many connections it has had there, so that
 * what happens on one connection leaves the draws of all others alone.
 */
export class Lane {
  readonly end: Endpoint;
  /** The peer at the other end: at first the receiver of a message, then whoever answers there. */
  to: PeerRef;
  readonly route: Route;
  /** Keys the draws for messages. */
  readonly key: number;
  /** How many connections with that host had ended before. */
  readonly before: number;
  /** Whether this end dialled. */
  readonly dialled: boolean;
  /** The other end, once a dial has arrived there. */
  other: Lane | null = null;
  up = false;
  closed = false;
  /** Waits for its first message to be sent again. */
  blocked = false;
  /** The component was told NetworkFull, and not yet NetworkDrained. */
  full = false;
  /** Messages so far: they number the draws. */
  messages = 0;
  /** Notices of its end so far. */
  notices = 0;
  /** Sent by the component, and not gone yet. */
  outbox: Item[] | null = null;
  /** Gone, and not arrived yet. */
  flying = 0;
  /** Those gone whose sender waits for their acknowledgement. */
  unacknowledged: Set<Item> | null = null;
  /** When the last of them arrives, in simulated microseconds. */
  lastArrival = 0;

  /** @param before how many connections the two had; a checkpoint knows it, the end may have forgotten */
  constructor(
    end: Endpoint,
    to: PeerRef,
    route: Route,
    dialled: boolean,
    before = end.endedWith(to.host),
  ) {
    this.end = end;
    this.to = to;
    this.route = route;
    this.dialled = dialled;
    this.before = before;
    this.key = mix(mix(route.key, end.peer.incarnation), before);
  }

  /** Keys the draws of dials, acknowledgements and notices. */
  get controlKey(): number {
    return this.key ^ 0x5bd1_e995;
  }

  /** How many messages wait or fly. */
  get waiting(): number {
    return this.flying + (this.outbox?.length ?? 0);
  }
}

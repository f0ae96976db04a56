/**
 * The Router port: finds the peer that a key belongs to, and sends to it.
 *
 * **Where a message arrives is a hint, never authority.** Whoever takes it believes that the key is its own;
 * two peers may believe so for a while. Who owns data is decided elsewhere (algorithms.md §0, §6.5).
 *
 * What holds for every provider (§3):
 *
 * - **RT1, progress.** Each hop forwards to a peer that is closer before the key; once the owner is thought to
 *   be reached (`last`), each hop goes to a peer that is closer behind the key.
 * - **RT2, length.** On a settled ring a way has at most ⌈log2 n⌉ hops, besides one for each branch and retry.
 * - **RT3, end.** Every ask is answered once, after all attempts at the latest.
 * - **RT4, once.** No peer delivers one payload twice. Where the owner changes between two attempts, both may
 *   deliver it: what a payload does should be harmless to do again.
 */

import { event, type EventClass, onSubscribe, port, request } from "@kith/core";
import { isRegistered, type PeerRef, register } from "@kith/network";

/**
 * What is sent by a router. Subclass it and subscribe to the subclass:
 * `class Put extends event("dht/Put", Routed)<{ key: string }> {}`. Its fields are plain data.
 */
export abstract class Routed extends event("router/Routed")<{
  /** Who has sent it. The router fills it in. */
  readonly source?: PeerRef;
}> {
  declare readonly source: PeerRef;

  constructor(fields: { readonly source?: PeerRef }) {
    super(fields);
    if (!isRegistered(new.target)) register(new.target);
  }

  /** Called by the kernel when somebody subscribes to a class of payloads. */
  static [onSubscribe](cls: EventClass): void {
    if (cls !== Routed) register(cls);
  }
}

/** Keys from `first` to `last`, clockwise, both included. */
export interface Interval {
  readonly first: number;
  readonly last: number;
}

/** Why an ask came to nothing. */
export type RouteFailure =
  /** This peer is of no ring. */
  | "out"
  /** Too much is under way here. */
  | "busy"
  /** Nobody takes the key for its own, at this time. */
  | "nobody"
  /** No answer came, in all attempts. */
  | "silence"
  /** The receiver has no class of that tag. */
  | "unknown-payload";

/** The answer to `Lookup`. */
export class Located extends event("router/Located")<{
  readonly key: number;
  /** Who takes the key for its own; null where none was found. */
  readonly peer: PeerRef | null;
  /** The identifier from which on that peer's keys begin, itself not included; null where it is not known. */
  readonly after: number | null;
  /** How many messages led to it; 0 where it is this peer. */
  readonly hops: number;
  /** Null where a peer was found. */
  readonly failure: RouteFailure | null;
}> {}

/** Asks to whom a key belongs. Answered once, after all attempts (`router.attempts`) at the latest. */
export class Lookup extends request("router/Lookup", Located)<{ readonly key: number }> {}

/** The answer to `SendToKey` and `SendToPeer`. */
export class Sent extends event("router/Sent")<{
  /**
   * `delivered`: the receiver's router has delivered it, which says nothing about a handler. `failed`: it was not, and
   * will not be. `unknown`: it may have been, or may yet be.
   */
  readonly status: "delivered" | "failed" | "unknown";
  /** Who has it; null unless it was delivered. */
  readonly by: PeerRef | null;
  readonly hops: number;
  /** Null where it was delivered. */
  readonly failure: RouteFailure | null;
}> {}

/** Delivers a payload at the peer that a key belongs to: again and again until that peer has said so. */
export class SendToKey extends request("router/SendToKey", Sent)<{
  readonly key: number;
  readonly payload: Routed;
}> {}

/** Delivers a payload at one peer, in this incarnation: directly, and where that fails over others. */
export class SendToPeer extends request("router/SendToPeer", Sent)<{
  readonly peer: PeerRef;
  readonly payload: Routed;
}> {}

/** The answer to `SendToInterval`. */
export class Covered extends event("router/Covered")<{
  /** Who has delivered it, none twice. */
  readonly by: readonly PeerRef[];
  /** What nobody has answered for; empty where all was covered. */
  readonly gaps: readonly Interval[];
  /** Null where all was covered. */
  readonly failure: RouteFailure | null;
}> {}

/** Delivers a payload at all peers that keys of an interval belong to, once at each. */
export class SendToInterval extends request("router/SendToInterval", Covered)<{
  readonly interval: Interval;
  readonly payload: Routed;
}> {}

/** Peers that may be worth knowing: from peer sampling, or from an earlier life. Verified by use. */
export class Learn extends event("router/Learn")<{ readonly peers: readonly PeerRef[] }> {}

/** Finds peers by keys. Providers: `FlexibleRouter` (the default), `KaryRouter`, `ChordSharpRouter`. */
export const Router = port("Router", {
  requests: [Lookup, SendToKey, SendToPeer, SendToInterval, Learn],
  indications: [Routed],
});

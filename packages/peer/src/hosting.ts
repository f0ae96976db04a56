/** What a process says to its peers: what each of them has to do with the store, once that is known, and that it is about to stop. */

import { event, type Millis, port, request } from "@kith/core";
import type { Genesis } from "./cluster.ts";

/** What a peer has to do with the store. */
export class Hosting extends event("peer/Hosting")<{
  readonly genesis: Genesis;
  /** A founder founds its replicas, a member takes them up from the disk, a guest has none. */
  readonly as: "founder" | "member" | "guest";
}> {}

/** Asks for that; answered as soon as it is known. */
export class AskHosting extends request("peer/AskHosting", Hosting)<{
  readonly peerId: number;
}> {}

/** The replicas of a peer are founded, durably. */
export class PeerSettled extends event("peer/PeerSettled")<{ readonly peerId: number }> {}

/** Says what peers have to do with the store. Provider: `ClusterKeeper`. */
export const Hostings = port("Hostings", { requests: [AskHosting, PeerSettled] });

/** This peer is about to stop: it hands over what it leads. */
export class Retire extends event("peer/Retire")<{
  readonly peerId: number;
  /** How long that may take. */
  readonly within: Millis;
}> {}

/** It leads nothing any more, as far as it could help it. */
export class Retired extends event("peer/Retired")<{ readonly peerId: number }> {}

/** Between a process and its peers, before one of them stops. Provider: `PeerManager`. */
export const Retirement = port("Retirement", { requests: [Retired], indications: [Retire] });

/** The port Hostings: what each peer of a process has to do with the store, once that is known. */

import { event, port, request } from "@kith/core";
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

/** Reliable broadcast on a fixed group, as a component. */

export { Accepted, Broadcast, Delivered, Gossip, ReliableBroadcast } from "./broadcast.ts";
export type { Item } from "./record.ts";

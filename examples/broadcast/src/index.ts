/** Reliable broadcast on a fixed group, as a component. */

export {
  Accepted,
  Broadcast,
  Delivered,
  Gossip,
  type GossipInit,
  ReliableBroadcast,
} from "./broadcast.ts";
export type { Item } from "./record.ts";

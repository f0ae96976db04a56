/** A peer with all that belongs to it, the process that hosts several such, and the cluster that they found. */

export {
  Cluster,
  ClusterFailed,
  type ClusterInit,
  type ClusterPhase,
  ClusterState,
  type Founders,
  type Genesis,
} from "./cluster.ts";
export { Entry, type EntryInit } from "./entry.ts";
export { nextStepOf, type PeerErrorCode } from "./errors.ts";
export { type BalanceRule, HandedOver, HandOver, Leadership, Leading } from "./leadership.ts";
export {
  AskHere,
  AskView,
  ClusterView,
  type GroupReport,
  HereView,
  Monitor,
  type PeerReport,
  type PeerState,
  type ProcessReport,
} from "./monitor.ts";
export { MonitorGuest } from "./monitor-guest.ts";
export { Overlay } from "./overlay.ts";
export { PeerHost, type PeerHostInit, virtualPeer } from "./peer-host.ts";
export { PeerManager, type PeerManagerInit } from "./peer-manager.ts";
export type { StoreSettings } from "./peer-store.ts";
export { desired, groupsAtGenesis, type PlacementOptions, slots, spreadIds } from "./placement.ts";
export { faultText, restarting, type RestartRule } from "./supervisor.ts";
export { VirtualPeer, type VirtualPeerInit } from "./virtual-peer.ts";

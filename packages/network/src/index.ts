/** The Network port, peers, messages and codecs, and the loopback provider. */

export type { Codec } from "./codec.ts";
export { UnknownTag } from "./codec.ts";
export type { NetworkErrorCode } from "./errors.ts";
export { type Group, groupOf, heardFrom, quorumOf } from "./group.ts";
export { dropped, type HubOptions, type Loss, LoopbackHub } from "./loopback-hub.ts";
export { loopback, type LoopbackInit, LoopbackNetwork } from "./loopback-network.ts";
export { type Envelope, Message, message, withSender } from "./message.ts";
export {
  addressOf,
  formatLife,
  formatPeer,
  inLife,
  isLater,
  isPeer,
  type Life,
  outlives,
  parseAddress,
  parsePeer,
  peerKey,
  type PeerRef,
  processOf,
  samePeer,
  sameProcess,
  self,
} from "./peer-ref.ts";
export { PlainCodec } from "./plain-codec.ts";
export {
  ConnectionDown,
  type ConnectionDownReason,
  ConnectionUp,
  Deliver,
  Delivery,
  type DeliveryStatus,
  Dropped,
  type DropReason,
  Network,
  NetworkDrained,
  NetworkFull,
} from "./port.ts";
export { classOf, isRegistered, register, schemaFingerprint } from "./registry.ts";

/**
 * The Network port: messages to other peers, and what is known about the way to them.
 *
 * What holds for every provider:
 *
 * - **At most once.** A message arrives once or not at all; the sender is not told, unless it asks.
 * - **FIFO per connection.** Between two processes there is at most one connection at a time, made when
 *   the first message needs it. What arrives over one connection arrives in the order in which it was
 *   triggered, whichever of the virtual peers it is from or to; and when a connection ends, what was
 *   lost is a suffix. Nothing is promised across two connections, not even order.
 * - **Later.** No message is delivered in the turn in which it was triggered, also not to oneself.
 *   Messages between peers of one process take the same way through the codec, over no connection.
 * - **The right life.** A message to another incarnation than the process has is dropped. What is addressed to a virtual peer
 *   comes under a key of its own for each of its lives.
 * - **Bounded.** What waits for one peer is bounded in messages or bytes: `NetworkFull` comes well
 *   before that, and whoever goes on loses messages (`Dropped`, reason `full`).
 * - **Nothing silent.** Whatever this side knows to be lost is told as `Dropped`. Where nobody listens
 *   for that, the kernel counts and shows the indication itself as a dead letter.
 *
 * A provider declares its port with `this.provides(Network, by(Message, (m) => peerKey(m.to)))`, so that
 * a hundred virtual peers, each connected with its `peerKey`, cost each other nothing. The
 * indications that are no messages have no key: they go to those connected without one.
 */

import { event, port, request } from "@kith/core";
import { Message } from "./message.ts";
import type { PeerRef } from "./peer-ref.ts";

/** Why a connection ended, or did not come up. */
export type ConnectionDownReason =
  /** One of the two sides closed it in order. */
  | "closed"
  /** It broke: a reset, or silence for too long. */
  | "lost"
  /** Nobody listens there, or nobody whom a way leads to. */
  | "refused"
  /** What came over it could not be decoded. */
  | "malformed"
  /** Another incarnation answers there now. */
  | "restarted";

/** Why a message was dropped. */
export type DropReason =
  /** Addressed to another incarnation than lives at this address, or to an earlier life of the peer there. */
  | "wrong-incarnation"
  /** Well-formed, of a tag that no class here has. */
  | "unknown-tag"
  /** Too much waits for this peer already. */
  | "full"
  /** No connection to its receiver could be made. */
  | "unreachable"
  /** It waited for its transmission when the connection ended. */
  | "disconnected"
  /** It cannot be encoded; `detail` says why. */
  | "not-encodable";

/** A connection to another process is up. */
export class ConnectionUp extends event("network/ConnectionUp")<{
  /** The peer for which the process at the other end speaks. */
  readonly peer: PeerRef;
}> {}

/**
 * The connection to another process has ended, or could not be made. Comes once for each ConnectionUp,
 * and for each failed attempt. It is a hint: the peer may live.
 */
export class ConnectionDown extends event("network/ConnectionDown")<{
  /** As in ConnectionUp; where there was none, the receiver of the message that needed it. */
  readonly peer: PeerRef;
  readonly reason: ConnectionDownReason;
}> {}

/** Much waits for the process of this peer: send nothing that can wait, until `NetworkDrained`. */
export class NetworkFull extends event("network/Full")<{ readonly peer: PeerRef }> {}

/** Little waits for the process of this peer any more; comes once after each NetworkFull. */
export class NetworkDrained extends event("network/Drained")<{ readonly peer: PeerRef }> {}

/** A message is lost, and this side knows it: at the sender, or (incarnation, tag) at the receiver. */
export class Dropped extends event("network/Dropped")<{
  readonly reason: DropReason;
  readonly tag: string;
  readonly to: PeerRef;
  readonly from: PeerRef;
  /** More for people; empty where the reason says all. */
  readonly detail: string;
}> {}

/** What is known about a message that was sent with `Deliver`. */
export type DeliveryStatus =
  /** Its bytes were handed to the transport. That says nothing about their arrival. */
  | "sent"
  /**
   * The Network at the other side has it, decoded it, and triggered it. That says nothing about a handler,
   * nor that anybody subscribed to it.
   */
  | "acknowledged"
  /** It never left: it has not arrived, and will not. */
  | "failed"
  /** It may have arrived: the connection ended between sending and acknowledgement. */
  | "unknown";

/** The answer to `Deliver`; comes exactly once, unless the Network itself is stopped. */
export class Delivery extends event("network/Delivery")<{
  readonly status: DeliveryStatus;
  /** With `failed`: why. With `unknown`: `disconnected`. */
  readonly reason?: DropReason;
}> {}

/**
 * Sends a message like a trigger does, in order with all others, and asks what becomes of it.
 *
 * With `until: "sent"` the answer is sent or failed; with `until: "acknowledged"` it is acknowledged,
 * failed or unknown. A message that fails this way is not told as `Dropped` too.
 */
export class Deliver extends request("network/Deliver", Delivery)<{
  readonly message: Message;
  readonly until: "sent" | "acknowledged";
}> {}

/** Carries messages between peers. Providers: loopback, real, simulated. */
export const Network = port("Network", {
  requests: [Message, Deliver],
  indications: [Message, ConnectionUp, ConnectionDown, NetworkFull, NetworkDrained, Dropped],
});

/**
 * The way to the other processes: where each peer is now, and one message for all that it is told in a turn.
 *
 * A peer that was never heard of is tried where its membership says, in the life of its process or in its first; where it lives
 * another one by now, the answer or the connection says which. Later lives win over earlier ones.
 */

import type { PeerRef } from "@kith/network";
import { met } from "./decide/peer-book.ts";
import { Bundle, bundled, Packer, type Records, type WireMessage } from "./bundle.ts";
import type { PeerMessage } from "./peer-message.ts";
import type { Replica } from "./replica.ts";

/** What of a host's state the way to others depends on. */
export interface Addresses {
  readonly peers: Map<number, PeerRef>;
  readonly replicas: ReadonlyMap<string, Replica>;
}

/** A message larger than this is sent on its own. */
const bundleBytesMax = 512 * 1024;

/** Sends bundles. */
export class Mail {
  readonly #addresses: Addresses;
  readonly #self: PeerRef;
  readonly #post: (bundle: Bundle) => void;

  constructor(addresses: Addresses, self: PeerRef, post: (bundle: Bundle) => void) {
    this.#addresses = addresses;
    this.#self = self;
    this.#post = post;
  }

  /** Takes note of where a peer is. */
  met(peer: PeerRef): void {
    met(this.#addresses.peers, peer);
  }

  /** Tells a peer, which has called an earlier life of this process, which one this is. */
  greet(to: PeerRef): void {
    this.met(to);
    this.#post(new Bundle({ to, from: this.#self, messages: bundled([]) }));
  }

  /** Sends all that goes to one process as one message, or as few large ones. */
  send(messages: readonly PeerMessage[], records: Records): void {
    if (messages.length === 0) return;
    const bundles = new Map<number, { messages: WireMessage[]; bytes: number }>();
    const packer = new Packer(records);
    for (const message of messages) {
      let bundle = bundles.get(message.toPeer);
      if (bundle === undefined) bundles.set(message.toPeer, (bundle = { messages: [], bytes: 0 }));
      const packed = packer.pack(message);
      bundle.messages.push(packed);
      bundle.bytes += bytesOf(packed);
      if (bundle.bytes < bundleBytesMax) continue;
      this.#sendTo(message.toPeer, bundle.messages);
      bundles.delete(message.toPeer);
    }
    for (const [peerId, bundle] of bundles) this.#sendTo(peerId, bundle.messages);
  }

  #sendTo(peerId: number, messages: WireMessage[]): void {
    const to = this.#addresses.peers.get(peerId) ?? this.#guess(peerId, messages);
    if (to !== undefined)
      this.#post(new Bundle({ to, from: this.#self, messages: bundled(messages) }));
  }

  #guess(peerId: number, messages: readonly WireMessage[]): PeerRef | undefined {
    for (const { gid } of messages) {
      for (const { config } of this.#addresses.replicas.get(gid)?.state.configs ?? []) {
        const member = config.members.find((one) => one.peerId === peerId);
        if (member === undefined) continue;
        const { host, port } = member;
        let incarnation = 1;
        for (const one of [this.#self, ...this.#addresses.peers.values()])
          if (one.port === port && one.host === host) ({ incarnation } = one);
        return { peerId, host, port, incarnation };
      }
    }
    return undefined;
  }
}

function bytesOf(message: WireMessage): number {
  if (message.kind === "append") return message.entries.length + 64;
  if (message.kind === "snapshot")
    return message.cells.reduce((sum, [key, value]) => sum + key.length + value.length, 64);
  return 64;
}

/**
 * What a step of a ring wants to happen outside: messages, in order, and news for the user. Transition
 * functions only fill one in, so that they can be run without network or time, in every order there is.
 */

import type { Envelope, Message, PeerRef } from "@kith/network";
import type { RingState } from "./state.ts";

/** The outcome of one step. */
export class Effects {
  readonly messages: Message[] = [];
  readonly #self: PeerRef;
  /** The peer that has the identifier of this one. */
  refusedBy: PeerRef | null = null;

  constructor(self: PeerRef) {
    this.#self = self;
  }

  /** The envelope of a message: a virtual peer speaks for itself, not for its process. */
  to(peer: PeerRef): Envelope {
    return { to: peer, from: this.#self };
  }

  /** Sends a message. */
  send(message: Message): void {
    this.messages.push(message);
  }
}

/** How a ring reacts. Functions change the state and fill in the effects, and touch nothing else. */
export interface RingProtocol {
  /** A message has come from a peer of the same cluster. */
  receive(state: RingState, message: Message, effects: Effects): void;
  /** A peer is suspected, has left, or has ended its life: `state` says which. */
  failed(state: RingState, peer: PeerRef, effects: Effects): void;
  /** One who was suspected is heard of again. */
  restored(state: RingState, peer: PeerRef, effects: Effects): void;
  /** The time of a period has come. */
  stabilise(state: RingState, effects: Effects): void;
  /** Nothing has come back from whom a newcomer or a mender has asked. */
  retry(state: RingState, effects: Effects): void;
}

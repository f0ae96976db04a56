/**
 * Messages: events that travel between peers. A message names its class by its tag, and declaring it is
 * enough: a class registers with the codecs when somebody subscribes to it, and when the first of its
 * instances is built.
 */

import { Event, event, type EventBase, type EventClass, onSubscribe } from "@kith/core";
import type { PeerRef } from "./peer-ref.ts";
import { isRegistered, register } from "./registry.ts";

/** What every message is built with, besides its own fields. */
export interface Envelope {
  /** The receiver. The peer's process and incarnation decide where it goes, its `peerId` to whom there. */
  readonly to: PeerRef;
  /**
   * The sender. May be left out: the Network that takes the message fills in its own peer. A virtual
   * peer sets its own reference, which has the address and the incarnation of the process.
   */
  readonly from?: PeerRef;
}

/** The root of all messages: of what a Network carries. */
export abstract class Message extends event("kith/Message")<Envelope> {
  /** The receiver. */
  declare readonly to: PeerRef;
  /** The sender: always there on arrival. On a message that one has built, only where one has set it. */
  declare readonly from: PeerRef;

  constructor(fields: Envelope) {
    super(fields);
    if (!isRegistered(new.target)) register(new.target);
  }

  /** Called by the kernel when somebody subscribes to a class of messages. */
  static [onSubscribe](cls: EventClass): void {
    if (cls !== Message) register(cls);
  }
}

/**
 * Makes the base class of a message.
 *
 * ```ts no-run
 * import { message } from "@kith/network";
 * class Hello extends message("greet/Hello")<{ name: string }> {}
 * ```
 *
 * A message that derives from another is made with `event(tag, Base)` of `@kith/core`.
 *
 * @param tag unique in the whole program and the same in every version of it, by convention `package/Name`
 */
export function message<const Tag extends string>(tag: Tag): EventBase<Tag, Message, Envelope> {
  return event(tag, Message);
}

/**
 * The message with a sender: itself where it has one, else a copy. For networks that do without a codec;
 * the parts of a copy are those of the message.
 */
export function withSender<M extends Message>(message: M, from: PeerRef): M {
  if (message.from !== undefined) return message;
  // Made by the root's constructor, which copies fields: that of the class may want other arguments.
  const copy: { from: PeerRef } & M = Reflect.construct(Event, [message], message.constructor);
  copy.from = from;
  return copy;
}

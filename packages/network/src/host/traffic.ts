/**
 * What goes over connections: messages, receipts, and what users are told of them. The board decides over
 * connections; here is what they carry.
 *
 * Invariants: what is told outside of the component's turn waits for the next one, and is told before
 * anything newer; a message that was taken is sent or its loss is told; bytes that lie at hand leave in one
 * frame when what runs now has ended.
 */

import type { Logger, ReplyToken } from "@kith/core";
import { type Codec, UnknownTag } from "../codec.ts";
import { dropped, type Loss } from "../loopback-hub.ts";
import type { Message } from "../message.ts";
import type { PeerRef } from "../peer-ref.ts";
import {
  type ConnectionDown,
  type ConnectionUp,
  Delivery,
  Dropped,
  type DropReason,
  NetworkDrained,
  NetworkFull,
} from "../port.ts";
import { type BatchReader, readBatch, type Receipt } from "./batch.ts";
import type { Call } from "./call.ts";
import { describeThrown } from "./failure.ts";
import { farewell, type FarewellCode } from "./farewell.ts";
import type { Limits } from "./limits.ts";
import type { Link } from "./link.ts";
import type { Asked, Waiting } from "./send-queue.ts";
import type { Transport } from "./transport.ts";

/** What a network tells of its own accord. */
export type News = ConnectionUp | ConnectionDown | NetworkFull | NetworkDrained | Dropped;

/** The component that lends its turn. */
export interface Sink {
  indicate(event: Message | News): void;
  answer(token: ReplyToken<Delivery>, delivery: Delivery): void;
  /** Asks for a turn. */
  wake(): void;
  /** A number from 0 to 1, drawn by the kernel. */
  draw(): number;
  readonly log: Logger;
}

/** What traffic needs of the board. */
export interface Switching {
  /** The link that leads to this peer, or null where none can. */
  linkTo(peer: PeerRef): Link | null;
  /** A link that has no connection has something to send. */
  wanted(link: Link): void;
  end(call: Call, code: FarewellCode, detail: string): void;
  byeHeard(call: Call): void;
}

type Told = News | { readonly token: ReplyToken<Delivery>; readonly delivery: Delivery };

/** How many receipts a side may leave unread that cannot be added up. */
const receiptsMax = 65_536;

/** What goes over the connections of a process. */
export class Traffic {
  readonly #self: PeerRef;
  readonly #codec: Codec;
  readonly #limits: Limits;
  readonly #transport: Transport;
  readonly #switching: Switching;
  /** What was told outside of a turn. */
  readonly #told: Told[] = [];
  #inTurn = false;
  #woken = false;
  #sink: Sink | null = null;
  #due: Link[] = [];
  #reading: Call | null = null;
  readonly #sent = (asked: Asked): void => this.answer(asked, "sent");
  readonly #reader: BatchReader = {
    message: (bytes, wanted) => this.#arrived(bytes, wanted),
    receipt: (receipt) => this.#receipt(receipt),
    bye: () => this.#reading !== null && this.#switching.byeHeard(this.#reading),
  };

  constructor(
    self: PeerRef,
    codec: Codec,
    limits: Limits,
    transport: Transport,
    switching: Switching,
  ) {
    this.#self = self;
    this.#codec = codec;
    this.#limits = limits;
    this.#transport = transport;
    this.#switching = switching;
  }

  get sink(): Sink | null {
    return this.#sink;
  }

  /** Another instance of the component takes over, or none. */
  set sink(sink: Sink | null) {
    this.#sink = sink;
    this.#woken = false;
    if (this.#told.length > 0) this.wake();
  }

  /** Asks for a turn, once. */
  wake(): void {
    if (this.#woken || this.#sink === null) return;
    this.#woken = true;
    this.#sink.wake();
  }

  /** Does something in the turn for which it has asked. */
  turn(action: () => void): void {
    if (this.#sink === null) return;
    this.#woken = false;
    this.#inTurn = true;
    try {
      this.#tellLate(this.#sink);
      action();
    } finally {
      this.#inTurn = false;
    }
  }

  /** What is older is told before anything else. */
  #tellLate(sink: Sink): void {
    if (this.#told.length === 0) return;
    for (const one of this.#told.splice(0)) {
      if ("token" in one) sink.answer(one.token, one.delivery);
      else sink.indicate(one);
    }
  }

  /** Tells users something, now or in the next turn. */
  tell(news: News): void {
    if (this.#inTurn) this.#sink?.indicate(news);
    else this.#later(news);
  }

  /** Answers whoever asked, now or in the next turn. */
  answer({ token }: Asked, status: Delivery["status"], reason?: DropReason): void {
    const delivery = new Delivery(reason === undefined ? { status } : { status, reason });
    if (this.#inTurn) this.#sink?.answer(token, delivery);
    else this.#later({ token, delivery });
  }

  #later(told: Told): void {
    this.#told.push(told);
    this.wake();
  }

  // --- out -------------------------------------------------------------------------------------

  /** Takes what is to be sent; in the component's turn. */
  send(message: Message, asked: Asked | null): void {
    if (this.#sink === null) return;
    this.#inTurn = true;
    try {
      this.#tellLate(this.#sink);
      this.#send(message, asked);
    } finally {
      this.#inTurn = false;
    }
  }

  #send(message: Message, asked: Asked | null): void {
    const { to } = message;
    let bytes: Uint8Array;
    try {
      if (this.#isOwn(to)) {
        this.#sendWithin(this.#codec.pass(message, this.#self), message, asked);
        return;
      }
      const codec = this.#codec;
      bytes = codec.encodeView?.(message, this.#self) ?? codec.encode(message, this.#self);
    } catch (cause) {
      const detail = describeThrown(cause);
      this.#sink?.log.error(`${message.constructor.name} was not sent`, detail);
      this.lose(message, asked, "not-encodable", detail);
      return;
    }
    if (bytes.length + 8 > this.#limits.frameBytesMax) {
      this.lose(message, asked, "not-encodable", `${bytes.length} bytes are too many`);
      return;
    }
    const link = this.#switching.linkTo(to);
    if (link === null) {
      this.lose(message, asked, "unreachable");
      return;
    }
    const wanted = asked !== null && asked.until === "acknowledged";
    if (!link.queue.push({ message, asked, wanted }, bytes)) {
      this.lose(message, asked, "full");
      return;
    }
    this.mark(link);
    if (link.call !== null) this.flushSoon(link);
    else this.#switching.wanted(link);
  }

  #isOwn(to: PeerRef): boolean {
    const { host, port, incarnation } = this.#self;
    // Processes that only call have no address of their own: their incarnation counts too.
    return to.port === port && to.host === host && (port !== 0 || to.incarnation === incarnation);
  }

  #sendWithin(passed: Message | UnknownTag, sent: Message, asked: Asked | null): void {
    if (passed instanceof UnknownTag) this.lose(sent, asked, "unknown-tag", passed.tag);
    else if (passed.to.incarnation !== this.#self.incarnation)
      this.lose(passed, asked, "wrong-incarnation");
    else {
      this.#sink?.indicate(passed);
      if (asked !== null) this.answer(asked, asked.until === "sent" ? "sent" : "acknowledged");
    }
  }

  /** Says that a message is lost. */
  lose(message: Message, asked: Asked | null, reason: DropReason, detail = ""): void {
    const loss: Loss = { reason, detail };
    if (asked === null) this.tell(dropped(message, loss, this.#self));
    else this.answer(asked, "failed", reason);
  }

  /** Says that all these messages are lost. */
  loseAll(waiting: readonly Waiting[], reason: DropReason): void {
    for (const { message, asked } of waiting) this.lose(message, asked, reason);
  }

  /** Says that a queue has become long, or short again. */
  mark(link: Link): void {
    const mark = link.queue.mark();
    if (mark === null) return;
    const { peer } = link;
    this.tell(mark === "full" ? new NetworkFull({ peer }) : new NetworkDrained({ peer }));
  }

  /** Sends what waits when what runs now has ended. */
  flushSoon(link: Link): void {
    if (link.flushing) return;
    link.flushing = true;
    this.#due.push(link);
    if (this.#due.length === 1) this.#transport.soon(() => this.#flushDue());
  }

  #flushDue(): void {
    const due = this.#due;
    this.#due = [];
    for (const link of due) {
      link.flushing = false;
      if (link.call !== null) this.flush(link, link.call, this.#limits.windowBytes);
    }
  }

  /** Hands what waits to the wire, as long as less than so many bytes lie there. */
  flush(link: Link, call: Call, windowBytes: number): void {
    const { wire } = call;
    const { queue } = link;
    if (wire === null || call.phase !== "up") return;
    let sent = false;
    while ((queue.length > 0 || call.receipts.length > 0) && wire.waiting < windowBytes) {
      const { receipts } = call;
      call.receipts = [];
      call.used ||= queue.length > 0;
      wire.send(queue.batch(receipts, this.#sent));
      sent = true;
    }
    call.spoke ||= sent;
    if (queue.full) this.mark(link);
  }

  // --- in --------------------------------------------------------------------------------------

  /** Takes a frame of a connection; in the component's turn. */
  take(call: Call, frame: Uint8Array): void {
    this.#reading = call;
    try {
      readBatch(frame, this.#reader);
    } catch (cause) {
      this.#switching.end(call, farewell.malformed, describeThrown(cause));
    }
    this.#reading = null;
    if (call.receipts.length > receiptsMax)
      this.#switching.end(call, farewell.malformed, "too many receipts are not read");
    else if (call.receipts.length > 0 && call.link !== null) this.flushSoon(call.link);
  }

  #arrived(bytes: Uint8Array, wanted: boolean): void {
    const call = this.#reading;
    // A message before it may have been the end of the connection.
    if (call === null || call.phase === "over") return;
    call.used = true;
    const message = this.#codec.decode(bytes);
    let receipt: Receipt = 1;
    if (message instanceof UnknownTag) {
      receipt = "unknown-tag";
      const { tag, to, from } = message;
      this.tell(new Dropped({ reason: receipt, detail: tag, tag, to, from }));
    } else if (message.to.incarnation !== this.#self.incarnation) {
      receipt = "wrong-incarnation";
      this.tell(dropped(message, { reason: receipt, detail: "" }));
    } else this.#sink?.indicate(message);
    if (wanted) call.note(receipt);
  }

  #receipt(receipt: Receipt): void {
    const queue = this.#reading?.link?.queue;
    if (queue === undefined) return;
    for (let left = typeof receipt === "number" ? receipt : 1; left > 0; left--) {
      const asked = queue.takeOpen();
      if (asked === undefined) throw new Error("A receipt came for nothing that is open.");
      if (typeof receipt === "number") this.answer(asked, "acknowledged");
      else this.answer(asked, "failed", receipt);
    }
    if (queue.full && this.#reading?.link) this.mark(this.#reading.link);
  }
}

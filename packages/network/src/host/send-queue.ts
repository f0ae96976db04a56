/**
 * What waits for one other process: messages that have not left, and deliveries that have left and whose
 * receipt is open. Pure.
 *
 * Invariants: first in, first out; what it holds is bounded in messages, receipts included, and in bytes;
 * `full` and `drained` take turns.
 */

import type { ReplyToken } from "@kith/core";
import type { Message } from "../message.ts";
import type { PeerRef } from "../peer-ref.ts";
import type { Deliver, Delivery } from "../port.ts";
import { type Receipt, recordBytes, writeBatch, writeRecord } from "./batch.ts";

/** Whoever asked for the fate of a message. */
export interface Asked {
  readonly token: ReplyToken<Delivery>;
  readonly until: Deliver["until"];
}

/** A message that waits; its bytes are in a page. */
export interface Waiting {
  readonly message: Message;
  readonly asked: Asked | null;
  /** Whether its sender waits for a receipt. */
  readonly wanted: boolean;
}

/** Records of messages as they will leave, written when they came: an array for each would cost more. */
interface Page {
  bytes: Uint8Array;
  used: number;
  /** How many messages, and how many of them somebody asked for. */
  messages: number;
  asked: number;
  /** The bytes of the messages alone. */
  content: number;
}

const pageBytesMin = 256;

/** What a queue may hold. */
export interface QueueLimits {
  readonly queueMessagesMax: number;
  readonly queueBytesMax: number;
  readonly batchBytes: number;
}

/** The queue to one process. */
export class SendQueue {
  readonly #limits: QueueLimits;
  #waiting: Waiting[] = [];
  #head = 0;
  readonly #pages: Page[] = [];
  /** How large the last page became: the next one may too. */
  #pageBytes = pageBytesMin;
  #bytes = 0;
  #open: Asked[] = [];
  #openHead = 0;
  #full = false;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** How many messages wait to leave. */
  get length(): number {
    return this.#waiting.length - this.#head;
  }

  /** How many deliveries have left and are open. */
  get openLength(): number {
    return this.#open.length - this.#openHead;
  }

  /** How many bytes wait to leave. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether `full` was said and `drained` was not. */
  get full(): boolean {
    return this.#full;
  }

  /** The oldest message that waits. */
  get first(): Waiting | undefined {
    return this.#waiting[this.#head];
  }

  /** Takes a message and copies its bytes; false where there is no room. An empty queue has room for any. */
  push(waiting: Waiting, bytes: Uint8Array): boolean {
    const { queueMessagesMax, queueBytesMax } = this.#limits;
    const count = this.length + this.openLength;
    if (count >= queueMessagesMax) return false;
    const { length } = bytes;
    if (this.#bytes > 0 && this.#bytes + length > queueBytesMax) return false;
    this.#waiting.push(waiting);
    this.#bytes += length;
    const page = this.#pageFor(length);
    page.used = writeRecord(page.bytes, page.used, bytes, waiting.wanted);
    page.messages++;
    page.content += length;
    if (waiting.asked !== null) page.asked++;
    return true;
  }

  /** The page in which the next message goes, with room for it. */
  #pageFor(length: number): Page {
    const { batchBytes } = this.#limits;
    const needed = recordBytes(length);
    const last = this.#pages.at(-1);
    if (last !== undefined && last.content + length <= batchBytes) {
      const room = last.bytes.length;
      if (last.used + needed <= room) return last;
      const larger = new Uint8Array(Math.max(last.used + needed, Math.min(room, batchBytes) * 2));
      larger.set(last.bytes.subarray(0, last.used));
      last.bytes = larger;
      return last;
    }
    const bytes = new Uint8Array(Math.max(needed, this.#pageBytes));
    const page: Page = { bytes, used: 0, messages: 0, asked: 0, content: 0 };
    this.#pages.push(page);
    return page;
  }

  /** What has to be told now: that much waits (from half on), or little again (from a quarter on). */
  mark(): "full" | "drained" | null {
    const { queueMessagesMax, queueBytesMax } = this.#limits;
    const count = this.length + this.openLength;
    if (!this.#full && (count * 2 >= queueMessagesMax || this.#bytes * 2 >= queueBytesMax)) {
      this.#full = true;
      return "full";
    }
    if (this.#full && count * 4 <= queueMessagesMax && this.#bytes * 4 <= queueBytesMax) {
      this.#full = false;
      return "drained";
    }
    return null;
  }

  /**
   * Takes out what makes a batch, behind the receipts.
   *
   * @param sent is told of those whose asker is content with that
   */
  batch(receipts: readonly Receipt[], sent: (asked: Asked) => void): Uint8Array {
    const page = this.#pages.shift();
    if (page === undefined) return writeBatch(receipts);
    const to = this.#head + page.messages;
    if (page.asked > 0)
      for (let i = this.#head; i < to; i++) {
        const next = this.#waiting[i];
        if (next === undefined || next.asked === null) continue;
        if (next.wanted) this.#open.push(next.asked);
        else sent(next.asked);
      }
    this.#bytes -= page.content;
    this.#pageBytes = Math.max(pageBytesMin, Math.min(page.used, this.#limits.batchBytes));
    this.#head = to;
    if (to === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    } else if (to > 1024 && to * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(to);
      this.#head = 0;
    }
    return writeBatch(receipts, page.bytes.subarray(0, page.used));
  }

  /** The oldest of the deliveries that are open. */
  takeOpen(): Asked | undefined {
    const asked = this.#open[this.#openHead];
    if (asked === undefined) return undefined;
    this.#openHead++;
    if (this.#openHead * 2 > this.#open.length) {
      this.#open = this.#open.slice(this.#openHead);
      this.#openHead = 0;
    }
    return asked;
  }

  /** Whose askers wait for an answer, and whether their messages have left. */
  open(): { readonly token: Asked["token"]; readonly left: boolean }[] {
    const left = this.#open.slice(this.#openHead).map(({ token }) => ({ token, left: true }));
    const here = this.#waiting
      .slice(this.#head)
      .flatMap(({ asked }) => (asked === null ? [] : [{ token: asked.token, left: false }]));
    return [...left, ...here];
  }

  /** The messages that wait and for which nobody asked. */
  lost(): { readonly tag: string; readonly to: PeerRef }[] {
    return this.#waiting
      .slice(this.#head)
      .flatMap(({ message, asked }) =>
        asked === null ? [{ tag: tagOf(message), to: message.to }] : [],
      );
  }

  /** Takes out all deliveries that are open. */
  clearOpen(): Asked[] {
    const open = this.#open.slice(this.#openHead);
    this.#open = [];
    this.#openHead = 0;
    return open;
  }

  /** Takes out all that waits. */
  clearWaiting(): Waiting[] {
    const waiting = this.#waiting.slice(this.#head);
    this.#waiting = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#pages.length = 0;
    return waiting;
  }
}

function tagOf({ constructor }: Message): string {
  return "tag" in constructor && typeof constructor.tag === "string" ? constructor.tag : "";
}

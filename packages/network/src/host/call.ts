/**
 * A call: one wire with its handshake, from either side, and the connection that it becomes. It keeps what
 * belongs to it and hands everything that happens to the board, in whose turn it is dealt with.
 */

import type { Receipt } from "./batch.ts";
import type { Handshake, Met } from "./handshake.ts";
import type { Link } from "./link.ts";
import type { Wire, WireEnd, WireUser } from "./transport.ts";

/** What happened to a wire. */
export type Happening =
  | { readonly kind: "opened"; readonly call: Call }
  | { readonly kind: "frame"; readonly call: Call; readonly frame: Uint8Array | null }
  | { readonly kind: "ended"; readonly call: Call; readonly end: WireEnd };

/** Where calls report. */
export interface Desk {
  happened(happening: Happening): void;
  drained(call: Call): void;
}

/** How far a call is. `parked`: proved, and waits for what becomes of the call the other way. */
export type Phase = "greeting" | "parked" | "up" | "leaving" | "over";

/** One call. */
export class Call implements WireUser {
  readonly #desk: Desk;
  readonly handshake: Handshake;
  /** The first frame of the side that calls; null for the side that is called. */
  readonly hello: Uint8Array | null;
  /** Who it is with, for people; more precise once that is known. */
  name: string;
  phase: Phase = "greeting";
  wire: Wire | null = null;
  /** The process that is called, or has shown who it is. */
  link: Link | null = null;
  met: Met | null = null;
  /** Makes the frame that accepts a caller. */
  welcome: ((attempt: number) => Uint8Array) | null = null;
  /** When it has to be over, or up; in the transport's time. */
  deadline: number;
  upAt = 0;
  heardAt = 0;
  spokeAt = 0;
  usedAt = 0;
  /** What has happened since the last tick; its time is not read for each frame. */
  heard = false;
  spoke = false;
  used = false;
  receipts: Receipt[] = [];
  inboxBytes = 0;
  paused = false;

  constructor(
    desk: Desk,
    name: string,
    handshake: Handshake,
    hello: Uint8Array | null,
    deadline: number,
  ) {
    this.#desk = desk;
    this.name = name;
    this.handshake = handshake;
    this.hello = hello;
    this.deadline = deadline;
  }

  opened(): void {
    this.#desk.happened({ kind: "opened", call: this });
  }

  received(frame: Uint8Array | null): void {
    this.heard = true;
    this.inboxBytes += frame?.length ?? 0;
    this.#desk.happened({ kind: "frame", call: this, frame });
  }

  drained(): void {
    this.#desk.drained(this);
  }

  ended(end: WireEnd): void {
    this.#desk.happened({ kind: "ended", call: this, end });
  }

  /** Notes a receipt; those of arrivals are added up. */
  note(receipt: Receipt): void {
    const { receipts } = this;
    const last = receipts.at(-1);
    if (typeof receipt === "number" && typeof last === "number")
      receipts[receipts.length - 1] = last + receipt;
    else receipts.push(receipt);
  }
}

/**
 * What has happened on wires and waits for the component's turn. A connection of which too much waits is not
 * read from any further until half of that has been dealt with.
 */

import type { Happening } from "./call.ts";

/** How many bytes are dealt with in one turn before others get theirs. */
const turnBytes = 64 * 1024;

/** What a frame weighs: an empty one takes memory too. */
function weightOf(frame: Uint8Array | null): number {
  return 64 + (frame?.length ?? 0);
}

/** The happenings of all wires, in their order. */
export class Inbox {
  readonly #callBytesMax: number;
  #waiting: Happening[] = [];
  #head = 0;

  /** Where so much of one connection waits, its host could not pause it: a browser cannot. */
  readonly floodBytes: number;

  /**
   * @param callBytesMax how many bytes of one connection may wait
   * @param frameBytesMax how long its frames may be
   */
  constructor(callBytesMax: number, frameBytesMax: number) {
    this.#callBytesMax = callBytesMax;
    this.floodBytes = 16 * callBytesMax + 2 * frameBytesMax;
  }

  /** Keeps one. */
  put(happening: Happening): void {
    const { call } = happening;
    this.#waiting.push(happening);
    if (happening.kind !== "frame") return;
    call.inboxBytes += weightOf(happening.frame);
    if (call.paused) return;
    if (call.inboxBytes <= this.#callBytesMax) return;
    call.paused = true;
    call.wire?.pause();
  }

  /** Deals with what is due in one turn; true where something is left. */
  deal(with_: (happening: Happening) => void): boolean {
    for (let bytes = 0; bytes < turnBytes;) {
      const happening = this.#waiting[this.#head];
      if (happening === undefined) break;
      this.#head++;
      if (happening.kind === "frame") {
        const length = weightOf(happening.frame);
        bytes += length;
        this.#taken(happening.call, length);
      }
      with_(happening);
    }
    if (this.#head === this.#waiting.length) this.clear();
    else if (this.#head > 1024) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return this.#waiting.length > 0;
  }

  /** Forgets all. */
  clear(): void {
    this.#waiting = [];
    this.#head = 0;
  }

  #taken(call: Happening["call"], bytes: number): void {
    call.inboxBytes -= bytes;
    if (!call.paused || call.inboxBytes * 2 > this.#callBytesMax) return;
    call.paused = false;
    call.wire?.resume();
  }
}

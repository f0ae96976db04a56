/**
 * The disk of the memory provider: what it holds, what of that would survive a power cut, and what a
 * test can do to it. It outlives the components that use it, as a disk outlives a process.
 */

import { Tables } from "./tables.ts";

/** Made by a test or a world; handed to `memoryStorage`. */
export class MemoryDisk {
  /** What reads see. */
  tables = new Tables();
  /** What was there at the last flush. */
  #durable = new Tables();
  /** The next flushes that fail. */
  #failing = false;
  readonly #bytesMax: number;
  readonly #lasts: boolean;

  /**
   * @param options `bytesMax`: when the disk is full; default: never. `lasts`: whether a power cut leaves what was flushed, default
   *   true; else it leaves nothing, and a flush costs nothing
   */
  constructor(options: { readonly bytesMax?: number; readonly lasts?: boolean } = {}) {
    this.#bytesMax = options.bytesMax ?? Infinity;
    this.#lasts = options.lasts ?? true;
  }

  /** Whether so many bytes more have room. */
  hasRoom(bytes: number): boolean {
    return this.#bytesMax === Infinity || this.tables.bytes + bytes <= this.#bytesMax;
  }

  /** Makes everything durable. @returns false where that failed */
  flush(): boolean {
    if (this.#failing) return false;
    if (this.#lasts) this.#durable = this.tables.snapshot();
    return true;
  }

  /** Makes the next flush fail, and all after it until the power is cut. */
  failFlush(): void {
    this.#failing = true;
  }

  /**
   * The process that used the disk is gone: views and installations with it.
   *
   * @param lose whether the power was cut, so that what was not flushed is gone too
   */
  crash(lose: boolean): void {
    this.tables = (lose ? this.#durable : this.tables).snapshot();
    this.#failing = false;
  }
}

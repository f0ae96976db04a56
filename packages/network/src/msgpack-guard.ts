/**
 * Looks through bytes of MessagePack before a library reads them.
 *
 * A frame passes where it is one value from its first byte to its last, not too deep, of the kinds that
 * `MsgpackCodec` writes. So the library never sees a length that the bytes do not bear out, nor one of its
 * extensions (records, pointers, bundled strings, typed arrays, errors, regular expressions, dates), with
 * which a stranger could make it build what no message may hold. (MessagePack specification, 2017.)
 */

import { depthMax } from "./plain-format.ts";
import { Malformed } from "./raising.ts";

/** How many bytes follow the first one of a value of fixed size, for the first bytes from 0xca to 0xd3. */
const numberBytes = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8];

/** Looks through one frame after another. */
export class MsgpackGuard {
  #at = 0;
  #end = 0;
  /** Values that are still to come at each depth, and whether they are keys and values by turns. */
  readonly #left = new Float64Array(depthMax + 2);
  readonly #isMap = new Uint8Array(depthMax + 2);
  #depth = 0;

  /** Throws `Malformed` where the first `end` bytes are not one acceptable value. */
  check(bytes: Uint8Array, end: number): void {
    this.#at = 0;
    this.#end = end;
    this.#depth = 0;
    this.#left[0] = 1;
    this.#isMap[0] = 0;
    while (this.#depth >= 0) {
      const left = this.#left[this.#depth] ?? 0;
      if (left === 0) {
        this.#depth--;
        continue;
      }
      this.#left[this.#depth] = left - 1;
      if (this.#at >= end) throw new Malformed("the frame ends too early");
      const head = bytes[this.#at++] ?? 0;
      if (this.#isMap[this.#depth] === 1 && left % 2 === 0 && !isText(head))
        throw new Malformed("a key that is no text");
      if (head < 0x80 || head >= 0xe0) continue;
      if (head < 0x90) this.#open(2 * (head & 0x0f), 1);
      else if (head < 0xa0) this.#open(head & 0x0f, 0);
      else if (head < 0xc0) this.#skip(head & 0x1f);
      else this.#long(bytes, head);
    }
    if (this.#at !== end) throw new Malformed("more bytes than one message");
  }

  #long(bytes: Uint8Array, head: number): void {
    if (head === 0xc0 || head === 0xc2 || head === 0xc3) return;
    if (head >= 0xca && head <= 0xd3) {
      this.#skip(numberBytes[head - 0xca] ?? 0);
      return;
    }
    switch (head) {
      case 0xc4:
      case 0xd9:
        this.#skip(this.#length(bytes, 1));
        return;
      case 0xc5:
      case 0xda:
        this.#skip(this.#length(bytes, 2));
        return;
      case 0xc6:
      case 0xdb:
        this.#skip(this.#length(bytes, 4));
        return;
      case 0xdc:
        this.#open(this.#length(bytes, 2), 0);
        return;
      case 0xdd:
        this.#open(this.#length(bytes, 4), 0);
        return;
      case 0xde:
        this.#open(2 * this.#length(bytes, 2), 1);
        return;
      case 0xdf:
        this.#open(2 * this.#length(bytes, 4), 1);
        return;
      case 0xd4:
        // The one extension that is written: undefined.
        if (bytes[this.#at] === 0 && bytes[this.#at + 1] === 0) {
          this.#skip(2);
          return;
        }
    }
    throw new Malformed(`there is no kind ${head}`);
  }

  #length(bytes: Uint8Array, size: number): number {
    const from = this.#at;
    this.#skip(size);
    let length = 0;
    for (let i = from; i < from + size; i++) length = length * 256 + (bytes[i] ?? 0);
    return length;
  }

  #skip(bytes: number): void {
    if (bytes > this.#end - this.#at) throw new Malformed("a length beyond the frame");
    this.#at += bytes;
  }

  #open(values: number, isMap: number): void {
    if (values > this.#end - this.#at) throw new Malformed("more elements than bytes");
    // The frame itself is one array.
    if (this.#depth > depthMax) throw new Malformed("values too deep");
    this.#depth++;
    this.#left[this.#depth] = values;
    this.#isMap[this.#depth] = isMap;
  }
}

function isText(head: number): boolean {
  return (head >= 0xa0 && head < 0xc0) || (head >= 0xd9 && head <= 0xdb);
}

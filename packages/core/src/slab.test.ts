/** Byte arrays that share slabs. */

import { expect } from "chai";
import { copyBytes } from "./slab.ts";

const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => i % 251);

describe("copies of bytes in slabs", () => {
  it("are copies of any length, and do not reach into each other", () => {
    const lengths = Array.from({ length: 600 }, (_, i) => (i * 37) % 1500);
    const copies = lengths.map((length) => copyBytes(bytes, 7, 7 + length));
    for (const [i, copy] of copies.entries()) {
      expect([...copy]).deep.equal([...bytes.subarray(7, 7 + (lengths[i] ?? 0))]);
      expect(copy.constructor).equal(Uint8Array);
      copy.fill(i % 256);
    }
    for (const [i, copy] of copies.entries())
      expect(copy.every((byte) => byte === i % 256)).equal(true);
    expect(bytes[7]).equal(7);
  });

  it("are of the common class, whatever was copied", () => {
    for (const length of [3, 100, 5000]) {
      const copy = copyBytes(Buffer.alloc(length, 9));
      expect(copy.constructor).equal(Uint8Array);
      expect([copy.length, copy[length - 1]]).deep.equal([length, 9]);
    }
  });
});

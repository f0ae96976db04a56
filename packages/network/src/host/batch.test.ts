import { expect } from "chai";
import fc from "fast-check";
import { readBatch, type Receipt, recordBytes, writeBatch, writeRecord } from "./batch.ts";

interface Packed {
  readonly bytes: Uint8Array;
  readonly wanted: boolean;
}

function records(messages: readonly Packed[]): Uint8Array {
  const all = new Uint8Array(
    messages.reduce((sum, { bytes }) => sum + recordBytes(bytes.length), 0),
  );
  let at = 0;
  for (const { bytes, wanted } of messages) at = writeRecord(all, at, bytes, wanted);
  expect(at).to.equal(all.length);
  return all;
}

function read(batch: Uint8Array): { messages: Packed[]; receipts: Receipt[]; byes: number } {
  const found = { messages: [] as Packed[], receipts: [] as Receipt[], byes: 0 };
  readBatch(batch, {
    message: (bytes, wanted) => found.messages.push({ bytes: Uint8Array.from(bytes), wanted }),
    receipt: (receipt) => found.receipts.push(receipt),
    bye: () => found.byes++,
  });
  return found;
}

const message: fc.Arbitrary<Packed> = fc.record({
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.integer({ min: 100, max: 70_000 }).map((length) => new Uint8Array(length).fill(length)),
  ),
  wanted: fc.boolean(),
});
const receipt = fc.oneof(
  fc.integer({ min: 1, max: 2 ** 26 }),
  fc.constantFrom("wrong-incarnation" as const, "unknown-tag" as const),
);

describe("a batch", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(
        fc.array(receipt, { maxLength: 5 }),
        fc.array(message, { maxLength: 5 }),
        fc.boolean(),
        (receipts, messages, bye) => {
          const found = read(writeBatch(receipts, records(messages), bye));
          expect(found).to.deep.equal({ messages, receipts, byes: bye ? 1 : 0 });
        },
      ),
    );
  });

  it("that is anything else ends in the coded error, and claims no memory", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          const { messages } = read(bytes);
          const length = messages.reduce((sum, one) => sum + one.bytes.length, 0);
          expect(length).to.be.at.most(bytes.length);
        } catch (error) {
          expect(String(error)).to.match(/KITH_FRAME_MALFORMED/);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

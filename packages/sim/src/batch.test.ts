import type { Operation } from "@kith/storage";
import { expect } from "chai";
import fc from "fast-check";
import { decodeBatch, encodeBatch, isIntact, sectorBytes } from "./batch.ts";

const part = fc.uint8Array({ maxLength: 40 });
const index = fc.maxSafeNat();
const placed = { namespace: fc.string({ minLength: 1, maxLength: 8, unit: "binary" }) };
const operation: fc.Arbitrary<Operation & { namespace: string }> = fc.oneof(
  fc.record({ kind: fc.constant("append" as const), index, record: part, ...placed }),
  fc.record({ kind: fc.constant("truncate" as const), from: index, ...placed }),
  fc.record({ kind: fc.constant("cut" as const), to: index, ...placed }),
  fc.record({ kind: fc.constant("put" as const), key: part, value: part, ...placed }),
  fc.record({ kind: fc.constant("delete" as const), key: part, ...placed }),
  fc.record(
    { kind: fc.constant("delete-range" as const), from: part, to: part, ...placed },
    { requiredKeys: ["kind", "namespace"], noNullPrototype: true },
  ),
  fc.record({ kind: fc.constant("drop" as const), ...placed }),
);

describe("a batch on the device", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(fc.array(operation), (operations) => {
        const bytes = encodeBatch(7, "unused", operations);
        expect(isIntact(bytes)).to.equal(true);
        expect(decodeBatch(bytes)).to.deep.equal(operations.map((one) => ({ ...one })));
      }),
    );
  });

  it("takes the namespace of the batch where an operation has none", () => {
    const bytes = encodeBatch(1, "ns", [{ kind: "drop" }]);
    expect(decodeBatch(bytes)).to.deep.equal([{ kind: "drop", namespace: "ns" }]);
  });

  it("shows every changed bit, and every torn sector", () => {
    const record = new Uint8Array(1500).fill(7);
    const bytes = encodeBatch(3, "ns", [{ kind: "append", index: 1, record }]);
    for (let bit = 0; bit < 40 * 8; bit++) {
      const changed = new Uint8Array(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(isIntact(changed), `bit ${bit}`).to.equal(false);
    }
    for (let at = 0; at < bytes.length; at += sectorBytes) {
      const torn = bytes.map((byte, i) => (i >= at && i < at + sectorBytes ? byte ^ 0xa5 : byte));
      expect(isIntact(torn)).to.equal(false);
    }
  });
});

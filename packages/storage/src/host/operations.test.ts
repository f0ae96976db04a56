/** Random batches for the tests of the durable storage. */

import { expect } from "chai";
import fc from "fast-check";
import type { Operation } from "../operation.ts";

const key = fc.uint8Array({ maxLength: 3, max: 5 });
const value = fc.uint8Array({ maxLength: 20 });
const namespace = fc.constantFrom(undefined, "b", "c\ud800");
const index = fc.integer({ min: 1, max: 2 ** 53 - 1 });

/** Any operations, whether they fit a log or not. */
export const operations: fc.Arbitrary<Operation[]> = fc.array(
  fc
    .oneof(
      fc.record({ kind: fc.constant("append" as const), index, record: value }),
      fc.record({ kind: fc.constant("truncate" as const), from: index }),
      fc.record({ kind: fc.constant("cut" as const), to: index }),
      fc.record({ kind: fc.constant("put" as const), key, value }),
      fc.record({ kind: fc.constant("delete" as const), key }),
      fc.record(
        { kind: fc.constant("delete-range" as const), from: key, to: key },
        { requiredKeys: ["kind"] },
      ),
      fc.record({ kind: fc.constant("drop" as const) }),
    )
    .chain((operation) =>
      namespace.map((name) => (name === undefined ? operation : { ...operation, namespace: name })),
    ),
  { maxLength: 6 },
);

describe("random operations", () => {
  it("are of every kind", () => {
    const kinds = new Set(
      fc
        .sample(operations, { numRuns: 200, seed: 1 })
        .flat()
        .map(({ kind }) => kind),
    );
    expect(kinds.size).to.equal(7);
  });
});

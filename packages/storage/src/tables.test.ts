import { expect } from "chai";
import fc from "fast-check";
import type { Operation } from "./operation.ts";
import { Tables } from "./tables.ts";

const bytes = fc.uint8Array({ maxLength: 3 });
const name = fc.constantFrom("a", "b");
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    kind: fc.constant("append" as const),
    index: fc.integer({ min: 0, max: 6 }),
    record: bytes,
  }),
  fc.record({ kind: fc.constant("truncate" as const), from: fc.integer({ min: 0, max: 6 }) }),
  fc.record({ kind: fc.constant("cut" as const), to: fc.integer({ min: -1, max: 6 }) }),
  fc.record({ kind: fc.constant("put" as const), key: bytes, value: bytes }),
  fc.record({ kind: fc.constant("delete" as const), key: bytes }),
  fc.record({ kind: fc.constant("delete-range" as const), from: bytes, to: bytes }),
  fc.record({ kind: fc.constant("drop" as const), namespace: name }),
);

describe("Tables", () => {
  it("never fails to apply what it has let pass, and survives export and import", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, fc.array(operation, { maxLength: 5 })), { maxLength: 60 }),
        (batches) => {
          const tables = new Tables();
          const snapshots: [Tables, unknown][] = [];
          for (const [namespace, operations] of batches) {
            const before = tables.exportState();
            if (tables.check(namespace, operations) === null) {
              snapshots.push([tables.snapshot(), before.namespaces]);
              tables.apply(namespace, operations);
            } else {
              expect(tables.exportState()).to.deep.equal(before);
            }
          }
          for (const [snapshot, namespaces] of snapshots)
            expect(snapshot.exportState().namespaces).to.deep.equal(namespaces);
          const opened = tables.openView("a");
          const begun = tables.beginInstall("b");
          if ("install" in begun)
            tables.stage(begun.install, [{ key: new Uint8Array([1]), value: new Uint8Array([2]) }]);
          const state = tables.exportState();
          const copy = Tables.fromState(state);
          expect(copy.exportState()).to.deep.equal(state);
          expect(copy.bytes).to.equal(tables.bytes);
          if ("view" in opened)
            expect(copy.bounds("a", opened.view)).to.deep.equal(tables.bounds("a"));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("keeps a long log, of which a snapshot costs nothing", () => {
    const tables = new Tables();
    const count = 100_000;
    for (let index = 1; index <= count; index++) {
      tables.apply("log", [{ kind: "append", index, record: new Uint8Array([index & 0xff]) }]);
      if (index % 1000 === 0) tables.snapshot();
      if (index % 5000 === 0) tables.apply("log", [{ kind: "cut", to: index - 100 }]);
    }
    expect(tables.bounds("log")).to.deep.equal({ first: count - 99, last: count });
    expect(tables.bytes).to.equal(100);
  });
});

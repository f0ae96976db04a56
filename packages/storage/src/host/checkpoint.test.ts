import { expect } from "chai";
import fc from "fast-check";
import { Tables } from "../index.ts";
import type { Operation } from "../operation.ts";
import { reopened, temporary } from "./disk-kit.test.ts";
import type { Engine } from "./engine.ts";
import { operations } from "./operations.test.ts";

const byte = (of: number): Uint8Array => Uint8Array.of(of);

/** Takes a batch, and waits until it and all before it are in the tables. */
async function stored(engine: Engine, directory: string, batch: Operation[]): Promise<void> {
  const options = { directory, pendingBytesMax: 1 << 26, reserveBytes: 4096 };
  engine.reopen({ ...options, checkpointBytes: 1 });
  const problem = engine.check("n", batch);
  if (problem !== null) throw new Error(problem.detail);
  const { checkpoints } = engine.counters;
  engine.take({ namespace: "n", operations: batch, install: null });
  engine.flush();
  while (engine.counters.checkpoints === checkpoints && engine.lost === null) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("a checkpoint", () => {
  it("holds what the layers held, also after a new start", async () => {
    const batches = fc.sample(operations, { numRuns: 150, seed: 7 });
    const directory = temporary();
    const tables = new Tables();
    const compare = (from: Pick<Tables, "names" | "scan" | "records">): void => {
      expect(from.names()).to.deep.equal(tables.names());
      for (const namespace of tables.names()) {
        expect(from.scan({ namespace })).to.deep.equal(tables.scan({ namespace }));
        const log = { namespace, from: 1 };
        expect(from.records(log)).to.deep.equal(tables.records(log));
      }
    };
    let taken = 0;
    await reopened(directory, async ({ engine, contents }) => {
      for (const batch of batches) {
        // Random indexes fit no log: these do.
        const fitting = batch.flatMap((one): Operation[] => {
          const at = tables.bounds(one.namespace ?? "n");
          if ("code" in at) return [];
          if (one.kind === "append") return [{ ...one, index: at.last + 1 }];
          if (one.kind === "truncate") return [{ ...one, from: Math.max(at.first, at.last) }];
          return one.kind === "cut" ? [{ ...one, to: at.first }] : [one];
        });
        if (fitting.length === 0 || tables.check("n", fitting) !== null) continue;
        tables.apply("n", fitting);
        await stored(engine, directory, fitting);
        taken++;
        compare(contents as unknown as Tables);
      }
    });
    expect(taken).to.be.above(50);
    await reopened(directory, ({ contents }) => compare(contents as unknown as Tables));
  });

  it("changes nothing that a view has seen", async () => {
    const directory = temporary();
    await reopened(directory, async ({ engine, contents }) => {
      await stored(engine, directory, [
        { kind: "put", key: byte(1), value: byte(1) },
        { kind: "append", index: 1, record: byte(1) },
      ]);
      const opened = contents.openView("n");
      if ("code" in opened) throw new Error(opened.detail);
      await stored(engine, directory, [
        { kind: "put", key: byte(1), value: byte(2) },
        { kind: "put", key: byte(2), value: byte(2) },
        { kind: "cut", to: 1 },
      ]);
      await stored(engine, directory, [{ kind: "drop" }]);
      const seen = { namespace: "n", view: opened.view };
      expect(contents.scan(seen)).to.deep.equal({
        entries: [{ key: byte(1), value: byte(1) }],
        more: false,
      });
      expect(contents.records({ ...seen, from: 1 })).to.have.deep.property("records", [byte(1)]);
      expect(contents.names()).to.deep.equal([]);
    });
  });

  it("leaves no row of what was cut off, truncated, replaced or dropped", async () => {
    const directory = temporary();
    await reopened(directory, async ({ engine }) => {
      const append = (index: number): Operation => ({
        kind: "append",
        index,
        record: byte(index),
      });
      await stored(engine, directory, [1, 2, 3, 4, 5, 6].map(append));
      await stored(engine, directory, [
        { kind: "truncate", from: 5 },
        { kind: "cut", to: 2 },
      ]);
      const log = engine.tables.metas.get("n")?.log ?? 0;
      expect([...engine.tables.allRows(log)]).to.have.length(2);
      await stored(engine, directory, [{ kind: "drop" }]);
      while ([...engine.tables.identities()].length > 0) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
  });
});

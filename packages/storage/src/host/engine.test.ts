import { expect } from "chai";
import { Tables } from "../index.ts";
import type { Operation } from "../operation.ts";
import { Contents } from "./contents.ts";
import { FaultyFiles, hostError, reopened, temporary, turn } from "./disk-kit.test.ts";
import { Engine } from "./engine.ts";
import { rowOfKey } from "./tables-file.ts";

const text = (of: string): Uint8Array => Buffer.from(of);
const options = { pendingBytesMax: 1 << 26, checkpointBytes: 1 << 24, reserveBytes: 4096 };

/** Takes a batch and flushes it, without waiting for that. @returns its group */
function begun(engine: Engine, operations: readonly Operation[], namespace = "n"): number {
  const problem = engine.check(namespace, operations);
  if (problem !== null) throw new Error(problem.detail);
  const group = engine.take({ namespace, operations, install: null });
  engine.flush();
  return group;
}

async function flushed(engine: Engine, operations: readonly Operation[]): Promise<void> {
  const group = begun(engine, operations);
  await turn(() => engine.isDurable(group) || engine.lost !== null);
}

function closed(engine: Engine): Promise<void> {
  return new Promise((resolve) => engine.close(resolve));
}

const put = (key: string, value = "v"): Operation => ({
  kind: "put",
  key: text(key),
  value: text(value),
});

/** How many keys there are after a new start. */
function keysIn(directory: string): Promise<number> {
  return reopened(directory, ({ contents }) => {
    const found = contents.scan({ namespace: "n", bytesMax: Infinity });
    if ("code" in found) throw new Error(found.detail);
    return found.entries.length;
  });
}

describe("an engine", () => {
  it("that dies in the middle of a checkpoint leaves the journal, which has it all", async () => {
    const directory = temporary();
    const engine = new Engine(
      new FaultyFiles(),
      { ...options, directory, checkpointBytes: 1 },
      () => {},
    );
    const many = Array.from({ length: 5000 }, (_, i) => put(`${i}`));
    await flushed(engine, many);
    engine.die({ code: "KITH_STORAGE_FLUSH", detail: "made for the test" });
    // Behind the slice that is on its way.
    await engine.tables.write([rowOfKey(99, text("probe"), text("x"))]);
    await engine.tables.write([rowOfKey(99, text("probe"), null)]);
    await closed(engine);
    expect(await keysIn(directory)).to.equal(5000);
  });

  it("that cannot begin its next segment while it is being closed is closed, and gives its directory back", async () => {
    const directory = temporary();
    const files = new FaultyFiles();
    const engine = new Engine(files, { ...options, directory, checkpointBytes: 1 }, () => {});
    begun(engine, [put("k")]);
    files.rename = () => {
      throw hostError("EIO");
    };
    await closed(engine);
    expect(engine.lost?.code).to.equal("KITH_STORAGE_FLUSH");
    expect(await keysIn(directory)).to.equal(1);
  });

  it("writes nothing into the tables before its last frame is on the disk", async () => {
    const directory = temporary();
    const files = new FaultyFiles();
    const engine = new Engine(files, { ...options, directory, checkpointBytes: 1 }, () => {});
    let land = (): void => {};
    files.flush = (file, done) => {
      land = () => {
        files.flushNow(file);
        done(null);
      };
    };
    begun(engine, [{ kind: "append", index: 1, record: text("r") }, put("k")]);
    // All that lets it look for work: an installation that is given up, a swap, the end of other work.
    engine.discard([77]);
    engine.reopen({ ...options, directory, checkpointBytes: 1 });
    for (let i = 0; i < 3; i++) await engine.tables.write([rowOfKey(99, text("probe"), text("x"))]);
    expect([...engine.tables.identities()]).to.deep.equal([99]);
    expect(engine.counters.checkpoints).to.equal(0);
    land();
    await turn(() => engine.counters.checkpoints === 1);
    await closed(engine);
    await reopened(directory, ({ contents }) => {
      expect(contents.bounds("n")).to.deep.equal({ first: 1, last: 1 });
    });
  });

  it("tries a checkpoint again when asked for more, however long the journal is", async () => {
    const directory = temporary();
    const settings = { ...options, directory, checkpointBytes: 1000, pendingBytesMax: 1000 };
    const engine = new Engine(new FaultyFiles(), settings, () => {});
    const { tables } = engine;
    let failures = 0;
    const write = tables.write.bind(tables);
    tables.write = () => {
      failures++;
      return Promise.reject(hostError("ENOSPC"));
    };
    const busy = (): boolean => engine.check("n", [put("k")])?.code === "KITH_STORAGE_BUSY";
    for (let i = 0; !busy(); i++) await flushed(engine, [put(`${i}`, "x".repeat(500))]);
    await turn(() => failures >= 3 || !busy());
    expect(failures, "tries").to.be.at.least(3);
    tables.write = write;
    await turn(() => !busy());
    expect(engine.counters.checkpoints).to.equal(1);
    await closed(engine);
  });

  it("takes an input/output error of lmdb for a full device where that is full, and for a broken one else", async () => {
    for (const free of [1 << 20, 1 << 30]) {
      const directory = temporary();
      const settings = { ...options, directory, checkpointBytes: 1, pendingBytesMax: 1 };
      const files = new FaultyFiles();
      files.free = () => free;
      const engine = new Engine(files, settings, () => {});
      const contents = new Contents(engine);
      let failures = 0;
      engine.tables.write = () => {
        failures++;
        return Promise.reject(hostError("EIO"));
      };
      await flushed(engine, [put("k")]);
      await turn(() => {
        engine.check("n", [put("k")]);
        return failures >= 10 || engine.lost !== null;
      });
      expect(engine.lost !== null).to.equal(free > 1 << 20);
      if (engine.lost === null) {
        engine.tables.writeNow = () => {
          throw hostError("EIO");
        };
        const install = contents.beginInstall("m");
        if ("code" in install) throw new Error(install.detail);
        const staged = contents.stage(install.install, [{ key: text("k"), value: text("v") }]);
        expect(staged).to.have.property("code", "KITH_STORAGE_FULL");
        expect(engine.lost).to.equal(null);
      }
      await closed(engine);
    }
  });

  it("uses the same rows at each try of a checkpoint", async () => {
    const directory = temporary();
    const settings = { ...options, directory, checkpointBytes: 1, pendingBytesMax: 1000 };
    const engine = new Engine(new FaultyFiles(), settings, () => {});
    const { tables } = engine;
    const write = tables.write.bind(tables);
    let slices = 0;
    tables.write = (rows) => {
      // The first slice of each try has room, the second has none.
      if (++slices <= 6 && slices % 2 === 0) return Promise.reject(hostError("ENOSPC"));
      return write(rows);
    };
    await flushed(
      engine,
      Array.from({ length: 2000 }, (_, i) => put(`${i}`)),
    );
    await turn(() => {
      engine.reopen(settings);
      return engine.counters.checkpoints === 1;
    });
    expect(slices, "tries").to.be.above(6);
    expect(tables.identities().size).to.equal(1);
    await closed(engine);
    expect(await keysIn(directory)).to.equal(2000);
  });

  it("lets a checkpoint pass before the removal of what nobody needs, and comes back to that", async () => {
    const directory = temporary();
    const engine = new Engine(new FaultyFiles(), { ...options, directory }, () => {});
    const rows = Array.from({ length: 20_000 }, (_, i) => rowOfKey(50, text(`${i}`), text("x")));
    await engine.tables.write(rows);
    engine.discard([50]);
    engine.reopen({ ...options, directory, checkpointBytes: 1 });
    begun(engine, [put("k")]);
    await turn(() => engine.counters.checkpoints === 1);
    expect(engine.tables.identities().has(50), "still there").to.equal(true);
    await turn(() => !engine.tables.identities().has(50));
    await closed(engine);
  });

  it("has no read transaction open when a scan has stopped before its end", async () => {
    const directory = temporary();
    const settings = { ...options, directory, checkpointBytes: 1 };
    await reopened(directory, async ({ engine, contents }) => {
      engine.reopen(settings);
      await flushed(
        engine,
        ["a", "b", "c", "d"].map((key) => put(key)),
      );
      await turn(() => engine.counters.checkpoints === 1);
      engine.reopen({ ...settings, checkpointBytes: 1 << 24 });
      await flushed(engine, [put("b", "w")]);
      // lmdb has room for 126 readers.
      for (let i = 0; i < 150; i++) {
        expect(contents.scan({ namespace: "n", limit: 2, reverse: i % 2 === 0 })).to.have.property(
          "more",
          true,
        );
        await engine.tables.write([rowOfKey(99, text("probe"), text("x"))]);
      }
    });
  });

  it("takes bounds of ranges that are longer than any key", async () => {
    const directory = temporary();
    const long = (of: number): Uint8Array => new Uint8Array(5000).fill(of);
    const key = (of: number, length = 1024): Uint8Array => new Uint8Array(length).fill(of);
    const value = text("v");
    const tables = new Tables();
    const batches: Operation[][] = [
      [1, 2, 3].flatMap((of): Operation[] => [
        { kind: "put", key: key(of), value },
        { kind: "put", key: key(of, 3), value },
      ]),
      [{ kind: "delete-range", from: long(1), to: long(2) }],
    ];
    await reopened(directory, async ({ engine, contents }) => {
      engine.reopen({ ...options, directory, checkpointBytes: 1 });
      for (const [i, batch] of batches.entries()) {
        tables.apply("n", batch);
        await flushed(engine, batch);
        await turn(() => engine.counters.checkpoints === i + 1);
        for (const range of [
          {},
          { from: long(1) },
          { to: long(2) },
          { from: long(1), to: long(3) },
        ]) {
          for (const reverse of [false, true]) {
            const scan = { namespace: "n", reverse, ...range };
            expect(contents.scan(scan)).to.deep.equal(tables.scan(scan));
          }
        }
      }
    });
  });

  it("removes the rows of an installation that another one has followed", async () => {
    await reopened(temporary(), async ({ engine, contents }) => {
      for (let i = 0; i < 3; i++) {
        const install = contents.beginInstall("n");
        if ("code" in install) throw new Error(install.detail);
        expect(contents.stage(install.install, [{ key: text("k"), value: text("v") }])).to.equal(
          null,
        );
        contents.commitInstall(install.install, []);
      }
      engine.reopen({ ...options, directory: engine.path, checkpointBytes: 1 });
      engine.flush();
      await turn(() => engine.counters.checkpoints === 1);
      await turn(() => engine.tables.identities().size === 1);
      expect(contents.value("n", text("k"))).to.deep.equal({ value: new Uint8Array(text("v")) });
    });
  });
});

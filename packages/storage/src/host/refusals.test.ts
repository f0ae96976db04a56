import { Component, launch, type LogRecord } from "@kith/core";
import { expect } from "chai";
import * as fs from "node:fs";
import { join } from "node:path";
import { Flushed, Storage, StorageFailed, StorageLost, Write } from "../index.ts";
import type { Operation } from "../operation.ts";
import { diskStorageOn } from "./disk-storage.ts";
import {
  codeOf,
  diskWorld,
  FaultyFiles,
  hostError,
  reopened,
  temporary,
  turn,
  waiting,
} from "./disk-kit.test.ts";
import type { Engine } from "./engine.ts";
import { hostFiles } from "./files.ts";
import { segmentName } from "./journal-format.ts";
import { TablesFile } from "./tables-file.ts";

const text = (of: string): Uint8Array => Buffer.from(of);

/** Takes a batch, and waits until it is on the disk or the storage is dead. */
async function written(engine: Engine, n: number): Promise<void> {
  const operations: Operation[] = [
    { kind: "append", index: n, record: text(`record ${n}`) },
    { kind: "put", key: text("last"), value: text(`${n}`) },
  ];
  const problem = engine.check("n", operations);
  if (problem !== null) throw new Error(problem.detail);
  const group = engine.take({ namespace: "n", operations, install: null });
  engine.flush();
  while (!engine.isDurable(group) && engine.lost === null) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A directory with so many batches, each in a frame of its own. */
async function filled(count: number): Promise<string> {
  const directory = temporary();
  await filledAt(directory, count);
  return directory;
}

async function filledAt(directory: string, count: number): Promise<void> {
  await reopened(directory, async ({ engine }) => {
    for (let n = 1; n <= count; n++) await written(engine, n);
  });
}

/** How many batches are there, the same in log and keys. */
function found(directory: string, warn?: (text: string) => void): Promise<number> {
  return reopened(
    directory,
    ({ contents }) => {
      const { last } = contents.bounds("n") as { last: number };
      const { value } = contents.value("n", text("last")) as { value: Uint8Array | null };
      expect(value === null ? "0" : Buffer.from(value).toString()).to.equal(`${last}`);
      return last;
    },
    hostFiles,
    warn,
  );
}

function journalOf(directory: string): string {
  return join(directory, segmentName(1));
}

describe("a directory of a storage", () => {
  it("cut at each byte of its last frame has the batches before it, and says how much was cut", async () => {
    const whole = await filled(3);
    const bytes = fs.readFileSync(journalOf(whole));
    const two = fs.readFileSync(journalOf(await filled(2)));
    // Behind the last frame are zeros.
    let end = bytes.length;
    while (bytes[end - 1] === 0) end--;
    let begin = two.length;
    while (two[begin - 1] === 0) begin--;
    expect(end - begin).to.be.above(50);
    for (let at = begin; at <= end; at += 1) {
      const copy = temporary();
      fs.cpSync(whole, copy, { recursive: true });
      // Every other one as a torn write that left zeros, and every other one as a file cut short.
      const torn = Buffer.concat([bytes.subarray(0, at), Buffer.alloc(at % 2 === 0 ? 0 : 300)]);
      fs.writeFileSync(journalOf(copy), torn);
      const warned: string[] = [];
      expect(await found(copy, (line) => warned.push(line)), `${at}`).to.equal(at === end ? 3 : 2);
      if (at === begin || at === end) expect(warned).to.deep.equal([]);
      else expect(warned.join()).to.match(/\d+ bytes of a frame that was never finished/);
      // What was cut off stays away.
      expect(await found(copy)).to.equal(at === end ? 3 : 2);
      fs.rmSync(copy, { recursive: true });
    }
  }).timeout(60_000);

  it("is refused where its journal is damaged in the middle", async () => {
    const directory = await filled(3);
    const bytes = fs.readFileSync(journalOf(directory));
    bytes[70] = (bytes[70] ?? 0) ^ 1;
    fs.writeFileSync(journalOf(directory), bytes);
    const error: unknown = await found(directory).catch((one: unknown) => one);
    expect(codeOf(error)).to.equal("KITH_STORAGE_CORRUPT");
    expect(String(error)).to.match(/damaged at byte \d+.*[Rr]estore the replica/s);
    expect(fs.readFileSync(journalOf(directory)).equals(bytes), "nothing was changed").to.equal(
      true,
    );
  });

  it("is refused where a segment is missing, foreign or of another version", async () => {
    const gone = await filled(2);
    fs.rmSync(journalOf(gone));
    expect(await found(gone).catch(codeOf)).to.equal("KITH_STORAGE_CORRUPT");
    const foreign = await filled(2);
    fs.writeFileSync(journalOf(foreign), "somebody else's file, and long enough to have a head");
    expect(await found(foreign).catch(codeOf)).to.equal("KITH_STORAGE_FORMAT");
    const newer = await filled(1);
    fs.writeFileSync(join(newer, "FORMAT"), "kith-storage 2\n");
    expect(await found(newer).catch(String)).to.match(/kith-storage 2.*reads "kith-storage 1"/);
    const other = temporary();
    fs.writeFileSync(join(other, "holiday.jpg"), "x");
    expect(await found(other).catch(codeOf)).to.equal("KITH_STORAGE_FORMAT");
    expect(fs.readdirSync(other)).to.deep.equal(["holiday.jpg"]);
  });

  it("is refused where the tables are not lmdb's", async () => {
    const directory = await filled(1);
    fs.writeFileSync(join(directory, "tables"), Buffer.alloc(20_000, 0x41));
    expect(await found(directory).catch(codeOf)).to.equal("KITH_STORAGE_CORRUPT");
  });

  it("is refused where it cannot be made", async () => {
    const file = join(temporary(), "file");
    fs.writeFileSync(file, "");
    const error: unknown = await found(join(file, "below")).catch((one: unknown) => one);
    expect(codeOf(error)).to.equal("KITH_STORAGE_OPEN");
    expect(String(error)).to.contain("below");
  });

  it("is refused where the tables have not even their first pages", async () => {
    const directory = await filled(1);
    for (const kept of [100, 4096]) {
      const copy = temporary();
      fs.cpSync(directory, copy, { recursive: true });
      fs.truncateSync(join(copy, "tables"), kept);
      expect(await found(copy).catch(codeOf), `${kept}`).to.equal("KITH_STORAGE_CORRUPT");
    }
  });

  it("is refused, and not called corrupt, where the host does not let it read", async () => {
    const directory = await filled(1);
    const fail = (): never => {
      throw hostError("EIO");
    };
    for (const call of ["read", "write", "flushNow", "open", "truncate"] as const) {
      const files = { ...hostFiles, [call]: fail };
      const refused = await reopened(directory, () => "opened", files).catch(codeOf);
      expect(refused, call).to.equal("KITH_STORAGE_OPEN");
    }
    const other = temporary();
    await filledAt(other, 1);
    fs.rmSync(join(other, "tables"));
    fs.mkdirSync(join(other, "tables"));
    expect(await found(other).catch(codeOf)).to.equal("KITH_STORAGE_OPEN");
    expect(await found(directory)).to.equal(1);
  });

  it("has no file open after a start that failed", async () => {
    const directory = await filled(1);
    const open = new Set<number>();
    const files = {
      ...hostFiles,
      open: (path: string) => {
        const file = hostFiles.open(path);
        open.add(file);
        return file;
      },
      close: (file: number) => {
        open.delete(file);
        hostFiles.close(file);
      },
      flushNow: () => {
        throw hostError("EIO");
      },
    };
    expect(await reopened(directory, () => "opened", files).catch(codeOf)).to.equal(
      "KITH_STORAGE_OPEN",
    );
    expect(open.size).to.equal(0);
  });

  it("has its name on the disk, and those of the directories above that were made for it", async () => {
    const top = temporary();
    const synced: string[] = [];
    const flushDirectory = (path: string): void => {
      synced.push(path);
      hostFiles.flushDirectory(path);
    };
    const directory = join(top, "a", "b");
    await reopened(directory, () => {}, { ...hostFiles, flushDirectory });
    expect(synced).to.include.members([top, join(top, "a"), directory]);
  });

  it("that was moved while somebody has it is still locked", async () => {
    const directory = await filled(1);
    const moved = `${directory}-moved`;
    await reopened(directory, async () => {
      fs.renameSync(directory, moved);
      expect(await found(moved).catch(codeOf)).to.equal("KITH_STORAGE_LOCKED");
    });
    expect(await found(moved)).to.equal(1);
    fs.rmSync(moved, { recursive: true });
  });

  it("is read when it is locked, not before", async () => {
    const directory = await filled(1);
    await reopened(directory, async ({ engine }) => {
      // As another process that waits for the lock.
      const late = new TablesFile(hostFiles, join(directory, "tables"));
      engine.reopen({ directory, pendingBytesMax: 1, checkpointBytes: 1, reserveBytes: 1 });
      await written(engine, 2);
      await turn(() => engine.counters.checkpoints === 1);
      late.load();
      expect(late.metas.get("n")).to.include({ first: 1, last: 2 });
      await late.close();
    });
  });

  it("may be copied while nobody has it, and both go on", async () => {
    const directory = await filled(2);
    const copy = temporary();
    fs.cpSync(directory, copy, { recursive: true });
    await filledAt(temporary(), 1);
    expect([await found(directory), await found(copy)]).to.deep.equal([2, 2]);
  });
});

describe("a full device", () => {
  it("refuses what would go into the next segment, while that is only being begun", async () => {
    const files = new FaultyFiles();
    const directory = temporary();
    const large: Operation[] = [{ kind: "put", key: text("k"), value: new Uint8Array(100_000) }];
    await reopened(
      directory,
      async ({ engine }) => {
        const options = { directory, pendingBytesMax: 1 << 26, reserveBytes: 1 << 20 };
        engine.reopen({ ...options, checkpointBytes: 1 << 24 });
        await written(engine, 1);
        engine.reopen({ ...options, checkpointBytes: 1 });
        // There is room in the segment that ends.
        expect(engine.check("n", large)).to.equal(null);
        const last = written(engine, 2);
        files.room = 0;
        const smaller: Operation[] = [
          { kind: "put", key: text("k"), value: new Uint8Array(90_000) },
        ];
        expect(engine.check("n", smaller)).to.have.property("code", "KITH_STORAGE_FULL");
        await last;
        expect(engine.check("n", [{ kind: "delete-range" }])).to.equal(null);
        await written(engine, 3).catch((error: Error) => {
          expect(error.message).to.contain("no room");
        });
        expect(engine.lost).to.equal(null);
      },
      files,
    );
    expect(await found(directory)).to.be.within(2, 3);
  });

  it("is asked again for room when there may be some", async () => {
    const files = new FaultyFiles();
    await reopened(
      temporary(),
      async ({ engine }) => {
        await written(engine, 1);
        files.room = 1000;
        const large: Operation[] = [{ kind: "put", key: text("k"), value: new Uint8Array(9999) }];
        expect(engine.check("n", large)).to.have.property("code", "KITH_STORAGE_FULL");
        files.room = Infinity;
        expect(engine.check("n", large)).to.equal(null);
        await written(engine, 2);
        expect(engine.lost).to.equal(null);
      },
      files,
    );
  });
});

class Client extends Component {
  readonly storage = this.requires(Storage);
  readonly answers: string[] = [];
  readonly lost: string[] = [];
  readonly write = this.storage.onAnswer(Write, (answer) => {
    if (answer instanceof Flushed) this.answers.push("flushed");
    if (answer instanceof StorageFailed) this.answers.push(answer.code);
  });
  constructor() {
    super();
    this.storage.on(StorageLost, ({ code }) => void this.lost.push(code));
  }
}

function until(condition: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    waiting(condition, 10_000, (held) => {
      if (held) resolve();
      else reject(new Error("waited in vain"));
    });
  });
}

describe("a durable storage", () => {
  it("flushes once for all that was written in a turn", async () => {
    const files = new FaultyFiles();
    const system = launch(Client, {}, diskWorld({ directory: temporary() }, diskStorageOn(files)));
    await system.started;
    const before = files.flushes;
    system.enter(() => {
      for (let i = 0; i < 100; i++) {
        const operations: Operation[] = [{ kind: "put", key: text(`${i}`), value: text("x") }];
        system.instance.write(new Write({ namespace: "n", operations }));
      }
    });
    await until(() => system.instance.answers.length === 100);
    expect(files.flushes - before).to.equal(1);
    await system.stop();
  });

  it("is dead when a write of its journal fails, and says so once", async () => {
    const files = new FaultyFiles();
    const system = launch(Client, {}, diskWorld({ directory: temporary() }, diskStorageOn(files)));
    await system.started;
    const put = (): void => {
      const operations: Operation[] = [{ kind: "put", key: text("k"), value: text("x") }];
      system.instance.write(new Write({ namespace: "n", operations }));
    };
    system.enter(put);
    await until(() => system.instance.answers.length === 1);
    const write = files.write.bind(files);
    files.write = (file, parts, position) => {
      if (parts.length > 0 && parts[0]?.[0] !== 0) throw hostError("EIO");
      write(file, parts, position);
    };
    system.enter(() => {
      put();
      put();
    });
    await until(() => system.instance.answers.length === 3);
    system.enter(put);
    await until(() => system.instance.answers.length === 4);
    const dead = "KITH_STORAGE_FLUSH";
    expect(system.instance.answers).to.deep.equal(["flushed", dead, dead, dead]);
    expect(system.instance.lost).to.deep.equal([dead]);
    await system.stop();
  });

  it("tells whoever replaces it that it died while nobody was there to be told", async () => {
    const files = new FaultyFiles();
    const init = { directory: temporary() };
    const system = launch(Client, {}, diskWorld(init, diskStorageOn(files)));
    await system.started;
    const write = files.write.bind(files);
    files.write = (file, parts, position) => {
      if (parts[0]?.[0] !== 0) throw hostError("EIO");
      write(file, parts, position);
    };
    const operations: Operation[] = [{ kind: "put", key: text("k"), value: text("x") }];
    let swapped: unknown;
    system.enter(() => {
      system.instance.write(new Write({ namespace: "n", operations }));
      swapped = system.swap("/Storage", diskStorageOn(files), init);
    });
    await until(() => system.instance.answers.length === 1 && system.instance.lost.length === 1);
    await swapped;
    expect(system.instance.answers).to.deep.equal(["KITH_STORAGE_FLUSH"]);
    await system.stop();
  });

  it("refuses settings with which a segment could grow too large to be read", () => {
    const init = { directory: "unused", checkpointBytes: 2 ** 30 };
    expect(() => launch(Client, {}, diskWorld(init))).to.throw(/KITH_STORAGE_ARGUMENT/);
  });

  it("logs what it cut off when it starts", async () => {
    const directory = await filled(2);
    const bytes = fs.readFileSync(journalOf(directory));
    let end = bytes.length;
    while (bytes[end - 1] === 0) end--;
    fs.writeFileSync(journalOf(directory), bytes.subarray(0, end - 1));
    const log: LogRecord[] = [];
    const system = launch(Client, {}, diskWorld({ directory }, undefined, log));
    await system.started;
    expect(log.map(({ level, path }) => `${level} ${path}`)).to.deep.equal(["warn /Storage"]);
    expect(log[0]?.text).to.match(/ended in a torn frame: \d+ bytes/);
    await system.stop();
  });

  it("has a directory for itself in its process, until it has stopped", async () => {
    const directory = temporary();
    const first = launch(Client, {}, diskWorld({ directory }));
    await first.started;
    const second = launch(Client, {}, diskWorld({ directory }));
    const refused: unknown = await second.started.catch((error: unknown) => error);
    expect(JSON.stringify(refused) + String(refused)).to.contain("KITH_STORAGE_LOCKED");
    await first.stop();
    const third = launch(Client, {}, diskWorld({ directory }));
    await third.started;
    await third.stop();
  });
});

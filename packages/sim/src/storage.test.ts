import { expect } from "chai";
import {
  BeginInstall,
  ChunkTaken,
  CommitInstall,
  Entries,
  Flushed,
  InstallBegun,
  InstallChunk,
  KeyValue,
  LogRecords,
  Namespaces,
  ListNamespaces,
  OpenView,
  ReadKey,
  ReadLog,
  Scan,
  StorageFailed,
  ViewOpened,
  Write,
  Written,
} from "@kith/storage";
import { storageCompliance } from "@kith/storage/compliance";
import { stepping } from "@kith/testing/compliance";
import { failingFlush, fullDisk, keptWrites } from "./disk-faults.ts";
import { append, bytes, dump, put, Rig, unflushed } from "./storage-kit.test.ts";

const read = (key: string, view?: number) =>
  new ReadKey({ namespace: "ns", key: bytes(key), ...(view === undefined ? {} : { view }) });
const empty = new Write({ namespace: "ns", operations: [] });

for (const seed of [1, 2, 3]) {
  storageCompliance(`SimStorage with seed ${seed}`, () => {
    const rig = new Rig(seed, {}, {}, false);
    let repair: () => void = () => undefined;
    return {
      open: () => rig.world(),
      wait: stepping((duration) => rig.advance(duration)),
      crash: () => {
        const remove = rig.disk.faults.add(keptWrites());
        rig.crash();
        remove();
      },
      powerCut: () => {
        repair();
        rig.crash();
      },
      failFlush: () => void (repair = rig.disk.faults.add(failingFlush(1))),
      fill: () => void rig.disk.faults.add(fullDisk(rig.disk.contents().bytes + 4096)),
      swapProvider: (system) => rig.swap(system),
    };
  });
}

describe("the simulated storage", () => {
  it("writes, flushes and reads", () => {
    const rig = new Rig(1);
    rig.get(Flushed, put("a=1", "b=2"));
    rig.get(Flushed, append(1, "one"));
    rig.get(Written, unflushed(append(2, "two")));
    expect(rig.get(KeyValue, read("a")).value).to.deep.equal(bytes("1"));
    expect(rig.get(KeyValue, read("c")).value).to.equal(null);
    const log = rig.get(LogRecords, new ReadLog({ namespace: "ns", from: 1 }));
    expect(log.records).to.deep.equal([bytes("one"), bytes("two")]);
    const scanned = rig.get(Entries, new Scan({ namespace: "ns", reverse: true, limit: 1 }));
    expect(scanned.entries).to.deep.equal([{ key: bytes("b"), value: bytes("2") }]);
    expect(scanned.more).to.equal(true);
    expect(rig.get(Namespaces, new ListNamespaces()).names).to.deep.equal(["ns"]);
    expect(rig.code(append(9, "gap"))).to.equal("KITH_STORAGE_ARGUMENT");
  });

  it("takes time, never at once, and longer for a flush than for a read", () => {
    const rig = new Rig(1);
    const begin = rig.engine.micros;
    rig.get(KeyValue, read("a"));
    const afterRead = rig.engine.micros;
    rig.get(Flushed, put("a=1"));
    expect(afterRead - begin).to.be.within(10, 61);
    expect(rig.engine.micros - afterRead).to.be.within(200, 2100);
  });

  it("makes one flush of the batches of one turn", () => {
    const rig = new Rig(1);
    rig.ask(put("a=1"), put("b=2"), append(1, "one"));
    const times = new Set(rig.client.answered.map(({ micros }) => micros));
    expect(rig.client.answered.length).to.equal(3);
    expect(times.size).to.equal(1);
  });

  it("answers in the order of the requests, but for those that wait for a flush", () => {
    const rig = new Rig(1);
    const reads = Array.from({ length: 50 }, (_, i) => read(`k${i}`));
    rig.ask(put("a=1"), ...reads);
    const order = rig.client.answered.map(({ request }) => request);
    expect(order.slice(0, 50)).to.deep.equal(reads);
    expect(order[50]).to.be.instanceOf(Write);
  });

  it("shares no bytes with its users", () => {
    const rig = new Rig(1);
    const value = bytes("1");
    const write = new Write({
      namespace: "ns",
      operations: [{ kind: "put", key: bytes("a"), value }],
    });
    rig.get(Flushed, write);
    value[0] = 0;
    const first = rig.get(KeyValue, read("a")).value;
    expect(first).to.deep.equal(bytes("1"));
    if (first !== null) first[0] = 0;
    expect(rig.get(KeyValue, read("a")).value).to.deep.equal(bytes("1"));
  });

  it("flushes with an empty batch what came before", () => {
    const rig = new Rig(1);
    rig.get(Written, unflushed(put("a=1")));
    expect(rig.disk.promised).to.equal(0);
    rig.get(Flushed, empty);
    expect(rig.disk.promised).to.equal(1);
  });

  it("writes back by itself what nobody flushes", () => {
    const rig = new Rig(1);
    const value = new Uint8Array(300_000);
    for (let i = 0; i < 8; i++) {
      rig.ask(
        new Write({
          namespace: "ns",
          operations: [{ kind: "put", key: bytes(`k${i}`), value }],
          flush: false,
        }),
      );
    }
    expect(rig.disk.promised).to.be.at.least(4);
    expect(rig.disk.pendingBytes).to.be.below(1024 * 1024);
  });

  it("says Busy beyond its bounds, and goes on", () => {
    const rig = new Rig(1, {}, { waitingMax: 3 });
    const answers = rig.ask(put("a=1"), put("b=2"), put("c=3"), put("d=4"));
    expect(answers.map(({ constructor }) => constructor)).to.deep.equal([
      Flushed,
      Flushed,
      Flushed,
      StorageFailed,
    ]);
    expect(rig.client.answered[0]?.answer).to.include({ code: "KITH_STORAGE_BUSY" });
    expect(rig.get(KeyValue, read("d")).value).to.equal(null);
    const bounded = new Rig(1, {}, { pendingBytesMax: 1 });
    const [, second] = bounded.ask(put("a=1"), put("b=2"));
    expect(second).to.include({ code: "KITH_STORAGE_BUSY" });
    bounded.get(Flushed, put("b=2"));
  });

  it("reads from views, which a restart of the node closes", () => {
    const rig = new Rig(1);
    rig.get(Flushed, put("a=1"));
    const { view } = rig.get(ViewOpened, new OpenView({ namespace: "ns" }));
    rig.get(Flushed, put("a=2"));
    expect(rig.get(KeyValue, read("a", view)).value).to.deep.equal(bytes("1"));
    expect(rig.get(KeyValue, read("a")).value).to.deep.equal(bytes("2"));
    rig.crash();
    rig.start();
    expect(rig.code(read("a", view))).to.equal("KITH_STORAGE_VIEW");
  });

  it("installs a snapshot as one batch, wherever the power is cut", () => {
    const before = "ns: a=1 b=2 | 1: one";
    const after = "ns: c=new d=new e=5 | 8: \nother:  | 1: x";
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const rig = new Rig(seed);
      rig.ask(put("a=1", "b=2"), append(1, "one"));
      const { install } = rig.get(InstallBegun, new BeginInstall({ namespace: "ns" }));
      const entries = ["c", "d"].map((key) => ({ key: bytes(key), value: bytes("new") }));
      rig.get(ChunkTaken, new InstallChunk({ install, entries }));
      expect(dump(rig.disk.contents())).to.equal(before);
      const commit = new CommitInstall({
        install,
        operations: [
          { kind: "cut", to: 7 },
          { kind: "put", key: bytes("e"), value: bytes("5") },
          { kind: "append", namespace: "other", index: 1, record: bytes("x") },
        ],
      });
      rig.client.ask(commit);
      for (let i = 0; i < seed % 10 && rig.step(); i++);
      const done = rig.client.answered.some(({ request }) => request === commit);
      rig.crash();
      rig.start();
      const found = dump(rig.disk.contents());
      expect(found).to.be.oneOf(done ? [after] : [before, after]);
      outcomes.add(`${found} ${done}`);
      expect(rig.code(commit)).to.equal("KITH_STORAGE_INSTALL");
    }
    expect(outcomes.size).to.equal(3);
  });

  it("loses nothing when it is replaced while requests wait, at any instant", () => {
    const script = () => [
      put("a=1"),
      append(1, "one"),
      read("a"),
      unflushed(put("b=2")),
      new OpenView({ namespace: "ns" }),
      new BeginInstall({ namespace: "other" }),
      new Scan({ namespace: "ns" }),
      empty,
    ];
    const outcome = (swapAt: number): readonly string[] => {
      const rig = new Rig(7);
      const asked = script();
      rig.client.ask(...asked.slice(0, 5));
      for (let i = 0; i < 40; i++) {
        if (i === 8) rig.client.ask(...asked.slice(5));
        if (i === swapAt) rig.swap();
        rig.step();
      }
      rig.settle();
      const answers = asked.map((request) =>
        rig.client.answered.filter((one) => one.request === request).map(({ answer }) => answer),
      );
      expect(rig.swaps).to.deep.equal(swapAt < 0 ? [] : ["swapped"]);
      expect(rig.get(KeyValue, read("a", 1)).value).to.deep.equal(bytes("1"));
      return answers.map((of) => of.map((one) => JSON.stringify(one)).join());
    };
    const reference = outcome(-1);
    expect(reference.every((one) => one !== "")).to.equal(true);
    for (let at = 0; at < 40; at++) expect(outcome(at), `swap at ${at}`).to.deep.equal(reference);
  });

  it("keeps everything when the node stops properly", () => {
    const rig = new Rig(1);
    rig.get(Written, unflushed(put("a=1")));
    rig.stop();
    rig.start();
    expect(rig.get(KeyValue, read("a")).value).to.deep.equal(bytes("1"));
  });

  it("does the same for the same seed, and something else for another", () => {
    const run = (seed: number): string => {
      const rig = new Rig(seed);
      rig.ask(put("a=1"), append(1, "one"), read("a"));
      rig.client.ask(put("b=2"), put("c=3"), append(2, "two"));
      rig.engine.step(Infinity);
      rig.engine.step(Infinity);
      rig.crash();
      rig.start();
      return `${rig.engine.trace.hash} ${JSON.stringify(rig.disk.save().journal)}`;
    };
    expect(run(5)).to.equal(run(5));
    expect(new Set([1, 2, 3, 4].map(run)).size).to.equal(4);
  });
});

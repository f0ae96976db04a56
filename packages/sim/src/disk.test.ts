import { expect } from "chai";
import { Flushed, type Operation, ReadKey, ReadLog, Scan, Tables, Write } from "@kith/storage";
import { storageCases, type StorageHarness } from "@kith/storage/compliance";
import { failingCases, stepping } from "@kith/testing/compliance";
import { Disk } from "./disk.ts";
import { Engine } from "./engine.ts";
import { keptWrites, lostWrites, tornWrites } from "./disk-faults.ts";
import { append, bytes, dump, put, Rig, unflushed } from "./storage-kit.test.ts";

const write = (operations: readonly Operation[], flush: boolean) =>
  new Write({ namespace: "ns", operations, flush });

/** A short script: flushed and unflushed batches, large and small, over log, keys and two namespaces. */
function script(): readonly Write[] {
  return [
    write([{ kind: "put", key: bytes("a"), value: bytes("1") }], true),
    write([{ kind: "append", index: 1, record: new Uint8Array(1300).fill(65) }], false),
    write(
      [
        { kind: "append", index: 2, record: bytes("two") },
        { kind: "put", key: bytes("a"), value: bytes("2") },
        { kind: "put", namespace: "other", key: bytes("x"), value: bytes("9") },
      ],
      true,
    ),
    write([{ kind: "truncate", from: 2 }], false),
    write([{ kind: "put", key: bytes("b"), value: new Uint8Array(700).fill(66) }], false),
    write([{ kind: "drop", namespace: "other" }], true),
    write(
      [
        { kind: "cut", to: 1 },
        { kind: "delete", key: bytes("a") },
      ],
      true,
    ),
  ];
}

/** The states that a prefix of the batches leads to, from none to all. */
function prefixes(batches: readonly Write[]): string[] {
  const tables = new Tables();
  return [
    dump(tables),
    ...batches.map(({ namespace, operations }) => {
      tables.apply(namespace, operations);
      return dump(tables);
    }),
  ];
}

describe("a disk whose power is cut", () => {
  it("holds, at every instant, a prefix of the batches with all that were flushed", () => {
    const found = new Set<number>();
    let cut = 0;
    for (let seed = 0; seed < 25; seed++) {
      for (let steps = 0; ; steps++) {
        const rig = new Rig(seed);
        const batches = script();
        // The asks come in three turns, so that flushes are under way while others are written.
        for (const [i, asked] of [
          batches.slice(0, 3),
          batches.slice(3, 5),
          batches.slice(5),
        ].entries()) {
          rig.engine.at(rig.life, rig.engine.micros + 300 * i, i, () => rig.client.ask(...asked));
        }
        let more = true;
        for (let i = 0; i < steps && more; i++) more = rig.step();
        const flushed = batches.findLastIndex((batch) =>
          rig.client.answered.some(
            ({ request, answer }) => request === batch && answer instanceof Flushed,
          ),
        );
        const states = prefixes(batches);
        const outcome = rig.crash();
        rig.start();
        const state = dump(rig.disk.contents());
        const prefix = states.indexOf(state, flushed + 1);
        expect(prefix, `seed ${seed}, ${steps} steps: ${state}`).to.be.at.least(flushed + 1);
        expect(rig.disk.recovery?.cutBatches).to.equal(outcome.torn);
        expect(rig.disk.recovery?.refused).to.equal(null);
        found.add(prefix);
        cut += outcome.torn;
        // What was found stays, whatever comes after it.
        rig.crash();
        rig.start();
        expect(dump(rig.disk.contents())).to.equal(state);
        if (!more) break;
      }
    }
    expect(found).to.deep.equal(new Set([0, 1, 2, 3, 4, 5, 6, 7]));
    expect(cut).to.be.at.least(10);
  });

  it("goes on after a crash as if nothing else had ever been written", () => {
    for (let seed = 0; seed < 20; seed++) {
      const rig = new Rig(seed);
      rig.get(Flushed, append(1, "one"));
      rig.client.ask(append(2, "two"), append(3, "three"));
      rig.step();
      rig.step();
      rig.step();
      rig.crash();
      rig.start();
      const read = rig.disk.contents().bounds("ns");
      const last = "last" in read ? read.last : 0;
      rig.get(Flushed, append(last + 1, "next"));
      rig.crash();
      rig.start();
      expect(dump(rig.disk.contents())).to.match(/^ns: {2}\| 1: one( two( three)?)? next$/);
    }
  });

  it("loses, tears or keeps what the rules say, and counts it", () => {
    const outcome = (...rules: Parameters<Disk["faults"]["add"]>[0][]) => {
      const rig = new Rig(3);
      for (const rule of rules) rig.disk.faults.add(rule);
      rig.ask(...script().slice(0, 5).map(unflushed));
      const crashed = rig.crash();
      rig.start();
      return { ...crashed, cut: rig.disk.recovery?.cutBatches, bites: [...rig.disk.faults.bites] };
    };
    expect(outcome(keptWrites())).to.deep.equal({
      ...{ kept: 5, torn: 0, lost: 0, cut: 0 },
      bites: [["kept write", 5]],
    });
    expect(outcome(lostWrites(1))).to.deep.equal({
      ...{ kept: 0, torn: 0, lost: 5, cut: 0 },
      bites: [["lost write", 1]],
    });
    expect(outcome(tornWrites(1))).to.deep.equal({
      ...{ kept: 0, torn: 1, lost: 4, cut: 1 },
      bites: [["torn write", 1]],
    });
  });

  it("is empty after it was wiped", () => {
    const rig = new Rig(1);
    rig.get(Flushed, put("a=1"));
    rig.crash();
    rig.disk.wipe();
    rig.start();
    expect(dump(rig.disk.contents())).to.equal("");
    rig.get(Flushed, append(1, "one"));
  });
});

describe("a lying disk", () => {
  it("loses what it has answered for, which an honest one never does", () => {
    const lost = (lying: boolean): number => {
      let count = 0;
      for (let seed = 0; seed < 40; seed++) {
        const rig = new Rig(seed, { lying });
        for (const pair of ["a=1", "b=2", "c=3"]) rig.get(Flushed, put(pair));
        rig.crash();
        rig.start();
        if (dump(rig.disk.contents()) !== "ns: a=1 b=2 c=3 | 1: ") count++;
      }
      return count;
    };
    expect(lost(false)).to.equal(0);
    expect(lost(true)).to.be.within(10, 39);
  });

  it("is found out by the suite that every Storage passes", (done) => {
    const make = (): StorageHarness => {
      const rig = new Rig(1, { lying: true }, {}, false);
      return {
        open: () => rig.world(),
        wait: stepping((duration) => rig.advance(duration)),
        powerCut: () => void rig.crash(),
      };
    };
    const cases = storageCases.filter(({ name }) => name.includes("power cut"));
    failingCases(cases, make, (names) => {
      expect(names).to.include(
        "a batch that was answered with Flushed survives a power cut, and all before it",
      );
      done();
    });
  });

  it("keeps only so much to itself, and still a prefix", () => {
    const rig = new Rig(1, { lying: true });
    const batches = Array.from({ length: 1500 }, (_, i) => append(i + 1, `r${i}`));
    rig.ask(...batches);
    rig.get(Flushed, append(1501, "last"));
    expect(rig.disk.save().journal.length).to.be.at.most(1025);
    rig.crash();
    rig.start();
    const bounds = rig.disk.contents().bounds("ns");
    expect("last" in bounds && bounds.last).to.be.at.least(476);
  });

  it("is honest again when it is told to be", () => {
    for (let seed = 0; seed < 20; seed++) {
      const rig = new Rig(seed, { lying: true });
      rig.get(Flushed, put("a=1"));
      rig.disk.lying = false;
      rig.get(Flushed, put("b=2"));
      rig.get(Flushed, put("c=3"));
      rig.crash();
      rig.start();
      expect(dump(rig.disk.contents())).to.equal("ns: a=1 b=2 c=3 | 1: ");
    }
  });
});

describe("what rots on a disk", () => {
  const rotten = () => {
    const rig = new Rig(1);
    rig.ask(put("a=1"), put("b=2"), append(1, "one"));
    rig.ask(append(2, "two"));
    return rig;
  };

  it("is not read: the answer is the coded failure, and the storage is dead", () => {
    for (const read of [
      new ReadKey({ namespace: "ns", key: bytes("a") }),
      new Scan({ namespace: "ns" }),
      new ReadLog({ namespace: "ns", from: 1 }),
    ]) {
      const rig = rotten();
      rig.disk.rot(
        read instanceof ReadLog
          ? { namespace: "ns", index: 1 }
          : { namespace: "ns", key: bytes("a") },
      );
      rig.ask(new ReadKey({ namespace: "ns", key: bytes("b") }));
      expect(rig.client.lost).to.deep.equal([]);
      expect(rig.code(read)).to.equal("KITH_STORAGE_CORRUPT");
      expect(rig.client.lost.map(({ code }) => code)).to.deep.equal(["KITH_STORAGE_CORRUPT"]);
      expect(rig.code(put("c=3"))).to.equal("KITH_STORAGE_CORRUPT");
    }
  });

  it("keeps the storage from starting, unless it was written over", () => {
    const rig = rotten();
    rig.disk.rot({ namespace: "ns", key: bytes("a") });
    rig.crash();
    rig.start();
    expect(rig.disk.recovery?.refused).to.match(/key 0x61 of ns on n1/);
    expect(rig.client.lost.length).to.equal(1);
    expect(rig.code(put("c=3"))).to.equal("KITH_STORAGE_CORRUPT");
    rig.crash();
    rig.disk.wipe();
    rig.start();
    rig.get(Flushed, put("a=1"));
    const over = rotten();
    over.disk.rot({ namespace: "ns", key: bytes("a") });
    over.get(Flushed, put("a=other"));
    over.crash();
    over.start();
    expect(over.disk.recovery?.refused).to.equal(null);
  });

  it("is cut where it is the tail of the journal, and refused where something follows it", () => {
    const tail = rotten();
    tail.disk.rot("tail");
    tail.crash();
    tail.start();
    expect(tail.disk.recovery).to.include({ last: 3, cutBatches: 1, refused: null });
    expect(dump(tail.disk.contents())).to.equal("ns: a=1 b=2 | 1: one");
    tail.get(Flushed, append(2, "again"));

    const middle = rotten();
    middle.disk.rot("tail");
    middle.disk.faults.add(keptWrites());
    middle.ask(unflushed(append(3, "three")));
    middle.crash();
    middle.start();
    expect(middle.disk.recovery?.refused).to.match(/batch 4 on n1/);
    expect(middle.client.lost.length).to.equal(1);
  });
});

describe("a checkpoint of a disk", () => {
  it("goes on as the disk did, as often as it is loaded", () => {
    const engine = new Engine(9);
    const disk = new Disk(engine, "n1");
    const go = (): string => {
      const volume = disk.mount(1);
      disk.write(volume, "ns", append(volume.life + 1, "two").operations);
      const { micros, fails } = disk.beginFlush();
      disk.promise();
      disk.write(volume, "ns", put("b=2").operations);
      const view = volume.tables.value("ns", bytes("a"), 1);
      const mounted = dump(disk.contents());
      const crashed = JSON.stringify(disk.crash());
      return JSON.stringify([micros, fails, view, mounted, crashed, dump(disk.contents())]);
    };
    const volume = disk.mount(1);
    disk.write(volume, "ns", append(1, "one").operations);
    disk.write(volume, "ns", put("a=1").operations);
    volume.tables.openView("ns");
    disk.write(volume, "ns", put("a=2").operations);
    const saved = disk.save();
    const first = go();
    disk.load(saved);
    expect(go()).to.equal(first);
    disk.wipe();
    disk.load(saved);
    expect(go()).to.equal(first);
  });
});

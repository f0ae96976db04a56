import { expect } from "chai";
import {
  BeginInstall,
  CommitInstall,
  Flushed,
  InstallBegun,
  InstallChunk,
  KeyValue,
  ReadKey,
  Write,
} from "@kith/storage";
import {
  bitRot,
  DiskFaults,
  type DiskRule,
  failingFlush,
  fullDisk,
  keptWrites,
  lostWrites,
  readErrors,
  slowFlush,
  tornWrites,
} from "./disk-faults.ts";
import { append, bytes, dump, put, Rig, unflushed } from "./storage-kit.test.ts";

const read = new ReadKey({ namespace: "ns", key: bytes("a") });

describe("disk faults", () => {
  it("a failing flush kills the storage until the node starts anew", () => {
    const rig = new Rig(1);
    rig.get(Flushed, put("a=1"));
    const remove = rig.disk.faults.add(failingFlush(1));
    const [first, second] = rig.ask(put("b=2"), append(1, "one"));
    expect(first).to.include({ code: "KITH_STORAGE_FLUSH" });
    expect(second).to.include({ code: "KITH_STORAGE_FLUSH" });
    remove();
    expect(rig.client.lost.length).to.equal(1);
    expect(rig.code(read)).to.equal("KITH_STORAGE_FLUSH");
    expect(rig.code(put("c=3"))).to.equal("KITH_STORAGE_FLUSH");
    expect(rig.client.lost.length).to.equal(1);
    expect(rig.disk.faults.bites.get("failing flush")).to.equal(1);
    // A proper stop cannot write out what the device has refused.
    rig.stop();
    rig.start();
    expect(dump(rig.disk.contents())).to.match(/^ns: a=1( b=2)? \| 1: (one)?$/);
    rig.get(Flushed, put("c=3"));
  });

  it("stays dead when it is replaced", () => {
    const rig = new Rig(1);
    rig.disk.faults.add(failingFlush(1));
    rig.ask(put("b=2"));
    rig.swap();
    rig.settle();
    expect(rig.swaps).to.deep.equal(["swapped"]);
    expect(rig.code(read)).to.equal("KITH_STORAGE_FLUSH");
    expect(rig.client.lost.length).to.equal(1);
  });

  it("a slow flush takes longer", () => {
    const rig = new Rig(1);
    const remove = rig.disk.faults.add(slowFlush(1, 50, 60));
    const begin = rig.engine.micros;
    rig.get(Flushed, put("a=1"));
    expect(rig.engine.micros - begin).to.be.within(50_000, 63_000);
    remove();
    const after = rig.engine.micros;
    rig.get(Flushed, put("a=2"));
    expect(rig.engine.micros - after).to.be.below(3000);
    expect(rig.disk.faults.bites.get("slow flush")).to.equal(1);
  });

  it("a read error is for one read", () => {
    const rig = new Rig(1);
    rig.get(Flushed, put("a=1"));
    const remove = rig.disk.faults.add(readErrors(1));
    expect(rig.code(read)).to.equal("KITH_STORAGE_READ");
    remove();
    rig.get(KeyValue, new ReadKey({ namespace: "ns", key: bytes("a") }));
    expect(rig.client.lost.length).to.equal(0);
  });

  it("a full disk takes nothing more, and gives room back", () => {
    const rig = new Rig(1);
    const value = "x".repeat(100);
    rig.get(Flushed, put(`a=${value}`));
    const remove = rig.disk.faults.add(fullDisk(150));
    expect(rig.code(put(`b=${value}`))).to.equal("KITH_STORAGE_FULL");
    expect(rig.get(KeyValue, read).value?.length).to.equal(100);
    const { install } = rig.get(InstallBegun, new BeginInstall({ namespace: "ns" }));
    const entries = [{ key: bytes("c"), value: bytes(value) }];
    expect(rig.code(new InstallChunk({ install, entries }))).to.equal("KITH_STORAGE_FULL");
    rig.get(Flushed, new CommitInstall({ install, operations: [] }));
    rig.get(Flushed, put(`b=${value}`));
    expect(rig.code(put(`d=${value}`))).to.equal("KITH_STORAGE_FULL");
    rig.get(
      Flushed,
      new Write({ namespace: "ns", operations: [{ kind: "delete", key: bytes("b") }] }),
    );
    rig.get(Flushed, put(`d=${value}`));
    remove();
    rig.get(Flushed, put(`e=${value}`));
    expect(rig.disk.faults.bites.get("full disk")).to.equal(3);
  });

  it("bit rot hits what a flush has just written, and is found out sooner or later", () => {
    const seen = { cut: 0, refused: 0, intact: 0 };
    for (let seed = 0; seed < 60; seed++) {
      const rig = new Rig(seed);
      rig.disk.faults.add(bitRot(0.3));
      rig.get(Flushed, put("a=1"));
      rig.get(Flushed, append(1, "one"));
      rig.get(Flushed, put("b=2"));
      const bites = rig.disk.faults.bites.get("bit rot") ?? 0;
      rig.crash();
      rig.start();
      const { cutBatches = 0, refused = null } = rig.disk.recovery ?? {};
      if (refused !== null) seen.refused++;
      else if (cutBatches > 0) seen.cut++;
      else seen.intact++;
      if (bites === 0) expect(dump(rig.disk.contents())).to.equal("ns: a=1 b=2 | 1: one");
    }
    expect(seen.cut).to.be.above(0);
    expect(seen.refused).to.be.above(0);
    expect(seen.intact).to.be.above(0);
  });

  it("refuse probabilities that are none", () => {
    expect(() => failingFlush(1.5)).to.throw("KITH_SIM_ARGUMENT");
    expect(() => slowFlush(1, 5, 4)).to.throw("KITH_SIM_ARGUMENT");
  });
});

describe("the draws of disk faults", () => {
  const deeds = ["write", "flush", "read", "store", "crash"] as const;
  const rules = (): DiskRule[] => [
    failingFlush(0.3),
    slowFlush(0.3, 1, 9),
    readErrors(0.3),
    bitRot(0.3),
    lostWrites(0.3),
    tornWrites(0.3),
    keptWrites(0.3),
  ];
  /** What each rule draws for each deed, with only some of the rules installed. */
  const drawsOf = (installed: readonly DiskRule[]): Map<string, number[]> => {
    const draws = new Map<string, number[]>();
    const faults = new DiskFaults(1, "n1", () => undefined);
    for (const { name, judge } of installed) {
      const drawn: number[] = [];
      draws.set(name, drawn);
      faults.add({
        name,
        judge: (operation) => {
          drawn.push(operation.draw);
          return judge(operation);
        },
      });
    }
    for (const deed of deeds) {
      for (let number = 0; number < 50; number++) {
        faults.judge({ deed, number, bytes: 1, usedBefore: 0, used: 1, time: 0 });
      }
    }
    return draws;
  };

  it("are left as they were by removing any of the rules", () => {
    const all = drawsOf(rules());
    for (const removed of rules()) {
      const some = drawsOf(rules().filter(({ name }) => name !== removed.name));
      all.delete("");
      for (const [name, drawn] of some) {
        expect(drawn, `${name} without ${removed.name}`).to.deep.equal(all.get(name));
      }
    }
    const distinct = new Set([...all.values()].flat());
    expect(distinct.size).to.equal([...all.values()].flat().length);
  });

  it("leave latencies and crashes as they were", () => {
    const run = (rule: DiskRule | null): readonly unknown[] => {
      const rig = new Rig(4);
      const remove = rule === null ? null : rig.disk.faults.add(rule);
      rig.get(KeyValue, read);
      remove?.();
      rig.ask(put("a=1"), append(1, "one"));
      const { micros } = rig.client.answered.at(-1) ?? { micros: 0 };
      rig.ask(unflushed(put("b=2")));
      return [micros, rig.crash()];
    };
    // A rule that looks at every deed, and lets it be.
    expect(run({ name: "watching", judge: () => undefined })).to.deep.equal(run(null));
    expect(run(lostWrites(1))).to.deep.equal(run(null));
  });

  it("differ between nodes and seeds", () => {
    const draw = (seed: number, node: string): number => {
      let drawn = 0;
      const faults = new DiskFaults(seed, node, () => undefined);
      faults.add({
        name: "one",
        judge: (operation) => {
          drawn = operation.draw;
          return undefined;
        },
      });
      faults.judge({ deed: "read", number: 0, bytes: 1, usedBefore: 0, used: 0, time: 0 });
      return drawn;
    };
    expect(new Set([draw(1, "n1"), draw(2, "n1"), draw(1, "n2")]).size).to.equal(3);
  });
});

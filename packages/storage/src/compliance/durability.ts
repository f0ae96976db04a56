/** What survives: crashes, power cuts, failed flushes, full disks, and swaps of the provider. */

import { type Case, type Script, until, type Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import type { Operation } from "../operation.ts";
import {
  BeginInstall,
  ChunkTaken,
  CommitInstall,
  Flushed,
  InstallBegun,
  InstallChunk,
  ListNamespaces,
  OpenView,
  ReadKey,
  Scan,
  StorageFailed,
  ViewOpened,
  Write,
  Written,
} from "../port.ts";
import { bytes, Life, type StorageHarness } from "./harness.ts";
import { append, boundsOf, logged, ns, one, put, scanned, valueOf, write } from "./steps.ts";

type Hook = "crash" | "powerCut" | "failFlush" | "fill" | "swapProvider";

function needing(
  hooks: readonly Hook[],
  name: string,
  run: (harness: StorageHarness) => Script,
): Case<StorageHarness> {
  return { name, applies: (harness) => hooks.every((hook) => harness[hook] !== undefined), run };
}

/** A batch that leaves its number in the log, in a key of its own, and in another namespace. */
function numbered(n: number): Operation[] {
  return [
    append(n, `record ${n}`),
    put(`key ${String(n).padStart(4, "0")}`, "1"),
    put("last", String(n)),
    put("last", String(n), "mirror"),
  ];
}

/** How many numbered batches are there; all of them must be there as a whole, and none after them. */
function* prefix(life: Life): Generator<Wait, number, void> {
  const last = yield* valueOf(life, "last");
  const count = last === "null" ? 0 : Number(last);
  expect(yield* boundsOf(life), "the log of the same batches").to.equal(`1..${count}`);
  expect(yield* valueOf(life, "last", { namespace: "mirror" }), "the other namespace").to.equal(
    last,
  );
  const keys = (yield* scanned(life, { from: bytes("key "), to: bytes("key!") }))
    .split(" ")
    .filter((part) => part.endsWith("=1"));
  expect(keys, "the keys of the same batches").to.have.length(count);
  const records = yield* logged(life);
  expect(records).to.equal(
    `1:${Array.from({ length: count }, (_, i) => `record ${i + 1}`).join(" ")}`,
  );
  return count;
}

/** The cases about what survives. */
export const durabilityCases: readonly Case<StorageHarness>[] = [
  needing(
    ["crash"],
    "what was flushed is there after a crash of the process, views and installations are not",
    function* (harness) {
      let life = yield* Life.begin(harness);
      yield* write(life, [append(1, "x"), put("a", "1")]);
      const { view } = yield* life.ask(new OpenView({ namespace: ns }), ViewOpened);
      const { install } = yield* life.ask(new BeginInstall({ namespace: ns }), InstallBegun);
      yield* life.ask(
        new InstallChunk({ install, entries: [{ key: bytes("a"), value: bytes("staged") }] }),
        ChunkTaken,
      );
      life.crash();
      life = yield* Life.begin(harness);
      expect(yield* scanned(life)).to.equal("a=1");
      expect(yield* logged(life)).to.equal("1:x");
      const gone = yield* life.all([
        new Scan({ namespace: ns, view }),
        new CommitInstall({ install, operations: [] }),
      ]);
      expect(gone.map((answer) => Reflect.get(answer, "code"))).to.deep.equal([
        "KITH_STORAGE_VIEW",
        "KITH_STORAGE_INSTALL",
      ]);
      yield* write(life, [append(2, "y")]);
      life.crash();
      life = yield* Life.begin(harness);
      expect(yield* logged(life)).to.equal("1:x y");
    },
  ),
  needing(
    ["powerCut"],
    "a batch that was answered with Flushed survives a power cut, and all before it",
    function* (harness) {
      let life = yield* Life.begin(harness);
      for (let n = 1; n <= 5; n++) {
        const flush = n % 2 === 0;
        yield* life.all([new Write({ namespace: ns, operations: numbered(n), flush })]);
      }
      life.powerCut();
      life = yield* Life.begin(harness);
      expect(yield* prefix(life)).to.be.within(4, 5);
    },
  ),
  needing(
    ["powerCut"],
    "a power cut leaves a prefix of the batches, each of them whole",
    function* (harness) {
      let done = 0;
      for (let round = 0; round < 10; round++) {
        const life = yield* Life.begin(harness);
        const there = yield* prefix(life);
        expect(there).to.be.at.least(done);
        const requests = Array.from(
          { length: 12 },
          (_, i) =>
            new Write({
              namespace: ns,
              operations: numbered(there + 1 + i),
              flush: i === round % 4,
            }),
        );
        const answers = yield* life.all(requests);
        done = there;
        for (const [i, answer] of answers.entries())
          if (answer instanceof Flushed) done = Math.max(done, there + 1 + i);
        expect(done).to.be.above(there);
        // And some more, at which the cut comes before any answer.
        life.system.enter(() => {
          for (let i = 0; i < 8; i++)
            life.client.ask(new Write({ namespace: ns, operations: numbered(there + 13 + i) }));
        });
        life.powerCut();
      }
      const life = yield* Life.begin(harness);
      expect(yield* prefix(life)).to.be.at.least(done);
    },
  ),
  needing(
    ["powerCut"],
    "an installation is there as a whole after a power cut, or not at all",
    function* (harness) {
      let life = yield* Life.begin(harness);
      yield* write(life, [put("a", "old"), put("b", "old"), append(1, "x")]);
      const { install } = yield* life.ask(new BeginInstall({ namespace: ns }), InstallBegun);
      yield* life.ask(
        new InstallChunk({
          install,
          entries: ["b", "c"].map((key) => ({ key: bytes(key), value: bytes("new") })),
        }),
        ChunkTaken,
      );
      life.powerCut();
      life = yield* Life.begin(harness);
      expect(yield* scanned(life)).to.equal("a=old b=old");
      const again = yield* life.ask(new BeginInstall({ namespace: ns }), InstallBegun);
      yield* life.ask(
        new InstallChunk({
          install: again.install,
          entries: ["b", "c"].map((key) => ({ key: bytes(key), value: bytes("new") })),
        }),
        ChunkTaken,
      );
      yield* life.ask(
        new CommitInstall({ install: again.install, operations: [{ kind: "cut", to: 7 }] }),
        Flushed,
      );
      life.powerCut();
      life = yield* Life.begin(harness);
      expect(yield* scanned(life)).to.equal("b=new c=new");
      expect(yield* boundsOf(life)).to.equal("8..7");
    },
  ),
  needing(
    ["powerCut"],
    "a drop and a truncation that were flushed are not undone by a power cut",
    function* (harness) {
      let life = yield* Life.begin(harness);
      yield* write(life, [
        append(1, "x"),
        append(2, "y"),
        append(3, "z"),
        put("k", "1"),
        put("k", "1", "other"),
      ]);
      yield* write(life, [
        { kind: "truncate", from: 2 },
        { kind: "drop", namespace: "other" },
        { kind: "delete-range" },
      ]);
      life.powerCut();
      life = yield* Life.begin(harness);
      expect(yield* logged(life)).to.equal("1:x");
      expect(yield* scanned(life)).to.equal("");
      expect(yield* scanned(life, { namespace: "other" })).to.equal("");
    },
  ),
  needing(
    ["failFlush"],
    "a failed flush kills the provider: nothing is answered with success any more",
    function* (harness) {
      const life = yield* Life.begin(harness);
      yield* write(life, [put("a", "1")]);
      harness.failFlush?.();
      const answers = yield* life.all([
        new Write({ namespace: ns, operations: [put("a", "2")] }),
        new Write({ namespace: ns, operations: [put("a", "3")] }),
      ]);
      for (const answer of answers) expect(answer).to.have.property("code", "KITH_STORAGE_FLUSH");
      yield until("the users are told", () => life.client.lost.length > 0);
      const later = yield* life.all([
        new Write({ namespace: ns, operations: [put("a", "4")] }),
        new Write({ namespace: ns, operations: [] }),
        new Write({ namespace: ns, operations: [put("a", "5")], flush: false }),
        new ReadKey({ namespace: ns, key: bytes("a") }),
        new Scan({ namespace: ns }),
        new ListNamespaces(),
        new OpenView({ namespace: ns }),
        new BeginInstall({ namespace: ns }),
      ]);
      for (const answer of later) expect(answer).to.be.instanceOf(StorageFailed);
      expect(life.client.lost).to.have.length(1);
      expect(life.client.lost[0]?.code).to.equal("KITH_STORAGE_FLUSH");
    },
  ),
  needing(
    ["failFlush", "powerCut"],
    "after a failed flush and a new start, what was flushed before is there",
    function* (harness) {
      let life = yield* Life.begin(harness);
      for (let n = 1; n <= 3; n++)
        yield* life.ask(new Write({ namespace: ns, operations: numbered(n) }), Flushed);
      harness.failFlush?.();
      yield* life.ask(new Write({ namespace: ns, operations: numbered(4) }), StorageFailed);
      life.powerCut();
      life = yield* Life.begin(harness);
      expect(yield* prefix(life)).to.be.within(3, 4);
      yield* write(life, [put("goes on", "1")]);
    },
  ),
  needing(
    ["fill"],
    "a full disk refuses a batch as a whole, and takes what makes room",
    function* (harness) {
      const life = yield* Life.begin(harness);
      yield* write(life, [put("a", "1"), append(1, "x")]);
      harness.fill?.();
      const large = new Uint8Array(64 * 1024);
      const answer = yield* life.ask(
        new Write({ namespace: ns, operations: [put("b", "1"), append(2, "y"), put("c", large)] }),
        StorageFailed,
      );
      expect(answer.code).to.equal("KITH_STORAGE_FULL");
      expect(yield* scanned(life)).to.equal("a=1");
      expect(yield* logged(life)).to.equal("1:x");
      yield* write(life, [{ kind: "delete-range" }, { kind: "cut", to: 1 }]);
      yield* write(life, [put("d", "small")]);
      expect(yield* scanned(life)).to.equal("d=small");
    },
  ),
  needing(
    ["swapProvider"],
    "a swap of the provider keeps data, views, installations and what waits for a flush",
    function* (harness) {
      const life = yield* Life.begin(harness);
      yield* write(life, [append(1, "x"), put("a", "1")]);
      const { view } = yield* life.ask(new OpenView({ namespace: ns }), ViewOpened);
      const { install } = yield* life.ask(
        new BeginInstall({ namespace: "installed" }),
        InstallBegun,
      );
      yield* life.ask(
        new InstallChunk({ install, entries: [{ key: bytes("s"), value: bytes("1") }] }),
        ChunkTaken,
      );
      const numbers: number[] = [];
      life.system.enter(() => {
        for (let i = 0; i < 50; i++) {
          numbers.push(
            life.client.ask(
              new Write({ namespace: ns, operations: [append(i + 2, "y"), put("a", String(i))] }),
            ),
          );
        }
      });
      harness.swapProvider?.(life.system);
      yield until(
        "all is answered",
        () => numbers.length === 50 && numbers.every((n) => life.client.answers.has(n)),
      );
      for (const n of numbers)
        expect(life.client.answers.get(n)?.map(({ constructor }) => constructor)).to.deep.equal([
          Flushed,
        ]);
      yield* life.ask(new CommitInstall({ install, operations: [] }), Flushed);
      expect(yield* scanned(life)).to.equal("a=49");
      expect(yield* scanned(life, { view })).to.equal("a=1");
      expect(yield* scanned(life, { namespace: "installed" })).to.equal("s=1");
      expect(yield* boundsOf(life)).to.equal("1..51");
    },
  ),
  one("a batch that waits for no flush is answered, and visible", function* (life) {
    for (let n = 1; n <= 20; n++)
      yield* life.ask(new Write({ namespace: ns, operations: numbered(n), flush: false }), Written);
    expect(yield* prefix(life)).to.equal(20);
  }),
];

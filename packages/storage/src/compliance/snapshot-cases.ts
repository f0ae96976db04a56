/** Views and installations: snapshots that are taken, and snapshots that are put in place. */

import type { Case, Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import { after } from "../keys.ts";
import type { Entry } from "../operation.ts";
import {
  AbortInstall,
  BeginInstall,
  ChunkTaken,
  CloseView,
  CommitInstall,
  Entries,
  Flushed,
  InstallBegun,
  InstallChunk,
  OpenView,
  ReadBounds,
  ReadKey,
  ReadLog,
  Scan,
  StorageFailed,
  ViewOpened,
} from "../port.ts";
import { bytes, type Life, type StorageHarness } from "./harness.ts";
import { append, boundsOf, del, logged, ns, one, put, scanned, valueOf, write } from "./steps.ts";

function* openView(life: Life, namespace = ns): Generator<Wait, number, void> {
  return (yield* life.ask(new OpenView({ namespace }), ViewOpened)).view;
}

function* begin(life: Life, namespace = ns): Generator<Wait, number, void> {
  return (yield* life.ask(new BeginInstall({ namespace }), InstallBegun)).install;
}

function* stage(
  life: Life,
  install: number,
  ...keys: readonly string[]
): Generator<Wait, void, void> {
  yield* life.ask(new InstallChunk({ install, entries: keys.map(entry) }), ChunkTaken);
}

function entry(text: string): Entry {
  const [key = "", value = ""] = text.split("=");
  return { key: bytes(key), value: bytes(value) };
}

/** The cases about views and installations. */
export const snapshotCases: readonly Case<StorageHarness>[] = [
  one("a view shows the namespace as it was when it was opened", function* (life) {
    yield* write(life, [
      put("a", "1"),
      put("b", "1"),
      append(1, "x"),
      append(2, "y"),
      append(3, "z"),
    ]);
    const view = yield* openView(life);
    yield* write(life, [
      put("a", "2"),
      del("b"),
      put("c", "1"),
      { kind: "truncate", from: 3 },
      append(3, "Z"),
      append(4, "+"),
      { kind: "cut", to: 1 },
    ]);
    expect(yield* scanned(life, { view })).to.equal("a=1 b=1");
    expect(yield* valueOf(life, "a", { view })).to.equal("1");
    expect(yield* valueOf(life, "c", { view })).to.equal("null");
    expect(yield* boundsOf(life, { view })).to.equal("1..3");
    expect(yield* logged(life, { view })).to.equal("1:x y z");
    expect(yield* scanned(life)).to.equal("a=2 c=1");
    expect(yield* logged(life)).to.equal("2:y Z +");
    yield* write(life, [{ kind: "drop" }]);
    yield* write(life, [put("a", "3")]);
    expect(yield* scanned(life, { view })).to.equal("a=1 b=1");
    expect(yield* logged(life, { view })).to.equal("1:x y z");
    expect(yield* scanned(life)).to.equal("a=3");
  }),
  one("a snapshot can be streamed out of a view while writes go on", function* (life) {
    const keys = Array.from({ length: 300 }, (_, i) => String(1000 + i));
    yield* write(
      life,
      keys.map((key) => put(key, "before")),
    );
    const view = yield* openView(life);
    const seen: string[] = [];
    let from: Uint8Array | undefined;
    for (let more = true, round = 0; more; round++) {
      const bounds = from === undefined ? {} : { from };
      const chunk: Entries = yield* life.ask(
        new Scan({ namespace: ns, view, bytesMax: 250, ...bounds }),
        Entries,
      );
      seen.push(
        ...chunk.entries.map(
          ({ key, value }) => `${String.fromCharCode(...key)}=${String.fromCharCode(...value)}`,
        ),
      );
      const last = chunk.entries.at(-1);
      if (last !== undefined) from = after(last.key);
      ({ more } = chunk);
      yield* write(life, [
        put(String(1000 + ((round * 37) % 300)), "after"),
        del(String(1299 - round)),
        put(`${1000 + round * 10}x`, "new"),
      ]);
    }
    expect(seen).to.deep.equal(keys.map((key) => `${key}=before`));
  }),
  one("views are independent of each other, and of what does not exist yet", function* (life) {
    const none = yield* openView(life);
    yield* write(life, [put("a", "1")]);
    const first = yield* openView(life);
    yield* write(life, [put("a", "2")]);
    const second = yield* openView(life);
    yield* write(life, [del("a")]);
    life.tell(new CloseView({ view: first }));
    expect(yield* scanned(life, { view: none })).to.equal("");
    expect(yield* scanned(life, { view: second })).to.equal("a=2");
    expect(yield* scanned(life)).to.equal("");
  }),
  one("a view that is closed, unknown or of another namespace cannot be read", function* (life) {
    yield* write(life, [put("a", "1")]);
    const view = yield* openView(life);
    life.tell(new CloseView({ view: view + 1000 }));
    for (const wrong of [
      { namespace: "another", view },
      { namespace: ns, view: view + 1000 },
    ]) {
      const answers = yield* life.all([
        new Scan(wrong),
        new ReadKey({ ...wrong, key: bytes("a") }),
        new ReadBounds(wrong),
        new ReadLog({ ...wrong, from: 1 }),
      ]);
      for (const answer of answers) expect(answer).to.have.property("code", "KITH_STORAGE_VIEW");
    }
    life.tell(new CloseView({ view }));
    life.tell(new CloseView({ view }));
    expect((yield* life.ask(new Scan({ namespace: ns, view }), StorageFailed)).code).to.equal(
      "KITH_STORAGE_VIEW",
    );
  }),
  one("the number of views is bounded, and closing one makes room", function* (life) {
    const views: number[] = [];
    for (let i = 0; i < 2000; i++) {
      const [answer] = yield* life.all([new OpenView({ namespace: ns })]);
      if (!(answer instanceof ViewOpened)) {
        expect(answer).to.have.property("code", "KITH_STORAGE_VIEWS");
        break;
      }
      views.push(answer.view);
    }
    expect(views.length).to.be.within(2, 1999);
    expect(new Set(views).size).to.equal(views.length);
    life.tell(new CloseView({ view: views[0] ?? 0 }));
    yield* openView(life);
  }),
  one("an installation replaces all keys at its commit, and is invisible before", function* (life) {
    yield* write(life, [put("a", "old"), put("b", "old"), append(1, "x"), append(2, "y")]);
    const view = yield* openView(life);
    const install = yield* begin(life);
    yield* stage(life, install, "b=new", "c=new");
    yield* stage(life, install, "d=first");
    yield* stage(life, install, "d=second");
    expect(yield* scanned(life)).to.equal("a=old b=old");
    yield* write(life, [put("z", "written meanwhile")]);
    yield* life.ask(new CommitInstall({ install, operations: [put("e", "with it")] }), Flushed);
    expect(yield* scanned(life)).to.equal("b=new c=new d=second e=with it");
    expect(yield* logged(life)).to.equal("1:x y");
    expect(yield* scanned(life, { view })).to.equal("a=old b=old");
  }),
  one(
    "the operations of a commit are of its batch: they work on the log, or everything is refused",
    function* (life) {
      yield* write(life, [put("a", "old"), append(1, "x"), append(2, "y")]);
      const install = yield* begin(life);
      yield* stage(life, install, "a=new");
      const wrong = yield* life.ask(
        new CommitInstall({ install, operations: [append(9, "gap")] }),
        StorageFailed,
      );
      expect(wrong.code).to.equal("KITH_STORAGE_ARGUMENT");
      expect(yield* scanned(life)).to.equal("a=old");
      yield* life.ask(
        new CommitInstall({
          install,
          operations: [{ kind: "cut", to: 100 }, put("applied", "100")],
        }),
        Flushed,
      );
      expect(yield* scanned(life)).to.equal("a=new applied=100");
      expect(yield* boundsOf(life)).to.equal("101..100");
    },
  ),
  one("an installation that was aborted, replaced or committed is over", function* (life) {
    yield* write(life, [put("a", "old")]);
    const aborted = yield* begin(life);
    yield* stage(life, aborted, "a=aborted");
    life.tell(new AbortInstall({ install: aborted }));
    life.tell(new AbortInstall({ install: aborted }));
    const replaced = yield* begin(life);
    yield* stage(life, replaced, "a=replaced");
    const committed = yield* begin(life);
    yield* life.ask(new CommitInstall({ install: committed, operations: [] }), Flushed);
    expect(yield* scanned(life)).to.equal("");
    for (const install of [aborted, replaced, committed, 123_456]) {
      const answers = yield* life.all([
        new InstallChunk({ install, entries: [entry("a=late")] }),
        new CommitInstall({ install, operations: [put("b", "late")] }),
      ]);
      for (const answer of answers) expect(answer).to.have.property("code", "KITH_STORAGE_INSTALL");
    }
    expect(yield* scanned(life)).to.equal("");
  }),
  one("installations for several namespaces do not disturb each other", function* (life) {
    const [one_, two] = [yield* begin(life, "one"), yield* begin(life, "two")];
    yield* stage(life, one_, "k=1");
    yield* stage(life, two, "k=2");
    yield* life.ask(new CommitInstall({ install: two, operations: [] }), Flushed);
    expect(yield* scanned(life, { namespace: "one" })).to.equal("");
    yield* life.ask(new CommitInstall({ install: one_, operations: [] }), Flushed);
    expect(yield* scanned(life, { namespace: "one" })).to.equal("k=1");
    expect(yield* scanned(life, { namespace: "two" })).to.equal("k=2");
  }),
];

/** Members of a store: founding, splits, and what their leaders do unasked. */

import { bytesText, textBytes } from "@kith/paxos";
import { oneWay, partition } from "@kith/sim";
import { expect } from "chai";
import {
  asked,
  divided,
  expectQuiet,
  groups,
  memberWorld,
  numbersAt,
  stepUntil,
  type World,
} from "./member-kit.test.ts";
import { GroupSplit, SplitFailed } from "./operator.ts";
import { Applied, Apply, Commit, Committed, Get, Got, Put, Written } from "./port.ts";

const put = (key: string, text: string): Put => new Put({ key, value: textBytes(text) });
const add = (key: string): Apply => new Apply({ updates: [{ kind: "add", key, delta: 1n }] });
const text = ({ entry }: Got): string | null =>
  entry.value === null ? null : bytesText(entry.value);
const guest = 3;

/** Rows of a kind that any member has anywhere. */
function rows(world: World, letter: string): string[] {
  const found = new Set<string>();
  for (const node of world.nodes)
    for (const { table } of node.state === "up" ? node.root.replicas().values() : [])
      for (const key of table.cells.values.keys()) if (key.startsWith(letter)) found.add(key);
  return [...found];
}

/** Moves 1 from a to z, whatever is there. */
function transfer(world: World, index: number): Commit {
  const seen = ["a", "z"].map((key) => ({
    key,
    entry: asked(world, index, Got, new Get({ key })).entry,
  }));
  const value = (at: number, by: number): Uint8Array =>
    textBytes(String(Number(bytesText(seen[at]?.entry.value ?? textBytes("0"))) + by));
  return new Commit({
    reads: seen.map(({ key, entry }) => ({ key, version: entry.version })),
    writes: [
      { key: "a", write: { kind: "put", value: value(0, -1), expiry: "never" } },
      { key: "z", write: { kind: "put", value: value(1, 1), expiry: "never" } },
    ],
  });
}

describe("a member of a store", function () {
  this.timeout(120_000);

  it("deletes what is due, however many keys that are at a time", () => {
    const world = memberWorld(21);
    const value = textBytes("x");
    const updates = Array.from(
      { length: 1000 },
      (_, n) => ({ kind: "put", key: `a${n}`, value, expiry: 100 }) as const,
    );
    asked(world, guest, Applied, new Apply({ updates }));
    expect(rows(world, "ka")).length(1000);
    // One look of the caretaker, which gives 256 of them, and what follows from it.
    world.runFor(1800);
    expect(rows(world, "ka")).length(0);
  });

  it("founds a store with the others, once, and keeps it over a crash of all", () => {
    const world = memberWorld(1);
    asked(world, guest, Written, put("a", "one"));
    asked(world, 0, Written, put("z", "two"));
    for (const index of [0, 1, 2]) world.node(index).crash();
    for (const index of [0, 1, 2]) world.node(index).start();
    world.runFor(3000);
    expect(text(asked(world, guest, Got, new Get({ key: "a" })))).equal("one");
    expect(text(asked(world, 1, Got, new Get({ key: "z" })))).equal("two");
    // Asked again it finds that all is there.
    for (const index of [0, 1, 2]) world.node(index).root.found();
    world.until(() => [0, 1, 2].every((index) => world.node(index).root.founded === 1));
    expect(text(asked(world, guest, Got, new Get({ key: "a" })))).equal("one");
    expect(expectQuiet(world)).equal(groups.length);
  });

  it("splits a group on an operator's word, from anywhere, once", () => {
    const world = memberWorld(2);
    for (let i = 0; i < 3; i++)
      for (const key of ["b", "d", "f"]) asked(world, guest, Applied, add(key));
    const first = divided(world, guest, "g0", "d");
    expect(first).instanceOf(GroupSplit);
    const { right } = first as GroupSplit;
    expect(right).deep.include({ lo: "d", hi: "m" });
    expect(numbersAt(world, guest, ["b", "d", "f"])).deep.equal([3, 3, 3]);
    for (const key of ["b", "d", "f"]) asked(world, 1, Applied, add(key));
    // What was not told before goes on where the key is now.
    expect(numbersAt(world, 4, ["b", "d", "f"])).deep.equal([4, 4, 4]);
    // The same again is no other split.
    expect((divided(world, 0, "g0", "d") as GroupSplit).right.gid).equal(right.gid);
    expect(divided(world, 0, "g0", "z")).instanceOf(SplitFailed);
    expect(divided(world, guest, right.gid, "f")).instanceOf(GroupSplit);
    for (const key of ["b", "d", "f"]) asked(world, guest, Applied, add(key));
    expect(numbersAt(world, 2, ["b", "d", "f"])).deep.equal([5, 5, 5]);
    world.runFor(3000);
    expect(expectQuiet(world)).equal(groups.length + 2);
  });

  it("deletes keys when their time has passed", () => {
    const world = memberWorld(3);
    const expiring = new Apply({
      updates: [{ kind: "put", key: "a", value: textBytes("x"), expiry: 4000 }],
    });
    asked(world, guest, Applied, expiring);
    world.runFor(2000);
    expect(text(asked(world, guest, Got, new Get({ key: "a" })))).equal("x");
    world.runFor(4000);
    expect(text(asked(world, guest, Got, new Get({ key: "a" })))).equal(null);
    expect(rows(world, "e")).deep.equal([]);
    expectQuiet(world);
  });

  it("closes the sessions of clients that are gone", () => {
    const world = memberWorld(4, { caretaker: { idle: 20_000 } });
    asked(world, guest, Committed, transfer(world, guest));
    const before = rows(world, "s").length;
    expect(before).greaterThan(0);
    world.node(guest).crash();
    world.runFor(40_000);
    expect(rows(world, "s")).deep.equal([]);
    expect(rows(world, "t")).deep.equal([]);
    expect(rows(world, "a")).deep.equal([]);
    // Who comes back is another client.
    world.node(guest).start();
    asked(world, guest, Committed, transfer(world, guest));
    expectQuiet(world);
  });

  it("closes no session whose transaction is open in a group that is out of reach", () => {
    const world = memberWorld(5, { caretaker: { idle: 10_000, doubt: 3000 } }, true);
    const [client, other] = [6, 7];
    asked(world, client, Committed, transfer(world, client));
    // The locks of the first one may be left with those who hear of its end later than its client.
    world.until(() => rows(world, "l").length === 0);
    const commit = transfer(world, client);
    world.node(client).root.ask(commit);
    stepUntil(world, 2000, () => rows(world, "l").length >= 2);
    // The group of z votes, and does not hear the outcome, which the group of a has carried out.
    const far = ["n4", "n5", "n6"];
    const deaf = world.rule(oneWay(["n7"], far));
    stepUntil(world, 2000, () => !rows(world, "l").includes("la"));
    expect(rows(world, "l")).deep.equal(["lz"]);
    deaf();
    // The client is gone, and that group is out of everybody's reach, for longer than sessions are kept.
    world.node(client).crash();
    const near = world.nodes.map(({ name }) => name).filter((name) => !far.includes(name));
    const mend = world.rule(partition(near, far));
    const sessions = rows(world, "s");
    world.runFor(30_000);
    expect(rows(world, "s").filter((key) => sessions.includes(key))).not.deep.equal([]);
    expect(rows(world, "l")).not.deep.equal([]);
    mend();
    world.runFor(30_000);
    expect(rows(world, "l")).deep.equal([]);
    const [a, z] = numbersAt(world, other, ["a", "z"]);
    expect([a, z]).deep.equal([-2, 2]);
    world.runFor(30_000);
    expect(rows(world, "t")).deep.equal([]);
    expectQuiet(world);
  });

  it("leaves a transaction in peace whose coordinator says that it is only slow", () => {
    const world = memberWorld(
      8,
      { caretaker: { doubt: 2000 }, client: { commitMs: 20_000, withinMs: 30_000 } },
      true,
    );
    const client = 6;
    asked(world, client, Committed, transfer(world, client));
    world.until(() => rows(world, "l").length === 0);
    const commit = transfer(world, client);
    const { root } = world.node(client);
    const { length } = root.answers;
    // What it asks one of the groups does not arrive there for a while.
    const mend = world.rule(oneWay(["n7"], ["n4", "n5", "n6"]));
    root.ask(commit);
    stepUntil(world, 2000, () => rows(world, "l").length > 0);
    world.runFor(8000);
    expect(rows(world, "l")).deep.equal(["la"]);
    mend();
    world.until(() => root.answers.length > length, { within: 20_000 });
    expect(root.answers[length]).instanceOf(Committed);
    expectQuiet(world);
  });

  it("ends what a coordinator has left behind, whenever it was killed", () => {
    let answered = 0;
    let committed = 0;
    let open = 0;
    for (let kill = 1; kill < 60; kill++) {
      const world = memberWorld(6, { caretaker: { doubt: 3000 } });
      asked(world, 4, Committed, transfer(world, 4));
      const commit = transfer(world, guest);
      let messages = 0;
      world.rule({
        name: "count",
        judge: ({ from, to, tag }) => {
          if ((from === "n4" || to === "n4") && tag !== "") messages++;
          return undefined;
        },
      });
      const { root } = world.node(guest);
      const { length } = root.answers;
      root.ask(commit);
      const done = stepUntil(world, 3000, () => messages >= kill);
      const answer = root.answers[length];
      world.node(guest).crash();
      if (rows(world, "l").length > 0) open++;
      world.runFor(12_000);
      // By the leaders: nobody has asked for these keys since.
      expect(rows(world, "l"), `killed after ${kill} messages`).deep.equal([]);
      const [a, z] = numbersAt(world, 4, ["a", "z"]);
      expect([-1, -2], `killed after ${kill} messages`).include(a);
      expect(z).equal(-(a ?? 0));
      if (answer instanceof Committed) expect(a).equal(-2);
      if (answer !== undefined) answered++;
      if (a === -2) committed++;
      expectQuiet(world);
      if (!done) break;
    }
    expect(answered).greaterThan(0);
    expect(committed).greaterThan(answered);
    expect(open).greaterThan(1);
  });
});

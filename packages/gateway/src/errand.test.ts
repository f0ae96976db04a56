/** Transactions and walks through all keys, on a store that a test plays. */

import {
  Aborted,
  Ambiguous,
  Applied,
  Apply,
  Browse,
  Browsed,
  Busy,
  Commit,
  Committed,
  Entries,
  NotDone,
  Read,
  Refused,
  type StoreAnswer,
} from "@kith/store";
import { expect } from "chai";
import { type Action, isAction } from "./commands/action.ts";
import { commandNamed } from "./commands/table.ts";
import {
  allKeys,
  deleteAll,
  type Errand,
  randomKey,
  transact,
  type Watched,
  type Wish,
  type World,
} from "./errand.ts";
import { Past } from "./past.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const nobody: Watched = new Map();

/** A world whose time passes when an errand pauses. */
function worldOf(withinMs = 1000): World & { time: number } {
  return {
    withinMs,
    time: 0,
    now() {
      return this.time;
    },
    draw: () => 0.5,
    overtaken: () => undefined,
    past: new Past(),
  };
}

function action(...words: string[]): Action {
  const request = words.map((word) => Buffer.from(word));
  const planned = commandNamed(words[0] ?? "")?.plan?.(request, { wall: 0 });
  if (planned === undefined || !isAction(planned)) throw new Error("That is no action.");
  return planned;
}

/** Plays the store: gives these answers, and keeps what was asked. */
function play<T>(
  errand: Errand<T>,
  world: { time: number },
  answers: readonly (StoreAnswer | ((wish: Wish) => StoreAnswer))[],
): { readonly result: T; readonly asked: Wish[] } {
  const asked: Wish[] = [];
  const left = [...answers];
  let next = errand.next(null);
  while (next.done !== true) {
    asked.push(next.value);
    if ("pauseMs" in next.value) {
      world.time += next.value.pauseMs;
      next = errand.next(null);
      continue;
    }
    const answer = left.shift();
    if (answer === undefined) throw new Error(`Nobody expected ${next.value.constructor.name}.`);
    next = errand.next(typeof answer === "function" ? answer(next.value) : answer);
  }
  expect(left).deep.equal([]);
  return { result: next.value, asked };
}

const entry = (key: string, value: string | null, version: number) => ({
  key,
  value: value === null ? null : bytes(value),
  version,
  expiresIn: null,
});
const entries = (...list: ReturnType<typeof entry>[]): Entries =>
  new Entries({ entries: list, next: null });
const names = (asked: readonly Wish[]): string[] =>
  asked.map((one) => ("pauseMs" in one ? "pause" : one.constructor.name));

describe("a transaction", () => {
  it("of counters alone is one request, and nothing is read", () => {
    const world = worldOf();
    const updated = [
      { version: 3, after: bytes("1") },
      { version: 3, before: bytes("x") },
      { version: 3, after: bytes("2") },
    ];
    const { result, asked } = play(
      transact([action("incr", "a"), action("get", "b"), action("incr", "a")], nobody, world),
      world,
      [new Applied({ updated })],
    );
    expect(names(asked)).deep.equal(["Apply"]);
    expect(result).deep.equal([
      { kind: "integer", value: "1" },
      { kind: "bytes", bytes: bytes("x") },
      { kind: "integer", value: "2" },
    ]);
  });

  it("reads, and commits with what it has read; where that is overtaken, again", () => {
    const world = worldOf();
    const { result, asked } = play(
      transact([action("incr", "a"), action("setrange", "b", "0", "x")], nobody, world),
      world,
      [
        entries(entry("a", "1", 5), entry("b", null, 0)),
        new Aborted({}),
        entries(entry("a", "2", 6), entry("b", "yz", 7)),
        new Committed(),
      ],
    );
    expect(names(asked)).deep.equal(["Read", "Commit", "pause", "Read", "Commit"]);
    const [, , , read, commit] = asked;
    if (!(read instanceof Read)) throw new Error("It has not read again.");
    expect(read.attempt).equal(1);
    if (!(commit instanceof Commit)) throw new Error("It has not committed.");
    expect(commit.reads).deep.equal([
      { key: "a", version: 6 },
      { key: "b", version: 7 },
    ]);
    expect(
      commit.writes.map(({ key, write }) => [
        key,
        "value" in write && Buffer.from(write.value).toString(),
      ]),
    ).deep.equal([
      ["a", "3"],
      ["b", "xz"],
    ]);
    expect(result).deep.equal([
      { kind: "integer", value: "3" },
      { kind: "integer", value: 2 },
    ]);
  });

  it("writes without reading where no reply depends on what was there", () => {
    const world = worldOf();
    const { asked } = play(
      transact([action("mset", "a", "1", "b", "2"), action("get", "a")], nobody, world),
      world,
      [new NotDone({ reason: "scattered" }), new Committed()],
    );
    expect(names(asked)).deep.equal(["Apply", "Commit"]);
    expect(asked[1]).deep.include({ reads: [] });
  });

  it("says that a watched key has changed only where its version says so", () => {
    const world = worldOf();
    const watched = new Map([["w", 4]]);
    const first = play(transact([action("set", "a", "1")], watched, world), world, [
      new Aborted({}),
      entries(entry("w", "x", 4)),
      new Aborted({}),
      entries(entry("w", "x", 4)),
      new Committed(),
    ]);
    expect(first.result).deep.equal([{ kind: "status", text: "OK" }]);
    expect(first.asked[0])
      .instanceOf(Commit)
      .deep.include({ reads: [{ key: "w", version: 4 }] });
    const second = play(transact([action("set", "a", "1")], watched, world), world, [
      new Aborted({}),
      entries(entry("w", null, 0)),
    ]);
    expect(second.result).equal("changed");
    // Also where nothing is written.
    const third = play(transact([], watched, world), world, [
      new Aborted({}),
      entries(entry("w", "y", 5)),
    ]);
    expect(third.result).equal("changed");
  });

  it("is tried until its time is over, and says what is known then", () => {
    const world = worldOf(100);
    let reads = 0;
    const answers = Array.from({ length: 100 }, () => (wish: Wish) => {
      if (wish instanceof Read) reads++;
      return wish instanceof Read
        ? entries(entry("a", "1", 5), entry("b", "1", 5))
        : new Aborted({});
    });
    const changes = [action("setrange", "a", "0", "x"), action("incr", "b")];
    const errand = transact(changes, nobody, world);
    let next = errand.next(null);
    while (next.done !== true) {
      if ("pauseMs" in next.value) {
        world.time += next.value.pauseMs;
        next = errand.next(null);
      } else next = errand.next((answers.shift() ?? (() => new Busy()))(next.value));
    }
    expect(reads).above(2);
    const outcome: unknown = next.value;
    expect(outcome).property("kind", "error");
    expect(outcome)
      .property("text")
      .match(/^TRYAGAIN others have changed/);
  });

  it("ends with the first answer that leaves nothing to try", () => {
    const world = worldOf();
    const ends: [StoreAnswer, RegExp][] = [
      [new Ambiguous(), /^UNKNOWN nobody can know/],
      [new NotDone({ reason: "timeout" }), /^TRYAGAIN .* in time: nothing was done/],
      [new NotDone({ reason: "stopped" }), /^TRYAGAIN this peer stops/],
      [new Refused({ at: 0, reason: "too-large", value: null, version: 0 }), /^ERR string exceeds/],
    ];
    for (const [answer, expected] of ends) {
      const { result } = play(transact([action("setrange", "a", "0", "x")], nobody, world), world, [
        entries(entry("a", null, 0)),
        answer,
      ]);
      expect(result).property("text").match(expected);
    }
  });
});

describe("a walk through all keys", () => {
  it("goes on page by page, and keeps to its bound", () => {
    const world = worldOf();
    const pages = [
      new Browsed({ keys: ["a", "b"], next: 5 }),
      new Browsed({ keys: [], next: 9 }),
      new Browsed({ keys: ["c"], next: null }),
    ];
    const { result, asked } = play(
      allKeys((key) => key !== "b", 1000, world),
      world,
      pages,
    );
    expect(result).deep.include({
      items: [
        { kind: "text", text: "a" },
        { kind: "text", text: "c" },
      ],
    });
    expect(asked.map((one) => one instanceof Browse && one.from)).deep.equal([0, 5, 9]);
    expect(
      play(
        allKeys(() => true, 20, world),
        world,
        pages.slice(0, 1),
      ).result,
    ).deep.include({ kind: "error" });
  });

  it("finds some key wherever it begins, and none where there is none", () => {
    const world = worldOf();
    const empty = new Browsed({ keys: [], next: null });
    const found = play(randomKey(100, world), world, [
      empty,
      new Browsed({ keys: ["a"], next: 7 }),
    ]);
    expect(found.result).deep.equal({ kind: "text", text: "a" });
    expect(found.asked.map((one) => one instanceof Browse && one.from)).deep.equal([50, 0]);
    expect(play(randomKey(100, world), world, [empty, empty]).result).deep.equal({ kind: "null" });
  });

  it("deletes what lies in one group at once, and looks for the border where it does not", () => {
    const world = worldOf();
    const deleted: string[] = [];
    const remove = (wish: Wish): StoreAnswer => {
      if (!(wish instanceof Apply)) throw new Error("That is no Apply.");
      const keys = wish.updates.map(({ key }) => key);
      if (keys.includes("b") && keys.includes("c")) return new NotDone({ reason: "scattered" });
      deleted.push(...keys);
      return new Applied({ updated: [] });
    };
    const page = new Browsed({ keys: ["a", "b", "c", "d"], next: null });
    expect(play(deleteAll(world), world, [page, remove, remove, remove]).result).deep.include({
      text: "OK",
    });
    expect(deleted).deep.equal(["a", "b", "c", "d"]);
  });
});

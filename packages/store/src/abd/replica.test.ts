/** A member of the store on quorums by itself: when it serves, seals, hands over and forgets, and what a disk brings back. */

import { textBytes } from "@kith/paxos";
import type { Operation } from "@kith/storage";
import { expect } from "chai";
import type { MemberWord, PhaseReply } from "./messages.ts";
import { remember, rowOperation } from "./records.ts";
import {
  type Client,
  hear,
  type Outgoing,
  type Remembered,
  type Replica,
  replica,
  serve,
} from "./replica.ts";
import type { Stamped } from "./stamp.ts";
import { followersOf, type View, type ViewChange, viewName } from "./view.ts";

const member = (peerId: number) => ({ peerId, host: `n${peerId}`, port: 7000 });
const first: View = { rid: "r", version: 1, lo: "", hi: null, members: [1, 2, 3].map(member) };
const replaced: ViewChange = { kind: "replace", members: [1, 2, 4].map(member) };
const client: Client = { peer: { ...member(9), incarnation: 1 }, name: "c" };
const nothing = (): Remembered => ({
  views: [],
  handovers: [],
  decisions: [],
  past: [],
  hints: [],
  data: new Map(),
});

function born(self: number, views: readonly View[] = [first]): Replica {
  return replica({ self, life: 1, seed: 1, now: 0 }, views, nothing());
}

/** What it says and has not said before. */
function said(state: Replica): Outgoing[] {
  return state.out.letters.splice(0).map(({ what }) => what);
}

function words<K extends MemberWord["kind"]>(
  state: Replica,
  kind: K,
): Extract<MemberWord, { kind: K }>[] {
  const isOf = (word: MemberWord): word is Extract<MemberWord, { kind: K }> => word.kind === kind;
  return said(state).flatMap((what) => ("word" in what && isOf(what.word) ? [what.word] : []));
}

let lastPhase = 0;

function ask(state: Replica, position: string, keep: Stamped | null = null): PhaseReply {
  said(state);
  serve(state, client, { phase: ++lastPhase, position, keep });
  const [what] = said(state);
  if (what === undefined || !("reply" in what)) throw new Error("There is no reply.");
  return what.reply;
}

const written = (count: number, text: string): Stamped => ({
  stamp: { count, writer: "w", operation: count },
  value: textBytes(text),
});

/** Another life, with what the rows of this one say. */
function reborn(state: Replica, rows: Map<string, Uint8Array>): Replica {
  const entries = [...rows].map(([key, value]) => ({ key: textBytes(key), value }));
  return replica({ self: state.self, life: 2, seed: 1, now: 0 }, [first], remember(entries));
}

/** Writes what has to be written, as a disk does. */
function flush(state: Replica, rows: Map<string, Uint8Array>): void {
  for (const row of state.out.dirty) apply(rowOperation(state, row), rows);
  state.out.dirty.clear();
}

function apply(operation: Operation, rows: Map<string, Uint8Array>): void {
  if (operation.kind !== "put" && operation.kind !== "delete") throw new Error(operation.kind);
  const key = String.fromCharCode(...operation.key);
  if (operation.kind === "put") rows.set(key, operation.value);
  else rows.delete(key);
}

describe("a member of the store on quorums", () => {
  it("serves what lies in its view, says in which, and waits for its rows", () => {
    const state = born(1);
    expect(ask(state, "k", written(1, "one")).view).deep.equal(first);
    serve(state, client, { phase: 100, position: "k", keep: null });
    const [letter] = state.out.letters;
    expect(letter?.after).include.members(["kk", "vr@1"]);
    expect(ask(state, "k").has).deep.equal(written(1, "one"));
    ask(state, "k", written(3, "three"));
    ask(state, "k", written(2, "two"));
    expect(ask(state, "k").has).deep.equal(written(3, "three"));
  });

  it("serves nothing where it has no part, and says who has", () => {
    const reply = ask(born(7), "k");
    expect([reply.view, reply.known]).deep.equal([null, [first]]);
  });

  it("seals its view before it hands over", () => {
    const state = born(1);
    ask(state, "k", written(1, "one"));
    const next = followersOf(first, replaced);
    hear(state, 4, { kind: "pull", view: first, next, from: "" });
    const [letter] = state.out.letters.filter(
      ({ what }) => "word" in what && what.word.kind === "page",
    );
    expect(letter?.after).include.members(["hr@1", "kk"]);
    const [page] = words(state, "page");
    expect(page?.copied).deep.equal([["k", written(1, "one")]]);
    // From now on it serves in the view that follows, and never again in the one before.
    expect(ask(state, "k").view?.version).equal(2);
  });

  it("serves nothing more where the next view is without it, also in another life", () => {
    const state = born(3);
    const rows = new Map<string, Uint8Array>();
    ask(state, "k", written(1, "one"));
    flush(state, rows);
    const next = followersOf(first, replaced);
    hear(state, 1, { kind: "install", view: first, next });
    flush(state, rows);
    for (const life of [state, reborn(state, rows)]) {
      const reply = ask(life, "k");
      expect([reply.view, reply.known.map(viewName)]).deep.equal([null, ["r@2"]]);
      expect(life.data.size, "until all have the next view").equal(1);
    }
  });

  it("forgets what it has no part in once all members of the next view use that", () => {
    const state = born(3);
    ask(state, "k", written(1, "one"));
    const next = followersOf(first, replaced);
    hear(state, 1, { kind: "install", view: first, next });
    for (const from of [1, 2]) hear(state, from, { kind: "installed", view: "r@1" });
    expect(state.data.size).equal(1);
    hear(state, 4, { kind: "installed", view: "r@1" });
    expect(state.data.size).equal(0);
    // What comes late does not bring it back.
    hear(state, 1, { kind: "install", view: first, next });
    expect(ask(state, "k").view).equal(null);
  });

  it("serves as a new member once a majority of the view before has handed over", () => {
    const state = born(4, []);
    const next = followersOf(first, replaced);
    hear(state, 1, { kind: "install", view: first, next });
    const page = { kind: "page", view: "r@1", from: "", next: null } as const;
    expect(ask(state, "k").view).equal(null);
    hear(state, 1, { ...page, copied: [["k", written(1, "one")]] });
    expect(ask(state, "k").view).equal(null);
    hear(state, 1, { ...page, copied: [["k", written(1, "one")]] });
    expect(ask(state, "k").view, "one source counts once").equal(null);
    hear(state, 3, { ...page, copied: [["k", written(2, "two")]] });
    const reply = ask(state, "k");
    expect([reply.view?.version, reply.has]).deep.equal([2, written(2, "two")]);
  });

  it("splits in place: both parts serve at once, and keep their data", () => {
    const state = born(2);
    ask(state, "a", written(1, "low"));
    ask(state, "z", written(2, "high"));
    const next = followersOf(first, { kind: "split", at: "m" });
    hear(state, 1, { kind: "install", view: first, next });
    expect([ask(state, "a").view?.rid, ask(state, "z").view?.rid]).deep.equal(["r", "r/1"]);
    for (const from of [1, 3]) hear(state, from, { kind: "installed", view: "r@1" });
    expect([ask(state, "a").has, ask(state, "z").has]).deep.equal([
      written(1, "low"),
      written(2, "high"),
    ]);
  });

  it("keeps what it has copied for a part of a view that it leaves late, also in another life", () => {
    const split = followersOf(first, { kind: "split", at: "m" });
    const [, part = first] = split;
    const [second = part] = followersOf(part, replaced);
    const [third = part] = followersOf(second, { kind: "replace", members: first.members });
    const state = born(3);
    const rows = new Map<string, Uint8Array>();
    const copied = [["z", written(1, "acknowledged")]] as const;
    const page = { kind: "page", view: viewName(second), from: "m", copied, next: null } as const;
    const come = (): void => {
      // It was out of reach of 1 and 2, and hears first of what came last.
      hear(state, 4, { kind: "install", view: second, next: [third] });
      for (const from of [4, 1]) hear(state, from, page);
      flush(state, rows);
    };
    come();
    hear(state, 1, { kind: "install", view: first, next: split });
    hear(state, 1, { kind: "install", view: part, next: [second] });
    for (const from of [1, 2, 4])
      for (const view of [first, part])
        hear(state, from, { kind: "installed", view: viewName(view) });
    flush(state, rows);
    // Whoever serves in the third view has what a majority of the second had.
    expect(ask(reborn(state, rows), "z").view).equal(null);
    come();
    for (const life of [state, reborn(state, rows)]) {
      const reply = ask(life, "z");
      expect(reply.view && viewName(reply.view)).equal(viewName(third));
      expect(reply.has).deep.equal(written(1, "acknowledged"));
    }
  });

  it("does not go back to the first view of a part in which it has come further", () => {
    const split = followersOf(first, { kind: "split", at: "m" });
    const [, part = first] = split;
    const [second = part] = followersOf(part, replaced);
    const [third = part] = followersOf(second, { kind: "replace", members: first.members });
    // A member of the part's third view that was none of the store when that began.
    const state = born(3, []);
    hear(state, 4, { kind: "install", view: second, next: [third] });
    const page = { kind: "page", from: "m", copied: [], next: null } as const;
    for (const from of [1, 4]) hear(state, from, { ...page, view: viewName(second) });
    ask(state, "z", written(1, "acknowledged"));
    // It hears late of the whole that it was to have a part in.
    const before: View = { ...first, version: 0, members: [1, 2, 4].map(member) };
    hear(state, 1, { kind: "install", view: before, next: [first] });
    for (const from of [1, 4]) hear(state, from, { ...page, from: "", view: viewName(before) });
    hear(state, 1, { kind: "install", view: first, next: split });
    hear(state, 1, { kind: "install", view: part, next: [second] });
    for (const from of [1, 2, 4])
      for (const view of [first, part])
        hear(state, from, { kind: "installed", view: viewName(view) });
    const reply = ask(state, "z");
    expect([reply.view && viewName(reply.view), reply.has]).deep.equal([
      viewName(third),
      written(1, "acknowledged"),
    ]);
  });

  it("has all of it again in another life", () => {
    const state = born(1);
    const rows = new Map<string, Uint8Array>();
    const long = "\u00ff".repeat(4000);
    ask(state, long, written(1, "long"));
    ask(state, "k", { ...written(2, ""), value: null });
    flush(state, rows);
    const again = reborn(state, rows);
    expect(ask(again, long).has).deep.equal(written(1, "long"));
    expect(ask(again, "k").has).deep.equal({ ...written(2, ""), value: null });
  });
});

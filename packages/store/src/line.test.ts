/** The line at keys that many want: who goes on when, and what a command is to those who wait. */

import { textBytes } from "@kith/paxos";
import { expect } from "chai";
import type { Command } from "./command.ts";
import {
  end,
  holdMs,
  isHeld,
  isOver,
  isWanted,
  leave,
  type Line,
  look,
  newLine,
  proceed,
  resume,
  wasRead,
} from "./line.ts";
import type { Reading } from "./query.ts";
import { nameOf } from "./rows.ts";

const ticket = { client: "c".repeat(16), seq: 1, ackedBelow: 1, token: { gid: "g", index: 1 } };

function comes(line: Line<string>, who: string, keys: string[], holds = true): void {
  line.queue.push({ who, keys, holds });
}

function goOn(line: Line<string>, now: number): string[] {
  return proceed(line, now).map(({ who }) => who);
}

function at(position: string, version: number, lockedBy: string | null = null): Reading {
  return { position, version, lockedBy, expiresIn: 0, value: textBytes("1"), present: true };
}

function write(reads: [string, number][], keys: string[]): Command {
  return {
    kind: "execute",
    ticket,
    reads: reads.map(([position, version]) => ({ position, version })),
    operations: keys.map((position) => ({ kind: "set", position, value: textBytes("2") })),
  };
}

describe("a transaction in a line", () => {
  const name = nameOf(ticket);
  const enters = (line: Line<string>, who: string, tx: string): void => {
    line.queue.push({ who, keys: ["k"], holds: true, tx });
  };

  it("has its keys until it has ended, and is told from others with the same versions", () => {
    const line = newLine<string>();
    enters(line, "a", name);
    enters(line, "b", "other");
    expect(proceed(line, 0)).deep.equal([{ who: "a", hold: 1, tx: name }]);
    look(line, prepareOf(1));
    expect(line.holds.get("k")?.tx).equal(name);
    const finish = { kind: "finish", tx: ticket, committed: true, participants: [], keys: ["k"] };
    expect(look(line, finish as Command)).deep.equal({ passes: true, ends: [1] });
    end(line, [1]);
    expect(goOn(line, 1)).deep.equal(["b"]);
    // One that did not enter does not become its holder.
    look(line, prepareOf(1));
    expect(line.holds.get("k")?.tx).equal("other");
  });

  it("leaves it, wherever it is", () => {
    const line = newLine<string>();
    enters(line, "a", name);
    goOn(line, 0);
    enters(line, "b", "other");
    enters(line, "c", "third");
    expect(leave(line, "other")).deep.equal(["b"]);
    expect(leave(line, name)).deep.equal([]);
    expect(isHeld(line, 1)).equal(false);
    expect(goOn(line, 1)).deep.equal(["c"]);
  });

  it("takes over what was kept for it since it read, and nothing else", () => {
    const line = newLine<string>();
    comes(line, "a", ["k"]);
    goOn(line, 0);
    wasRead(line, 1, [at("k", 7)]);
    expect(resume(line, [{ position: "k", expected: 6 }])).equal(false);
    expect(resume(line, [{ position: "k", expected: 7 }])).equal(true);
    expect(isOver(line)).equal(true);
  });
});

function prepareOf(expected: number): Command {
  const parts = [{ position: "k", expected, write: null }];
  return { kind: "prepare", ticket, participants: [], parts, bodyHash: 1, hint: "" };
}

describe("a line at keys", () => {
  it("lets one after the other have a key, in the order in which they came", () => {
    const line = newLine<string>();
    for (const who of ["a", "b", "c"]) comes(line, who, ["k"]);
    expect(goOn(line, 0)).deep.equal(["a"]);
    expect(goOn(line, 1)).deep.equal([]);
    end(line, [1]);
    expect(goOn(line, 2)).deep.equal(["b"]);
    end(line, [2]);
    expect(goOn(line, 3)).deep.equal(["c"]);
    end(line, [3]);
    expect(isOver(line)).equal(true);
  });

  it("lets others pass who want other keys, and none who wants one that an earlier one waits for", () => {
    const line = newLine<string>();
    comes(line, "a", ["k"]);
    comes(line, "b", ["k", "l"]);
    comes(line, "c", ["l"]);
    comes(line, "d", ["m"]);
    expect(goOn(line, 0)).deep.equal(["a", "d"]);
    expect(isWanted(line, ["l"])).equal(true);
    expect(isWanted(line, ["n"])).equal(false);
    end(line, [1]);
    expect(goOn(line, 1)).deep.equal(["b"]);
  });

  it("keeps a key for no longer than its time", () => {
    const line = newLine<string>();
    comes(line, "a", ["k"]);
    comes(line, "b", ["k"]);
    expect(goOn(line, 0)).deep.equal(["a"]);
    expect(goOn(line, holdMs - 1)).deep.equal([]);
    expect(goOn(line, holdMs)).deep.equal(["b"]);
  });

  it("keeps it for nobody who has read something that is locked, or nothing", () => {
    for (const readings of [null, [at("k", 1, "t")]]) {
      const line = newLine<string>();
      comes(line, "a", ["k"]);
      comes(line, "b", ["k"]);
      goOn(line, 0);
      wasRead(line, 1, readings);
      expect(goOn(line, 1)).deep.equal(["b"]);
    }
  });

  it("knows its holder by what was read, lets those through who come in vain, and holds back who would spoil it", () => {
    const line = newLine<string>();
    comes(line, "a", ["k"]);
    goOn(line, 0);
    wasRead(line, 1, [at("k", 7)]);
    expect(look(line, write([["k", 7]], ["k"]))).deep.equal({ passes: true, ends: [1] });
    expect(look(line, write([["k", 6]], ["k"]))).deep.equal({ passes: true, ends: [] });
    expect(look(line, write([], ["k"]))).deep.equal({ passes: false, keys: ["k"] });
    expect(look(line, write([], ["l"]))).deep.equal({ passes: true, ends: [] });
    expect(look(line, { kind: "forget", client: "c", ackedBelow: 2 })).deep.equal({
      passes: true,
      ends: [],
    });
  });

  it("ends with the outcome of a transaction over several groups, and lets none wait that has locks elsewhere", () => {
    const line = newLine<string>();
    comes(line, "a", ["k"]);
    goOn(line, 0);
    wasRead(line, 1, [at("k", 7)]);
    const prepare = (seq: number, expected: number | null): Command => ({
      kind: "prepare",
      ticket: { ...ticket, seq },
      participants: [],
      parts: [{ position: "k", expected, write: { kind: "delete" } }],
      bodyHash: 1,
      hint: "",
    });
    const finish = (seq: number): Command => ({
      kind: "finish",
      tx: { client: ticket.client, seq },
      committed: true,
      participants: [],
      keys: ["k"],
    });
    expect(look(line, prepare(5, null))).deep.equal({ passes: true, ends: [] });
    expect(look(line, finish(5))).deep.equal({ passes: true, ends: [] });
    expect(look(line, prepare(6, 7))).deep.equal({ passes: true, ends: [] });
    expect(look(line, finish(6))).deep.equal({ passes: true, ends: [1] });
  });
});

/** Walks through all keys at one group, page by page: hashed, and ordered where many lie close together. */

import { expect } from "chai";
import { applyCommand } from "./machine.ts";
import { answer } from "./answer.ts";
import { begin, heard } from "./manager/manager.ts";
import { type Ended, managerOf } from "./manager/state.ts";
import { MapTable } from "./map-table.test.ts";
import { Browse, Browsed, Refused } from "./port.ts";
import { decodeQuery, encodeAnswer } from "./query.ts";
import { answerTo, Planner } from "./requests.ts";
import { hintOf, hintsMax, positionFrom, positionOf } from "./position.ts";
import { rowKeys, valueRow } from "./rows.ts";

const client = "0123456789abcdef";

/** A group's table with these keys. */
function tableOf(keys: readonly string[], ordered: boolean): MapTable {
  const table = new MapTable();
  const found = { kind: "found", gid: "g", ordered, lo: "", hi: null } as const;
  applyCommand({ table, index: 1, time: 0 }, found, () => undefined);
  for (const [i, key] of keys.entries())
    table.put(
      rowKeys.value(positionOf(key, ordered)),
      valueRow.encode({ version: i + 1, expireAt: 0, value: new Uint8Array(1) }),
    );
  return table;
}

/** One page, and how many questions it took. */
function page(table: MapTable, ordered: boolean, from: number, limit: number) {
  const state = managerOf(client, [{ gid: "g", epoch: 1, lo: "", hi: null }]);
  const planner = new Planner(ordered);
  const { work, asked } = planner.browse(new Browse({ from, limit }));
  if (work instanceof Refused) throw new Error(work.reason);
  begin(state, work, 0);
  let questions = 0;
  let ended: Ended | undefined;
  for (; ended === undefined; ended = state.out.replies[0]?.ended) {
    const [call] = state.out.calls.splice(0, 1);
    if (call === undefined) throw new Error("It asks nothing, and has no answer.");
    questions++;
    const found = answer(table, decodeQuery(call.body), { time: 0, index: 1 });
    if (found.kind === "scanned") for (const { value } of found.readings) expect(value).equal(null);
    heard(state, call.call, encodeAnswer(found), 0);
  }
  return { answer: answerTo(planner, asked, ended), questions };
}

function walk(table: MapTable, ordered: boolean, limit: number): string[] {
  const met: string[] = [];
  for (let from: number | null = 0; from !== null;) {
    const { answer: found } = page(table, ordered, from, limit);
    if (!(found instanceof Browsed)) throw new Error(JSON.stringify(found));
    met.push(...found.keys);
    if (found.next !== null) expect(found.next).above(from);
    from = found.next;
  }
  return met;
}

describe("a walk through all keys", () => {
  const keys = [
    ...Array.from({ length: 40 }, (_, i) => `key-${i}`),
    ...[
      "",
      "\u0000",
      "a",
      "a\u0000",
      "a\u0000\u0000\u0000\u0000\u0000\u0000",
      "\u00ff",
      "\u00ff".repeat(9),
    ],
    ...Array.from({ length: 25 }, (_, i) => `prefix${i}`),
  ];

  for (const ordered of [false, true])
    it(`meets each key once, where they are ${ordered ? "ordered" : "hashed"}`, () => {
      const table = tableOf(keys, ordered);
      for (const limit of [1, 2, 7, 1000])
        expect(walk(table, ordered, limit).toSorted()).deep.equal(keys.toSorted());
    });

  it("begins at the first position of a place, and at no later one", () => {
    for (const key of keys) {
      const from = positionFrom(hintOf(key));
      expect(from <= key).equal(true);
      expect(hintOf(from)).equal(hintOf(key));
    }
    expect(positionFrom(0)).equal("");
    expect(hintOf(positionFrom(hintsMax - 1))).equal(hintsMax - 1);
  });

  it("refuses a place that holds more keys than anybody can be given", () => {
    const many = Array.from({ length: 1000 }, (_, i) => `prefix${i}`);
    // The group's answers, without a hundred thousand rows: always a full page of one place, and more of it.
    const full = {
      kind: "scanned",
      readings: many.map((position) => ({
        ...{ position, lockedBy: null, version: 1, expiresIn: 0, value: null, present: true },
      })),
      next: "prefix9",
      deleteFloor: 0,
    } as const;
    const state = managerOf(client, [{ gid: "g", epoch: 1, lo: "", hi: null }]);
    const planner = new Planner(true);
    const { work, asked } = planner.browse(new Browse({ from: hintOf("prefix"), limit: 1000 }));
    if (work instanceof Refused) throw new Error(work.reason);
    begin(state, work, 0);
    for (let pages = 0; state.out.replies.length === 0; pages++) {
      expect(pages).below(101);
      const [call] = state.out.calls.splice(0, 1);
      heard(state, call?.call ?? 0, encodeAnswer(full), 0);
    }
    const [reply] = state.out.replies;
    if (reply === undefined) throw new Error("There is no reply.");
    expect(answerTo(planner, asked, reply.ended)).deep.include({ reason: "too-many-keys" });
  });
});

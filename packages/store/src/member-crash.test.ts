/** Members that crash at each of their writes, and commands that come once more, at once or long after. */

import { bytesText, textBytes } from "@kith/paxos";
import { keptWrites, lostWrites } from "@kith/sim";
import { expect } from "chai";
import {
  asked,
  divided,
  expectQuiet,
  groups,
  memberWorld,
  numbersAt,
  recorded,
  replay,
  stepUntil,
  type World,
} from "./member-kit.test.ts";
import { GroupSplit } from "./operator.ts";
import { Aborted, Applied, Apply, Commit, Committed, Entries, Put, Read, Written } from "./port.ts";

const guest = 3;
const deep = process.env["KITH_STORE_DEEP"] !== undefined;

/** Moves 1 from one key to another, in a group each; again while others are faster. */
function move(world: World, index: number, from: string, to: string): void {
  const keys = [from, to];
  for (let tries = 0; tries < 50; tries++) {
    const { root } = world.node(index);
    const { entries } = asked(world, index, Entries, new Read({ keys }));
    const reads = entries.map(({ key, version }) => ({ key, version }));
    const writes = entries.map(({ key, value }, i) => {
      const next = Number(value === null ? 0 : bytesText(value)) + (i === 0 ? -1 : 1);
      const write = { kind: "put", value: textBytes(String(next)), expiry: "never" } as const;
      return { key, write };
    });
    const { length } = root.answers;
    root.ask(new Commit({ reads, writes, within: 30_000 }));
    world.until(() => root.answers.length > length, { within: 60_000 });
    const answer = root.answers[length];
    if (answer instanceof Committed) return;
    if (!(answer instanceof Aborted)) throw new Error(`the answer is ${answer?.constructor.name}`);
  }
  throw new Error("others are always faster");
}

const add = (key: string): Apply =>
  new Apply({ updates: [{ kind: "add", key, delta: 1n }], within: 30_000 });

/**
 * A short run in which a member crashes at its write of that number, and comes back soon.
 *
 * @returns false where it has fewer
 */
function crashing(victim: number, at: number, kept: boolean): boolean {
  const world = memberWorld(9, {
    caretaker: { doubt: 2000 },
    group: { keepEntries: 0, cutEntries: 1 },
  });
  let writes = 0;
  const node = world.node(victim);
  node.disk.faults.add(kept ? keptWrites() : lostWrites(1));
  let crashed = false;
  node.disk.faults.add({
    name: "count",
    judge: ({ deed }) => {
      if (deed === "write") writes++;
      return undefined;
    },
  });
  // At the write itself: what waits for an answer steps through here.
  const until = world.until.bind(world);
  world.until = (condition, within) => {
    until(() => condition() || (!crashed && writes >= at), within);
    if (crashed || writes < at) return;
    crashed = true;
    node.crash();
    stepUntil(world, 400, () => false);
    node.start();
    until(condition, within);
  };
  asked(world, guest, Written, new Put({ key: "d", value: textBytes("0") }));
  for (const key of ["b", "d"]) asked(world, guest, Applied, add(key));
  move(world, guest, "a", "z");
  const split = divided(world, guest, "g0", "c");
  expect(split).instanceOf(GroupSplit);
  for (const key of ["b", "d"]) asked(world, guest, Applied, add(key));
  move(world, guest, "b", "d");
  world.runFor(1500);
  move(world, guest, "a", "d");
  world.until = until;
  world.runFor(4000);
  expect(numbersAt(world, 4, ["a", "b", "d", "z"]), `member ${victim}, write ${at}`).deep.equal([
    -2, 1, 4, 1,
  ]);
  expect(expectQuiet(world)).equal(groups.length + 1);
  return crashed;
}

describe("members of a store", function () {
  this.timeout(600_000);

  it("lose nothing, whichever write one of them crashes at, with a split on the way", () => {
    let runs = 0;
    for (const victim of [0, 1, 2])
      for (const kept of [false, true])
        // All of them are 250 runs; each time a part of them, with other writes for each member.
        for (let at = 1 + (victim + (kept ? 3 : 0)); at < 300; at += deep ? 1 : 11) {
          runs++;
          if (!crashing(victim, at, kept)) break;
        }
    expect(runs).greaterThan(15);
  });

  it("do nothing twice, where each command of a client comes twice", () => {
    const world = memberWorld(10);
    const said = recorded(world, guest);
    let next = 0;
    const step = (action: () => void): void => {
      const until = world.until.bind(world);
      world.until = (condition, within) =>
        until(() => {
          for (; next < said.length; next++) {
            const one = said[next];
            if (one !== undefined) replay(world, one);
          }
          return condition();
        }, within);
      action();
      world.until = until;
    };
    step(() => {
      for (const key of ["b", "d", "z"]) asked(world, guest, Applied, add(key));
      for (let i = 0; i < 5; i++) move(world, guest, "b", "z");
      asked(world, guest, Applied, add("d"));
      expect(divided(world, guest, "g0", "c")).instanceOf(GroupSplit);
      // What was last done there was not said to be known yet.
      world.runFor(1500);
      next = 0;
      for (const key of ["b", "d", "z"]) asked(world, guest, Applied, add(key));
      for (let i = 0; i < 5; i++) move(world, guest, "b", "d");
    });
    expect(next).greaterThan(40);
    world.runFor(3000);
    expect(numbersAt(world, 4, ["b", "d", "z"])).deep.equal([-8, 8, 7]);
    expect(expectQuiet(world)).equal(groups.length + 1);
  });

  it("do nothing again, where all commands come again when everything is long over", () => {
    const world = memberWorld(11);
    const said = recorded(world, guest);
    for (const key of ["b", "d", "z"]) asked(world, guest, Applied, add(key));
    for (let i = 0; i < 5; i++) move(world, guest, "b", "z");
    expect(divided(world, guest, "g0", "c")).instanceOf(GroupSplit);
    for (let i = 0; i < 5; i++) move(world, guest, "d", "z");
    // Results and registers are forgotten by then.
    world.runFor(15_000);
    const before = numbersAt(world, 4, ["b", "d", "z"]);
    expect(before).deep.equal([-4, -4, 11]);
    for (const one of [...said]) {
      replay(world, one);
      world.runFor(20);
    }
    world.runFor(15_000);
    expect(numbersAt(world, 4, ["b", "d", "z"])).deep.equal(before);
    expect(expectQuiet(world)).equal(groups.length + 1);
  });
});

/**
 * Everything that can happen to a few transactions, tried out (algorithms.md §6.5.6, §6.5.17): each message lost, late,
 * twice and in any order, recovery by anyone at any time, sessions that end, readers, splits.
 *
 * `KITH_STORE_DEEP=1` goes on to the cases that take minutes.
 */

import { assert } from "chai";
import { explore, type Exploration, type Model } from "./explorer.test.ts";

const one: Model = { keys: ["a", "m"], groups: ["", "h"], writes: [["a", "m"]] };
const two: Model = { ...one, writes: [...one.writes, ["a", "m"]] };
const inOneGroup = { groups: [""], split: "h" };

describe("every order of the messages of transactions", () => {
  const deep = process.env["KITH_STORE_DEEP"] === "1" ? it : undefined;

  function holds(model: Model): Exploration {
    const found = explore(model);
    assert.isNull(found.violation, `${found.violation ?? ""}\n${found.path.join("\n")}`);
    assert.isTrue(found.exhausted, `stopped after ${found.states} states`);
    return found;
  }

  function breaks(model: Model, what: RegExp): void {
    const found = explore(model);
    assert.match(found.violation ?? `nothing in ${found.states} states`, what);
  }

  it("one over two groups: recovery, the end of its session, readers", () => {
    const { reached } = holds({ ...one, recovery: true, expiry: true, readers: true });
    assert.includeMembers(
      [...reached],
      [
        "prepare: votes",
        "prepare: unknown-session",
        "prepare: stale",
        "prepare: wrong-range",
        "force-abort: votes",
        "force-abort: no-session",
        "force-abort: forgotten",
        "finish: finished",
        "forget: forgot",
        "session-expired",
      ],
    );
  });

  it("one in a group that splits between its keys", () => {
    const { reached } = holds({ ...one, ...inOneGroup, recovery: true, expiry: true });
    assert.include([...reached], "prepare: wrong-range");
  });

  it("two that both write everything", () => void holds(two));
  it("one that writes a key which another one reads", () => {
    holds({ ...two, writes: [["a", "m"], ["m"]], keys: ["a", "m"] });
  });

  deep?.("two, with recovery", () => void holds({ ...two, recovery: true }));
  deep?.("two, with readers", () => void holds({ ...two, readers: true, statesMax: 4_000_000 }));
  deep?.("two in a group that splits", () => {
    holds({ ...two, ...inOneGroup, writes: [["a", "m"], ["a"]] });
  });
  deep?.("two, with recovery and ends of sessions", () => {
    holds({ ...two, recovery: true, expiry: true, statesMax: 8_000_000 });
  });

  // What each rule is for: without it, something breaks.
  it("needs the second look where a session is gone", () => {
    breaks({ ...one, recovery: true, expiry: true, without: "recheck" }, /T2/);
  });
  it("needs to know that a transaction is final everywhere before a session ends", () => {
    breaks({ ...one, recovery: true, expiry: true, without: "proof-of-end" }, /T2/);
  });
  it("needs the second round of a read-only transaction", () => {
    breaks({ ...one, readers: true, without: "second-round" }, /fractured/);
  });
  it("needs no faith in clients: what is not final is not forgotten", () => {
    holds({ ...one, recovery: true, without: "acks-before-forget" });
  });
});

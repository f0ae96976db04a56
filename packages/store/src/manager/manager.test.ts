/**
 * Clients of several groups under faults: what they saw is linearizable key by key, and strictly serializable.
 * `KITH_STORE_SEEDS=1000` runs more seeds, from `KITH_STORE_FIRST` on.
 */

import { assert } from "chai";
import { judgeLab } from "./lab.test.ts";

const seeds = Number(process.env["KITH_STORE_SEEDS"] ?? 20);
const first = Number(process.env["KITH_STORE_FIRST"] ?? 1);

describe("the transaction manager", () => {
  it("shows clients nothing that one store could not have shown them", () => {
    const marks = new Set<string>();
    const counts = { ok: 0, fail: 0, info: 0 };
    for (let seed = first; seed < first + seeds; seed++) {
      const run = judgeLab(seed);
      for (const mark of run.marks) marks.add(mark);
      for (const kind of ["ok", "fail", "info"] as const) counts[kind] += run.counts[kind];
    }
    const all = counts.ok + counts.fail + counts.info;
    assert.isAbove(counts.ok, all * 0.6, JSON.stringify(counts));
    assert.isBelow(counts.info, all * 0.2, JSON.stringify(counts));
    assert.includeMembers(
      [...marks],
      [
        "crash",
        "split",
        "committed",
        "execute: done",
        "execute: refused",
        "execute: locked",
        "execute: wrong-range",
        "cancel: done",
        "cancel: cancelled",
        "prepare: votes",
        "prepare: wrong-range",
        "force-abort: votes",
        "finish: finished",
        "forget: forgot",
      ],
    );
  });
});

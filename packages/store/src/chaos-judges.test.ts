/** The judges of `store-chaos` that are its own: each says what is wrong, and nothing where all is well. */

import type { HistoryEvent } from "@kith/sim/scenario";
import { expect } from "chai";
import { revived } from "../scenarios/expiring.ts";
import { type Left, Told } from "../scenarios/facts.ts";
import { misled } from "../scenarios/watching.ts";

/** What has happened to `k`: values by version, null for gone. */
const changed = new Map([
  [
    "k",
    new Map<number, string | null>([
      [3, "a"],
      [5, null],
      [8, "b"],
      [9, "c"],
    ]),
  ],
]);

/** `=` tells anew, `+` a change: of `k`, at a version; 0 is absent. */
function told(...what: readonly string[]): Told[] {
  return what.map((one) => {
    const version = Number(one.slice(1));
    const value = changed.get("k")?.get(version) ?? (version === 7 ? "x" : null);
    const left: Left = { key: "k", version, value };
    return new Told({ anew: one.startsWith("="), left: [left] });
  });
}

describe("what those who watch were told", () => {
  it("is right where it is each change in order, or what is there", () => {
    for (const right of [
      ["=0", "+3", "+5", "+8", "+9"],
      ["=3", "+5", "=0", "+8", "+9"],
      // It was gone again, or not yet there.
      ["=0", "+8"],
      ["=3", "=9"],
      ["=3", "=3", "+5"],
    ])
      expect(misled(told(...right), changed), right.join(" ")).equal(undefined);
  });

  it("is wrong where a change is left out, comes again or too late, or nobody has made it", () => {
    for (const [wrong, why] of [
      [["=0", "+9"], "left out"],
      [["=3", "+8"], "left out"],
      [["=8", "+9", "+9"], "again"],
      [["=8", "+5"], "again, or too late"],
      [["=9", "=8"], "goes back"],
      [["=9", "=0"], "not deleted"],
      [["+3"], "before anything was said"],
      [["=7"], "nobody has made it"],
    ] as const)
      expect(misled(told(...wrong), changed), wrong.join(" ")).match(new RegExp(why));
  });
});

/** Operations on `e`: `p5:1 0-1` puts 1 for 5 ms from 0 to 1 ms, `r1 2-3` reads 1; `r-` reads nothing, `?` at the end knows not. */
function history(...operations: readonly string[]): HistoryEvent[] {
  return operations
    .flatMap((text, process): HistoryEvent[] => {
      const [what = "", when = ""] = text.replace("?", "").split(" ");
      const [from = 0, to = 0] = when.split("-").map((ms) => Number(ms) * 1e6);
      const [lives = 0, value = 0] = what.slice(1).split(":").map(Number);
      const puts = what.startsWith("p");
      const about = { process, op: puts ? "put" : "read", key: "e" };
      const seen = puts ? [value, lives] : what === "r-" ? null : lives;
      const type = text.endsWith("?") ? "info" : "ok";
      return [
        { ...about, type: "invoke", value: puts ? seen : null, time: from },
        { ...about, type, value: seen, time: to },
      ];
    })
    .sort((a, b) => a.time - b.time);
}

describe("keys that go after a while", () => {
  it("are right where each is there until it goes, and then never again", () => {
    for (const right of [
      ["p5:1 0-1", "r1 2-3", "r- 8-9", "r- 10-11"],
      // Nobody says when it goes, only that it does not come back.
      ["p5:1 0-1", "r1 20-21"],
      ["p5:1 0-1", "p9:2 2-3", "r2 4-5", "r- 20-21"],
      // Two at a time may be seen in either order.
      ["p5:1 0-1", "p9:2 2-10", "r1 3-4", "r2 5-6"],
      ["p5:1 0-1?", "r- 2-3", "r1 4-5"],
      // The other one may have been there last, and was to live for less.
      ["p50:1 0-4", "p1:2 2-3", "r- 6-7"],
    ])
      expect(revived(history(...right)), right.join(", ")).equal(undefined);
  });

  it("are wrong where one comes back, goes too early, or was never written", () => {
    for (const [wrong, why] of [
      [["p5:1 0-1", "r- 8-9", "r1 10-11"], "when it had gone"],
      [["p5:1 0-1", "p9:2 2-3", "r1 4-5"], "when it had gone"],
      [["p50:1 0-1", "r- 8-9"], "before its time"],
      [["r1 0-1", "p5:1 2-3"], "before it was written"],
      [["r7 0-1"], "not written"],
    ] as const)
      expect(revived(history(...wrong)), wrong.join(", ")).match(new RegExp(why));
  });
});

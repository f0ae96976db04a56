/** What must hold for every provider of FailureDetector, one case each. */

import { formatLife, type PeerRef } from "@kith/network";
import { type Case, pass, type Script, until } from "@kith/testing/compliance";
import { expect } from "chai";
import type { DetectorHarness, Monitor } from "./harness.ts";

/** A crash has to be suspected within so many milliseconds: the providers' defaults, and room. */
const suspectWithin = 15_000;

/** One process with two others to watch; the monitor of the first is handed over. */
function one(
  name: string,
  body: (harness: DetectorHarness, monitor: Monitor, other: PeerRef, third: PeerRef) => Script,
  ...needs: readonly (keyof DetectorHarness)[]
): Case<DetectorHarness> {
  return {
    name,
    applies: (harness) => needs.every((need) => harness[need] !== undefined),
    run: function* (harness) {
      for (const index of [0, 1, 2]) harness.start(index);
      const found: Monitor[] = [];
      harness.enter(0, (monitor) => found.push(monitor));
      yield until("the first process has started", () => found.length > 0);
      const [monitor] = found;
      if (monitor === undefined) throw new Error("there is no monitor");
      yield* body(harness, monitor, harness.self(1), harness.self(2));
      expect(monitor.complaint, "FD3").to.equal(null);
    },
  };
}

function* watching(harness: DetectorHarness, monitor: Monitor, ...peers: PeerRef[]): Script {
  harness.enter(0, (it) => {
    for (const peer of peers) it.watch(peer);
  });
  yield pass(3000);
  expect(monitor.told, "verdicts on live peers").to.deep.equal([]);
}

/** The cases of the suite. */
export const detectorCases: readonly Case<DetectorHarness>[] = [
  one("a live peer is not suspected", function* (harness, monitor, other, third) {
    yield* watching(harness, monitor, other, third);
    yield pass(10_000);
    expect(monitor.told).to.deep.equal([]);
  }),
  one(
    "FD1: a crashed peer is suspected, then absent, and stays so; a live one is not",
    function* (harness, monitor, other, third) {
      yield* watching(harness, monitor, other, third);
      harness.crash?.(1);
      yield until("it is suspected", () => monitor.about(other).length > 0, suspectWithin);
      yield until("it is absent", () => monitor.about(other).length > 1, 40_000);
      yield pass(20_000);
      expect(monitor.about(other)).to.deep.equal(["Suspect silent", "Absent"]);
      expect(monitor.about(third)).to.deep.equal([]);
    },
    "crash",
  ),
  one("a peer that nobody ever reached is suspected", function* (harness, monitor) {
    const nobody = { peerId: 99, host: harness.self(1).host, port: 1, incarnation: 1 };
    harness.enter(0, (it) => it.watch(nobody));
    yield until("it is suspected", () => monitor.about(nobody).length > 0, suspectWithin);
    expect(monitor.about(nobody)).to.deep.equal(["Suspect silent"]);
  }),
  one(
    "FD3: after Unwatched nothing comes",
    function* (harness, monitor, other, third) {
      yield* watching(harness, monitor, other, third);
      harness.enter(0, (it) => it.unwatch(other));
      yield until("it is acknowledged", () => monitor.about(other).length > 0);
      harness.crash?.(1);
      harness.crash?.(2);
      yield until("the third is suspected", () => monitor.about(third).length > 0, suspectWithin);
      yield pass(10_000);
      expect(monitor.about(other)).to.deep.equal(["Unwatched"]);
    },
    "crash",
  ),
  one(
    "a watcher that comes late is told what is suspected already; each is told once",
    function* (harness, monitor, other) {
      yield* watching(harness, monitor, other);
      harness.crash?.(1);
      yield until("it is suspected", () => monitor.about(other).length > 0, suspectWithin);
      harness.enter(0, (it) => {
        it.watch(other, "late");
        it.watch(other, "late");
        it.watch(other);
      });
      yield until("the late one is told", () => monitor.about(other, "late").length > 0);
      yield pass(2000);
      expect(monitor.about(other, "late")).to.deep.equal(["Suspect silent"]);
      expect(monitor.about(other)).to.deep.equal(["Suspect silent"]);
    },
    "crash",
  ),
  one(
    "FD4: a restart is told as the old life's end and the new one's beginning",
    function* (harness, monitor, other) {
      yield* watching(harness, monitor, other);
      harness.crash?.(1);
      yield pass(100);
      const later = harness.self(1);
      harness.restart?.(1);
      // The new life has somebody to talk to, as every peer has.
      harness.enter(1, (it) => it.watch(harness.self(0)));
      yield until(
        "the new life is heard of",
        () => monitor.about(other).includes(`Returned ${later.incarnation}`),
        suspectWithin,
      );
      expect(monitor.about(other)[0]).to.match(/^Suspect (restarted|silent)$/);
      harness.enter(0, (it) => it.watch(later));
      yield pass(40_000);
      expect(monitor.about(later)).to.deep.equal([]);
      expect(monitor.about(other)).to.include("Absent").and.not.include("Restore");
    },
    "crash",
    "restart",
  ),
  one(
    "FD4: one who watches an old life of a process whose later life is known is told at once",
    function* (harness, monitor, other) {
      harness.crash?.(1);
      const later = harness.self(1);
      harness.restart?.(1);
      harness.enter(0, (it) => it.watch(later));
      yield pass(3000);
      harness.enter(0, (it) => it.watch(other));
      yield until("it is suspected", () => monitor.about(other).length > 0, 10);
      yield pass(10_000);
      const returned = `Returned ${later.incarnation}`;
      expect(monitor.about(other)).to.deep.equal(["Suspect restarted", returned]);
      expect(monitor.about(later)).to.deep.equal([]);
    },
    "crash",
    "restart",
  ),
  one(
    "a peer that was cut off is restored when it is heard of",
    function* (harness, monitor, other) {
      yield* watching(harness, monitor, other);
      harness.cut?.(0, 1, "both");
      yield until("it is suspected", () => monitor.about(other).length > 0, suspectWithin);
      harness.mend?.();
      yield until("it is restored", () => monitor.about(other).length > 1, 60_000);
      yield pass(20_000);
      expect(monitor.about(other)).to.deep.equal(["Suspect silent", "Restore"]);
    },
    "cut",
    "mend",
  ),
  one(
    "who is frozen suspects nobody on waking, and is restored where it was suspected",
    function* (harness, monitor, other, third) {
      yield* watching(harness, monitor, other, third);
      harness.enter(1, (it) => it.watch(harness.self(0)));
      yield pass(2000);
      harness.freeze?.(0);
      yield pass(5000);
      harness.thaw?.(0);
      yield pass(20_000);
      expect(monitor.told).to.deep.equal([]);
      const seen: string[] = [];
      harness.enter(1, (it) => seen.push(...it.about(harness.self(0))));
      yield pass(10);
      expect(seen.filter((what) => what.startsWith("Suspect")).length).to.equal(
        seen.filter((what) => what === "Restore").length,
      );
    },
    "freeze",
    "thaw",
  ),
  one("peers of one process are told apart", function* (harness, monitor, other) {
    const [a, b, c] = [101, 102, 103].map((peerId) => ({ ...other, peerId }));
    if (a === undefined || b === undefined || c === undefined) throw new Error("there are three");
    harness.enter(1, (it) => {
      it.arrived(a);
      it.arrived(b);
    });
    yield pass(100);
    harness.enter(0, (it) => {
      for (const peer of [a, b, c]) it.watch(peer);
    });
    yield pass(3000);
    expect(monitor.about(c)).to.deep.equal(["Suspect gone"]);
    harness.enter(1, (it) => {
      it.departed(a);
      it.arrived(c);
    });
    yield pass(3000);
    expect(monitor.about(a)).to.deep.equal(["Suspect gone"]);
    expect(monitor.about(b)).to.deep.equal([]);
    expect(monitor.about(c)).to.deep.equal(["Suspect gone", "Restore"]);
  }),
  one(
    "FD4: a peer that begins anew within its process is told as another life",
    function* (harness, monitor, other) {
      const [stays, back] = [101, 102].map((peerId) => ({ ...other, peerId }));
      if (stays === undefined || back === undefined) throw new Error("there are two");
      const again = { ...back, rebirth: 1 };
      const third = { ...back, rebirth: 2 };
      harness.enter(1, (it) => {
        it.arrived(stays);
        it.arrived(back);
      });
      yield pass(100);
      harness.enter(0, (it) => {
        it.watch(stays);
        it.watch(back);
      });
      yield pass(3000);
      // At once, so that nobody has missed it: the life that was there is over all the same.
      harness.enter(1, (it) => {
        it.departed(back);
        it.arrived(again);
        it.departed(back);
      });
      yield pass(3000);
      expect(monitor.about(back)).to.deep.equal([
        "Suspect restarted",
        `Returned ${formatLife(again)}`,
      ]);
      harness.enter(0, (it) => {
        it.watch(again);
        it.watch(back, "late");
      });
      yield pass(3000);
      expect(monitor.about(again)).to.deep.equal([]);
      expect(monitor.about(back, "late")).to.deep.equal([
        "Suspect restarted",
        `Returned ${formatLife(again)}`,
      ]);
      // Gone for a while, and back then.
      harness.enter(1, (it) => it.departed(again));
      yield pass(3000);
      harness.enter(1, (it) => it.arrived(third));
      yield pass(3000);
      expect(monitor.about(again)).to.deep.equal(["Suspect gone", `Returned ${formatLife(third)}`]);
      expect(monitor.about(back).slice(2)).to.deep.equal([`Returned ${formatLife(third)}`]);
      expect(monitor.about(stays)).to.deep.equal([]);
    },
  ),
  one(
    "a peer that arrived just before it is watched is not taken for gone",
    function* (harness, monitor, other) {
      const [a, b] = [101, 102].map((peerId) => ({ ...other, peerId }));
      if (a === undefined || b === undefined) throw new Error("there are two");
      harness.enter(1, (it) => it.arrived(a));
      yield pass(10);
      harness.enter(0, (it) => it.watch(a));
      yield pass(4000);
      for (let round = 0; round < 20; round++) {
        harness.enter(1, (it) => it.arrived(b));
        yield pass(37);
        harness.enter(0, (it) => it.watch(b));
        yield pass(1500);
        harness.enter(0, (it) => it.unwatch(b));
        yield pass(10);
        harness.enter(1, (it) => it.departed(b));
        yield pass(10);
      }
      expect(monitor.about(b).filter((what) => what !== "Unwatched")).to.deep.equal([]);
    },
  ),
  one("peers of the own process are judged by who announces them", function* (harness, monitor) {
    const own = harness.self(0);
    const [a, b] = [101, 102].map((peerId) => ({ ...own, peerId }));
    if (a === undefined || b === undefined) throw new Error("there are two");
    const past = { ...own, incarnation: own.incarnation - 1 };
    harness.enter(0, (it) => {
      it.arrived(a);
      it.arrived(b);
      it.watch(a);
      it.watch(b);
      it.watch(past);
    });
    yield pass(3000);
    harness.enter(0, (it) => it.departed(b));
    yield pass(100);
    expect(monitor.about(a)).to.deep.equal([]);
    expect(monitor.about(b)).to.deep.equal(["Suspect gone"]);
    const returned = `Returned ${own.incarnation}`;
    expect(monitor.about(past)).to.deep.equal(["Suspect restarted", returned]);
  }),
  one(
    "a swap at any instant loses no watch and tells nothing twice",
    function* (harness, monitor, other, third) {
      yield* watching(harness, monitor, other, third);
      for (let swap = 0; swap < 20; swap++) {
        harness.swap?.(0);
        yield pass(333);
      }
      expect(monitor.told).to.deep.equal([]);
      harness.crash?.(1);
      for (let swap = 0; swap < 60; swap++) {
        harness.swap?.(0);
        yield pass(777);
      }
      expect(monitor.about(other)).to.deep.equal(["Suspect silent", "Absent"]);
      expect(monitor.about(third)).to.deep.equal([]);
    },
    "swap",
    "crash",
  ),
];

/** Watches: every change once and in order, over crashes and splits; and what is there now, where changes were missed. */

import { bytesText, textBytes } from "@kith/paxos";
import { partition } from "@kith/sim";
import { expect } from "chai";
import {
  addressAt,
  asked,
  divided,
  memberWorld,
  type StoreNode,
  type World,
} from "./member-kit.test.ts";
import { Applied, Apply, Changes, Put, Resync, Written } from "./port.ts";
import { positionOf } from "./position.ts";
import { trim } from "./watch-gate.ts";
import type { WatchedKey } from "./watch-messages.ts";

const guest = 3;
const other = 4;
const put = (key: string, text: string): Put => new Put({ key, value: textBytes(text) });
const add = (key: string): Apply => new Apply({ updates: [{ kind: "add", key, delta: 1n }] });
const remove = (key: string): Apply => new Apply({ updates: [{ kind: "delete", key }] });

/** What was told, one after the other: `key=value`, `key-` for a deletion, `[lo..hi key=value …]` for what is there. */
function told({ told: all }: StoreNode): string[] {
  const text = (key: string, value: Uint8Array | null): string =>
    value === null ? `${key}-` : `${key}=${bytesText(value)}`;
  return all.flatMap((one) => {
    if (one instanceof Changes) return one.changes.map(({ key, value }) => text(key, value));
    const { lo, hi, entries } = one;
    return [
      `[${[`${lo}..${hi ?? ""}`, ...entries.map(({ key, value }) => text(key, value))].join(" ")}]`,
    ];
  });
}

/** Waits for so much to be told. */
function until(world: World, many: number): string[] {
  const { root } = world.node(guest);
  world.until(() => told(root).length >= many, { within: 20_000 });
  world.runFor(3000);
  return told(root);
}

describe("a watch", () => {
  it("tells what is there, and then every change of a key", () => {
    const world = memberWorld(1);
    const { root } = world.node(guest);
    asked(world, other, Written, put("a", "0"));
    // Also at those who follow.
    world.runFor(1000);
    root.watch("w", { key: "a" });
    expect(until(world, 1)).deep.equal(["[a..a\u0000 a=0]"]);
    for (const text of ["1", "2"]) asked(world, other, Written, put("a", text));
    asked(world, other, Written, put("b", "x"));
    asked(world, other, Applied, remove("a"));
    asked(world, other, Written, put("a", "3"));
    expect(until(world, 5).slice(1)).deep.equal(["a=1", "a=2", "a-", "a=3"]);
    root.unwatch("w");
    asked(world, other, Written, put("a", "4"));
    world.runFor(5000);
    expect(told(root)).length(5);
  });

  it("of a prefix is of all groups, and goes on in both halves of a split, with nothing missed", () => {
    const world = memberWorld(2);
    const { root } = world.node(guest);
    root.watch("all", { prefix: "" });
    expect(until(world, 2).sort()).deep.equal(["[..m]", "[m..]"]);
    const keys = ["b", "d", "f", "z"];
    const round = (): void => {
      for (const key of keys) asked(world, other, Applied, add(key));
    };
    round();
    divided(world, other, "g0", "d");
    round();
    divided(world, guest, "g0", "c");
    round();
    const seen = until(world, 14).slice(2);
    for (const key of keys)
      expect(seen.filter((one) => one.startsWith(key))).deep.equal(
        [1, 2, 3].map((n) => `${key}=${n}`),
      );
    expect(seen).length(12);
  });

  it("goes on at another member where one crashes, with nothing missed or told anew", () => {
    const world = memberWorld(3);
    const { root } = world.node(guest);
    root.watch("w", { key: "a" });
    until(world, 1);
    for (let n = 0; n < 6; n++) {
      const index = n % 3;
      world.node(index).crash();
      asked(world, other, Applied, add("a"));
      asked(world, other, Applied, add("a"));
      world.node(index).start();
      asked(world, other, Applied, add("a"));
      world.runFor(4000);
    }
    const values = told(root)
      .flatMap((one) => /a=(\d+)/.exec(one)?.[1] ?? [])
      .map(Number);
    // Who has just begun to follow the group tells what is there: later, but never back.
    expect(values).deep.equal([...new Set(values)].sort((x, y) => x - y));
    expect(values.at(-1)).equal(18);
  });

  it("tells what is there now to who was away for too long", () => {
    const world = memberWorld(4, { watching: { kept: 3 } });
    const { root } = world.node(guest);
    root.watch("w", { prefix: "" });
    until(world, 2);
    asked(world, other, Written, put("gone", "x"));
    until(world, 3);
    const mend = world.rule(partition(["n4"], ["n1", "n2", "n3", "n5"]));
    for (let n = 0; n < 6; n++) asked(world, other, Applied, add("a"));
    asked(world, other, Applied, remove("gone"));
    mend();
    world.runFor(10_000);
    expect(told(root).at(-1)).equal("[..m a=6]");
    expect(told(root).length).below(9);
  });

  it("tells nothing of what does not concern it, however much that is", () => {
    const world = memberWorld(7, { watching: { kept: 3 } });
    const { root } = world.node(guest);
    root.watch("w", { key: "a" });
    until(world, 1);
    for (let n = 0; n < 20; n++) asked(world, other, Applied, add("b"));
    asked(world, other, Applied, add("a"));
    expect(until(world, 2).slice(1)).deep.equal(["a=1"]);
  });

  it("keeps as many bytes as it may, however many keys a command changes", () => {
    const ring = { changes: [] as WatchedKey[], bytes: 0, floor: 0 };
    for (let version = 1; version <= 100; version++) {
      for (const position of ["a", "b", "c"]) {
        ring.changes.push({ position, value: textBytes("x".repeat(version)), version });
        ring.bytes += 1 + version;
      }
      trim(ring, 4);
      const held = ring.changes.reduce((sum, { version: bytes }) => sum + 1 + bytes, 0);
      expect([ring.bytes, ring.floor]).deep.equal([held, version - 1]);
    }
  });

  it("tells in parts what is too much to be told at once", () => {
    const world = memberWorld(9, { watching: { told: 20 } });
    const { root } = world.node(guest);
    const keys = Array.from({ length: 18 }, (_, n) => `k${String(n).padStart(2, "0")}`);
    for (const key of keys) asked(world, other, Written, put(key, "old"));
    world.runFor(1000);
    root.watch("w", { prefix: "k" });
    world.runFor(1000);
    const parts = told(root);
    expect(
      parts
        .join("")
        .match(/k\d\d=old/g)
        ?.toSorted(),
    ).deep.equal(keys.map((key) => `${key}=old`));
    expect(parts).length(6);
    for (const key of keys) asked(world, other, Written, put(key, "new"));
    expect(until(world, 24).slice(6).toSorted()).deep.equal(keys.map((key) => `${key}=new`));
  });

  it("is carried over when the client is replaced", () => {
    const world = memberWorld(5);
    const { root, system } = world.node(guest);
    root.watch("w", { key: "a" });
    until(world, 1);
    for (let n = 0; n < 5; n++) {
      system.swapThen("/StoreNode-1/client", {}, () => undefined);
      asked(world, other, Applied, add("a"));
    }
    expect(until(world, 6).slice(1)).deep.equal([1, 2, 3, 4, 5].map((n) => `a=${n}`));
  });

  it("says in positions which part it tells of", () => {
    const world = memberWorld(6);
    const { root } = world.node(guest);
    root.watch("w", { key: "n" });
    until(world, 1);
    const [first] = root.told;
    expect(first).instanceOf(Resync);
    expect((first as Resync).lo).equal(positionOf("n", true));
  });

  it("goes on with those who are members later", () => {
    const world = memberWorld(12, {}, true);
    const [watcher, writer] = [6, 7];
    const { root } = world.node(watcher);
    root.watch("w", { key: "a" });
    asked(world, writer, Written, put("a", "0"));
    const leader = (): StoreNode | undefined =>
      world.nodes.find((node) => node.root.replicas().get("g0")?.state.role === "leader")?.root;
    const until = (action: (leader: StoreNode | undefined) => void, done: () => boolean): void =>
      world.until(
        () => {
          action(leader());
          world.runFor(300);
          return done();
        },
        { within: 30_000 },
      );
    const changed = (what: Parameters<StoreNode["change"]>[1], done: () => boolean): void =>
      until((root) => root?.change("g0", what), done);
    const voters = (): number[] => {
      const configs = leader()?.replicas().get("g0")?.state.configs ?? [];
      const members = configs.at(-1)?.config.members ?? [];
      return members.filter(({ voter }) => voter).map(({ replicaId }) => replicaId);
    };
    const appliedAt = (index: number): number =>
      world.node(index).root.replicas().get("g0")?.table.applied ?? 0;
    for (const [i, index] of [3, 4, 5].entries()) {
      changed({ kind: "add-learner", peer: addressAt(index) }, () => appliedAt(index) > 0);
      changed({ kind: "promote", replicaId: 4 + i }, () => voters().includes(4 + i));
    }
    const next = world.node(3).root;
    until(
      (root) => root?.handOver("g0", 4),
      () => leader() === next,
    );
    for (const i of [1, 2, 3]) {
      asked(world, writer, Written, put("a", `${i}`));
      changed({ kind: "remove", replicaId: i }, () => !voters().includes(i));
    }
    world.runFor(5000);
    for (const index of [0, 1, 2]) world.node(index).crash();
    asked(world, writer, Written, put("a", "4"));
    world.until(() => told(root).at(-1) === "a=4", { within: 20_000 });
    const values = told(root).map((one) => /a=(\d)/.exec(one)?.[1]);
    expect(values.filter((one) => one !== undefined).join("")).match(/^0?1?2?3?4$/);
  });
});

/** A process sends and takes few snapshots at once: who is gone, or takes none, keeps nobody else waiting. */

import { type Rule, simulate, type Simulation } from "@kith/sim";
import { expect } from "chai";
import { limits } from "@kith/storage";
import { type Change, foundingConfig } from "./config.ts";
import { sizeOf } from "./entry.ts";
import type { Log } from "./log.ts";
import type { PeerMessage } from "./peer-message.ts";
import { Changed } from "./port.ts";
import { tombstones } from "./records.ts";
import { addressAt, Peer } from "./register.test.ts";
import { orderLog } from "./writes.ts";

type World = Simulation<typeof Peer>;

const gids = ["a", "b", "c", "d"];
const founders = [0, 1, 2].map(addressAt);
/** So many bytes has a value, and with it a snapshot. */
const large = 3000;
const tight = { keepEntries: 0, cutEntries: 1 };

/** Four groups of the first three nodes, all led by the first one. */
function cluster(): World {
  const world = simulate(Peer, {
    seed: 5,
    nodes: 4,
    init: { settings: tight },
    transport: "datagram",
  }).boot();
  world.runFor(50);
  for (const index of [0, 1, 2])
    for (const gid of gids) world.node(index).root.found(gid, founders);
  for (const gid of gids) {
    world.until(() => {
      const leader = world.nodes.find((node) => node.root.leads.has(gid));
      if (leader !== undefined && leader.index !== 0) leader.root.transfer(gid, 1);
      world.runFor(20);
      return leader?.index === 0;
    });
  }
  return world;
}

const nothingLarge: Rule = {
  name: "nothing large",
  judge: ({ to, bytes }) => (to === "n3" && bytes > large / 2 ? { kind: "drop" } : undefined),
};

/** The same, and the third one lacks in all groups what only a snapshot can bring, which does not get through to it. */
function lacking(): World {
  const world = cluster();
  world.node(2).crash();
  // The first is cut off when the table has been written, and something else after it.
  for (const many of [5, 1]) {
    for (const gid of gids) write(world, gid, many);
    world.runFor(3000);
  }
  world.rule(nothingLarge);
  world.node(2).start();
  return world;
}

function write(world: World, gid: string, many: number): void {
  for (let i = 0; i < many; i++) {
    world.node(0).root.write(gid, "v".repeat(large), i);
    world.runFor(30);
  }
}

function applied(world: World, index: number, gid: string): number {
  return world.node(index).root.replica(gid)?.table.applied ?? 0;
}

describe("snapshots", () => {
  it("are not sent to who is gone, and come when it is back", () => {
    const world = lacking();
    world.runFor(1000);
    world.node(2).crash();
    world.runFor(10_000);
    for (let i = 0; i < 100; i++) {
      world.runFor(50);
      expect(world.node(0).root.describeHost()).match(/streams 0 0$/);
    }
    world.withdraw(nothingLarge);
    world.node(2).start();
    world.until(() => gids.every((gid) => applied(world, 2, gid) > 5), { within: 10_000 });
  });

  it("come to who is there, whatever a member lacks that takes all but snapshots", () => {
    const world = lacking();
    world.runFor(5000);
    for (const gid of gids) {
      expect(applied(world, 2, gid)).equal(0);
      world.node(0).root.change(gid, { kind: "add-learner", peer: addressAt(3) });
      world.until(() => applied(world, 3, gid) > 5, { within: 10_000 });
    }
  });

  it("that do not go on give their place away when another one leads", () => {
    const world = cluster();
    write(world, "a", 3);
    world.runFor(1000);
    const { state } = world.node(1).root.replica("a") ?? expect.fail("it has none");
    const begins: PeerMessage = {
      gid: "a",
      from: 1,
      fromPeer: 1,
      to: 2,
      toPeer: 2,
      kind: "snapshot",
      term: state.term,
      base: { index: 1000, term: state.term, time: 1, config: foundingConfig(founders) },
      part: 0,
      cells: [],
      last: false,
      digest: 1,
    };
    world.node(0).root.say(world.peer(1), world.peer(0), begins);
    world.runFor(100);
    expect(world.node(1).root.describeHost()).match(/streams 0 1$/);
    world.node(0).root.transfer("a", 3);
    world.until(() => world.node(2).root.leads.has("a"));
    world.runFor(1000);
    expect(world.node(1).root.describeHost()).match(/streams 0 0$/);
  });

  it("let the log be cut where its entries are large, however few they are", () => {
    const keepBytes = 10 * large;
    const world = simulate(Peer, { seed: 6, nodes: 3, init: { settings: { keepBytes } } }).boot();
    world.runFor(50);
    for (const index of [0, 1, 2]) world.node(index).root.found("a", founders);
    world.until(() => world.nodes.some(({ root }) => root.leads.has("a")));
    const { root, index } = world.nodes.find((node) => node.root.leads.has("a")) ?? world.node(0);
    const away = world.node((index + 1) % 3);
    away.crash();
    const logs = (): Log[] =>
      world.nodes.flatMap((node) =>
        node.state === "up" ? (node.root.replica("a")?.state.log ?? []) : [],
      );
    for (let i = 0; i < 60; i++) {
      root.write("a", "v".repeat(large), i);
      world.runFor(300);
      // What is not on the disk yet is kept, whatever it is: about four of them come until it is written.
      for (const log of logs()) {
        expect(log.bytes).equal(log.entries.reduce((sum, entry) => sum + sizeOf(entry), 0));
        expect(log.bytes).at.most(2 * keepBytes);
      }
    }
    world.runFor(3000);
    for (const log of logs()) expect(log.bytes).within(large, keepBytes);
    away.start();
    world.until(() => applied(world, away.index, "a") > 60, { within: 10_000 });
    expect(logs()).length(3);
  });

  it("of a member that comes and goes leave nothing behind, however often that is", () => {
    const world = simulate(Peer, { seed: 9, nodes: 4, init: { settings: tight } }).boot();
    world.runFor(50);
    for (const index of [0, 1, 2]) world.node(index).root.found("a", founders);
    world.until(() => world.nodes.some(({ root }) => root.leads.has("a")));
    const { root } = world.nodes.find((node) => node.root.leads.has("a")) ?? world.node(0);
    const guest = world.node(3);
    const changed = (change: Change): void => {
      root.answers.length = 0;
      root.change("a", change);
      world.until(() => root.answers.length > 0);
      expect(root.answers[0]).instanceOf(Changed);
    };
    root.write("a", "v", 1);
    world.runFor(3000);
    root.write("a", "v", 2);
    // More than a storage has views open at a time.
    for (let i = 0; i < limits.views + 2; i++) {
      changed({ kind: "add-learner", peer: addressAt(3) });
      world.until(() => applied(world, 3, "a") > 3, { within: 20_000 });
      const { self } = guest.root.replica("a")?.state ?? expect.fail("it has none");
      expect(self).equal(4 + i);
      changed({ kind: "remove", replicaId: self });
      world.until(() => guest.root.left.length > i, { within: 20_000 });
    }
    world.runFor(100);
    expect(guest.disk.contents().names()).deep.equal([orderLog, tombstones].sort());
  });
});

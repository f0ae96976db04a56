/** The component: groups of simulated processes. */

import { keptWrites, simulate, type Simulation } from "@kith/sim";
import { expect } from "chai";
import { Busy, Changed, type ConsensusAnswer, Done, Founded, NotLeader, Refused } from "./port.ts";
import { replicatedGroups } from "./host.ts";
import { addressAt, Peer, register, registerV2, resultOf } from "./register.test.ts";

type World = Simulation<typeof Peer>;

function cluster(nodes: number, voters = nodes, seed = 1): World {
  const world = simulate(Peer, { seed, nodes }).boot();
  world.runFor(50);
  const peers = Array.from({ length: voters }, (_, i) => addressAt(i));
  for (let i = 0; i < voters; i++) world.node(i).root.found("g", peers);
  world.runFor(50);
  return world;
}

function leaderOf(world: World): number {
  world.until(() => world.nodes.some((node) => node.state === "up" && node.root.leads.has("g")));
  return world.nodes.findIndex((node) => node.state === "up" && node.root.leads.has("g"));
}

/** Does something at a node and waits for the answer. */
function asked(world: World, index: number, action: (peer: Peer) => void): ConsensusAnswer {
  const { root } = world.node(index);
  let answer: ConsensusAnswer | null = null;
  root.onEnd = (_, given) => (answer = given);
  root.answers.length = 0;
  action(root);
  world.until(() => answer !== null || root.answers.length > 0);
  return answer ?? (root.answers[0] as ConsensusAnswer);
}

describe("replicated groups", () => {
  it("are founded, elect a leader, and do what is proposed to it", () => {
    const world = cluster(3);
    for (const { root } of world.nodes) expect(root.answers[0]).instanceOf(Founded);
    const leader = leaderOf(world);
    const done = asked(world, leader, (peer) => peer.write("g", "a", 1));
    expect(resultOf(done)).equal("1 a");
    expect(resultOf(asked(world, leader, (peer) => peer.query("g", 2)))).equal("1 a");
  });

  it("say who leads, where another one does", () => {
    const world = cluster(3);
    const leader = leaderOf(world);
    world.runFor(500);
    const answer = asked(world, (leader + 1) % 3, (peer) => peer.write("g", "a", 1));
    expect(answer).instanceOf(NotLeader);
    expect((answer as NotLeader).leader?.peerId).equal(leader + 1);
    expect(asked(world, leader, (peer) => peer.write("h", "a", 1))).instanceOf(Refused);
  });

  it("keep what was answered when all processes crash", () => {
    const world = cluster(3);
    const leader = leaderOf(world);
    for (let i = 0; i < 20; i++) asked(world, leader, (peer) => peer.write("g", `v${i}`, i));
    for (const node of world.nodes) node.crash();
    for (const node of world.nodes) node.start();
    world.runFor(50);
    const next = leaderOf(world);
    expect(resultOf(asked(world, next, (peer) => peer.query("g", 99)))).equal("20 v19");
  });

  it("go on without their leader", () => {
    const world = cluster(3);
    const leader = leaderOf(world);
    asked(world, leader, (peer) => peer.write("g", "a", 1));
    world.node(leader).crash();
    const next = leaderOf(world);
    expect(resultOf(asked(world, next, (peer) => peer.write("g", "b", 2)))).equal("2 b");
    world.node(leader).start();
    world.runFor(5000);
    world.node(leader).root.ask("g");
    world.runFor(100);
    expect(world.node(leader).root.status?.applied).greaterThan(2);
  });

  it("take in a learner by a snapshot, and promote it; a member that is removed leaves", () => {
    const world = simulate(Peer, {
      seed: 3,
      nodes: 4,
      init: { settings: { keepEntries: 4, cutEntries: 8 } },
    }).boot();
    world.runFor(50);
    for (let i = 0; i < 3; i++) world.node(i).root.found("g", [0, 1, 2].map(addressAt));
    const leader = leaderOf(world);
    for (let i = 0; i < 100; i++) asked(world, leader, (peer) => peer.write("g", `v${i}`, i));
    world.runFor(3000);
    for (let i = 0; i < 10; i++) asked(world, leader, (peer) => peer.write("g", `w${i}`, i));
    const change = (action: (peer: Peer) => void): unknown => asked(world, leader, action);
    expect(
      change((peer) => peer.change("g", { kind: "add-learner", peer: addressAt(3) })),
    ).instanceOf(Changed);
    world.runFor(3000);
    const promoted = change((peer) => peer.change("g", { kind: "promote", replicaId: 4 }));
    expect(promoted, JSON.stringify(promoted)).instanceOf(Changed);
    const gone = (leader + 1) % 3;
    expect(change((peer) => peer.change("g", { kind: "remove", replicaId: gone + 1 }))).instanceOf(
      Changed,
    );
    world.runFor(10_000);
    expect(world.node(gone).root.left).deep.equal(["g"]);
    world.node(3).root.ask("g");
    world.runFor(100);
    const { status } = world.node(3).root;
    expect(status?.firstIndex).greaterThan(1);
    expect(status?.config.members.map(({ replicaId, voter }) => `${replicaId}${voter}`)).length(3);
    // It may come back, as another replica.
    const now = leaderOf(world);
    const again = asked(world, now, (peer) =>
      peer.change("g", { kind: "add-learner", peer: addressAt(gone) }),
    );
    expect(again).instanceOf(Changed);
    world.runFor(3000);
    world.node(gone).root.ask("g");
    world.runFor(100);
    expect(world.node(gone).root.status?.self).equal(5);
  });

  it("refuse a query that the machine cannot answer, and go on", () => {
    const world = cluster(3);
    const leader = leaderOf(world);
    asked(world, leader, (peer) => peer.write("g", "a", 1));
    const answer = asked(world, leader, (peer) => peer.query("g", 2, "fail"));
    expect(answer)
      .instanceOf(Refused)
      .include({ reason: "invalid", detail: "this cannot be asked" });
    expect(resultOf(asked(world, leader, (peer) => peer.query("g", 3)))).equal("1 a");
    expect(world.node(leader).root.halted).deep.equal([]);
  });

  it("refuse what cannot be founded, and members that cannot be", () => {
    const world = cluster(3);
    const leader = leaderOf(world);
    asked(world, leader, (peer) => peer.write("g", "a", 1));
    const own = addressAt(leader);
    const invalid = (action: (peer: Peer) => void): void => {
      const answer = asked(world, leader, action);
      expect(answer).instanceOf(Refused).include({ reason: "invalid" });
    };
    const strange = [
      { ...addressAt(9), port: NaN },
      { ...addressAt(9), port: -1 },
      { ...addressAt(9), peerId: 1.5 },
      { ...addressAt(9), host: "" },
    ];
    for (const peer of [own, ...strange]) {
      invalid((root) => root.found("h", [own, peer]));
      invalid((root) => root.change("g", { kind: "add-learner", peer }));
    }
    for (const gid of ["", "no gid", "g".repeat(101)]) invalid((root) => root.found(gid, [own]));
    expect(resultOf(asked(world, leader, (peer) => peer.write("g", "b", 1)))).equal("2 b");
  });

  it("stop a group whose machine writes a key that is none, and lose nothing that was done before", () => {
    for (const command of ["no key", "no key to delete"]) {
      const world = cluster(3);
      const leader = leaderOf(world);
      for (let i = 0; i < 5; i++) asked(world, leader, (peer) => peer.write("g", `v${i}`, i));
      expect(asked(world, leader, (peer) => peer.write("g", command, 9))).not.instanceOf(Done);
      world.runFor(20_000);
      expect(world.node(leader).root.halted).match(/which is no byte/);
      // Whoever comes back has what it had, and stops where it has stopped before.
      for (const node of world.nodes) node.crash();
      for (const node of world.nodes) node.start();
      world.runFor(20_000);
      for (const { root } of world.nodes) {
        const value = root.replica("g")?.table.cells.values.get("v");
        expect(new TextDecoder().decode(value)).equal("5 v4");
      }
    }
  });

  it("stop a group whose table cannot be written, and leave what the disk has as it is", () => {
    const world = cluster(3);
    const leader = leaderOf(world);
    for (let i = 0; i < 5; i++) asked(world, leader, (peer) => peer.write("g", `v${i}`, i));
    const { root, disk } = world.node(leader);
    disk.faults.add(keptWrites());
    // Between its writing and its place on the disk, in no way that a machine has.
    root.replica("g")?.table.dirty.set("\u20ac", new Uint8Array());
    world.runFor(20_000);
    expect(root.halted).match(/which is no byte/);
    world.node(leader).crash();
    world.node(leader).start();
    world.runFor(20_000);
    const value = world.node(leader).root.replica("g")?.table.cells.values.get("v");
    expect(new TextDecoder().decode(value)).equal("5 v4");
  });

  it("stop a group that cannot apply an entry, with its data, and no other one", () => {
    const world = cluster(3);
    const peers = [0, 1, 2].map(addressAt);
    for (const { root } of world.nodes) root.found("h", peers);
    const leader = leaderOf(world);
    asked(world, leader, (peer) => peer.write("g", "a", 1));
    world.node(leader).root.write("g", "fail", 2);
    world.runFor(20_000);
    // The next leader commits it and stops as well; the last one finds no majority.
    const halted = world.nodes.filter(({ root }) => root.halted.length > 0);
    expect(halted).length(2);
    for (const { root } of halted) {
      expect(root.halted).deep.equal(["this cannot be"]);
      root.ask("g");
    }
    world.runFor(100);
    for (const { root } of halted) expect(root.status?.halted).equal("this cannot be");
    world.until(() => world.nodes.some(({ root }) => root.leads.has("h")));
    const other = world.nodes.findIndex(({ root }) => root.leads.has("h"));
    expect(asked(world, other, (peer) => peer.write("h", "b", 3))).instanceOf(Done);
  });

  it("fall quiet, and wake with the next command", () => {
    const world = cluster(3);
    const leader = leaderOf(world);
    asked(world, leader, (peer) => peer.write("g", "a", 1));
    world.runFor(6000);
    for (const { root } of world.nodes) root.ask("g");
    world.runFor(50);
    for (const { root } of world.nodes) expect(root.status?.quiet).equal(true);
    expect(asked(world, leader, (peer) => peer.write("g", "b", 2))).instanceOf(Done);
  });

  it("have another leader soon where the leader's process ends, also while they are quiet", () => {
    const world = cluster(3);
    const leader = leaderOf(world);
    asked(world, leader, (peer) => peer.write("g", "a", 1));
    world.runFor(8000);
    world.node(leader).crash();
    // By its silence alone that would take more than ten seconds.
    world.until(() => world.nodes.some((node) => node.state === "up" && node.root.leads.has("g")), {
      within: 3000,
    });
  });

  it("run by the hundred in one process, and share messages and flushes", () => {
    const world = simulate(Peer, { seed: 5, nodes: 3 }).boot();
    world.runFor(50);
    const peers = [0, 1, 2].map(addressAt);
    const gids = Array.from({ length: 200 }, (_, i) => `g${i}`);
    for (const { root } of world.nodes) for (const gid of gids) root.found(gid, peers);
    const led = (): number => new Set(world.nodes.flatMap(({ root }) => [...root.leads])).size;
    world.until(() => led() === gids.length, { within: 20_000 });
    let done = 0;
    for (const { root } of world.nodes)
      root.onEnd = (_, answer) => void (done += Number(answer instanceof Done));
    for (const { root } of world.nodes) for (const gid of root.leads) root.write(gid, "x", 1);
    world.until(() => done === gids.length, { within: 5000 });
  });

  it("are replaced while they work", () => {
    const world = cluster(3);
    const leader = leaderOf(world);
    for (let i = 0; i < 30; i++) {
      for (const node of world.nodes) node.system.swapThen("/Peer-1/groups", {}, () => undefined);
      const done = asked(world, leader, (peer) => peer.write("g", `v${i}`, i));
      expect(resultOf(done)).equal(`${i + 1} v${i}`);
    }
  });

  it("go over to a newer version of the machine when all members have its code, and no earlier", () => {
    const world = cluster(3);
    const leader = leaderOf(world);
    const newer = replicatedGroups(registerV2);
    const init = { announce: true, twice: true };
    const swap = (index: number): void => {
      world.node(index).system.swapThen("/Peer-1/groups", { cls: newer, init }, () => undefined);
      world.runFor(1500);
    };
    const others = [0, 1, 2].filter((index) => index !== leader);
    swap(leader);
    for (const index of others) {
      expect(asked(world, leader, (peer) => peer.upgrade("g", 2))).instanceOf(Busy);
      expect(resultOf(asked(world, leader, (peer) => peer.write("g", "a", 1)))).match(/ a$/);
      swap(index);
    }
    expect(asked(world, leader, (peer) => peer.upgrade("g", 2))).instanceOf(Done);
    expect(resultOf(asked(world, leader, (peer) => peer.write("g", "a", 1)))).equal("3 A");
    world.runFor(500);
    // Who has only the old code now stops, with its data kept; the others go on.
    const [old = 0] = others;
    const older = replicatedGroups(register);
    world.node(old).system.swapThen("/Peer-1/groups", { cls: older, init }, () => undefined);
    expect(resultOf(asked(world, leader, (peer) => peer.write("g", "b", 1)))).equal("4 B");
    world.runFor(500);
    expect(world.node(old).root.halted.join()).match(/version 2/);
  });

  it("answer Busy before they would grow without limit", () => {
    const world = simulate(Peer, {
      seed: 1,
      nodes: 3,
      init: { settings: { pendingMax: 10 } },
    }).boot();
    world.runFor(50);
    for (const { root } of world.nodes) root.found("g", [0, 1, 2].map(addressAt));
    const leader = leaderOf(world);
    world.runFor(200);
    const { root } = world.node(leader);
    const seen: ConsensusAnswer[] = [];
    root.onEnd = (_, answer) => void seen.push(answer);
    for (let i = 0; i < 30; i++) root.write("g", `v${i}`, i);
    world.until(() => seen.length === 30);
    expect(seen.filter((answer) => answer instanceof Done)).length(10);
    expect(seen.filter((answer) => answer instanceof Busy)).length(20);
  });
});

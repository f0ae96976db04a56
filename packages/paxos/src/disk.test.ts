/** What becomes of a process whose disk takes nothing more, and of what lies on it when replicas go and come. */

import { fullDisk, simulate, type Simulation, slowFlush } from "@kith/sim";
import { StorageFailed } from "@kith/storage";
import { expect } from "chai";
import { foundingConfig, type ReplicaId } from "./config.ts";
import type { PeerMessage } from "./peer-message.ts";
import { Busy, type ConsensusAnswer, Done, type Refused, Unknown } from "./port.ts";
import { addressAt, Peer, resultOf } from "./register.test.ts";

type World = Simulation<typeof Peer>;

const founders = [0, 1, 2].map(addressAt);

function cluster(nodes = 3, write = { min: 0.01, max: 0.01 }): World {
  const world = simulate(Peer, {
    seed: 7,
    nodes,
    disk: () => ({ write }),
    init: { settings: { keepEntries: 4, cutEntries: 8 } },
  }).boot();
  world.runFor(50);
  for (const index of [0, 1, 2]) world.node(index).root.found("g", founders);
  world.until(() => world.nodes.some(({ root }) => root.leads.has("g")));
  world.runFor(200);
  return world;
}

function leaderOf(world: World): number {
  const leads = (): number =>
    world.nodes.findIndex((node) => node.state === "up" && node.root.leads.has("g"));
  world.until(() => leads() >= 0, { within: 20_000 });
  return leads();
}

/** Writes values one after the other, at whoever leads. @returns those that were acknowledged */
function write(world: World, count: number, prefix: string): string[] {
  const done: string[] = [];
  for (let i = 0; i < count; i++) {
    const { root } = world.node(leaderOf(world));
    let answer: ConsensusAnswer | null = null;
    root.onEnd = (_, given) => (answer = given);
    root.write("g", `${prefix}${i}`, i);
    world.until(() => answer !== null, { within: 20_000 });
    const text = answer === null ? null : resultOf(answer);
    if (text !== null) done.push(text.split(" ")[1] ?? "");
    else world.runFor(100);
  }
  return done;
}

/** Writes many at once. @returns the answers */
function burst(world: World, index: number, count: number, value = "burst"): ConsensusAnswer[] {
  const answers: ConsensusAnswer[] = [];
  const { root } = world.node(index);
  root.onEnd = (_, answer) => void answers.push(answer);
  for (let i = 0; i < count; i++) {
    root.write("g", `${value}${i}`, i);
    if (i % 3 === 2) world.runFor(0.2);
  }
  world.until(() => answers.length === count, { within: 20_000 });
  return answers;
}

describe("a disk that is full", () => {
  it("makes its process wait; the others go on, and it catches up in the same life", () => {
    const world = cluster();
    const leader = leaderOf(world);
    write(world, 5, "a");
    const { root, disk } = world.node(leader);
    const room = disk.faults.add(fullDisk(0));
    const answers = burst(world, leader, 40);
    // What was under way may have reached a majority; nothing was acknowledged that is not durable.
    for (const answer of answers)
      expect(answer instanceof Done || answer instanceof Unknown || answer instanceof Busy).equal(
        true,
      );
    expect(answers.some((answer) => answer instanceof Busy || answer instanceof Unknown)).equal(
      true,
    );
    world.runFor(100);
    let answer: ConsensusAnswer | null = null;
    root.onEnd = (_, given) => (answer = given);
    root.write("g", "no", 1);
    world.until(() => answer !== null);
    expect(answer).instanceOf(Busy);
    world.until(() =>
      world.nodes.some((node) => node.index !== leader && node.root.leads.has("g")),
    );
    expect(leaderOf(world)).not.equal(leader);
    expect(write(world, 5, "b")).length(5);
    expect(root.lost).equal(false);
    room();
    world.runFor(5000);
    expect(world.node(leader).lives).equal(1);
    const [one, other] = [root.replica("g"), world.node(leaderOf(world)).root.replica("g")];
    expect(one?.table.applied).equal(other?.table.applied);
    expect(one?.table.hash).equal(other?.table.hash);
  });

  it("loses nothing that was acknowledged, where all are full and then crash", () => {
    const world = cluster();
    const before = write(world, 5, "a");
    const rooms = world.nodes.map(({ disk }) => disk.faults.add(fullDisk(0)));
    const done = burst(world, leaderOf(world), 20).filter((answer) => answer instanceof Done);
    world.runFor(2000);
    for (const room of rooms) room();
    for (const node of world.nodes) node.crash();
    for (const node of world.nodes) node.start();
    world.runFor(50);
    const after = write(world, 3, "b");
    expect(after).length(3);
    const count = world.node(leaderOf(world)).root.replica("g")?.table.cells.values.get("v");
    const written = Number(new TextDecoder().decode(count).split(" ")[0]);
    expect(written).at.least(before.length + done.length + after.length);
  });
});

describe("a storage that is busy", () => {
  it("makes its process wait for a moment, and forget nothing", () => {
    const world = simulate(Peer, {
      seed: 8,
      nodes: 3,
      disk: () => ({ flush: { min: 3000, max: 6000 } }),
      storage: { pendingBytesMax: 2000 },
    }).boot();
    world.runFor(50);
    for (const index of [0, 1, 2]) world.node(index).root.found("g", founders);
    const leader = leaderOf(world);
    write(world, 1, "a");
    const before = world.nodes.map(({ root }) => root.replica("g"));
    let refusals = 0;
    for (const { system } of world.nodes)
      system.inspect(({ kind, event }) => {
        if (kind !== "trigger" || !(event instanceof StorageFailed)) return;
        refusals++;
        expect(event.code).oneOf(["KITH_STORAGE_BUSY", "KITH_STORAGE_ARGUMENT"]);
      });
    for (let round = 0; round < 5; round++) {
      const answers = burst(world, leader, 100, "v".repeat(200));
      expect(answers.filter((answer) => !(answer instanceof Done))).deep.equal([]);
    }
    expect(refusals).greaterThan(4);
    world.runFor(1000);
    expect(leaderOf(world)).equal(leader);
    for (const { index, root } of world.nodes) {
      expect(root.replica("g"), "it is not read anew").equal(before[index]);
      expect(root.replica("g")?.table.applied).equal(before[0]?.table.applied);
    }
    // And all of it is on the disks.
    for (const node of world.nodes) node.crash();
    for (const node of world.nodes) node.start();
    const [last] = write(world, 1, "b");
    expect(last).equal("b0");
    const value = world.node(leaderOf(world)).root.replica("g")?.table.cells.values.get("v");
    expect(new TextDecoder().decode(value)).equal("502 b0");
  });
});

describe("a disk that refuses some writes and takes others", () => {
  it("has no hole in what was written: the process goes on from the beginning that is there", () => {
    // Several are always under way.
    const world = cluster(3, { min: 3, max: 6 });
    const before = write(world, 5, "a").length;
    for (const [i, { disk }] of world.nodes.entries()) {
      let count = 0;
      const verdict = { kind: "fail" } as const;
      // Each for a while, one after the other: of its writes each third is refused.
      const [from, to] = [world.time + i * 2000, world.time + i * 2000 + 1000];
      disk.faults.add({
        name: "every third write",
        judge: ({ deed, time }) =>
          deed === "write" && time > from && time < to && ++count % 3 === 0 ? verdict : undefined,
      });
    }
    let done = 0;
    for (let round = 0; round < 60; round++) {
      const answers = burst(world, leaderOf(world), 8);
      done += answers.filter((answer) => answer instanceof Done).length;
      world.runFor(100);
    }
    world.runFor(5000);
    for (const node of world.nodes) {
      expect(node.root.lost).equal(false);
      expect(node.root.halted).deep.equal([]);
      node.crash();
      node.start();
    }
    world.runFor(50);
    write(world, 1, "b");
    world.runFor(3000);
    const hashes = world.nodes.map(({ root }) => root.replica("g")?.table.hash);
    expect(new Set(hashes).size).equal(1);
    const count = world.node(0).root.replica("g")?.table.cells.values.get("v");
    const written = Number(new TextDecoder().decode(count).split(" ")[0]);
    expect(written).at.least(before + done + 1);
  });
});

describe("a replica that is gone", () => {
  const append = (to: ReplicaId, term: number, last: number): PeerMessage => ({
    gid: "g",
    from: 1,
    fromPeer: 1,
    to,
    toPeer: 4,
    kind: "append",
    term,
    prevIndex: 0,
    prevTerm: 0,
    entries: Array.from({ length: last }, (_, i) => ({
      kind: "noop" as const,
      index: i + 1,
      term,
      time: 1,
    })),
    commit: 0,
    round: 0,
    quiet: false,
  });

  /** A process without a group, and another one that talks to it. */
  const pair = (): { world: World; say: (...messages: PeerMessage[]) => void } => {
    const world = simulate(Peer, { seed: 7, nodes: 4 }).boot();
    world.runFor(50);
    const say = (...messages: PeerMessage[]): void =>
      world.node(0).root.say(world.peer(3), world.peer(0), ...messages);
    return { world, say };
  };
  const removal = (to: ReplicaId): PeerMessage => ({
    gid: "g",
    from: 1,
    fromPeer: 1,
    to,
    toPeer: 4,
    kind: "too-old",
    term: 1,
    config: { ...foundingConfig(founders), nextReplicaId: to + 1 },
  });

  it("does not come back by a late message, in a later life neither", () => {
    const { world, say } = pair();
    const there = (): number => world.node(3).root.replica("g")?.state.self ?? 0;
    say(append(4, 1, 2));
    world.runFor(50);
    expect(there()).equal(4);
    say(removal(4));
    world.runFor(50);
    expect(there()).equal(0);
    expect(world.node(3).root.left).deep.equal(["g"]);
    say(append(4, 9, 3));
    world.runFor(50);
    expect(there()).equal(0);
    world.node(3).crash();
    world.node(3).start();
    world.runFor(50);
    say(append(4, 9, 3));
    world.runFor(50);
    expect(there()).equal(0);
    const { root } = world.node(3);
    root.found(
      "g",
      founders.map((peer, i) => (i === 2 ? addressAt(3) : peer)),
    );
    world.runFor(50);
    expect((root.answers[0] as Refused).reason).equal("exists");
    // Another replica of the same peer may come.
    say(append(5, 9, 3));
    world.runFor(50);
    expect(there()).equal(5);
  });

  it("leaves its flushes to nobody: those of the next replica are its own", () => {
    const { world, say } = pair();
    say(append(4, 1, 1));
    world.runFor(50);
    world.node(3).disk.faults.add(slowFlush(1, 200, 200));
    for (let last = 2; last < 6; last++) {
      say(append(4, 1, last));
      world.runFor(5);
    }
    say(append(5, 1, 3));
    world.runFor(5);
    const { root } = world.node(3);
    expect(root.replica("g")?.state.self).equal(5);
    expect(root.replica("g")?.state.stable).equal(0);
    // What is answered first is what the old one has written.
    world.until(() => (root.replica("g")?.state.flushed ?? 0) > 0, { within: 5000 });
    expect(root.replica("g")?.state.halted).equal(null);
    world.runFor(2000);
    expect(root.replica("g")?.state.stable).equal(3);
  });
});

describe("a snapshot", () => {
  it("leaves nothing of what it replaces on the disk", () => {
    const world = cluster();
    write(world, 6, "a");
    const leader = leaderOf(world);
    const behind = (leader + 1) % 3;
    world.node(behind).crash();
    write(world, 80, "b");
    world.runFor(2000);
    world.node(behind).start();
    world.runFor(3000);
    write(world, 3, "c");
    world.runFor(3000);
    // What the next life reads is what lies there.
    world.node(behind).crash();
    world.node(behind).start();
    world.runFor(10);
    const one = world.node(behind).root.replica("g");
    const other = world.node(leaderOf(world)).root.replica("g");
    expect(one?.state.log.base).greaterThan(6);
    expect(one?.state.log.entries[0]?.index).equal((one?.state.log.base ?? 0) + 1);
    expect([...(one?.table.cells.values.keys() ?? [])].sort()).deep.equal(
      [...(other?.table.cells.values.keys() ?? [])].sort(),
    );
    world.runFor(1000);
    expect(one?.table.hash).equal(other?.table.hash);
  });
});

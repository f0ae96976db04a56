/** A command makes another group: at every member, once, and not later than what the command leaves. */

import { keptWrites, lostWrites, simulate, type Simulation } from "@kith/sim";
import { expect } from "chai";
import { type Applied, type ConsensusAnswer, Done } from "./port.ts";
import { addressAt, Peer } from "./register.test.ts";

type World = Simulation<typeof Peer>;

const founders = [0, 1, 2].map(addressAt);
const tight = { keepEntries: 0, cutEntries: 1 };

function cluster(nodes = 3): World {
  const world = simulate(Peer, { seed: 11, nodes, init: { settings: tight } }).boot();
  world.runFor(50);
  for (const index of [0, 1, 2]) world.node(index).root.found("g", founders);
  return world;
}

function leaderOf(world: World, gid: string): number {
  const leads = (): number =>
    world.nodes.findIndex((node) => node.state === "up" && node.root.leads.has(gid));
  world.until(() => leads() >= 0, { within: 20_000 });
  return leads();
}

function stepUntil(world: World, duration: number, done: () => boolean): void {
  const end = world.time + duration;
  while (!done() && world.time < end)
    if (!world.step()) throw new Error("nothing happens any more");
}

/** Has a value written, at whoever leads, again and again. */
function write(world: World, gid: string, value: string): void {
  for (let i = 0; i < 100; i++) {
    const { root } = world.node(leaderOf(world, gid));
    let answer: ConsensusAnswer | null = null;
    root.onEnd = (_, given) => (answer = given);
    root.write(gid, value, i);
    stepUntil(world, 1000, () => answer !== null);
    if ((answer as ConsensusAnswer | null) instanceof Done) return;
    for (const node of world.nodes) if (node.state === "down") node.start();
    world.runFor(100);
  }
  throw new Error(`${value} was never done in ${gid}`);
}

function valueAt(world: World, index: number, gid: string): string {
  const value = world.node(index).root.replica(gid)?.table.cells.values.get("v");
  return value === undefined ? "nothing" : new TextDecoder().decode(value);
}

/** All members have both groups, with equal tables. */
function expectAlike(world: World, ...gids: string[]): void {
  for (const gid of gids) {
    const tables = [0, 1, 2].map((index) => world.node(index).root.replica(gid)?.table);
    expect(new Set(tables.map((table) => table?.applied)).size, `applied in ${gid}`).equal(1);
    expect(new Set(tables.map((table) => table?.hash)).size, `hashes of ${gid}`).equal(1);
    expect(tables[0]?.applied).greaterThan(0);
  }
}

/**
 * A short run in which a node crashes at its write of that number after the first leader was elected.
 *
 * @returns false where it has fewer
 */
function crashing(victim: number, at: number, kept: boolean): boolean {
  const world = cluster();
  leaderOf(world, "g");
  write(world, "g", "a");
  let writes = 0;
  let due = false;
  const { disk } = world.node(victim);
  disk.faults.add(kept ? keptWrites() : lostWrites(1));
  disk.faults.add({
    name: "count",
    judge: ({ deed }) => {
      if (deed === "write" && ++writes === at) due = true;
      return undefined;
    },
  });
  let crashed = false;
  const crash = (): void => {
    if (!due || crashed) return;
    crashed = true;
    world.node(victim).crash();
  };
  const step = (action: () => void): void => {
    const wasDue = due;
    action();
    if (due && !wasDue) crash();
  };
  // The moment of the write itself, not that of the next look.
  const run = (duration: number): void => {
    const end = world.time + duration;
    stepUntil(world, duration, () => due && !crashed);
    crash();
    stepUntil(world, end - world.time, () => false);
  };
  step(() => world.node(leaderOf(world, "g")).root.write("g", "split h", 1));
  run(40);
  step(() => world.node(leaderOf(world, "g")).root.write("g", "b", 2));
  run(1500);
  const before = crashed;
  if (world.node(victim).state === "down") {
    world.node(victim).start();
    const { root } = world.node(victim);
    stepUntil(world, 1000, () => root.describeHost().startsWith("ready true"));
    // What the table on the disk says was made is there.
    if (root.replica("g")?.table.children.has("h") === true)
      expect(root.replica("h")?.table.applied).greaterThan(0);
  }
  // The split may have died with its leader, and is proposed once more then.
  world.runFor(3000);
  if (![0, 1, 2].some((index) => world.node(index).root.replica("h") !== undefined))
    write(world, "g", "split h");
  write(world, "h", "c");
  write(world, "g", "d");
  world.runFor(5000);
  expectAlike(world, "g", "h");
  for (const index of [0, 1, 2]) {
    // What is asked once more may have been done before; a split that died with its leader comes after b.
    expect(valueAt(world, index, "h")).match(/^[2-5] c$/);
    expect(valueAt(world, index, "g")).match(/^[2-6] d$/);
    expect(world.node(index).root.halted).deep.equal([]);
  }
  return before;
}

describe("a group that a command makes", function () {
  this.timeout(120_000);

  it("is at all members, begins with what it was given, and goes on by itself", () => {
    const world = cluster();
    leaderOf(world, "g");
    write(world, "g", "a");
    const applied: Applied[] = [];
    for (const { root } of world.nodes) root.onApplied = (one) => void applied.push(one);
    write(world, "g", "split h");
    const begun = world.time;
    const leader = leaderOf(world, "h");
    // Its first leader is that of the other one, and is so soon.
    expect(leader).equal(leaderOf(world, "g"));
    expect(world.time - begun).lessThan(500);
    write(world, "h", "b");
    write(world, "g", "c");
    world.runFor(3000);
    expectAlike(world, "g", "h");
    for (const index of [0, 1, 2]) {
      expect(valueAt(world, index, "h")).equal("2 b");
      expect(valueAt(world, index, "g")).equal("3 c");
    }
    const split = applied.find(({ command }) => new TextDecoder().decode(command) === "split h");
    expect(split?.written.map(([key]) => key).slice(-2)).deep.equal(["v", "k1"]);
    // Once more is never.
    world.node(leaderOf(world, "g")).root.write("g", "split h", 1);
    world.runFor(500);
    expect(world.nodes.some(({ root }) => /G8/.test(root.halted.join()))).equal(true);
  });

  it("is there after a crash at each write of each member, whatever the disk kept", () => {
    let runs = 0;
    for (const victim of [0, 1, 2])
      for (const kept of [false, true])
        for (let at = 1; at < 60; at++) {
          runs++;
          if (!crashing(victim, at, kept)) break;
        }
    expect(runs).greaterThan(40);
  });

  it("is there after all have crashed, and after snapshots of both", () => {
    const world = cluster();
    leaderOf(world, "g");
    write(world, "g", "a");
    write(world, "g", "split h");
    for (let round = 0; round < 3; round++) {
      for (const node of world.nodes) node.crash();
      for (const node of world.nodes) node.start();
      world.runFor(50);
      for (let i = 0; i < 5; i++) write(world, "h", `h${round}${i}`);
      write(world, "g", `g${round}`);
      world.runFor(1500);
    }
    world.runFor(3000);
    expectAlike(world, "g", "h");
    expect(valueAt(world, 1, "h")).equal("16 h24");
  });

  it("has a member in who was away when it was made, and has the other's snapshot only", () => {
    const world = cluster();
    const leader = leaderOf(world, "g");
    write(world, "g", "a");
    const away = (leader + 1) % 3;
    const other = (leader + 2) % 3;
    world.node(away).crash();
    write(world, "g", "split h");
    for (let i = 0; i < 5; i++) write(world, "g", `b${i}`);
    world.runFor(2500);
    for (let i = 0; i < 5; i++) write(world, "g", `c${i}`);
    world.runFor(2500);
    // Nobody leads, and one of the two that have it does not come back: the one who was away has to vote.
    world.node(leader).crash();
    world.node(other).crash();
    world.node(leader).start();
    world.node(away).start();
    write(world, "h", "d");
    expect(valueAt(world, leader, "h")).equal("2 d");
    world.runFor(3000);
    expect(valueAt(world, away, "h")).equal("2 d");
    world.node(other).start();
    world.runFor(8000);
    expectAlike(world, "g", "h");
  });

  it("takes in members like any other, and is not there for who comes to the first one later", () => {
    const world = cluster(4);
    const leader = leaderOf(world, "g");
    write(world, "g", "a");
    write(world, "g", "split h");
    leaderOf(world, "h");
    world.node(leader).root.change("g", { kind: "add-learner", peer: addressAt(3) });
    world.runFor(3000);
    expect(world.node(3).root.replica("g")?.table.applied).greaterThan(2);
    expect(world.node(3).root.replica("h")).equal(undefined);
    world.node(leaderOf(world, "h")).root.change("h", { kind: "add-learner", peer: addressAt(3) });
    world.runFor(3000);
    expect(valueAt(world, 3, "h")).equal(valueAt(world, leader, "h"));
  });
});

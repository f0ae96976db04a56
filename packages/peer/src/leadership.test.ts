/** Leadership is spread over the peers, comes back to those that come back, and is handed over before a stop. */

import { expect } from "chai";
import { cluster, put, ready, type World } from "./manager-kit.test.ts";

/** The peer that leads each group, as all members of it say that are up; null where they do not agree. */
function leaders(world: World): Map<string, number | null> {
  const index = world.nodes.findIndex(({ state }) => state === "up");
  const { root } = world.node(index);
  root.look();
  world.until(() => root.seen !== null, { within: 3000 });
  const found = new Map<string, number | null>();
  for (const { peers, silent } of root.seen?.processes ?? [])
    for (const { groups } of silent ? [] : peers)
      for (const { gid, leader } of groups)
        found.set(gid, (found.get(gid) ?? leader) === leader ? leader : null);
  return found;
}

/** Who should lead each group. */
function firsts(world: World): Map<string, number> {
  const genesis = world.nodes.find(({ state }) => state === "up")?.root.last?.genesis;
  const groups = genesis?.groups ?? [];
  return new Map(
    groups.map(({ descriptor, members: [first] }) => [descriptor.gid, first?.peerId ?? 0]),
  );
}

function nodeOf(world: World, peerId: number | null | undefined): number {
  return world.nodes.findIndex(
    ({ state, root }) => state === "up" && root.hostedIds.includes(peerId ?? 0),
  );
}

/** Hands over, and stops the node when that is done. @returns how long it took */
function retire(world: World, node: number): number {
  const { root, system } = world.node(node);
  const began = world.time;
  let done = false;
  system.enter(() =>
    root.retire(() => {
      done = true;
    }),
  );
  world.until(() => done, { within: 5000 });
  return world.time - began;
}

/** The longest that one of many writes took, one after the other at a peer that stays, to keys of all groups. */
function longestWrite(world: World, at: number, during: () => void): number {
  const asker = [...world.node(at).root.askers.values()][0];
  if (asker === undefined) throw new Error("nobody can be asked");
  let asked = asker.answers.length;
  let since = world.time;
  let longest = 0;
  const go = (millis: number): void => {
    const end = world.time + millis;
    for (; world.time < end; world.runFor(2)) {
      if (asker.answers.length < asked) continue;
      longest = Math.max(longest, world.time - since);
      since = world.time;
      asker.ask(put(`key-${asked++ % 32}`, "value"));
    }
  };
  go(1000);
  during();
  go(5000);
  expect(asker.answers.every((answer) => answer.constructor.name === "Written")).equal(true);
  return longest;
}

/** A cluster whose leaders are all where they belong. */
function settled(seed: number): World {
  const more = { store: { balance: { steady: 2000 } } };
  const world = cluster({ seed, nodes: 5, groups: 8, more });
  ready(world);
  for (let turns = 0; ; turns++) {
    world.runFor(2000);
    const wanted = firsts(world);
    if ([...leaders(world)].every(([gid, leader]) => leader === wanted.get(gid))) return world;
    if (turns > 30) throw new Error("the leaders are not where they belong");
  }
}

describe("leadership", () => {
  it("is spread over the peers, and comes back to one that comes back", () => {
    const world = settled(41);
    const counts = new Map<number, number>();
    for (const peerId of firsts(world).values()) counts.set(peerId, (counts.get(peerId) ?? 0) + 1);
    expect([...counts.values()].toSorted((a, b) => a - b)).deep.equal([1, 1, 2, 2, 2]);
    const [gid = "", first = 0] = [...firsts(world)][0] ?? [];
    const node = nodeOf(world, first);
    world.node(node).crash();
    world.runFor(6000);
    expect(leaders(world).get(gid)).not.oneOf([first, null]);
    world.node(node).start();
    ready(world);
    world.runFor(1000);
    expect(leaders(world).get(gid), "not at once").not.equal(first);
    world.runFor(15_000);
    expect(leaders(world).get(gid)).equal(first);
  });

  it("does not go to and fro with a peer that is cut off again and again", () => {
    const world = settled(42);
    const [gid = "", first = 0] = [...firsts(world)][0] ?? [];
    const { name } = world.node(nodeOf(world, first));
    let isCut = false;
    world.rule({
      name: "cut",
      judge: ({ from, to }) =>
        isCut && (from === name || to === name) ? { kind: "drop" } : undefined,
    });
    const returned: boolean[] = [];
    for (let round = 0; round < 8; round++) {
      isCut = true;
      world.runFor(25_000);
      isCut = false;
      world.runFor(12_000);
      returned.push(leaders(world).get(gid) === first);
    }
    // After 4 s the first time, and 8 s the second time; then it would take longer than it is there.
    expect(returned.filter((one) => one).length).within(1, 3);
    expect(returned.slice(5)).not.includes(true);
    world.runFor(60_000);
    expect(leaders(world).get(gid)).equal(first);
  });

  it("is handed over before a stop: a write waits for some round trips, and not for an election", () => {
    for (const seed of [43]) {
      const took = { crash: 0, stop: 0 };
      for (const how of ["crash", "stop"] as const) {
        const world = settled(seed);
        const victim = nodeOf(
          world,
          [...leaders(world).values()].find((id) => nodeOf(world, id) > 0),
        );
        took[how] = longestWrite(world, 0, () => {
          if (how === "stop") expect(retire(world, victim)).below(500);
          world.node(victim).stop();
        });
      }
      expect(took.crash).greaterThan(1000);
      expect(took.stop).below(100);
    }
  });

  it("is handed over before a peer is removed, and the time for that has an end", () => {
    const world = settled(46);
    const victim = nodeOf(
      world,
      [...leaders(world).values()].find((id) => nodeOf(world, id) > 0),
    );
    const { root, system, name } = world.node(victim);
    const [peerId = 0] = root.hostedIds;
    system.enter(() => root.remove(peerId));
    world.until(() => root.hostedIds.length === 0, { within: 500 });
    world.runFor(500);
    expect([...leaders(world).values()])
      .not.includes(null)
      .and.not.includes(peerId);
    // One that nobody hears hands over nothing, and stops all the same.
    const other = nodeOf(
      world,
      [...leaders(world).values()].find((id) => nodeOf(world, id) > 0),
    );
    const cut = world.node(other);
    world.rule({
      name: "cut",
      judge: ({ from, to }) =>
        [from, to].includes(cut.name) && from !== to && name !== cut.name
          ? { kind: "drop" }
          : undefined,
    });
    cut.system.enter(() => cut.root.remove(cut.root.hostedIds[0] ?? 0));
    world.runFor(800);
    expect(cut.root.hostedIds).length(1);
    world.runFor(500);
    expect(cut.root.hostedIds).length(0);
  });
});

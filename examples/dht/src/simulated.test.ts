/** The table on simulated peers: entries survive joins and leaves, and every operation ends. */

import { loss, simulate, type Simulation } from "@kith/sim";
import { expect } from "chai";
import { Main } from "./client.ts";
import type { Outcome } from "./index.ts";

type World = Simulation<typeof Main>;

function cluster(nodes: number, first: number, seed: number): World {
  const world: World = simulate(Main, {
    seed,
    nodes,
    boots: (index) => index < first,
    initOf: ({ index }) => ({
      introducers: index === 0 ? [] : [0, 1].filter((i) => i < index).map((i) => world.peer(i)),
    }),
  });
  world.boot().runFor(30_000);
  return world;
}

/** Asks one after the other at all peers that are there; the outcomes. */
function askAll(
  world: World,
  keys: readonly string[],
  op: "put" | "get" | "delete",
  valueOf: (key: string) => string | null = () => null,
): (Outcome | undefined)[] {
  const outcomes: (Outcome | undefined)[] = keys.map(() => undefined);
  const up = world.nodes.filter(({ state }) => state === "up");
  for (const [at, key] of keys.entries())
    up[at % up.length]?.root.ask(op, key, valueOf(key), (outcome) => {
      outcomes[at] = outcome;
    });
  world.until(() => outcomes.every((one) => one !== undefined), { within: 20_000 });
  return outcomes;
}

const keys = Array.from({ length: 200 }, (_, n) => `key ${n}`);

function expectAll(world: World): void {
  const got = askAll(world, keys, "get").map((outcome) => outcome?.value);
  expect(got).to.deep.equal(keys.map((key) => `value of ${key}`));
}

function filled(nodes: number, first: number, seed: number): World {
  const world = cluster(nodes, first, seed);
  const put = askAll(world, keys, "put", (key) => `value of ${key}`);
  expect(put.every((outcome) => outcome?.status === "ok")).to.equal(true);
  return world;
}

describe("the hash table, simulated", () => {
  it("keeps what is put, at one peer alone", () => {
    const world = filled(1, 1, 1);
    expectAll(world);
    expect(askAll(world, ["key 3"], "delete")[0]?.value).to.equal("value of key 3");
    expect(askAll(world, ["key 3", "none"], "get").map((one) => one?.value)).to.deep.equal([
      null,
      null,
    ]);
  });

  it("finds from every peer what was put at any other", () => expectAll(filled(8, 8, 2)));

  it("keeps all entries while peers join, one by one and five at once, and serves meanwhile", () => {
    const world = filled(12, 4, 3);
    for (const index of [4, 5, 6]) {
      world.node(index).start();
      expectAll(world);
      world.runFor(3000);
    }
    for (const index of [7, 8, 9, 10, 11]) world.node(index).start();
    expectAll(world);
    world.runFor(20_000);
    expectAll(world);
  });

  it("keeps all entries while peers leave, neighbours too, down to the last", () => {
    const world = filled(6, 6, 4);
    for (const index of [2, 3, 0, 5, 1]) {
      let gone = false;
      const { root } = world.node(index);
      root.go(() => {
        gone = true;
      });
      expectAll(world);
      world.until(() => gone, { within: 30_000 });
      world.node(index).crash();
      world.runFor(5000);
      expectAll(world);
    }
  });

  it("answers every operation where messages are lost and a peer crashes", () => {
    const world = filled(8, 8, 5);
    world.rule(loss(0.1));
    world.node(3).crash();
    const got = askAll(world, keys, "get");
    expect(got.filter((one) => one?.status === "ok").length).to.be.above(keys.length / 2);
  });
});

/** Several virtual peers per process, simulated: one ring, through crashes, returns and swaps. */

import { ChordRing, RelaxedRing } from "@kith/ring";
import { simulate, type Simulation } from "@kith/sim";
import { expect } from "chai";
import type { PeerRef } from "@kith/network";
import { virtualPeer } from "./index.ts";
import { imperfection, type Seen, WatchedHost } from "./kit.test.ts";

const perNode = 4;
type World = Simulation<typeof WatchedHost>;

/** Identities that lie apart on the ring, so that neighbours are mostly of different processes. */
function peerIdsOf(index: number, nodes: number): number[] {
  return Array.from({ length: perNode }, (_, i) => 1000 * (i * nodes + index + 1));
}

function build(nodes: number, seed: number | string): World {
  const servers = [0, 1].map((index) => ({
    peerId: index + 1,
    host: `n${index + 1}`,
    port: 7000,
    incarnation: 1,
  }));
  const started = new Set<number>();
  return simulate(WatchedHost, {
    seed,
    nodes,
    initOf: ({ index }) => {
      const founds = index === 0 && !started.has(index);
      started.add(index);
      return { peerIds: peerIdsOf(index, nodes), founds, servers };
    },
  }).boot();
}

function wrong(world: World): string | undefined {
  const up = world.nodes.filter(({ state }) => state === "up");
  const seen = new Map<number, Seen>();
  const members: PeerRef[] = [];
  for (const { root, index } of up) {
    for (const one of root.seen) seen.set(one.peerId, one);
    for (const peerId of peerIdsOf(index, world.nodes.length))
      members.push(virtualPeer(world.peer(index), peerId));
  }
  return imperfection(seen, members);
}

function heals(world: World, within = 60_000): void {
  const end = world.time + within;
  while (wrong(world) !== undefined && world.time < end) world.runFor(200);
  expect(wrong(world)).to.equal(undefined);
}

describe("virtual peers of one process", () => {
  it("form one ring with those of others, survive the loss of a process, and take it back", () => {
    const world = build(5, 7);
    heals(world);
    world.runFor(20_000);
    expect(wrong(world), "at rest").to.equal(undefined);
    world.node(0).crash();
    heals(world);
    world.runFor(20_000);
    world.node(0).start();
    heals(world);
  });

  it("are told apart where one of them alone has gone", () => {
    const world = build(4, 8);
    heals(world);
    world.runFor(10_000);
    const [gone = 0] = peerIdsOf(2, 4);
    const { system } = world.node(2);
    system.enter(() => system.instance.end(gone));
    const expected = (): string | undefined => {
      const seen = new Map(world.nodes.flatMap(({ root }) => root.seen).map((o) => [o.peerId, o]));
      const members = world.nodes.flatMap(({ index }) =>
        peerIdsOf(index, 4).map((peerId) => virtualPeer(world.peer(index), peerId)),
      );
      return imperfection(
        seen,
        members.filter(({ peerId }) => peerId !== gone),
      );
    };
    world.until(() => expected() === undefined, { within: 60_000 });
  });

  it("find the owner of a key from each of them", () => {
    const nodes = 4;
    const world = build(nodes, 11);
    heals(world);
    world.runFor(20_000);
    const keys = [1, 1000, 5500, 16_001];
    for (const key of keys) for (const { root } of world.nodes) root.lookUp(key);
    const wanted = keys.length * perNode;
    world.until(() => world.nodes.every(({ root }) => root.located.length === wanted));
    for (const { root } of world.nodes)
      expect(root.located.toSorted((a, b) => (a ?? 0) - (b ?? 0))).to.deep.equal(
        // The last key lies behind the last peer.
        [1000, 1000, 1000, 6000].flatMap((id) => Array.from({ length: perNode }, () => id)),
      );
  });

  // The ring of one tells its view once, and a router that started later had missed it for good (seed 3).
  it("know that all keys are its own where there is but one, whatever starts first", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const init = { peerIds: [1000], founds: true, servers: [] };
      const world = simulate(WatchedHost, { seed, init }).boot();
      world.runFor(1000);
      const { root } = world.node(0);
      root.lookUp(5);
      world.runFor(1000);
      expect(root.located, `seed ${seed}`).to.deep.equal([1000]);
    }
  });

  it("ping each remote process, not each remote peer, and none of their own", () => {
    const pings = new Map<string, number>();
    const world = build(4, 9);
    heals(world);
    world.rule({
      name: "count",
      judge: ({ from, to, tag }) => {
        if (tag === "fd/Ping") pings.set(`${from} ${to}`, (pings.get(`${from} ${to}`) ?? 0) + 1);
        return undefined;
      },
    });
    world.runFor(20_000);
    expect(pings.size).to.be.within(1, 4 * 3);
    for (const [pair, count] of pings) {
      expect(pair.split(" ")[0]).to.not.equal(pair.split(" ")[1]);
      expect(count, pair).to.be.at.most(26);
    }
  });

  it("go on while rings, mergers and samplers are swapped", () => {
    const world = build(4, 10);
    for (let swap = 0; swap < 40; swap++) {
      const index = swap % 4;
      const { system } = world.node(index);
      const peerId = peerIdsOf(index, 4)[(swap >> 2) % perNode] ?? 0;
      const cls = swap % 3 === 0 ? ChordRing : RelaxedRing;
      system.swapThen(`/WatchedHost-1/Peer-${peerId}/Ring`, { cls }, (result) => {
        if ("cause" in result) throw result.cause;
      });
      world.runFor(150);
    }
    heals(world);
  });
});

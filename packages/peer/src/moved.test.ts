/** A member that comes back on its disk at another address is found there by the others of its groups, and by their clients. */

import { Get } from "@kith/store";
import { simulate } from "@kith/sim";
import { expect } from "chai";
import { ask, peerIdsOf, Process, put, ready, textIn, type World } from "./manager-kit.test.ts";

/** So many processes with a cluster, and as many places to which they may move. */
function world(seed: number, nodes: number, founders = nodes): World {
  // By the node that the disk was of at first.
  const owner = new Map<number, number>();
  const made = simulate(Process, {
    seed,
    nodes: 2 * nodes,
    boots: (index) => index < founders,
    initOf: ({ index }) => {
      const of = owner.get(index) ?? index;
      const isFirst = of === 0 && index === 0;
      return {
        peers: peerIdsOf(of, nodes, 1),
        store: { balance: { steady: 2000 } },
        ...(isFirst ? { create: { peers: founders, groups: 4 }, resume: true } : {}),
        join: isFirst ? [] : [index < nodes ? "n1:7000" : `n${nodes + 1}:7000`, "n2:7000"],
      };
    },
  });
  moves.set(made, (from, to) => {
    owner.set(to, from);
    // An incarnation of its own, beyond that of the old place.
    Object.assign(made.node(to), { disk: made.node(from).disk });
    for (let life = 0; life < made.node(from).incarnation; life++) {
      made.node(to).start();
      made.node(to).crash();
    }
    made.node(to).start();
  });
  return made;
}

const moves = new WeakMap<World, (from: number, to: number) => void>();

/** Ends a process, and begins it on its disk at the other address. */
function move(of: World, from: number, to: number): void {
  of.node(from).crash();
  moves.get(of)?.(from, to);
}

describe("a member that comes back at another address", () => {
  it("is found by the others, votes and leads, and clients find it", () => {
    // One process has no replicas.
    const of = world(51, 4, 3);
    ready(of);
    of.node(3).start();
    ready(of);
    expect(ask(of, 0, put("a", "1")).constructor.name).equal("Written");
    of.runFor(5000);
    move(of, 2, 6);
    ready(of);
    of.runFor(40_000);
    const { root } = of.node(0);
    root.look();
    of.runFor(3000);
    const peerId = peerIdsOf(2, 4, 1)[0] ?? 0;
    const shown = root.seen?.processes.flatMap(({ peers }) => peers) ?? [];
    expect(shown.map(({ peer }) => peer.peerId).toSorted((a, b) => a - b)).deep.equal(
      [0, 1, 2, 3].flatMap((n) => peerIdsOf(n, 4, 1)).toSorted((a, b) => a - b),
    );
    const moved = shown.find(({ peer }) => peer.peerId === peerId);
    expect(moved).property("peer").property("host").equal("n7");
    expect(moved?.groups.map(({ role }) => role)).includes("leader");
    // Without it there is no majority any more; the guest asks where it never was.
    of.node(1).crash();
    for (let key = 0; key < 12; key++)
      expect(ask(of, 3, put(`key-${key}`, `${key}`)).constructor.name).equal("Written");
    expect(textIn(ask(of, 6, new Get({ key: "a" })))).equal("1");
  });

  it("is found where all of them have moved at once", () => {
    const of = world(52, 3);
    ready(of);
    for (let key = 0; key < 8; key++)
      expect(ask(of, key % 3, put(`key-${key}`, `${key}`)).constructor.name).equal("Written");
    for (const node of [0, 1, 2]) of.node(node).crash();
    for (const node of [0, 1, 2]) moves.get(of)?.(node, node + 3);
    ready(of);
    for (let key = 0; key < 8; key++)
      expect(textIn(ask(of, 3 + (key % 3), new Get({ key: `key-${key}`, within: 30_000 })))).equal(
        `${key}`,
      );
  });
});

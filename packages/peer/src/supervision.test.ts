/** Peers come and go, parts of them fail and begin anew, and one that fails too often stops while the others go on. */

import { type Component, Timeout } from "@kith/core";
import { formatLife } from "@kith/network";
import { Ambiguous, Caretaker, Get, Written } from "@kith/store";
import { expect } from "chai";
import { PeerMonitor, TellNow } from "./peer-monitor.ts";
import type { PeerReport } from "./monitor.ts";
import { ask, cluster, peerIdsOf, put, ready, textIn, type World } from "./manager-kit.test.ts";

/** A monitor that fails whenever it is asked. */
class Broken extends PeerMonitor {
  constructor() {
    super();
    this.reports.on(TellNow, () => {
      throw new Error("out of order");
    });
  }
}

/** Fails the next time that it has to take care. */
class Careless extends Caretaker {
  constructor() {
    super();
    this.timer.on(Timeout, () => {
      throw new Error("what care?");
    });
  }
}

function swap(world: World, node: number, path: string, cls: new () => Component): void {
  let swapped = false;
  world.node(node).system.swapThen(path, { cls }, (result) => {
    if ("cause" in result) throw result.cause;
    swapped = true;
  });
  world.until(() => swapped, { within: 5000 });
}

/** What all peers say of themselves, asked at one process. */
function look(world: World, node: number): PeerReport[] {
  const { root } = world.node(node);
  root.look();
  world.runFor(4000);
  return root.seen?.processes.flatMap(({ peers }) => peers) ?? [];
}

describe("the supervision of peers", () => {
  it("begins a part anew, longer after each fault, and stops its peer after the fifth", () => {
    const world = cluster({ seed: 21, nodes: 3, each: 2 });
    ready(world);
    const [bad = 0, good = 0] = peerIdsOf(1, 3, 2);
    const { root } = world.node(1);
    expect(ask(world, 0, put("a", "1"))).instanceOf(Written);
    swap(world, 1, `/Process-1/Peer-${bad}/Monitor`, Broken);
    for (let fault = 1; fault <= 5; fault++) {
      root.look();
      world.runFor(4000);
      expect(root.hostedIds, `after fault ${fault}`).deep.equal([bad, good]);
    }
    expect(root.endings).deep.equal([]);
    root.look();
    world.runFor(4000);
    expect(root.hostedIds).deep.equal([good]);
    expect(root.endings).length(1);
    expect(root.endings[0]).contains("5 times").and.contains(`Peer-${bad}/Monitor`);
    // It is shown as what it is, and the other one of this process goes on.
    root.look();
    world.runFor(4000);
    const here = root.seen?.here.peers.map(({ peer, state }) => [peer.peerId, state]);
    expect(here).deep.equal([
      [bad, "failed"],
      [good, "up"],
    ]);
    expect(textIn(ask(world, 1, new Get({ key: "a" }), 1))).equal("1");
    // To the others it is gone: the ring closes around it.
    world.runFor(20_000);
    world.node(0).root.look();
    world.runFor(4000);
    const ring = world.node(0).root.seen?.processes.flatMap(({ peers }) => peers) ?? [];
    for (const { peer, successors } of ring)
      if (peer.peerId !== bad) expect(successors.map(({ peerId }) => peerId)).not.includes(bad);
  });

  it("takes the store's replicas up again where that part has failed, and answers what was lost", () => {
    const world = cluster({ seed: 22, nodes: 3 });
    ready(world);
    const [peerId = 0] = peerIdsOf(1, 3, 1);
    for (let key = 0; key < 5; key++)
      expect(ask(world, 1, put(`key-${key}`, `${key}`))).instanceOf(Written);
    swap(world, 1, `/Process-1/Peer-${peerId}/Store/Member/caretaker`, Careless);
    const asker = [...world.node(1).root.askers.values()][0];
    const before = asker?.answers.length ?? 0;
    let asked = 0;
    let faulted = false;
    world.node(1).system.inspect(({ kind }) => {
      if (kind === "fault") faulted = true;
    });
    // Asked all the time: some of it is with the store when that fails.
    while (!faulted && asked < 5000) {
      asker?.ask(put(`busy-${asked++}`, "bee"));
      world.runFor(1);
    }
    world.runFor(30_000);
    expect(world.node(1).root.hostedIds).deep.equal([peerId]);
    expect(asker?.answers.length).equal(before + asked);
    const lost = asker?.answers.slice(before).filter((one) => one instanceof Ambiguous) ?? [];
    expect(lost.length).greaterThan(0);
    for (let key = 0; key < 5; key++)
      expect(textIn(ask(world, 1, new Get({ key: `key-${key}` })))).equal(`${key}`);
  });

  it("refuses two of one identity, and to remove one that is not there", () => {
    const world = cluster({ seed: 23, nodes: 2, each: 2 });
    ready(world);
    const { root, system } = world.node(0);
    const [first = 0, second = 0] = peerIdsOf(0, 2, 2);
    const codeOf = (action: () => void): string => {
      try {
        action();
      } catch (error) {
        return error instanceof Error && "code" in error ? String(error.code) : String(error);
      }
      return "none";
    };
    const codes: string[] = [];
    system.enter(() => {
      codes.push(codeOf(() => root.add(first)));
      codes.push(codeOf(() => root.remove(77)));
      root.remove(second);
    });
    world.runFor(1000);
    expect(root.hostedIds).deep.equal([first]);
    expect(codes).deep.equal(["KITH_PEER_DUPLICATE", "KITH_PEER_UNKNOWN"]);
    // A new life of the process is one of its peers, too.
    world.node(0).crash();
    world.node(0).start();
    ready(world);
    expect(world.node(0).root.hostedIds).deep.equal([first, second]);
    expect(() => cluster({ seed: 1, nodes: 1, more: { peers: [5, 5] } }).boot()).throws(
      "KITH_PEER_DUPLICATE",
    );
  });

  it("takes a peer back in a life of its own, as often as it comes and goes", () => {
    const world = cluster({ seed: 25, nodes: 3, each: 2 });
    ready(world);
    const ids = peerIdsOf(0, 3, 2);
    const [back = 0, stays = 0] = ids;
    const { root, system } = world.node(0);
    for (let key = 0; key < 20; key++)
      expect(ask(world, 1, put(`key-${key}`, `${key}`))).instanceOf(Written);
    for (let rebirth = 1; rebirth <= 3; rebirth++) {
      system.enter(() => root.remove(back));
      // Sometimes it is back before anybody has missed it.
      world.until(() => !root.hostedIds.includes(back), { within: 5000 });
      world.runFor(rebirth === 2 ? 20_000 : 0);
      system.enter(() => root.add(back));
      world.runFor(15_000);
      expect(root.hostedIds).deep.equal([stays, back]);
      const view = look(world, 1);
      const lives = view.map(({ peer }) => (peer.peerId === back ? formatLife(peer) : "1"));
      expect(lives.filter((life) => life !== "1")).deep.equal([`1.${rebirth}`]);
      // All have it as their neighbour in this life, and nobody in an earlier one.
      for (const { predecessor, successors } of view)
        for (const peer of predecessor === null ? successors : [predecessor, ...successors])
          if (peer.peerId === back) expect(formatLife(peer)).equal(`1.${rebirth}`);
      const before = view.findIndex(({ successors }) => successors[0]?.peerId === back);
      expect(before).greaterThan(-1);
      // It has its replicas, and serves what it had before.
      const own = view.find(({ peer }) => peer.peerId === back);
      expect(own?.groups.length).greaterThan(0);
      expect(own?.groups.every(({ leader }) => leader !== null)).equal(true);
      const position = root.hostedIds.indexOf(back);
      for (let key = 0; key < 20; key++)
        expect(textIn(ask(world, 0, new Get({ key: `key-${key}` }), position))).equal(`${key}`);
      expect(ask(world, 0, put("last", `${rebirth}`), position)).instanceOf(Written);
      expect(textIn(ask(world, 2, new Get({ key: "last" })))).equal(`${rebirth}`);
    }
  });

  it("takes the only peer of a process back, also where that has founded the cluster", () => {
    const world = cluster({ seed: 26, nodes: 1, more: { peers: [9] } });
    ready(world);
    expect(ask(world, 0, put("a", "1"))).instanceOf(Written);
    const { root, system } = world.node(0);
    system.enter(() => root.remove(9));
    world.until(() => root.hostedIds.length === 0, { within: 5000 });
    system.enter(() => root.add(9));
    world.runFor(15_000);
    expect(textIn(ask(world, 0, new Get({ key: "a" })))).equal("1");
  });

  it("leads a newcomer into the ring where the founder of the cluster hosts nobody else any more", () => {
    const world = cluster({ seed: 28, nodes: 3 });
    ready(world);
    const { root, system } = world.node(0);
    const [founder = 0] = peerIdsOf(0, 3, 1);
    system.enter(() => root.remove(founder));
    world.until(() => root.hostedIds.length === 0, { within: 5000 });
    // Only the server of its own process can say whom there is: it was told of nobody to join.
    system.enter(() => root.add(4711));
    world.runFor(2000);
    system.enter(() => root.add(founder));
    world.runFor(20_000);
    const rings = new Map(look(world, 2).map(({ peer, ring }) => [peer.peerId, ring]));
    expect([rings.get(4711), rings.get(founder)]).deep.equal(["in", "in"]);
    expect(rings.size).equal(4);
  });

  it("takes back a peer that has failed for good", () => {
    const world = cluster({ seed: 27, nodes: 3 });
    ready(world);
    const [bad = 0] = peerIdsOf(1, 3, 1);
    const { root, system } = world.node(1);
    swap(world, 1, `/Process-1/Peer-${bad}/Monitor`, Broken);
    while (root.hostedIds.length > 0) {
      root.look();
      world.runFor(4000);
    }
    system.enter(() => root.add(bad));
    world.runFor(15_000);
    const here = look(world, 1).find(({ peer }) => peer.peerId === bad);
    expect(here?.state).equal("up");
    expect(here?.ring).equal("in");
    expect(ask(world, 1, put("b", "2"))).instanceOf(Written);
    system.enter(() => root.remove(bad));
    world.runFor(5000);
    expect(root.endings.map((reason) => reason !== "")).deep.equal([true, false]);
  });

  it("adds a peer to a process that runs", () => {
    const world = cluster({ seed: 24, nodes: 3 });
    ready(world);
    const { root, system } = world.node(2);
    system.enter(() => root.add(4711));
    world.runFor(15_000);
    expect(root.hostedIds).includes(4711);
    expect(ask(world, 2, put("b", "2"), 1)).instanceOf(Written);
    root.look();
    world.runFor(3000);
    const added = root.seen?.here.peers.find(({ peer }) => peer.peerId === 4711);
    expect(added?.ring).equal("in");
  });
});

/** The cluster at one glance: from each process, from a guest, and while processes are gone. */

import { AskTimeout, Component, type Component as Base } from "@kith/core";
import { simulate } from "@kith/sim";
import { Get } from "@kith/store";
import { expect } from "chai";
import { AskView, ClusterView, Monitor, MonitorGuest } from "./index.ts";
import { ask, cluster, peerIdsOf, Process, put, ready, type World } from "./manager-kit.test.ts";

function look(world: World, index: number): ClusterView {
  const { root } = world.node(index);
  root.look();
  world.until(() => root.seen !== null, { within: 2000 });
  if (root.seen === null) throw new Error("nothing was seen");
  return root.seen;
}

describe("the monitor", () => {
  it("shows all peers, their neighbours and groups, from each process", () => {
    const world = cluster({ seed: 11, nodes: 4, each: 2 });
    ready(world);
    world.runFor(2000);
    expect(ask(world, 0, put("a", "1")).constructor.name).equal("Written");
    expect(ask(world, 0, new Get({ key: "a" })).constructor.name).equal("Got");
    for (let index = 0; index < 4; index++) {
      const { here, processes, complete } = look(world, index);
      expect(complete).equal(true);
      expect(here.process).deep.equal(world.peer(index));
      const peers = processes
        .flatMap((one) => one.peers)
        .toSorted((a, b) => a.peer.peerId - b.peer.peerId);
      const ids = [0, 1, 2, 3].flatMap((node) => peerIdsOf(node, 4, 2)).toSorted((a, b) => a - b);
      expect(peers.map(({ peer }) => peer.peerId)).deep.equal(ids);
      expect(peers.map(({ successors }) => successors[0]?.peerId)).deep.equal([
        ...ids.slice(1),
        ids[0],
      ]);
      const groups = peers.flatMap((one) => one.groups);
      expect(groups).length(4 * 3);
      expect(groups.filter(({ role }) => role === "leader")).length(4);
      for (const { leader, members } of groups) expect(members).includes(leader);
      const asked = peers.reduce((sum, { counters }) => sum + counters.done, 0);
      expect(asked).equal(2);
    }
  });

  it("says nothing to anybody while nobody looks", () => {
    const world = cluster({ seed: 12, nodes: 3 });
    ready(world);
    world.runFor(5000);
    let told = 0;
    world.rule({
      name: "count",
      judge: ({ tag }) => {
        if (tag.startsWith("peer/")) told++;
        return undefined;
      },
    });
    world.runFor(60_000);
    expect(told).equal(0);
    look(world, 0);
    expect(told).equal(4);
  });

  it("shows who is silent, with what was known, and who has come back", () => {
    const world = cluster({ seed: 13, nodes: 3 });
    ready(world);
    look(world, 0);
    world.node(2).crash();
    const without = look(world, 0);
    expect(without.complete).equal(false);
    expect(without.processes.map(({ silent }) => silent)).members([false, false, true]);
    const gone = without.processes.find(({ silent }) => silent);
    expect(gone?.process.host).equal("n3");
    expect(gone?.peers.map(({ state }) => state)).deep.equal(["silent"]);
    world.node(2).start();
    ready(world);
    world.runFor(5000);
    const again = look(world, 0);
    expect(again.complete).equal(true);
    expect(again.processes.find(({ process }) => process.host === "n3")?.process.incarnation).equal(
      2,
    );
  });

  it("can be asked by a guest that knows one address", () => {
    class Guest extends Component {
      readonly view = this.requires(Monitor);
      readonly child = this.create(MonitorGuest, { peers: ["n1:7000"] });
      seen: ClusterView | null = null;
      readonly #look = this.view.onAnswer(AskView, (answer) => {
        if (!(answer instanceof AskTimeout)) this.seen = answer;
      });
      constructor() {
        super();
        this.connect(this.child.ports.monitor, this.view);
        this.onStart(() => this.look());
      }
      look(): void {
        this.#look(new AskView());
      }
    }
    class Either extends Component {
      readonly process: { readonly core: { readonly instance: Base } };
      constructor({ guest }: { readonly guest: boolean }) {
        super();
        const init = { peers: [100], create: { peers: 1 } };
        this.process = (guest ? this.create(Guest) : this.create(Process, init)) as never;
      }
    }
    const world = simulate(Either, {
      seed: 14,
      nodes: 2,
      initOf: ({ index }) => ({ guest: index === 1 }),
    });
    world.boot();
    world.runFor(5000);
    const { instance } = world.node(1).root.process.core;
    if (!(instance instanceof Guest)) throw new Error("no guest");
    expect(instance.seen).instanceOf(ClusterView);
    const { processes = [] } = instance.seen ?? {};
    expect(processes.flatMap(({ peers }) => peers.map(({ peer }) => peer.peerId))).deep.equal([
      100,
    ]);
  });
});

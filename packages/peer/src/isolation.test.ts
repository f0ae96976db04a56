/** A hundred peers of one process share what a process has once, and one more or less of them changes nothing for the others. */

import { type Child, Component, run } from "@kith/core";
import { BootstrapClient } from "@kith/membership";
import { formatPeer, parsePeer, self } from "@kith/network";
import { bindAddress, real } from "@kith/node";
import { simulate } from "@kith/sim";
import { expect } from "chai";
import { spreadIds, virtualPeer } from "./index.ts";
import { Process } from "./manager-kit.test.ts";
import { VirtualPeer } from "./virtual-peer.ts";

const stranger = 4711;

/** A peer that knows nobody, and so has a ring of its own: all that it shares with others is the process. */
class Island extends Component {
  readonly client = this.create(BootstrapClient, { servers: [] });
  constructor() {
    super();
    this.offers(this.client.ports.bootstrap);
    const peer = virtualPeer(parsePeer(this.setting(self)), stranger);
    const settings = [self.of(formatPeer(peer))];
    this.create(VirtualPeer, { founds: true, known: [] }, { name: `Peer-${stranger}`, settings });
  }
}

class Host extends Process {
  #island: Child<Island> | null = null;

  settle(): void {
    this.#island = this.create(Island, {}, { name: "Island" });
  }

  sink(): void {
    if (this.#island !== null) this.kill(this.#island);
  }
}

/** What happens at the peers of a process, by peer. */
function streams(visited: boolean): Map<string, string[]> {
  const told = new Map<string, string[]>();
  const world = simulate(Host, {
    seed: 31,
    nodes: 2,
    initOf: ({ index }) =>
      index === 0
        ? { peers: spreadIds(1, 6), create: { peers: 12, groups: 4 } }
        : { peers: spreadIds(77, 6), join: ["n1:7000"] },
  });
  world.boot();
  for (const { system, name } of world.nodes)
    system.inspect(({ kind, time, path, event, detail }) => {
      const place = /\/(Peer-\d+)(?:\/.*)?$/.exec(path);
      if (place?.[1] === undefined || path.includes("/Island")) return;
      const peer = `${name} ${place[1]}`;
      const what = event === undefined ? "" : `${event.constructor.name} ${JSON.stringify(event)}`;
      const stream = told.get(peer) ?? [];
      told.set(peer, stream);
      stream.push(`${time} ${kind} ${path} ${what} ${detail}`);
    });
  const { system, root } = world.node(0);
  world.at(6000, () => {
    if (visited) system.enter(() => root.settle());
  });
  world.at(11_000, () => {
    if (visited) system.enter(() => root.sink());
  });
  world.runFor(15_000);
  expect(root.last?.phase).equal("ready");
  return told;
}

describe("the peers of one process", () => {
  it("see nothing of another one that comes and goes", () => {
    const without = streams(false);
    const visited = streams(true);
    expect([...visited.keys()].toSorted()).deep.equal([...without.keys()].toSorted());
    expect(visited.size).equal(12);
    for (const [peer, stream] of without) {
      expect(stream.length, peer).greaterThan(300);
      const other = visited.get(peer) ?? [];
      const first = stream.findIndex((record, i) => record !== other[i]);
      expect(first, `${peer}: ${stream[first]} and ${other[first]}`).equal(-1);
      expect(other.length, peer).equal(stream.length);
    }
  });

  it("share one socket, one timer of the host and one storage, a hundred of them", async function () {
    this.timeout(120_000);
    const count = (): Record<string, number> => {
      const all: Record<string, number> = {};
      for (const what of process.getActiveResourcesInfo()) all[what] = (all[what] ?? 0) + 1;
      return all;
    };
    const before = count();
    const address = await bindAddress();
    const world = real({ listen: address, log: () => undefined });
    const peers = spreadIds(world.peer.peerId, 100);
    const system = await run(Process, { peers, create: { peers: 100, groups: 8 } }, world);
    try {
      const end = performance.now() + 90_000;
      // Whether the groups have leaders by then is a matter of the machine's load.
      while ((system.instance.last?.genesis ?? null) === null) {
        if (performance.now() > end) throw new Error(system.instance.last?.detail);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(system.instance.hostedIds).length(100);
      const tree = system.tree();
      const named = (what: RegExp): number => tree.match(what)?.length ?? 0;
      expect(named(/\(VirtualPeer, started\)/g)).equal(100);
      expect(named(/ Timer \(/g)).equal(1);
      expect(named(/\(PassingStorage, /g), tree.slice(0, 1000)).equal(1);
      const after = count();
      expect((after["TCPServerWrap"] ?? 0) - (before["TCPServerWrap"] ?? 0)).most(1);
      expect((after["TCPSocketWrap"] ?? 0) - (before["TCPSocketWrap"] ?? 0)).most(0);
      // That of the test's own wait is over; those of the network are its own.
      expect((after["Timeout"] ?? 0) - (before["Timeout"] ?? 0)).most(2);
    } finally {
      await system.stop();
      address.close();
    }
  });
});

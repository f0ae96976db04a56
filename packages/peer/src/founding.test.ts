/** Who founds a cluster, who joins one, and who is refused. */

import { simulate, type Simulation } from "@kith/sim";
import { expect } from "chai";
import { Get } from "@kith/store";
import { ask, Process, textIn } from "./manager-kit.test.ts";
import type { PeerManagerInit } from "./index.ts";

const alone: PeerManagerInit = { peers: [100], create: { peers: 1, groups: 2 } };

/** Nodes with an init for each life of each. */
function world(...lives: readonly (readonly PeerManagerInit[])[]): Simulation<typeof Process> {
  const born = new Map<number, number>();
  return simulate(Process, {
    seed: 7,
    nodes: lives.length,
    // What is lost is lost: nothing tells a connection's end that it was.
    transport: "datagram",
    initOf: ({ index }) => {
      const life = born.get(index) ?? 0;
      born.set(index, life + 1);
      const init = lives[index]?.[life];
      if (init === undefined) throw new Error(`node ${index} has no life ${life}`);
      return init;
    },
  });
}

function failureOf(of: Simulation<typeof Process>, index: number): string {
  of.boot();
  const { root } = of.node(index);
  of.until(() => root.failed !== null && root.hostedIds.length === 0, { within: 60_000 });
  expect(root.last?.phase).equal("failed");
  return root.failed?.code ?? "";
}

function readyAt(of: Simulation<typeof Process>, index: number): string {
  of.until(() => of.node(index).root.last?.phase === "ready", { within: 60_000 });
  return of.node(index).root.last?.clusterId ?? "";
}

describe("founding and joining", () => {
  it("founds on empty storage only, and goes on with what is there otherwise", () => {
    const one = world([alone, alone, { peers: [100] }]);
    const id = readyAt(one, 0);
    one.node(0).crash();
    one.node(0).start();
    expect(failureOf(one, 0)).equal("KITH_PEER_FOUNDED");
    expect(one.node(0).root.failed?.detail).contains(id);
    one.node(0).crash();
    one.node(0).start();
    expect(readyAt(one, 0)).equal(id);
  });

  it("goes on with what is there where it is told to create or resume", () => {
    const again = { ...alone, resume: true };
    const one = world([again, again]);
    const id = readyAt(one, 0);
    one.node(0).crash();
    one.node(0).start();
    expect(readyAt(one, 0)).equal(id);
  });

  it("founds nothing where one of those to join has a cluster", () => {
    const two = world([alone], [{ peers: [200], join: ["n1:7000"], create: { peers: 1 } }]);
    readyAt(two, 0);
    expect(failureOf(two, 1)).equal("KITH_PEER_EXISTS");
  });

  it("founds nothing where one of those to join is silent, and founds where all say that they have none", () => {
    const join = ["n2:7000", "n3:7000"];
    const create = { peers: 1, groups: 2 };
    const three = world(
      [
        { peers: [100], join, create, createWithin: 5000 },
        { peers: [100], join, create },
      ],
      [{ peers: [200], join: ["n1:7000"] }],
      [
        { peers: [300], join: ["n1:7000"] },
        { peers: [300], join: ["n1:7000"] },
      ],
    );
    three.boot();
    three.node(2).crash();
    expect(failureOf(three, 0)).equal("KITH_PEER_SILENT");
    expect(three.node(0).root.failed?.detail).contains("n3:7000").and.not.contains("n2:7000");
    three.node(0).crash();
    three.node(2).start();
    three.node(0).start();
    const id = readyAt(three, 0);
    expect([readyAt(three, 1), readyAt(three, 2)]).deep.equal([id, id]);
  });

  it("needs somebody to join, or to be told to create", () => {
    const one = world([{ peers: [100] }]);
    expect(failureOf(one, 0)).equal("KITH_PEER_ALONE");
  });

  it("does not join another cluster than that of its storage", () => {
    const two = world(
      [alone],
      [
        { peers: [200], create: { peers: 1 } },
        { peers: [200], join: ["n1:7000"] },
      ],
    );
    const ids = [readyAt(two, 0), readyAt(two, 1)];
    expect(ids[0]).not.equal(ids[1]);
    two.node(1).crash();
    two.node(1).start();
    expect(failureOf(two, 1)).equal("KITH_PEER_FOREIGN");
    two.node(0).root.look();
    two.runFor(5000);
    const { seen } = two.node(0).root;
    expect(seen?.processes.flatMap(({ peers }) => peers.map(({ peer }) => peer.peerId))).deep.equal(
      [100],
    );
  });

  it("goes on with that of its storage though one of those to join is of another one", () => {
    const three = world(
      [alone],
      [
        { peers: [200], create: { peers: 1 } },
        { peers: [200], join: ["n1:7000", "n3:7000"] },
      ],
      [{ peers: [300], join: ["n2:7000"] }],
    );
    const [other, own] = [readyAt(three, 0), readyAt(three, 1)];
    expect(own).not.equal(other);
    expect(readyAt(three, 2)).equal(own);
    three.node(1).crash();
    three.node(1).start();
    expect(readyAt(three, 1)).equal(own);
    three.runFor(30_000);
    expect(three.node(1).root.failed).equal(null);
    expect(readyAt(three, 1)).equal(own);
  });

  it("waits for ever for a cluster that is not there", () => {
    const one = world(
      [{ peers: [100], join: ["n1:7000", "n2:7000"] }],
      [{ peers: [200], join: ["n1:7000"] }],
    );
    one.boot();
    one.runFor(120_000);
    for (const { root } of one.nodes) {
      expect(root.last?.phase).equal("asking");
      expect(root.hostedIds).deep.equal([]);
    }
  });

  it("does not let a peer that has lost its disk vote as the one that it was", () => {
    const join = ["n1:7000"];
    const founding = { peers: 3, groups: 2 };
    const three = world(
      [{ peers: [100], create: founding }],
      [
        { peers: [2 ** 49], join },
        { peers: [2 ** 49], join },
      ],
      [{ peers: [2 ** 49 + 2 ** 48], join }],
    );
    for (const index of [0, 1, 2]) readyAt(three, index);
    three.node(1).crash();
    three.node(1).start({ disk: "wiped" });
    readyAt(three, 1);
    three.runFor(1000);
    const tree = three.node(1).system.tree();
    expect(tree).contains("GuestStore").and.not.contains("StoreMember");
    expect(three.node(0).system.tree()).contains("StoreMember");
    expect(textIn(ask(three, 1, new Get({ key: "served anyway" })))).equal(null);
  });

  it("does not even found again where the founder has not heard that it has", () => {
    const join = ["n1:7000"];
    const three = world(
      [{ peers: [100], create: { peers: 3, groups: 2 } }],
      [
        { peers: [2 ** 49], join },
        { peers: [2 ** 49], join },
      ],
      [{ peers: [2 ** 49 + 2 ** 48], join }],
    );
    let places = 0;
    three.rule({
      name: "nobody hears that anything is founded",
      judge: ({ tag }) => {
        if (tag === "peer/Place") places++;
        return tag === "peer/Placed" ? { kind: "drop" } : undefined;
      },
    });
    for (const index of [0, 1, 2]) readyAt(three, index);
    three.node(1).crash();
    three.node(1).start({ disk: "wiped" });
    readyAt(three, 1);
    const before = places;
    three.runFor(5000);
    expect(places).greaterThan(before);
    const tree = three.node(1).system.tree();
    expect(tree).contains("GuestStore").and.not.contains("StoreMember");
  });

  it("refuses orders that make no sense", () => {
    for (const create of [{ peers: 0 }, { peers: 1, groups: 0 }, { peers: 1, replicas: 9 }]) {
      const one = world([{ peers: [100], create }]);
      expect(failureOf(one, 0)).equal("KITH_PEER_ARGUMENT");
    }
  });
});

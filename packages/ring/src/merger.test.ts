/** Rings that a partition has split, and that become one again. */

import fs from "node:fs";
import { partition, simulate, swapNemesis, type Travelling, uniform } from "@kith/sim";
import { expect } from "chai";
import { KnockAnswer, Remember, Seek } from "./index.ts";
import { build, heal, imperfection, Peer, peerAt, type World } from "./kit.test.ts";

/** Whether the slow tests run too: more parts and peers. */
const long = process.env["KITH_LONG"] !== undefined;

/** Splits the peers at random, as the seed has it, into so many parts; what heals it again. */
function split(
  world: World,
  parts: number,
  seed: number,
): { readonly end: () => void; partOf: (index: number) => number } {
  const partOf = (index: number): number => ((index * 7919 + seed * 104_729) >>> 3) % parts;
  const groups = Array.from({ length: parts }, (_, part) =>
    world.nodes.filter(({ index }) => partOf(index) === part).map(({ name }) => name),
  );
  const end = world.rule(partition(...groups));
  for (const a of world.nodes)
    for (const b of world.nodes)
      if (a.index < b.index && partOf(a.index) !== partOf(b.index)) world.reset(a, b);
  return { end, partOf };
}

describe("RingMerger", function () {
  this.timeout(300_000);

  const sizes = [
    [2, 12],
    ...(long
      ? [
          [3, 24],
          [7, 42],
        ]
      : [[3, 9]]),
  ] as const;
  for (const [parts = 2, nodes = 12] of sizes)
    it(`makes one ring of ${nodes} peers in ${parts} parts (MG1)`, () => {
      const world = build(nodes, parts, { merges: true });
      heal(world, 180_000);
      world.runFor(30_000);
      const { end, partOf } = split(world, parts, 1);
      // Each part closes its own ring.
      for (let part = 0; part < parts; part++)
        heal(world, 240_000, (index) => partOf(index) === part);
      world.runFor(30_000);
      end();
      // Some rounds of probes: 2, 3 and 7 parts take about as long.
      expect(heal(world, 60_000)).to.be.below(30_000);
      world.runFor(60_000);
      expect(imperfection(world)).to.equal(undefined);
    });

  it("heals for two seconds, is split again, and becomes one ring all the same", () => {
    const world = build(16, 9, { merges: true });
    heal(world, 120_000);
    for (let round = 0; round < 3; round++) {
      const { end } = split(world, 2, round);
      world.runFor(60_000);
      end();
      world.runFor(2000);
    }
    heal(world, 240_000);
    world.runFor(30_000);
    expect(imperfection(world)).to.equal(undefined);
  });

  it("does so with peers that crash and join while it is split, and under swaps", () => {
    const world = build(20, 10, { merges: true });
    heal(world, 120_000);
    const nemesis = swapNemesis(world, {
      every: 500,
      paths: ["/Peer-1/Ring", "/Peer-1/Merging/Merger", "/Peer-1/Detector"],
    });
    const { end } = split(world, 2, 3);
    world.runFor(20_000);
    world.node(4).crash();
    world.node(11).crash();
    world.runFor(60_000);
    end();
    world.runFor(10_000);
    world.node(4).start();
    heal(world, 240_000);
    expect(nemesis.failed).to.deep.equal([]);
  });

  it("sends no storm while the two sides still suspect each other", () => {
    const world = build(9, 3, { merges: true });
    heal(world, 120_000);
    world.runFor(30_000);
    const { end } = split(world, 3, 1);
    world.runFor(40_000);
    end();
    let second = 0;
    world.rule({
      name: "count",
      judge: () => {
        second++;
        return undefined;
      },
    });
    for (let elapsed = 0; elapsed < 60; elapsed++) {
      second = 0;
      world.runFor(1000);
      expect(second / 9, `messages per peer in second ${elapsed}`).to.be.below(60);
    }
    expect(imperfection(world)).to.equal(undefined);
  });

  it("never merges two clusters, whoever is remembered or heard of (MG2)", () => {
    const nodes = 8;
    const world = simulate(Peer, {
      seed: 12,
      nodes,
      // Two rings in turn, whose peers all have an introducer of the other one.
      initOf: ({ index }) => ({
        founds: index < 2,
        introducers: index < 2 ? [] : [peerAt(index % 2), peerAt((index + 1) % 2)],
        kind: "relaxed" as const,
        merges: true,
        cluster: index % 2 === 0 ? "even" : "odd",
      }),
    }).boot();
    let answers = 0;
    world.rule({
      name: "count",
      judge: ({ from, to, tag }) => {
        const parity = (name: string): number => Number(name.slice(1)) % 2;
        if (tag === KnockAnswer.tag && parity(from) !== parity(to)) answers++;
        return undefined;
      },
    });
    const check = (): void => {
      for (const node of world.nodes)
        for (const peer of node.root.view?.successors ?? [])
          expect((peer.peerId - 1) % 2, `${node.name} on ${peer.peerId}`).to.equal(node.index % 2);
    };
    world.runFor(30_000);
    for (const node of world.nodes)
      node.system.enter(() =>
        node.root.merger.trigger(new Remember({ peers: world.nodes.map((_, i) => world.peer(i)) })),
      );
    for (let second = 0; second < 120; second++) {
      world.runFor(1000);
      check();
    }
    for (const cluster of [0, 1]) {
      const own = world.nodes.filter(({ index }) => index % 2 === cluster);
      for (const [at, node] of own.entries())
        expect(node.root.view?.successors[0]?.peerId).to.equal(
          (own[(at + 1) % own.length]?.index ?? 0) + 1,
        );
    }
    expect(answers).to.equal(0);
  });

  it("merges two rings message by message as testdata/merger/merge-of-two-rings.txt has it", () => {
    const nodes = 5;
    const world = simulate(Peer, {
      seed: 1,
      nodes,
      latency: uniform(1, 1),
      // 1, 3 and 5 are one ring, 2 and 4 the other; nobody knows of the other one.
      initOf: ({ index }) => ({
        founds: index < 2,
        introducers: index < 2 ? [] : [peerAt(index % 2)],
        kind: "relaxed" as const,
        merges: true,
      }),
    }).boot();
    world.runFor(30_000);
    const ring = ({ tag }: Travelling): boolean => tag.startsWith("ring/");
    const lines = [
      "# Two rings of one cluster, 1 3 5 and 2 4, that know nothing of each other; 3 is told of 4, as after a partition.",
      "# What the ring and the merger send from then on, until there is one perfect ring.",
    ];
    world.rule({
      name: "transcript",
      judge: (one) => {
        if (ring(one)) lines.push(`${one.from.slice(1)} → ${one.to.slice(1)}  ${one.tag.slice(5)}`);
        return undefined;
      },
    });
    world
      .node(2)
      .system.enter(() =>
        world.node(2).root.merger.trigger(new Remember({ peers: [world.peer(3)] })),
      );
    expect(heal(world, 20_000)).to.be.below(12_000);
    const text = `${lines.join("\n")}\n`;
    const file = new URL("../testdata/merger/merge-of-two-rings.txt", import.meta.url);
    if (process.env["KITH_GOLDEN"] === "write") fs.writeFileSync(file, text);
    else expect(text).to.equal(fs.readFileSync(file, "utf8"));
  });

  it("does nothing but knock at rest (MG3)", () => {
    const world = build(24, 11, { merges: true });
    heal(world, 120_000);
    const { end } = split(world, 2, 5);
    world.runFor(60_000);
    end();
    heal(world, 240_000);
    world.runFor(120_000);
    const counts = new Map<string, number>();
    world.rule({
      name: "count",
      judge: ({ tag }) => {
        counts.set(tag, (counts.get(tag) ?? 0) + 1);
        return undefined;
      },
    });
    world.runFor(60_000);
    const perSecond = (tag: string): number => (counts.get(tag) ?? 0) / 60 / world.nodes.length;
    expect(perSecond(KnockAnswer.tag)).to.be.below(0.2);
    expect(perSecond(Seek.tag)).to.be.below(0.5);
  });
});

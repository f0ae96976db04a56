/** Reliable broadcast among a few simulated peers, by hand. */

import { AskTimeout, Component } from "@kith/core";
import type { PeerRef } from "@kith/network";
import { loss, partition, simulate, type Simulation } from "@kith/sim";
import { expect } from "chai";
import { Broadcast, Delivered, Gossip, ReliableBroadcast } from "./index.ts";

class Peer extends Component {
  readonly broadcast = this.requires(ReliableBroadcast);
  readonly seen: string[] = [];
  readonly answers: string[] = [];
  readonly gossip;
  readonly #ask = this.broadcast.onAnswer(Broadcast, (answer) => {
    this.answers.push(answer instanceof AskTimeout ? "timeout" : answer.status);
  });

  constructor(init: { readonly index: number; readonly peers: readonly PeerRef[] }) {
    super();
    this.gossip = this.create(Gossip, init);
    this.connect(this.gossip.ports.broadcast, this.broadcast);
    this.broadcast.on(Delivered, ({ payload }) => void this.seen.push(payload));
  }

  say(...payloads: string[]): void {
    this.enter(() => {
      for (const payload of payloads) this.#ask(new Broadcast({ payload }));
    });
  }
}

function group(): Simulation<typeof Peer> {
  const world: Simulation<typeof Peer> = simulate(Peer, {
    seed: 3,
    nodes: 3,
    transport: "datagram",
    initOf: ({ index }) => ({ index, peers: [0, 1, 2].map((i): PeerRef => world.peer(i)) }),
  });
  world.runFor(500);
  return world;
}

describe("reliable broadcast", () => {
  it("delivers at every peer, in the order of each origin", () => {
    const world = group();
    world.node(0).root.say("a1", "a2", "a3");
    world.node(1).root.say("b1", "b2");
    world.runFor(1000);
    for (const { root } of world.nodes) {
      expect(root.seen.filter((one) => one.startsWith("a"))).deep.equal(["a1", "a2", "a3"]);
      expect(root.seen.filter((one) => one.startsWith("b"))).deep.equal(["b1", "b2"]);
    }
    expect(world.node(0).root.answers).deep.equal(["accepted", "accepted", "accepted"]);
  });

  it("makes up for what gets lost", () => {
    const world = group();
    world.rule(loss(0.5));
    world.node(0).root.say("1", "2", "3", "4", "5");
    world.runFor(10_000);
    for (const { root } of world.nodes) expect(root.seen).deep.equal(["1", "2", "3", "4", "5"]);
  });

  it("reaches all, though its origin reached one and is gone", () => {
    const world = group();
    world.rule(partition(["n1"], ["n3"]));
    world.node(0).root.say("last words");
    world.runFor(20);
    world.node(0).crash();
    world.runFor(1000);
    expect(world.node(2).root.seen).deep.equal(["last words"]);
  });

  it("catches up who was away, more than fits into one message", () => {
    const world = group();
    world.node(2).crash();
    const payloads = Array.from({ length: 100 }, (_, i) => `${i}`);
    for (const payload of payloads) world.node(0).root.say(payload);
    world.runFor(1000);
    world.node(2).start();
    world.runFor(3000);
    expect(world.node(2).root.seen).deep.equal(payloads);
  });

  it("delivers its log again in a new life, and numbers on", () => {
    const world = group();
    world.node(0).root.say("one", "two");
    world.runFor(1000);
    world.node(0).crash();
    world.node(0).start();
    world.runFor(500);
    world.node(0).root.say("three");
    world.runFor(1000);
    for (const { root } of world.nodes) expect(root.seen).deep.equal(["one", "two", "three"]);
  });

  it("refuses what comes before it has read its log", () => {
    const world = group();
    world.node(0).crash();
    world.node(0).start();
    world.node(0).root.say("too early");
    world.runFor(1000);
    expect(world.node(0).root.answers).deep.equal(["busy"]);
    expect(world.node(1).root.seen).deep.equal([]);
  });

  it("accepts what is in a majority of logs, and not before", () => {
    const world = group();
    const heal = world.rule(partition(["n1"], ["n2", "n3"]));
    world.node(0).root.say("lonely");
    world.runFor(1000);
    expect(world.node(0).root.seen).deep.equal(["lonely"]);
    expect(world.node(0).root.answers).deep.equal([]);
    world.node(1).crash();
    heal();
    world.runFor(1000);
    expect(world.node(0).root.answers).deep.equal(["accepted"]);
  });

  it("gives a life whose disk has forgotten everything again, and takes its numbers for new ones", () => {
    const world = group();
    world.node(0).root.say("one", "two");
    world.runFor(1000);
    world.node(0).crash();
    world.node(0).start({ disk: "wiped", identity: "reused" });
    world.runFor(1000);
    expect(world.node(0).root.seen).deep.equal(["one", "two"]);
    world.node(0).root.say("three");
    world.runFor(1000);
    for (const { root } of world.nodes) expect(root.seen).deep.equal(["one", "two", "three"]);
  });
});

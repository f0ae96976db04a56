/** The register among a few simulated peers, by hand: what each phase is for. */

import { AskTimeout, Component } from "@kith/core";
import type { PeerRef } from "@kith/network";
import { loss, partition, simulate, type Simulation } from "@kith/sim";
import { expect } from "chai";
import {
  Abd,
  type AbdInit,
  ReadRegister,
  Register,
  type RegisterAnswer,
  type Tag,
  type Value,
  WriteRegister,
} from "./index.ts";
import { Query, Store } from "./register.ts";
import { isHigher, NO_TAG } from "./tag.ts";

class Peer extends Component {
  readonly register = this.requires(Register);
  readonly seen: Value[] = [];
  readonly tags: Tag[] = [];
  readonly abd;
  readonly #read = this.register.onAnswer(ReadRegister, (answer) => this.#note(answer));
  readonly #write = this.register.onAnswer(WriteRegister, (answer) => this.#note(answer));

  constructor(init: AbdInit) {
    super();
    this.abd = this.create(Abd, init);
    this.connect(this.abd.ports.register, this.register);
  }

  read(key: string): void {
    this.enter(() => this.#read(new ReadRegister({ key }), { timeout: 10_000 }));
  }

  write(key: string, value: Value): void {
    this.enter(() => this.#write(new WriteRegister({ key, value }), { timeout: 10_000 }));
  }

  #note(answer: RegisterAnswer | AskTimeout): void {
    if (answer instanceof AskTimeout) return void this.seen.push("timeout");
    this.tags.push(answer.tag);
    return void this.seen.push(answer.status === "busy" ? "busy" : answer.value);
  }
}

function group(how: Pick<AbdInit, "thrifty" | "gather"> = {}): Simulation<typeof Peer> {
  const world: Simulation<typeof Peer> = simulate(Peer, {
    seed: 11,
    nodes: 3,
    transport: "datagram",
    initOf: ({ index }) => ({
      ...how,
      index,
      peers: [0, 1, 2].map((i): PeerRef => world.peer(i)),
    }),
  });
  world.runFor(500);
  return world;
}

describe("a replicated register", () => {
  it("is read at every peer as it was written at one", () => {
    const world = group();
    world.node(0).root.write("k", "a");
    world.runFor(1000);
    for (const { root } of world.nodes) root.read("k");
    world.runFor(1000);
    world.node(1).root.read("other");
    world.runFor(1000);
    expect(world.nodes.map(({ root }) => root.seen)).deep.equal([["a", "a"], ["a", null], ["a"]]);
  });

  it("goes on without a minority, and not without a majority", () => {
    const world = group();
    world.node(2).crash();
    world.node(0).root.write("k", 1);
    world.runFor(1000);
    expect(world.node(0).root.seen).deep.equal([1]);
    world.node(1).crash();
    world.node(0).root.read("k");
    world.runFor(11_000);
    expect(world.node(0).root.seen).deep.equal([1, "timeout"]);
  });

  it("finishes what waited when the majority comes back, and has kept all on its disks", () => {
    const world = group();
    world.node(0).root.write("k", 1);
    world.runFor(1000);
    world.node(1).crash();
    world.node(2).crash();
    world.node(0).root.write("k", 2);
    world.runFor(3000);
    world.node(1).start();
    world.runFor(2000);
    world.node(0).crash();
    world.node(2).start();
    world.runFor(1000);
    world.node(2).root.read("k");
    world.runFor(2000);
    expect(world.node(2).root.seen).deep.equal([2]);
  });

  it("refuses operations until it has read its disk", () => {
    const world = group();
    world.node(0).crash();
    world.node(0).start();
    world.node(0).root.read("k");
    world.runFor(1000);
    world.node(0).root.read("k");
    world.runFor(1000);
    expect(world.node(0).root.seen).deep.equal(["busy", null]);
  });

  it("gives two writes of one peer that are open at once different tags", () => {
    const world = group();
    world.node(0).root.write("k", 1);
    world.node(0).root.write("k", 2);
    world.runFor(1000);
    const [first, second] = world.node(0).root.tags;
    expect(first).not.deep.equal(second);
    expect(first?.number).not.equal(second?.number);
  });

  it("heals a partition: the smaller side catches up by being asked", () => {
    const world = group();
    const heal = world.rule(partition(["n1", "n2"], ["n3"]));
    world.node(0).root.write("k", "new");
    world.runFor(2000);
    expect(world.node(0).root.seen).deep.equal(["new"]);
    heal();
    world.node(2).root.read("k");
    world.runFor(5000);
    expect(world.node(2).root.seen).deep.equal(["new"]);
  });

  it("orders tags by number, writer and life", () => {
    const tag = (number: number, writer: number, life: number): Tag => ({ number, writer, life });
    expect(isHigher(tag(2, 1, 1), tag(1, 9, 9))).equal(true);
    expect(isHigher(tag(1, 2, 1), tag(1, 1, 9))).equal(true);
    expect(isHigher(tag(1, 1, 2), tag(1, 1, 1))).equal(true);
    expect(isHigher(tag(1, 1, 1), tag(1, 1, 1))).equal(false);
    expect(isHigher(tag(1, 1, 1), NO_TAG)).equal(true);
  });

  it("is not stopped by a way on which a class of messages gets lost", () => {
    const world = group();
    world.rule(loss(1, { tag: Query.tag, from: "n1", to: "n2" }));
    world.rule(loss(1, { tag: Store.tag, from: "n1", to: "n3" }));
    world.node(0).root.write("k", 5);
    world.runFor(3000);
    expect(world.node(0).root.seen).deep.equal([5]);
  });

  /** How many messages with a tag are sent from now on; none is touched. */
  function counted(world: Simulation<typeof Peer>, tag: string): { count: number } {
    const seen = { count: 0 };
    world.rule({
      name: `count ${tag}`,
      judge: (message) => {
        if (message.tag === tag) seen.count++;
        return undefined;
      },
    });
    return seen;
  }

  it("asks a majority only where it is thrifty, and all where that does not answer", () => {
    for (const [thrifty, asked] of [
      // Three reads, over the network; what one asks oneself does not count.
      [true, 4],
      [false, 6],
    ] as const) {
      const world = group({ thrifty });
      const queries = counted(world, Query.tag);
      for (let i = 0; i < 3; i++) {
        world.node(0).root.read("k");
        world.runFor(100);
      }
      expect(world.node(0).root.seen).deep.equal([null, null, null]);
      expect(queries.count).equal(asked);
      // Whoever is asked first: the one that is left suffices.
      world.node(1).crash();
      for (let i = 0; i < 3; i++) world.node(0).root.read("k");
      world.runFor(2000);
      expect(world.node(0).root.seen).deep.equal([null, null, null, null, null, null]);
    }
  });

  it("acknowledges what it gathers when it is flushed, and not before", () => {
    const world = group({ gather: 50 });
    for (const value of [1, 2, 3]) world.node(0).root.write(`k${value}`, value);
    world.runFor(40);
    expect(world.node(0).root.seen).deep.equal([]);
    world.runFor(30);
    expect(world.node(0).root.seen).members([1, 2, 3]);
    for (const node of world.nodes) node.crash();
    for (const node of world.nodes) node.start();
    world.runFor(500);
    world.node(1).root.read("k3");
    world.runFor(500);
    expect(world.node(1).root.seen).deep.equal([3]);
  });
});

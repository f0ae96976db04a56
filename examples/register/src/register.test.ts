/** The register among a few simulated peers, by hand: what each phase is for. */

import { AskTimeout, Component, Swapped } from "@kith/core";
import type { PeerRef } from "@kith/network";
import { loss, partition, simulate, type Simulation } from "@kith/sim";
import { expect } from "chai";
import {
  Abd,
  QuickAbd,
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
  readonly phases: number[] = [];
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
    this.phases.push(answer.phases);
    return void this.seen.push(answer.status === "busy" ? "busy" : answer.value);
  }
}

function group(
  how: Pick<AbdInit, "thrifty" | "gather" | "forgetful"> = {},
  nodes = 3,
): Simulation<typeof Peer> {
  const world: Simulation<typeof Peer> = simulate(Peer, {
    seed: 11,
    nodes,
    transport: "datagram",
    initOf: ({ index }) => ({
      ...how,
      index,
      peers: world.nodes.map((node): PeerRef => world.peer(node.index)),
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

  it("is not hurt by a disk that forgets, where quorums make up for one", () => {
    const world = group({ forgetful: 1, thrifty: true }, 5);
    world.node(4).crash();
    world.node(0).root.write("k", 1);
    world.runFor(1000);
    expect(world.node(0).root.seen).deep.equal([1]);
    // Of the four that have it one forgets, and another one is gone when it is read.
    world.node(1).crash();
    world.node(1).start({ disk: "wiped" });
    world.node(4).start();
    world.node(0).crash();
    world.runFor(1000);
    world.node(1).root.read("k");
    world.runFor(2000);
    expect(world.node(1).root.seen).deep.equal([1]);
  });

  it("never gives a tag twice, whatever the disk and the incarnation remember", () => {
    const world = group();
    const tags: Tag[] = [];
    for (const identity of ["new", "reused", "reused"] as const) {
      world.node(0).root.write("k", 1);
      world.runFor(1000);
      tags.push(...world.node(0).root.tags);
      for (const node of world.nodes) node.crash();
      for (const node of world.nodes) node.start({ disk: "wiped", identity });
      world.runFor(500);
    }
    expect(new Set(tags.map(({ number, writer }) => `${number} ${writer}`)).size).equal(1);
    expect(new Set(tags.map(({ life }) => life)).size).equal(3);
  });
});

describe("version 2 of the register", () => {
  function upgrade(world: Simulation<typeof Peer>, ...indices: number[]): void {
    for (const index of indices)
      world.node(index).system.swapThen("/Peer-1/Abd-1", { cls: QuickAbd }, (result) => {
        expect(result).instanceOf(Swapped);
      });
  }

  function phasesOf(world: Simulation<typeof Peer>, index: number): readonly number[] {
    const { root } = world.node(index);
    root.phases.length = 0;
    root.read("k");
    world.runFor(1000);
    return root.phases;
  }

  it("reads in one phase where a quorum vouches for one value, and with version 1 in two", () => {
    const world = group();
    world.node(0).root.write("k", 1);
    world.runFor(1000);
    expect(phasesOf(world, 0)).deep.equal([2]);
    upgrade(world, 0);
    expect(phasesOf(world, 0)).deep.equal([2]);
    upgrade(world, 1, 2);
    // Nobody has taken note of what version 1 had flushed; a read in two phases makes up for it.
    expect(phasesOf(world, 0)).deep.equal([2]);
    expect(phasesOf(world, 0)).deep.equal([1]);
    expect(phasesOf(world, 1)).deep.equal([1]);
    world.node(2).root.write("k", 2);
    world.runFor(1000);
    expect(phasesOf(world, 1)).deep.equal([1]);
    expect(world.node(1).root.seen.at(-1)).equal(2);
  });

  it("takes over operations that are open", () => {
    const world = group();
    world.node(1).crash();
    world.node(2).crash();
    world.node(0).root.write("k", 7);
    world.node(0).root.read("k");
    world.runFor(1000);
    upgrade(world, 0);
    world.runFor(1000);
    expect(world.node(0).root.seen).deep.equal([]);
    world.node(1).start();
    world.runFor(2000);
    expect(world.node(0).root.seen).include(7).and.length(2);
  });

  it("answers version 1, which does not look at what it adds", () => {
    const world = group();
    upgrade(world, 1, 2);
    world.node(0).root.write("k", 3);
    world.runFor(1000);
    expect(phasesOf(world, 0)).deep.equal([2]);
    expect(world.node(0).root.seen).deep.equal([3, 3]);
  });
});

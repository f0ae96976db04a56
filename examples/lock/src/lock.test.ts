/** The lock service among a few simulated peers, by hand: what the token is for. */

import { AskTimeout, Component } from "@kith/core";
import { Network, type PeerRef } from "@kith/network";
import { delay, loss, simulate, type Simulation } from "@kith/sim";
import { expect } from "chai";
import {
  Exclusive,
  Journal,
  Journalize,
  LockClient,
  type LockClientInit,
  LockServer,
} from "./index.ts";
import { Fetch, Fetched, Refused, Replace, Replaced } from "./messages.ts";

class Peer extends Component {
  readonly exclusive = this.requires(Exclusive);
  readonly net = this.requires(Network);
  readonly seen: string[] = [];
  readonly said: string[] = [];
  readonly client;
  readonly #ask = this.exclusive.onAnswer(Journalize, (answer) => {
    this.seen.push(
      answer instanceof AskTimeout ? "timeout" : `${answer.status} ${answer.entries.join()}`,
    );
  });

  constructor(init: LockClientInit) {
    super();
    if (init.index === 0) this.create(LockServer);
    this.create(Journal);
    this.client = this.create(LockClient, init);
    this.connect(this.client.ports.exclusive, this.exclusive);
    this.net.on(Fetched, ({ entries }) => void this.said.push(`fetched ${entries.join()}`));
    this.net.on(Replaced, () => void this.said.push("replaced"));
    this.net.on(Refused, () => void this.said.push("refused"));
  }

  append(entry: number | null): void {
    this.enter(() => this.#ask(new Journalize({ lock: "k", entry }), { timeout: 20_000 }));
  }

  /** Speaks to one copy of the journal past the lock. */
  say(to: PeerRef, number: number, entries: readonly number[] | null, life = 99): void {
    const attempt = { life: 99, number };
    const token = { number, life };
    const lock = "k";
    this.enter(() =>
      this.net.trigger(
        entries === null
          ? new Fetch({ to, lock, attempt, token })
          : new Replace({ to, lock, attempt, token, entries }),
      ),
    );
  }
}

function group(nodes = 4): Simulation<typeof Peer> {
  const world: Simulation<typeof Peer> = simulate(Peer, {
    seed: 5,
    nodes,
    transport: "datagram",
    initOf: ({ index }) => ({
      index,
      peers: world.nodes.map((node): PeerRef => world.peer(node.index)),
    }),
  });
  world.runFor(2000);
  return world;
}

describe("a lock service", () => {
  it("lets one client after another append to the journal", () => {
    const world = group();
    world.node(2).root.append(1);
    world.node(3).root.append(2);
    world.node(2).root.append(3);
    world.runFor(3000);
    world.node(0).root.append(null);
    world.runFor(1000);
    const [read] = world.node(0).root.seen;
    expect(read?.replace("done ", "").split(",").sort()).deep.equal(["1", "2", "3"]);
    expect(world.node(3).root.seen).length(1);
  });

  it("goes on when a holder is gone: its lease ends", () => {
    const world = group();
    world.rule(delay(60_000, 60_000, { from: "n3", tag: Fetch.tag }));
    world.node(2).root.append(1);
    world.runFor(100);
    world.node(2).crash();
    world.node(3).root.append(2);
    world.runFor(3000);
    expect(world.node(3).root.seen).deep.equal(["done "]);
  });

  it("grants nothing within a lease after its start, as it does not know who has the lock", () => {
    const world = group();
    world.node(0).crash();
    world.node(0).start();
    world.node(3).root.append(1);
    world.runFor(900);
    expect(world.node(3).root.seen).deep.equal([]);
    world.runFor(3000);
    expect(world.node(3).root.seen).deep.equal(["done "]);
  });

  it("keeps the journal and the fence over a crash", () => {
    const world = group();
    world.node(3).root.say(world.peer(1), 7, [1, 2]);
    world.runFor(100);
    world.node(1).crash();
    world.node(1).start();
    world.runFor(100);
    world.node(3).root.say(world.peer(1), 6, [9]);
    world.node(3).root.say(world.peer(1), 7, null);
    world.runFor(100);
    expect(world.node(3).root.said.sort()).deep.equal(["fetched 1,2", "refused", "replaced"]);
  });

  it("refuses a smaller token once a larger one has read", () => {
    const world = group();
    world.node(2).root.say(world.peer(1), 5, null);
    world.runFor(100);
    world.node(3).root.say(world.peer(1), 6, null);
    world.runFor(100);
    world.node(2).root.say(world.peer(1), 5, [1]);
    world.runFor(100);
    world.node(3).root.say(world.peer(1), 6, [2]);
    world.runFor(100);
    expect(world.node(2).root.said).deep.equal(["fetched ", "refused"]);
    expect(world.node(3).root.said).deep.equal(["fetched ", "replaced"]);
  });

  it("acknowledges a replacement again that comes again", () => {
    const world = group();
    world.node(2).root.say(world.peer(1), 5, [1]);
    world.runFor(100);
    world.node(2).root.say(world.peer(1), 5, [1]);
    world.runFor(100);
    expect(world.node(2).root.said).deep.equal(["replaced", "replaced"]);
  });

  it("takes tokens of one number for two, where a server has given it in two lives", () => {
    const world = group();
    world.node(2).root.say(world.peer(1), 5, null, 2);
    world.runFor(100);
    world.node(3).root.say(world.peer(1), 5, [1], 1);
    world.runFor(100);
    expect(world.node(3).root.said).deep.equal(["refused"]);
  });

  it("goes on after the server has forgotten its numbers: who is refused says above which it has to be", () => {
    const world = group();
    for (let i = 0; i < 10; i++) world.node(2).root.append(i);
    world.runFor(3000);
    world.node(0).crash();
    world.node(0).start({ disk: "wiped" });
    world.node(3).root.append(10);
    world.runFor(4000);
    expect(world.node(3).root.seen).deep.equal(["done 0,1,2,3,4,5,6,7,8,9"]);
  });

  it("goes on without a minority of the copies, of which one has forgotten everything", () => {
    const world = group(5);
    world.node(4).crash();
    world.node(2).root.append(1);
    world.runFor(1000);
    world.node(1).crash();
    world.node(1).start({ disk: "wiped" });
    world.node(4).start();
    world.node(3).crash();
    world.runFor(500);
    world.node(1).root.append(2);
    world.runFor(3000);
    expect(world.node(1).root.seen).deep.equal(["done 1"]);
  });

  it("builds upon what reached one copy only, once that was found", () => {
    const world = group(3);
    const heal = world.rule(loss(1, { from: "n3", tag: Replace.tag }));
    world.node(2).root.append(1);
    world.runFor(500);
    world.rule(loss(1, { from: "n2", to: "n1", tag: Fetch.tag }));
    world.node(0).crash();
    world.node(0).start();
    world.node(1).root.append(null);
    world.runFor(5000);
    expect(world.node(1).root.seen).deep.equal(["done 1"]);
    heal();
    world.runFor(500);
    // Its own copy has it; whether others have, it cannot know.
    expect(world.node(2).root.seen).deep.equal(["unknown "]);
  });
});

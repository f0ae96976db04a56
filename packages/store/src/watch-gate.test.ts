/** The gate for those who watch, by itself: what it makes of answers that come late. */

import { Component, type ReplyToken } from "@kith/core";
import { Network } from "@kith/network";
import {
  AskStatus,
  Consensus,
  type ConsensusAnswer,
  Done,
  Follow,
  GroupHalted,
  Peek,
} from "@kith/paxos";
import { simulate } from "@kith/sim";
import { expect } from "chai";
import { type Answer, decodeQuery, encodeAnswer } from "./query.ts";
import { WatchGate } from "./watch-gate.ts";
import { WatchAsk, WatchNews } from "./watch-messages.ts";

interface Peeked {
  readonly what: string;
  readonly token: ReplyToken<ConsensusAnswer>;
}

/** Answers when it is told to. */
class Replica extends Component {
  readonly consensus = this.provides(Consensus);
  readonly peeked: Peeked[] = [];

  constructor() {
    super();
    this.consensus.on(Follow, () => undefined);
    this.consensus.on(AskStatus, () => undefined);
    this.consensus.on(Peek, ({ query }, token) => {
      const found = decodeQuery(query);
      const what = found.kind === "scan" ? `scan ${found.from}` : found.kind;
      this.peeked.push({ what, token });
    });
  }

  halt(): void {
    this.enter(() => this.consensus.trigger(new GroupHalted({ gid: "g", reason: "" })));
  }

  /** Answers the oldest one. */
  answer(answer: Answer): string {
    const { what, token } = this.peeked.shift() ?? {};
    if (token === undefined) throw new Error("Nothing was asked.");
    this.enter(() =>
      this.consensus.reply(token, new Done({ index: 1, result: encodeAnswer(answer) })),
    );
    return what ?? "";
  }
}

/** A gate at the first node; who watches at the second. */
class Node extends Component {
  readonly network = this.requires(Network);
  readonly replica = this.create(Replica, {}, { name: "replica" });
  readonly gate = this.create(WatchGate, {}, { name: "gate" });
  readonly news: WatchNews["what"][] = [];

  constructor() {
    super();
    this.connect(this.replica.ports.consensus, this.gate.ports.consensus);
    this.network.on(WatchNews, ({ what }) => void this.news.push(what));
  }

  ask(round: number): void {
    const to = { peerId: 1, host: "n1", port: 7000, incarnation: 1 };
    const about = {
      gid: "g",
      epoch: 1,
      config: 0,
      after: -1,
      lo: "",
      hi: null,
      prefix: "",
      hold: 2000,
    };
    this.enter(() =>
      this.network.trigger(new WatchAsk({ to, client: "c", part: 1, round, ...about })),
    );
  }
}

function replicaOf({ replica }: Node): Replica {
  return (replica as unknown as { core: { instance: Replica } }).core.instance;
}

const descriptor = { gid: "g", epoch: 1, lo: "", hi: null };
const here: Answer = {
  kind: "here",
  descriptor,
  descriptors: [descriptor],
  ordered: true,
  version: 2,
  time: 1,
  index: 1,
};

function page(key: string, next: string | null): Answer {
  const reading = { position: key, lockedBy: null, version: 1, expiresIn: 0, present: true };
  const readings = [{ ...reading, value: new Uint8Array(1) }];
  return { kind: "scanned", readings, next, deleteFloor: 0 };
}

describe("the gate for watches", () => {
  it("takes no piece that was looked for in an earlier round", () => {
    const world = simulate(Node, { seed: 1, nodes: 2 }).boot();
    const [{ root: gate } = world.node(0), { root: watcher } = world.node(1)] = world.nodes;
    const replica = replicaOf(gate);
    watcher.ask(1);
    world.until(() => replica.peeked.length > 0);
    expect(replica.answer(here)).equal("hello");
    world.until(() => replica.peeked.length > 0);
    expect(replica.answer(page("a", "b"))).equal("scan ");
    world.until(() => replica.peeked.length > 0);
    // It asks again before the second piece has come.
    watcher.ask(2);
    world.until(() => replica.peeked.length > 1);
    expect(replica.answer(page("b", null))).equal("scan b");
    world.runFor(5);
    expect(watcher.news).deep.equal([]);
    expect(replica.answer(page("a", "b"))).equal("scan ");
    world.until(() => replica.peeked.length > 0);
    expect(replica.answer(page("b", null))).equal("scan b");
    world.until(() => watcher.news.length > 0);
    const [what] = watcher.news;
    expect(what?.kind === "state" && what.entries.map(({ position }) => position)).deep.equal([
      "a",
      "b",
    ]);
  });

  it("sends on who waits for a replica that has stopped", () => {
    const world = simulate(Node, { seed: 2, nodes: 2 }).boot();
    const [{ root: gate } = world.node(0), { root: watcher } = world.node(1)] = world.nodes;
    const replica = replicaOf(gate);
    watcher.ask(1);
    world.until(() => replica.peeked.length > 0);
    replica.halt();
    world.until(() => watcher.news.length > 0);
    expect(watcher.news).deep.equal([{ kind: "elsewhere" }]);
  });
});

/** What must hold for every provider of Consensus, one case each. */

import { type Case, pass, until, type Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import { bytesText } from "../bytes.ts";
import { Changed, Done, NotLeader, Refused, type Status } from "../port.ts";
import {
  type ConsensusHarness,
  type ConsensusPeer,
  consensusSettings,
} from "./consensus-harness.ts";

const gid = "g";
const founders = [0, 1, 2];
const long = 20_000;

/** What a case works with: the processes in their present lives, and what they were asked. */
class Cluster {
  readonly harness: ConsensusHarness;
  readonly peers = new Map<number, ConsensusPeer>();
  #keys = 0;

  constructor(harness: ConsensusHarness) {
    this.harness = harness;
  }

  /** Waits until these have started. */
  *started(...indices: readonly number[]): Generator<Wait, void, void> {
    for (const index of indices) {
      this.peers.delete(index);
      this.harness.enter(index, (peer) => void this.peers.set(index, peer));
    }
    yield until("they have started", () => indices.every((index) => this.peers.has(index)), long);
  }

  /** Starts all four, and founds a group of the first three. */
  *founded(group = gid): Generator<Wait, void, void> {
    if (this.peers.size === 0) yield* this.started(0, 1, 2, 3);
    const peers = founders.map((index) => this.harness.addressOf(index));
    for (const index of founders)
      for (;;) {
        const key = this.key("found");
        this.harness.enter(index, (peer) => peer.found(key, group, peers));
        yield this.heard(index, key);
        if (this.at(index).told(key) === "Founded") break;
        // Its storage is still being read.
        expect(this.refusal(index, key)).to.equal("pending");
        yield pass(20);
      }
  }

  at(index: number): ConsensusPeer {
    const peer = this.peers.get(index);
    if (peer === undefined) throw new Error(`process ${index} has not started`);
    return peer;
  }

  key(what: string): string {
    return `${what} ${++this.#keys}`;
  }

  heard(index: number, key: string): Wait {
    return until(`${key} is answered`, () => this.at(index).answers.has(key), long);
  }

  refusal(index: number, key: string): string | null {
    const answer = this.at(index).answers.get(key);
    return answer instanceof Refused ? answer.reason : null;
  }

  /** Waits until one of these leads, and says which. */
  *leader(among: readonly number[] = founders, group = gid): Generator<Wait, number, void> {
    let found: number | undefined;
    const look = (): boolean => {
      found = among.find((index) => this.peers.get(index)?.leads.has(group));
      return found !== undefined;
    };
    yield until("there is a leader", look, long);
    return found ?? 0;
  }

  /** Asks whoever leads until it is done, and says what came of it and where. Never asks again after `Unknown`. */
  *done(
    what: string,
    ask: (peer: ConsensusPeer, key: string) => void,
    among: readonly number[] = founders,
    group = gid,
  ): Generator<
    Wait,
    { readonly told: string; readonly index: number; readonly key: string },
    void
  > {
    for (;;) {
      const index = yield* this.leader(among, group);
      const key = this.key(what);
      this.harness.enter(index, (peer) => ask(peer, key));
      yield this.heard(index, key);
      const told = this.at(index).told(key) ?? "";
      if (!["NotLeader", "Busy", "Refused"].includes(told)) return { told, index, key };
      yield pass(50);
    }
  }

  /** Proposes a command until it is done; its result. */
  *command(
    what: string,
    among: readonly number[] = founders,
    group = gid,
  ): Generator<Wait, string, void> {
    const { told } = yield* this.done(what, (peer, key) => peer.propose(key, group), among, group);
    return told;
  }

  *query(among: readonly number[] = founders, group = gid): Generator<Wait, string, void> {
    const { told } = yield* this.done("query", (peer, key) => peer.query(key, group), among, group);
    return told;
  }

  *status(index: number): Generator<Wait, Status, void> {
    const key = this.key("status");
    this.harness.enter(index, (peer) => peer.status(key, gid));
    yield this.heard(index, key);
    return this.at(index).statusOf(key) ?? fail(`process ${index} has no group`);
  }

  /** Waits until these have applied the same, and compares it. */
  *same(...indices: readonly number[]): Generator<Wait, void, void> {
    for (let left = 100; ; left--) {
      const all: Status[] = [];
      for (const index of indices) all.push(yield* this.status(index));
      if (new Set(all.map(({ applied }) => applied)).size === 1) {
        expect(new Set(all.map(({ hash }) => hash)), "the tables' hashes").to.have.lengthOf(1);
        break;
      }
      if (left === 0) fail("they do not reach the same index");
      yield pass(200);
    }
    this.agree();
  }

  /** Whatever was applied anywhere at an index was the same, in ascending order, each command once. */
  agree(): void {
    const byIndex = new Map<number, string>();
    for (const peer of this.peers.values()) {
      let before = 0;
      for (const { index, command, result } of peer.linesOf(gid)) {
        expect(index).to.be.greaterThan(before);
        before = index;
        const what = `${command} gives ${result}`;
        expect(byIndex.get(index) ?? what, `index ${index}`).to.equal(what);
        byIndex.set(index, what);
      }
      expect(peer.halted).to.deep.equal([]);
    }
    const all = [...byIndex.values()];
    expect(new Set(all).size, "a command is applied once").to.equal(all.length);
  }
}

function fail(what: string): never {
  throw new Error(what);
}

/** How many commands a result says were applied up to it. */
function countOf(told: string): number {
  return Number(/^(\d+)( |$)/.exec(told)?.[1] ?? fail(`${told} is no result`));
}

const canCrash = ({ crash, restart }: ConsensusHarness): boolean =>
  crash !== undefined && restart !== undefined;

/** The cases of the suite. */
export const consensusCases: readonly Case<ConsensusHarness>[] = [
  {
    name: "founders elect a leader, which does what is proposed, and all apply it",
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      for (let n = 1; n <= 10; n++) expect(countOf(yield* cluster.command("c"))).to.equal(n);
      yield* cluster.same(...founders);
      const all = founders.map((index) => cluster.at(index).linesOf(gid));
      for (const one of all) expect(one).to.deep.equal(all[0]);
      expect(all[0]).to.have.lengthOf(10);
    },
  },
  {
    name: "commands that are under way together are applied in one order, each once",
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      const leader = yield* cluster.leader();
      const keys = Array.from({ length: 30 }, (_, n) => `c${n}`);
      harness.enter(leader, (peer) => {
        for (const key of keys) peer.propose(key, gid);
      });
      for (const key of keys) yield cluster.heard(leader, key);
      const counts = keys.map((key) => countOf(cluster.at(leader).told(key) ?? ""));
      expect(counts).to.deep.equal(keys.map((_, n) => n + 1));
      yield* cluster.same(...founders);
    },
  },
  {
    name: "who does not lead says who does, and has done nothing",
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      yield* cluster.command("first");
      const leader = yield* cluster.leader();
      const other = (leader + 1) % 3;
      yield pass(500);
      harness.enter(other, (peer) => {
        peer.propose("at the wrong one", gid);
        peer.query("asked the wrong one", gid);
      });
      for (const key of ["at the wrong one", "asked the wrong one"]) {
        yield cluster.heard(other, key);
        const answer = cluster.at(other).answers.get(key);
        expect(answer).to.be.instanceOf(NotLeader);
        if (answer instanceof NotLeader)
          expect(answer.leader?.peerId).to.equal(harness.addressOf(leader).peerId);
      }
      expect(countOf(yield* cluster.command("second"))).to.equal(2);
      yield* cluster.same(...founders);
    },
  },
  {
    name: "what cannot be is refused, and says why",
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      yield* cluster.command("first");
      const leader = yield* cluster.leader();
      const { config } = yield* cluster.status(leader);
      const peers = founders.map((index) => harness.addressOf(index));
      harness.enter(3, (peer) => {
        peer.propose("no-group", "unknown");
        peer.found("invalid", "h", peers);
      });
      const learner = { kind: "add-learner", peer: harness.addressOf(3) } as const;
      harness.enter(leader, (peer) => {
        peer.found("exists", gid, peers);
        peer.change("epoch", gid, learner, config.epoch + 1);
      });
      for (const [index, key] of [
        [3, "no-group"],
        [3, "invalid"],
        [leader, "exists"],
        [leader, "epoch"],
      ] as const) {
        yield cluster.heard(index, key);
        expect(cluster.refusal(index, key)).to.equal(key);
      }
      expect((yield* cluster.status(leader)).config).to.deep.equal(config);
    },
  },
  {
    name: "a query sees all that was done before it was asked, and writes nothing",
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      for (let n = 1; n <= 10; n++) {
        yield* cluster.command("c");
        expect(countOf(yield* cluster.query())).to.equal(n);
      }
      const leader = yield* cluster.leader();
      const before = yield* cluster.status(leader);
      for (let n = 0; n < 10; n++) expect(countOf(yield* cluster.query())).to.equal(10);
      const after = yield* cluster.status(leader);
      if (after.term === before.term) expect(after.lastIndex).to.equal(before.lastIndex);
    },
  },
  {
    name: "what waits has bounds: more is Busy at once, and none of that is ever applied",
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      yield* cluster.command("first");
      const leader = yield* cluster.leader();
      const extra = 25;
      const keys = Array.from({ length: consensusSettings.pendingMax + extra }, (_, n) => `c${n}`);
      harness.enter(leader, (peer) => {
        for (const key of keys) peer.propose(key, gid);
      });
      for (const key of keys) yield cluster.heard(leader, key);
      const busy = keys.filter((key) => cluster.at(leader).told(key) === "Busy");
      expect(busy.length).to.be.within(extra, extra + 1);
      for (const key of keys)
        if (!busy.includes(key)) expect(cluster.at(leader).answers.get(key)).to.be.instanceOf(Done);
      expect(countOf(yield* cluster.command("last"))).to.equal(keys.length - busy.length + 2);
      yield* cluster.same(...founders);
      const applied = cluster.at(leader).linesOf(gid);
      for (const key of busy) expect(applied.map(({ command }) => command)).to.not.include(key);
    },
  },
  {
    name: "what was done is still there after all have crashed",
    applies: canCrash,
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      for (let n = 1; n <= 20; n++) yield* cluster.command("c");
      for (const index of founders) harness.crash?.(index);
      for (const index of founders) harness.restart?.(index);
      yield* cluster.started(...founders);
      expect(countOf(yield* cluster.query())).to.equal(20);
      expect(countOf(yield* cluster.command("next"))).to.equal(21);
      yield* cluster.same(...founders);
    },
  },
  {
    name: "a group goes on without its leader, which catches up when it comes back",
    applies: canCrash,
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      yield* cluster.command("before");
      const gone = yield* cluster.leader();
      harness.crash?.(gone);
      cluster.peers.delete(gone);
      // More than the log keeps: it is brought by a snapshot.
      for (let n = 2; n <= 40; n++) expect(countOf(yield* cluster.command("c"))).to.equal(n);
      harness.restart?.(gone);
      yield* cluster.started(gone);
      expect(countOf(yield* cluster.command("after"))).to.equal(41);
      yield* cluster.same(...founders);
    },
  },
  {
    name: "without a majority nothing is done, and with it the group goes on",
    applies: canCrash,
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      yield* cluster.command("before");
      const leader = yield* cluster.leader();
      const others = founders.filter((index) => index !== leader);
      for (const index of others) harness.crash?.(index);
      harness.enter(leader, (peer) => {
        peer.propose("alone", gid);
        peer.query("asked alone", gid);
      });
      yield pass(5000);
      for (const key of ["alone", "asked alone"])
        expect(cluster.at(leader).answers.get(key), key).to.not.be.instanceOf(Done);
      for (const index of others) harness.restart?.(index);
      yield* cluster.started(...others);
      yield* cluster.command("after");
      const { told } = yield* cluster.done("query", (peer, key) => peer.query(key, gid));
      // It was `Unknown`: it may have been done or not.
      expect(countOf(told)).to.be.within(2, 3);
      yield* cluster.same(...founders);
    },
  },
  {
    name: "a leader that is cut off answers no query; what it could not do has a definite end",
    applies: ({ isolate, mend }) => isolate !== undefined && mend !== undefined,
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      yield* cluster.command("before");
      const old = yield* cluster.leader();
      harness.isolate?.(old);
      const keys = Array.from({ length: 10 }, (_, n) => `cut off ${n}`);
      harness.enter(old, (peer) => {
        for (const key of keys) peer.propose(key, gid);
      });
      const rest = founders.filter((index) => index !== old);
      for (let n = 2; n <= 5; n++) expect(countOf(yield* cluster.command("c", rest))).to.equal(n);
      harness.enter(old, (peer) => peer.query("stale", gid));
      yield pass(2000);
      expect(cluster.at(old).answers.get("stale")).to.not.be.instanceOf(Done);
      harness.mend?.();
      expect(countOf(yield* cluster.command("after"))).to.equal(6);
      for (const key of keys) yield cluster.heard(old, key);
      for (const key of keys) expect(cluster.at(old).told(key)).to.equal("NotLeader");
      yield* cluster.same(...founders);
    },
  },
  {
    name: "members come as learners, vote when they are promoted, and leave when they are removed",
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      for (let n = 0; n < 40; n++) yield* cluster.command("c");
      const learner = { kind: "add-learner", peer: harness.addressOf(3) } as const;
      const { index, key } = yield* cluster.done("add", (peer, at) =>
        peer.change(at, gid, learner),
      );
      const added = cluster.at(index).answers.get(key);
      if (!(added instanceof Changed))
        return fail(`adding was answered ${cluster.at(index).told(key)}`);
      const member = added.config.members.find(
        ({ peerId }) => peerId === harness.addressOf(3).peerId,
      );
      if (member === undefined || member.voter) return fail("the learner is none");
      yield* cluster.done("promote", (peer, at) =>
        peer.change(at, gid, { kind: "promote", replicaId: member.replicaId }),
      );
      const leader = yield* cluster.leader([0, 1, 2, 3]);
      const gone = founders.find((one) => one !== leader) ?? 0;
      yield* cluster.done(
        "remove",
        (peer, at) => peer.change(at, gid, { kind: "remove", replicaId: gone + 1 }),
        [0, 1, 2, 3],
      );
      yield until("it knows that it is out", () => cluster.at(gone).left.length > 0, 60_000);
      const rest = [0, 1, 2, 3].filter((one) => one !== gone);
      expect(countOf(yield* cluster.command("after", rest))).to.equal(41);
      yield* cluster.same(...rest);
      const { config } = yield* cluster.status(3);
      expect(config.epoch).to.equal(added.config.epoch + 2);
      expect(config.members.map(({ peerId }) => peerId)).to.have.members(
        rest.map((one) => harness.addressOf(one).peerId),
      );
      expect(config.members.every(({ voter }) => voter)).to.equal(true);
    },
  },
  {
    name: "a leader that is removed leaves the group to the others",
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      yield* cluster.command("before");
      const leader = yield* cluster.leader();
      harness.enter(leader, (peer) =>
        peer.change("remove", gid, { kind: "remove", replicaId: leader + 1 }),
      );
      yield cluster.heard(leader, "remove");
      expect(cluster.at(leader).told("remove")).to.equal("Changed");
      const rest = founders.filter((index) => index !== leader);
      expect(countOf(yield* cluster.command("after", rest))).to.equal(2);
      yield until("it knows that it is out", () => cluster.at(leader).left.length > 0, 60_000);
      yield* cluster.same(...rest);
    },
  },
  {
    name: "the leader hands over to the voter that is named",
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      yield* cluster.command("before");
      const leader = yield* cluster.leader();
      const next = (leader + 1) % 3;
      yield* cluster.done("transfer", (peer, key) => peer.transfer(key, gid, next + 1));
      yield until("the other one leads", () => cluster.at(next).leads.has(gid), long);
      expect(countOf(yield* cluster.command("after", [next]))).to.equal(2);
      yield* cluster.same(...founders);
    },
  },
  {
    name: "all go over to the next version of the rules at the same place",
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      expect(yield* cluster.command("small")).to.match(/^1 small/);
      expect((yield* cluster.status(yield* cluster.leader())).version).to.equal(1);
      yield* cluster.done("upgrade", (peer, key) => peer.upgrade(key, gid, 2));
      expect(yield* cluster.command("large")).to.match(/^2 LARGE/);
      yield* cluster.same(...founders);
      for (const index of founders) {
        expect((yield* cluster.status(index)).version).to.equal(2);
        const results = cluster.at(index).linesOf(gid);
        expect(results.at(-1)?.result).to.match(/^2 LARGE/);
      }
    },
  },
  {
    name: "groups of the same processes have nothing to do with each other",
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      yield* cluster.founded("h");
      for (let n = 1; n <= 5; n++) {
        expect(countOf(yield* cluster.command("c"))).to.equal(n);
        expect(countOf(yield* cluster.command("d", founders, "h"))).to.equal(n);
      }
      expect(countOf(yield* cluster.query(founders, "h"))).to.equal(5);
    },
  },
  {
    name: "a command makes a group at all members, which is there when all have crashed",
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      yield* cluster.command("first");
      const made = yield* cluster.command("spawn");
      expect(countOf(made)).to.equal(2);
      expect(yield* cluster.query(founders, "s2")).to.equal(made);
      expect(countOf(yield* cluster.command("c"))).to.equal(3);
      expect(countOf(yield* cluster.command("d", founders, "s2"))).to.equal(3);
      expect(countOf(yield* cluster.command("d", founders, "s2"))).to.equal(4);
      if (canCrash(harness)) {
        for (const index of founders) harness.crash?.(index);
        for (const index of founders) harness.restart?.(index);
        yield* cluster.started(...founders);
      }
      expect(countOf(yield* cluster.query(founders, "s2"))).to.equal(4);
      expect(countOf(yield* cluster.query())).to.equal(3);
      for (const index of founders) expect(cluster.at(index).halted).to.deep.equal([]);
    },
  },
  {
    name: "any replica tells what it has applied, at once, and no more than that",
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      for (let n = 0; n < 5; n++) yield* cluster.command("c");
      for (const index of founders) {
        for (let left = 100; ; left--) {
          const key = cluster.key("peek");
          harness.enter(index, (peer) => peer.peek(key, gid));
          yield cluster.heard(index, key);
          const count = countOf(cluster.at(index).told(key) ?? "");
          expect(count).to.be.at.most(5);
          if (count === 5) break;
          if (left === 0) fail(`process ${index} does not catch up`);
          yield pass(100);
        }
      }
      const key = cluster.key("peek");
      harness.enter(3, (peer) => peer.peek(key, gid));
      yield cluster.heard(3, key);
      expect(cluster.refusal(3, key)).to.equal("no-group");
    },
  },
  {
    name: "a provider is replaced while it replicates",
    applies: ({ swap }) => swap !== undefined,
    run: function* (harness) {
      const cluster = new Cluster(harness);
      yield* cluster.founded();
      for (let round = 0; round < 5; round++) {
        const leader = yield* cluster.leader();
        const keys = [0, 1, 2, 3].map((n) => `round ${round}: ${n}`);
        harness.enter(leader, (peer) => {
          for (const key of keys) peer.propose(key, gid);
        });
        for (const index of founders) harness.swap?.(index);
        for (const key of keys) {
          yield cluster.heard(leader, key);
          const answer = cluster.at(leader).answers.get(key);
          expect(answer, key).to.be.instanceOf(Done);
          if (answer instanceof Done) expect(bytesText(answer.result)).to.include(key);
        }
      }
      yield* cluster.same(...founders);
    },
  },
];

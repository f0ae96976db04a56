/** What must hold for every provider of AtomicCommit, one case each. */

import { type Case, pass, until, type Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import {
  type CommitHarness,
  type CommitPeer,
  commitSuiteSettings,
  type Votes,
} from "./commit-harness.ts";

const all = [0, 1, 2, 3, 4];
const long = 20_000;

/** What a case works with: the processes in their present lives. */
class Managers {
  readonly harness: CommitHarness;
  readonly peers = new Map<number, CommitPeer>();

  constructor(harness: CommitHarness) {
    this.harness = harness;
  }

  *started(...indices: readonly number[]): Generator<Wait, void, void> {
    for (const index of indices) {
      this.peers.delete(index);
      this.harness.enter(index, (peer) => void this.peers.set(index, peer));
    }
    yield until("they have started", () => indices.every((index) => this.peers.has(index)), long);
  }

  at(index: number): CommitPeer {
    const peer = this.peers.get(index);
    if (peer === undefined) throw new Error(`process ${index} has not started`);
    return peer;
  }

  begin(index: number, votes: Votes, managers: readonly number[]): void {
    const addresses = managers.map((at) => this.harness.addressOf(at));
    this.harness.enter(index, (peer) => peer.begin(votes, addresses));
  }

  answered(index: number, key: string): Wait {
    return until(`${key} is answered`, () => this.at(index).answers.has(key), long);
  }

  /** Waits until all these managers were asked for a vote, and says what the transaction is called. */
  *called(name: string, ...managers: readonly number[]): Generator<Wait, string, void> {
    const asked = (): boolean => managers.every((index) => this.at(index).called.has(name));
    yield until(`${managers.join()} are asked about ${name}`, asked, long);
    const names = new Set(managers.map((index) => this.at(index).called.get(name) ?? ""));
    expect(names.size, `names of ${name}`).to.equal(1);
    return [...names].join();
  }

  /** Waits until these managers were told what became of a transaction: the same, every time. */
  *told(transaction: string, what: string, ...managers: readonly number[]): Generator<Wait> {
    const enough = (): boolean =>
      managers.every((index) => this.at(index).toldOf(transaction).length > 0);
    yield until(`${managers.join()} are told of ${transaction}`, enough, long);
    for (const index of managers)
      expect([...new Set(this.at(index).toldOf(transaction))]).to.deep.equal([what]);
  }
}

const canCrash = ({ crash, restart }: CommitHarness): boolean =>
  crash !== undefined && restart !== undefined;

/** The cases of the suite. */
export const commitCases: readonly Case<CommitHarness>[] = [
  {
    name: "it commits where all managers vote so, and all are told",
    run: function* (harness) {
      const managers = new Managers(harness);
      yield* managers.started(...all);
      managers.begin(0, { name: "t" }, all);
      yield managers.answered(0, "t");
      expect(managers.at(0).answers.get("t")).to.equal("committed");
      const transaction = yield* managers.called("t", ...all);
      yield* managers.told(transaction, "committed", ...all);
    },
  },
  {
    name: "it aborts where one manager votes against it, and all who have voted for it are told",
    run: function* (harness) {
      const managers = new Managers(harness);
      yield* managers.started(...all);
      for (const against of [1, 4]) {
        const name = `against ${against}`;
        managers.begin(0, { name, against }, [1, 2, 4]);
        yield managers.answered(0, name);
        expect(managers.at(0).answers.get(name)).to.equal("aborted");
        const voted = [1, 2, 4].filter((index) => index !== against);
        const transaction = yield* managers.called(name, ...voted);
        yield* managers.told(transaction, "aborted", ...voted);
      }
    },
  },
  {
    name: "who is no acceptor begins one, over managers that are none",
    run: function* (harness) {
      const managers = new Managers(harness);
      yield* managers.started(...all);
      managers.begin(4, { name: "t" }, [3]);
      yield managers.answered(4, "t");
      expect(managers.at(4).answers.get("t")).to.equal("committed");
      yield* managers.told(yield* managers.called("t", 3), "committed", 3);
    },
  },
  {
    name: "a manager that does not vote stops nobody for long: it aborts",
    run: function* (harness) {
      const managers = new Managers(harness);
      yield* managers.started(...all);
      managers.begin(1, { name: "t", silent: 3 }, [0, 3, 4]);
      const transaction = yield* managers.called("t", 0, 3, 4);
      yield managers.answered(1, "t");
      expect(managers.at(1).answers.get("t")).to.equal("aborted");
      yield* managers.told(transaction, "aborted", 0, 4);
    },
  },
  {
    name: "many go on at once, each with an outcome of its own",
    run: function* (harness) {
      const managers = new Managers(harness);
      yield* managers.started(...all);
      const names = Array.from({ length: 15 }, (_, n) => `t${n}`);
      for (const [n, name] of names.entries())
        managers.begin(n % 5, { name, ...(n % 3 === 0 ? { against: 2 } : {}) }, [0, 2, 4]);
      for (const [n, name] of names.entries()) {
        yield managers.answered(n % 5, name);
        const what = n % 3 === 0 ? "aborted" : "committed";
        expect(managers.at(n % 5).answers.get(name), name).to.equal(what);
        yield* managers.told(yield* managers.called(name, 0, 4), what, 0, 4);
      }
    },
  },
  {
    name: "too many that are open are refused at once, and the rest goes on",
    run: function* (harness) {
      const managers = new Managers(harness);
      yield* managers.started(...all);
      const { openMax } = commitSuiteSettings;
      const names = Array.from({ length: openMax + 5 }, (_, n) => `t${n}`);
      const managed = [3, 4].map((index) => harness.addressOf(index));
      harness.enter(0, (peer) => {
        for (const name of names) peer.begin({ name }, managed);
      });
      for (const name of names) yield managers.answered(0, name);
      const told = names.map((name) => managers.at(0).answers.get(name));
      expect(told.filter((what) => what === "Busy")).to.have.lengthOf(5);
      expect(told.slice(0, openMax)).to.not.include("Busy");
      // They are open until all managers have taken them.
      let last = "";
      for (let n = 0; last === "" || managers.at(0).answers.get(last) === "Busy"; n++) {
        if (n > 0) yield pass(200);
        last = `once more ${n}`;
        managers.begin(0, { name: last }, [3, 4]);
        yield managers.answered(0, last);
      }
      expect(managers.at(0).answers.get(last)).to.equal("committed");
    },
  },
  {
    name: "an outcome is told again until it is taken, and to whoever asks",
    run: function* (harness) {
      const managers = new Managers(harness);
      yield* managers.started(...all);
      harness.enter(3, (peer) => void (peer.takes = false));
      managers.begin(0, { name: "t" }, [3, 4]);
      const transaction = yield* managers.called("t", 3, 4);
      yield* managers.told(transaction, "committed", 3, 4);
      const managed = [3, 4].map((index) => harness.addressOf(index));
      for (const index of [0, 1, 4]) {
        harness.enter(index, (peer) => peer.ask("asked", transaction, managed));
        yield managers.answered(index, "asked");
        expect(managers.at(index).answers.get("asked")).to.equal("committed");
      }
    },
  },
  {
    name: "an acceptor that is gone stops nothing",
    applies: canCrash,
    run: function* (harness) {
      const managers = new Managers(harness);
      yield* managers.started(...all);
      harness.crash?.(2);
      managers.begin(0, { name: "t" }, [1, 3, 4]);
      yield managers.answered(0, "t");
      expect(managers.at(0).answers.get("t")).to.equal("committed");
      yield* managers.told(yield* managers.called("t", 1, 3, 4), "committed", 1, 3, 4);
    },
  },
  {
    name: "where the one that began it is gone, those who have voted end it, all alike",
    applies: canCrash,
    run: function* (harness) {
      const managers = new Managers(harness);
      yield* managers.started(...all);
      for (const [n, delay] of [0, 5, 20].entries()) {
        const name = `t${n}`;
        managers.begin(4, { name }, [0, 1, 3]);
        yield* managers.called(name, 0);
        yield pass(delay);
        harness.crash?.(4);
        const transaction = managers.at(0).called.get(name) ?? "";
        yield until("one is told", () => managers.at(0).toldOf(transaction).length > 0, long);
        const [what = ""] = managers.at(0).toldOf(transaction);
        const voted = [0, 1, 3].filter((index) => managers.at(index).called.has(name));
        yield* managers.told(transaction, what, ...voted);
        harness.restart?.(4);
        yield* managers.started(4);
      }
    },
  },
  {
    name: "a manager that crashes before it takes the outcome is told in its next life",
    applies: canCrash,
    run: function* (harness) {
      const managers = new Managers(harness);
      yield* managers.started(...all);
      harness.enter(3, (peer) => void (peer.takes = false));
      managers.begin(0, { name: "t" }, [3, 4]);
      const transaction = yield* managers.called("t", 3, 4);
      yield* managers.told(transaction, "committed", 3, 4);
      for (const index of [0, 3]) harness.crash?.(index);
      for (const index of [0, 3]) harness.restart?.(index);
      yield* managers.started(0, 3);
      yield* managers.told(transaction, "committed", 3);
    },
  },
  {
    name: "a provider is replaced while it commits",
    applies: ({ swap }) => swap !== undefined,
    run: function* (harness) {
      const managers = new Managers(harness);
      yield* managers.started(...all);
      for (let n = 0; n < 5; n++) {
        const name = `t${n}`;
        managers.begin(0, { name }, [0, 1, 3]);
        for (const index of [0, 1, 3]) harness.swap?.(index);
        yield managers.answered(0, name);
        expect(managers.at(0).answers.get(name)).to.equal("committed");
        yield* managers.told(yield* managers.called(name, 0, 1, 3), "committed", 0, 1, 3);
      }
    },
  },
];

/** The pure committer, input by input; and what a life of the component must not name again. */

import { simulate } from "@kith/sim";
import { expect } from "chai";
import { addressAt } from "../register.test.ts";
import { aborted, prepared } from "./ballots.ts";
import { Manager } from "./commit-run.test.ts";
import { begin, cast, committer, end, receive, take, tick, turn } from "./committer.ts";
import type { Committer } from "./transactions.ts";

const [one, two, three] = [addressAt(0), addressAt(1), addressAt(2)];
const acceptors = [one, two, three];
const first = { round: 0, proposer: 0, life: 0 };
const empty = {
  accepting: new Map(),
  managing: new Map(),
  over: new Map(),
  finished: new Map(),
};

function peer(self = one): Committer {
  return committer({ self, life: 1, acceptors, seed: 1, now: 0 }, empty);
}

function kinds(state: Committer): string[] {
  const { requests, replies } = turn(state);
  return [...requests, ...replies].map(({ to, word }) => `${word.kind} to ${to.peerId}`);
}

describe("a committer", () => {
  it("commits when a majority has all votes of the managers", () => {
    const state = peer();
    const name = begin(state, [two, three], new Uint8Array()) ?? "";
    turn(state);
    const votes = new Map(
      [two, three].map(({ peerId }) => [peerId, { ballot: first, value: prepared }]),
    );
    const word = { transaction: name, managers: [two, three], kind: "voted", votes } as const;
    receive(state, one, word);
    receive(state, one, word);
    expect(turn(state).news).deep.equal([]);
    receive(state, two, word);
    expect(turn(state).news).deep.equal([{ kind: "ended", transaction: name, committed: true }]);
  });

  it("ends a transaction only with a majority of votes in its ballot", () => {
    const state = peer();
    end(state, "2.1.1", [two, three]);
    const top = { transaction: "2.1.1", managers: [two, three] };
    const ballot = { round: 1, proposer: 1, life: 1 };
    const votes = new Map([[2, { ballot: first, value: prepared }]]);
    receive(state, one, { ...top, kind: "promised", ballot, votes: new Map() });
    receive(state, one, { ...top, kind: "promised", ballot, votes: new Map() });
    turn(state);
    receive(state, two, { ...top, kind: "promised", ballot, votes });
    const [asked] = turn(state).requests;
    expect(asked?.word).deep.equal({
      ...top,
      kind: "accept",
      ballot,
      values: new Map([
        [2, prepared],
        [3, aborted],
      ]),
    });
    receive(state, one, { ...top, kind: "accepted", ballot });
    receive(state, one, { ...top, kind: "accepted", ballot });
    receive(state, addressAt(7), { ...top, kind: "accepted", ballot });
    expect(turn(state).news).deep.equal([]);
    receive(state, three, { ...top, kind: "accepted", ballot });
    expect(turn(state).news).deep.equal([
      { kind: "ended", transaction: "2.1.1", committed: false },
    ]);
  });

  it("votes once, and says that it has taken the outcome when its user has", () => {
    const state = peer(two);
    const top = { transaction: "1.1.1", managers: [two] };
    const body = new Uint8Array();
    receive(state, one, { ...top, kind: "begin", body, doneBelow: 1 });
    cast(state, "1.1.1", true);
    cast(state, "1.1.1", false);
    expect(kinds(state)).deep.equal(["vote to 1", "vote to 2", "vote to 3"]);
    receive(state, one, { ...top, kind: "outcome", committed: true });
    expect(kinds(state)).deep.equal([]);
    take(state, "1.1.1");
    expect(kinds(state)).deep.equal(["taken to 1"]);
    // A late copy asks for no vote again.
    receive(state, one, { ...top, kind: "begin", body, doneBelow: 1 });
    expect(turn(state).news).deep.equal([]);
  });

  it("stops where it is to commit what it has not voted for", () => {
    const state = peer(two);
    const word = {
      transaction: "1.1.1",
      managers: [two],
      kind: "outcome",
      committed: true,
    } as const;
    expect(() => receive(state, one, word)).to.throw(/PC2/);
  });

  it("leads a transaction itself when its leader is silent", () => {
    const state = peer(two);
    const top = { transaction: "1.1.1", managers: [two] };
    receive(state, one, { ...top, kind: "begin", body: new Uint8Array(), doneBelow: 1 });
    cast(state, "1.1.1", true);
    turn(state);
    tick(state, 1000);
    expect(kinds(state)).deep.equal([]);
    tick(state, 10_000);
    expect(kinds(state)).deep.equal([1, 2, 3].map((to) => `prepare to ${to}`));
  });

  it("knows what is over, and answers so", () => {
    const state = peer(three);
    const top = { transaction: "1.1.3", managers: [two] };
    receive(state, two, { ...top, kind: "vote", value: prepared });
    turn(state);
    receive(state, one, { ...top, kind: "over", doneBelow: 3 });
    turn(state);
    const ballot = { round: 5, proposer: 2, life: 1 };
    receive(state, two, { ...top, kind: "prepare", ballot });
    receive(state, two, { ...top, transaction: "1.1.2", kind: "prepare", ballot });
    expect(kinds(state)).deep.equal(["ended to 2", "ended to 2"]);
    expect(state.accepting.size).equal(0);
  });

  it("gives a transaction of a later life another name", () => {
    const world = simulate(Manager, { seed: 1, nodes: 3, init: { acceptors } }).boot();
    const names: string[] = [];
    const watch = (index: number): void => {
      world.node(index).root.votes = (transaction) => names.push(transaction) > 0;
    };
    watch(1);
    for (let life = 0; life < 3; life++) {
      world.runFor(100);
      world.node(0).root.begin([two]);
      world.runFor(100);
      world.node(0).crash();
      world.node(0).start();
    }
    expect(names).length(3);
    expect(new Set(names).size).equal(3);
  });
});

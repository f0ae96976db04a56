/** The pure decider, input by input. */

import { expect } from "chai";
import { bytesText, textBytes } from "../bytes.ts";
import { fastRule } from "../fast/fast-rule.ts";
import { singleRule } from "../single/single-rule.ts";
import type { Vote } from "./acceptor.ts";
import {
  type Decider,
  decider,
  decisionOf,
  hasRoom,
  learn,
  propose,
  receive,
  tick,
  turn,
} from "./decider.ts";

const x = textBytes("x");
const y = textBytes("y");

function peer(acceptors = 5, settings = {}): Decider {
  const ids = Array.from({ length: acceptors }, (_, i) => i + 1);
  return decider({ self: 9, life: 1, acceptors: ids, seed: 1, now: 0, settings }, []);
}

function vote(round: number, value: Uint8Array): Vote {
  return { ballot: { round, proposer: 1, life: 1 }, value };
}

function kinds(state: Decider): string[] {
  const { requests, replies } = turn(state);
  return [...requests, ...replies].map(({ to, word }) => `${word.kind} to ${to}`);
}

describe("a decider", () => {
  it("learns from votes of one ballot alone", () => {
    const state = peer();
    learn(state, "i");
    const votes = [vote(1, x), vote(2, x), vote(3, x), vote(4, y)];
    for (const [i, accepted] of votes.entries())
      receive(state, singleRule, i + 1, { instance: "i", kind: "undecided", accepted });
    expect(decisionOf(state, "i")).equal(null);
    receive(state, singleRule, 1, { instance: "i", kind: "undecided", accepted: vote(3, x) });
    receive(state, singleRule, 2, { instance: "i", kind: "undecided", accepted: vote(3, x) });
    expect(bytesText(decisionOf(state, "i") ?? y)).equal("x");
  });

  it("takes no vote of who is no acceptor", () => {
    const state = peer(3);
    learn(state, "i");
    for (const from of [1, 7, 8])
      receive(state, singleRule, from, { instance: "i", kind: "undecided", accepted: vote(1, x) });
    expect(decisionOf(state, "i")).equal(null);
  });

  it("asks for votes at once where its rule lets it, and for promises where not", () => {
    const [fast, single] = [peer(3), peer(3)];
    propose(fast, fastRule(), "i", x);
    propose(single, singleRule, "i", x);
    expect(kinds(fast)).deep.equal(["accept to 1", "accept to 2", "accept to 3"]);
    expect(kinds(single)).deep.equal(["prepare to 1", "prepare to 2", "prepare to 3"]);
  });

  it("does not wait for its time when there is a collision", () => {
    const state = peer(4, { retry: 1000, backoff: 10 });
    propose(state, fastRule(), "i", x);
    const first = { round: 0, proposer: 0, life: 0 };
    for (const [i, value] of [x, y, x, y].entries())
      receive(state, fastRule(), i + 1, { instance: "i", kind: "accepted", ballot: first, value });
    turn(state);
    tick(state, 20);
    expect(kinds(state)).deep.equal([1, 2, 3, 4].map((to) => `prepare to ${to}`));
  });

  it("gives up a ballot when it is refused by so many that the rest is too few, and goes higher", () => {
    const state = peer(3, { retry: 1000, backoff: 10 });
    propose(state, singleRule, "i", x);
    const ballot = { round: 1, proposer: 9, life: 1 };
    const promised = { round: 7, proposer: 3, life: 1 };
    const refused = { instance: "i", kind: "refused", ballot, promised } as const;
    receive(state, singleRule, 1, refused);
    receive(state, singleRule, 1, refused);
    turn(state);
    tick(state, 20);
    expect(kinds(state)).deep.equal([]);
    receive(state, singleRule, 2, refused);
    tick(state, 40);
    const [first] = turn(state).requests;
    expect(first?.word).deep.equal({
      instance: "i",
      kind: "prepare",
      ballot: { round: 8, proposer: 9, life: 1 },
    });
  });

  it("remembers a decision, and answers everything with it", () => {
    const state = decider({ self: 1, life: 1, acceptors: [1, 2, 3], seed: 1, now: 0 }, []);
    receive(state, singleRule, 2, { instance: "i", kind: "decided", value: x });
    turn(state);
    const ballot = { round: 5, proposer: 3, life: 1 };
    receive(state, singleRule, 3, { instance: "i", kind: "prepare", ballot });
    receive(state, singleRule, 3, { instance: "i", kind: "accept", ballot, value: y });
    receive(state, singleRule, 3, { instance: "i", kind: "ask" });
    expect(kinds(state)).deep.equal(Array.from({ length: 3 }, () => "decided to 3"));
  });

  it("stops where an instance has two values", () => {
    const state = peer(3);
    learn(state, "i");
    receive(state, singleRule, 1, { instance: "i", kind: "decided", value: x });
    expect(() =>
      receive(state, singleRule, 2, { instance: "i", kind: "decided", value: y }),
    ).to.throw(/PX1/);
  });

  it("has bounds", () => {
    const state = peer(3, { openMax: 2, instancesMax: 3 });
    for (const name of ["a", "b"]) {
      expect(hasRoom(state, name)).equal(true);
      learn(state, name);
    }
    expect(hasRoom(state, "c")).equal(false);
    expect(hasRoom(state, "a")).equal(true);
    for (const name of ["a", "b", "c", "d"])
      receive(state, singleRule, 1, { instance: name, kind: "decided", value: x });
    expect([...state.instances.keys()]).deep.equal(["a", "b", "c"]);
    expect(hasRoom(state, "e")).equal(false);
  });
});

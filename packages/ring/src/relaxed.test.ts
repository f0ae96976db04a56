/** Steps of the relaxed ring that go wrong on the way. */

import { expect } from "chai";
import { formatLife, type PeerRef } from "@kith/network";
import { chord, Effects, Goto, IdInUse, Join, relaxed, Stabilised } from "./index.ts";
import { peersIn } from "./messages.ts";
import { Model, peerOf } from "./model.test.ts";
import { leave } from "./relaxed.ts";
import { learnLives, noteWays } from "./state.ts";

function envelope(at: number, from: PeerRef) {
  return { to: peerOf(at), from, cluster: "kith", fix: false, back: false };
}

function ringOf(...ids: readonly number[]): Model {
  const model = new Model();
  const [first = 0, ...others] = ids;
  model.found(first, relaxed);
  for (const id of others) {
    model.join(id, first, relaxed);
    model.settle();
    model.round();
  }
  model.round();
  expect(model.imperfection()).to.equal(undefined);
  return model;
}

for (const [name, protocol] of [
  ["relaxed", relaxed],
  ["Chord", chord],
] as const)
  it(`a ${name} ring refuses an identifier that it has, whatever the incarnation`, () => {
    const model = ringOf(1, 4, 9);
    for (const at of [4, 9])
      for (const incarnation of [1, 2]) {
        const effects = new Effects(peerOf(at));
        const from = { ...peerOf(4, incarnation), host: "elsewhere" };
        const join = new Join({ ...envelope(at, from), short: true });
        protocol.receive(model.at(at), join, effects);
        expect(effects.messages.map((message) => message.constructor)).to.deep.equal([IdInUse]);
      }
  });

for (const [name, protocol] of [
  ["relaxed", relaxed],
  ["Chord", chord],
] as const)
  it(`a ${name} ring names a short cut that halves the way, and none where the sure way is wanted`, () => {
    const state = ringOf(1, 2, 3, 4, 5, 6, 7, 15).at(1);
    noteWays(state, [peerOf(10), peerOf(13), peerOf(0), peerOf(8)]);
    const named = (target: number, short: boolean): number[] => {
      const effects = new Effects(peerOf(1));
      const join = new Join({ ...envelope(1, peerOf(target)), short });
      protocol.receive(state, join, effects);
      return effects.messages.flatMap((one) => (one instanceof Goto ? [one.peer.peerId] : []));
    };
    // The list ends at 5: from there it is nine to 14, and from 10 four.
    expect(named(14, true)).to.deep.equal([13]);
    expect(named(12, true)).to.deep.equal([10]);
    expect(named(14, false)).to.deep.equal([5]);
    state.suspects = [peerOf(13)];
    expect(named(14, true)).to.deep.equal([10]);
    state.ended = [peerOf(10)];
    expect(named(14, true)).to.deep.equal([5]);
  });

for (const [name, protocol] of [
  ["relaxed", relaxed],
  ["Chord", chord],
] as const)
  it(`a newcomer of a ${name} ring asks all its introducers in turn, however many they are`, () => {
    for (let count = 1; count <= 12; count++) {
      const introducers = Array.from({ length: count }, (_, i) => peerOf(i + 1));
      for (const alive of introducers) {
        const model = new Model();
        const newcomer = model.add(0, protocol);
        newcomer.status = "joining";
        newcomer.introducers = introducers;
        model.found(alive.peerId, protocol);
        for (const { peerId } of introducers)
          if (peerId !== alive.peerId) model.crashed.add(peerId);
        // Three askings of each.
        for (let round = 0; round < 3 * count && newcomer.status === "joining"; round++)
          model.round();
        expect(newcomer.status, `only ${alive.peerId} of ${count} lives`).to.equal("in");
      }
    }
  });

describe("the relaxed ring", () => {
  for (const [size, ids] of [
    ["one", [9]],
    ["two", [1, 9]],
    ["four", [1, 4, 9, 13]],
  ] as const)
    it(`forgets a newcomer that crashes between the steps of its join, in a ring of ${size}`, () => {
      for (let steps = 0; steps < 6; steps++) {
        const model = ringOf(...ids);
        model.join(6, 9, relaxed);
        for (let step = 0; step < steps && model.flying.length > 0; step++) model.deliver(0);
        // What it has sent still arrives; then it is noticed.
        model.crashed.add(6);
        model.settle();
        model.crash(6);
        model.settle();
        expect(model.doubleOwner(), `after ${steps} steps`).to.equal(undefined);
        for (let round = 0; round < 8; round++) model.round();
        expect(model.imperfection(), `after ${steps} steps`).to.equal(undefined);
      }
    });

  it("heals where the root of a branch crashes within two periods, and all who stand there own no key twice then", () => {
    const model = ringOf(1, 4, 9, 13);
    model.join(6, 9, relaxed);
    model.deliver(0);
    model.deliver(0);
    model.flying = [];
    model.crash(9);
    model.settle();
    for (let round = 0; round < 2; round++) model.round();
    expect(model.doubleOwner()).to.equal(undefined);
    // The lists and followers need as many periods as the ring has peers.
    for (let round = 0; round < 6; round++) model.round();
    expect(model.imperfection()).to.equal(undefined);
  });

  it("keeps a ring where one suspects its successor wrongly, and takes it back", () => {
    const model = ringOf(1, 4, 9, 13);
    model.step(4, (effects, state) => {
      state.suspects = [peerOf(9)];
      relaxed.failed(state, peerOf(9), effects);
    });
    model.settle();
    expect(model.at(4).successors[0]?.peerId, "on a branch").to.equal(13);
    expect(model.at(13).predecessor?.peerId, "which stays with its predecessor").to.equal(9);
    model.restore(9, 4);
    model.settle();
    for (let round = 0; round < 6; round++) model.round();
    expect(model.imperfection()).to.equal(undefined);
  });

  it("gives up a predecessor that has left where its farewell was lost, though nobody suspects it", () => {
    const model = ringOf(1, 4, 9, 13);
    model.step(4, (effects, state) => leave(state, effects));
    model.flying = [];
    for (let round = 0; round < 10; round++) model.round();
    expect(model.at(9).predecessor?.peerId).to.equal(1);
    expect(model.imperfection()).to.equal(undefined);
  });

  it("does not send a newcomer to itself, where an earlier life of it with the same incarnation is listed", () => {
    const model = ringOf(1, 4, 9, 12);
    const asked = (at: number): (number | string)[] => {
      const effects = new Effects(peerOf(at));
      relaxed.receive(model.at(at), new Join({ ...envelope(at, peerOf(4)), short: true }), effects);
      return effects.messages.map((one) =>
        one instanceof Goto ? one.peer.peerId : one.constructor.name,
      );
    };
    expect([1, 12].map(asked)).to.deep.equal([[9], [9]]);
    expect(asked(9)).to.deep.equal(["JoinOk"]);
  });

  it("takes up no earlier life from a stale list where a later one was heard of (R5)", () => {
    const model = ringOf(1, 4, 9);
    const told = (incarnation: number): void =>
      model.step(1, (effects, state) => {
        const named = [peerOf(4), peerOf(6, incarnation), peerOf(9)];
        const message = new Stabilised({
          to: peerOf(1),
          from: peerOf(4),
          predecessor: peerOf(1),
          successors: named,
        });
        learnLives(state, peersIn(message), (past) => relaxed.failed(state, past, effects));
        relaxed.receive(state, message, effects);
      });
    const lives = (): number[] =>
      model
        .at(1)
        .successors.filter(({ peerId }) => peerId === 6)
        .map(({ incarnation }) => incarnation);
    told(1);
    expect(lives()).to.deep.equal([1]);
    told(2);
    expect(lives()).to.deep.equal([2]);
    told(1);
    expect(lives()).to.deep.equal([]);
  });

  it("ends the life of a peer that has begun anew within its process, and of nobody else there (R5)", () => {
    const model = ringOf(1, 4, 9);
    const neighbour = { ...peerOf(6), peerId: 7 };
    const told = (peer: PeerRef): string[] => {
      model.step(1, (effects, state) => {
        const message = new Stabilised({
          to: peerOf(1),
          from: peerOf(4),
          predecessor: peerOf(1),
          successors: [peerOf(4), peer, neighbour, peerOf(9)],
        });
        learnLives(state, peersIn(message), (past) => relaxed.failed(state, past, effects));
        relaxed.receive(state, message, effects);
      });
      return model
        .at(1)
        .successors.filter(({ host }) => host === neighbour.host)
        .map((one) => `${one.peerId}#${formatLife(one)}`);
    };
    expect(told(peerOf(6))).to.deep.equal(["6#1", "7#1"]);
    expect(told({ ...peerOf(6), rebirth: 1 })).to.deep.equal(["6#1.1", "7#1"]);
    expect(told(peerOf(6))).to.deep.equal(["7#1"]);
    expect(told({ ...peerOf(6), rebirth: 2 })).to.deep.equal(["6#1.2", "7#1"]);
    expect(told({ ...peerOf(6), rebirth: 1 })).to.deep.equal(["7#1"]);
  });
});

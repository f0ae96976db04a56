/** What must hold for every provider of Bootstrap, of PeerSampling and of Nearness, one case each. */

import type { PeerRef } from "@kith/network";
import { type Case, pass, until, type Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import type { Nearest } from "../port.ts";
import type { MembershipHarness, Participant } from "./harness.ts";

function indices({ count }: MembershipHarness): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** The participants of all processes, once they have started. */
function* everyone(harness: MembershipHarness): Generator<Wait, Participant[], void> {
  const found: Participant[] = [];
  for (const index of indices(harness))
    harness.enter(index, (it) => {
      found[index] = it;
    });
  const ready = (): boolean => found.filter((one) => one !== undefined).length === harness.count;
  yield until("all have started", ready);
  return found;
}

/** The cases of Bootstrap. Servers run at processes 0 and 1. */
export const bootstrapCases: readonly Case<MembershipHarness>[] = [
  {
    name: "who has registered is named to others, and never to itself",
    run: function* (harness) {
      const all = yield* everyone(harness);
      for (const index of [2, 3]) harness.enter(index, (it) => it.register(harness.self(index)));
      yield pass(1000);
      for (const index of [2, 4]) harness.enter(index, (it) => it.find(10_000));
      yield until("both are answered", () =>
        [2, 4].every((index) => (all[index]?.found.length ?? 0) > 0),
      );
      const named = (index: number): number[] | undefined =>
        all[index]?.found[0]?.map(({ peerId }) => peerId).sort((a, b) => a - b);
      expect(named(2)).to.deep.equal([harness.self(3).peerId]);
      expect(named(4)).to.deep.equal([2, 3].map((index) => harness.self(index).peerId));
    },
  },
  {
    name: "an empty server gives no answer, not an empty one, and the asker waits",
    run: function* (harness) {
      const all = yield* everyone(harness);
      harness.enter(4, (it) => it.find(20_000));
      harness.enter(5, (it) => it.find(2000));
      yield until("the impatient one is told", () => (all[5]?.found.length ?? 0) > 0);
      expect(all[4]?.found).to.deep.equal([]);
      expect(all[5]?.found).to.deep.equal([null]);
      harness.enter(2, (it) => it.register(harness.self(2)));
      yield until("the one who waits is answered", () => (all[4]?.found.length ?? 0) > 0, 10_000);
      expect(all[4]?.found[0]).to.have.length(1);
    },
  },
  {
    name: "servers that all start empty know the cluster again, and newcomers find it",
    applies: ({ crash, restart }) => crash !== undefined && restart !== undefined,
    run: function* (harness) {
      const all = yield* everyone(harness);
      for (const index of [2, 3]) harness.enter(index, (it) => it.register(harness.self(index)));
      yield pass(1000);
      for (const index of [0, 1]) harness.crash?.(index);
      yield pass(500);
      harness.enter(5, (it) => it.find(60_000));
      yield pass(3000);
      expect(all[5]?.found, "while no server is there").to.deep.equal([]);
      for (const index of [0, 1]) harness.restart?.(index);
      yield until("the newcomer is answered", () => (all[5]?.found.length ?? 0) > 0, 50_000);
      expect(all[5]?.found[0]?.length).to.be.above(0);
    },
  },
  {
    name: "who is gone is forgotten after three periods, and named in its next life",
    applies: ({ crash, restart }) => crash !== undefined && restart !== undefined,
    run: function* (harness) {
      const all = yield* everyone(harness);
      const past = harness.self(2);
      for (const index of [2, 3]) harness.enter(index, (it) => it.register(harness.self(index)));
      yield pass(1000);
      harness.crash?.(2);
      yield pass(35_000);
      harness.enter(4, (it) => it.find(10_000));
      yield until("it is answered", () => (all[4]?.found.length ?? 0) > 0, 10_000);
      expect(all[4]?.found[0]?.map(({ peerId }) => peerId)).to.deep.equal([harness.self(3).peerId]);
      const later = harness.self(2);
      harness.restart?.(2);
      harness.enter(2, (it) => it.register(later));
      const lives: number[] = [];
      for (let answers = 2; answers < 50 && lives.length === 0; answers++) {
        yield pass(1000);
        harness.enter(4, (it) => it.find(10_000));
        yield until("it is answered", () => (all[4]?.found.length ?? 0) >= answers, 10_000);
        const named = all[4]?.found.at(-1)?.filter(({ peerId }) => peerId === past.peerId) ?? [];
        lives.push(...named.map(({ incarnation }) => incarnation));
      }
      expect(lives).to.deep.equal([later.incarnation]);
    },
  },
];

/** The cases of PeerSampling. */
export const samplingCases: readonly Case<MembershipHarness>[] = [
  {
    name: "all are met in the samples, without oneself and nobody twice",
    run: function* (harness) {
      const all = yield* everyone(harness);
      for (const index of indices(harness))
        harness.enter(index, (it) => it.introduce(harness.self(0), harness.self(1)));
      yield pass(200_000);
      const own = (index: number): number => harness.self(index).peerId;
      const met = new Set<number>();
      for (const [index, { samples }] of all.entries()) {
        expect(samples.length, `samples at ${index}`).to.be.above(10);
        for (const sample of samples) {
          const ids = sample.map(({ peerId }) => peerId);
          expect(ids, "a sample").to.not.include(own(index));
          expect(new Set(ids).size).to.equal(ids.length);
          for (const id of ids) met.add(id);
        }
      }
      expect(met.size).to.equal(harness.count);
    },
  },
  {
    name: "the gone vanish from the samples, and come back in their next life alone",
    applies: ({ crash, restart }) => crash !== undefined && restart !== undefined,
    run: function* (harness) {
      const all = yield* everyone(harness);
      for (const index of indices(harness))
        harness.enter(index, (it) => it.introduce(harness.self(0), harness.self(1)));
      yield pass(60_000);
      const past: PeerRef = harness.self(3);
      harness.crash?.(3);
      yield pass(310_000);
      const named = (): PeerRef[] =>
        all
          .filter((_, index) => index !== 3)
          .flatMap(({ samples }) => samples.slice(-1).flat())
          .filter(({ peerId }) => peerId === past.peerId);
      expect(named(), "after 3·c·Δ").to.deep.equal([]);
      harness.restart?.(3);
      harness.enter(3, (it) => it.introduce(harness.self(0)));
      yield until("it is named again", () => named().length > 0, 60_000);
      yield pass(60_000);
      expect(named().every(({ incarnation }) => incarnation > past.incarnation)).to.equal(true);
    },
  },
  {
    name: "an introducer that does not answer is not the last one",
    applies: ({ crash }) => crash !== undefined,
    run: function* (harness) {
      const all = yield* everyone(harness);
      harness.crash?.(0);
      for (const index of indices(harness))
        if (index > 0) harness.enter(index, (it) => it.introduce(harness.self(0), harness.self(1)));
      yield until(
        "all have met somebody",
        () => all.every(({ samples }, index) => index === 0 || (samples.at(-1)?.length ?? 0) > 0),
        120_000,
      );
    },
  },
];

/** Whom the last word at each of these processes calls wrong neighbours; undefined where all are right. */
function misplaced(
  harness: MembershipHarness,
  all: readonly Participant[],
  members: readonly number[],
): string | undefined {
  const same = (peer: PeerRef | undefined, index: number): boolean => {
    const { peerId, incarnation } = harness.self(index);
    return peer?.peerId === peerId && peer.incarnation === incarnation;
  };
  for (const [at, index] of members.entries()) {
    const nearest = all[index]?.nearest.at(-1);
    const after = members[(at + 1) % members.length] ?? 0;
    const before = members[(at - 1 + members.length) % members.length] ?? 0;
    if (!same(nearest?.successors[0], after)) return `${index} has another successor than ${after}`;
    if (!same(nearest?.predecessors[0], before))
      return `${index} has another predecessor than ${before}`;
  }
  return undefined;
}

/** What is wrong with a word on one's neighbours, whoever lives: oneself, one twice, or the nearest not first. */
function illFormed(
  harness: MembershipHarness,
  index: number,
  nearest: Nearest,
): string | undefined {
  const own = harness.self(index).peerId;
  const clockwise = (ids: readonly number[]): readonly number[] =>
    [...ids].sort((a, b) => Number(a < own) - Number(b < own) || a - b);
  const successors = nearest.successors.map(({ peerId }) => peerId);
  const predecessors = nearest.predecessors.map(({ peerId }) => peerId);
  for (const side of [successors, predecessors]) {
    if (side.includes(own)) return "it names itself";
    if (new Set(side).size < side.length) return `it names one twice: ${side.join(" ")}`;
  }
  if (successors.join() !== clockwise(successors).join())
    return `the successors are ${successors.join(" ")}`;
  if (predecessors.join() !== clockwise(predecessors).toReversed().join())
    return `the predecessors are ${predecessors.join(" ")}`;
  return undefined;
}

function* placed(
  harness: MembershipHarness,
  all: readonly Participant[],
  members: readonly number[],
): Generator<Wait, void, void> {
  yield until(
    `${members.length} processes know their neighbours`,
    () => misplaced(harness, all, members) === undefined,
    240_000,
  );
  for (const index of members)
    for (const nearest of all[index]?.nearest ?? [])
      expect(illFormed(harness, index, nearest), `a word at ${index}`).to.equal(undefined);
}

/** The cases of Nearness. Everyone is introduced to the first two alone. */
export const nearnessCases: readonly Case<MembershipHarness>[] = [
  {
    name: "all find their neighbours on both sides, without oneself and nobody twice, the nearest first",
    run: function* (harness) {
      const all = yield* everyone(harness);
      for (const index of indices(harness))
        harness.enter(index, (it) => it.introduceNear(harness.self(0), harness.self(1)));
      yield* placed(harness, all, indices(harness));
      yield pass(60_000);
      yield* placed(harness, all, indices(harness));
    },
  },
  {
    name: "who comes late is found by those between whom it stands",
    run: function* (harness) {
      const all = yield* everyone(harness);
      const others = indices(harness).filter((index) => index !== 3);
      for (const index of others)
        harness.enter(index, (it) => it.introduceNear(harness.self(0), harness.self(1)));
      yield* placed(harness, all, others);
      harness.enter(3, (it) => it.introduceNear(harness.self(0)));
      yield* placed(harness, all, indices(harness));
    },
  },
  {
    name: "an introducer that does not answer is not the last one, and is no neighbour",
    applies: ({ crash }) => crash !== undefined,
    run: function* (harness) {
      const all = yield* everyone(harness);
      harness.crash?.(0);
      const others = indices(harness).filter((index) => index !== 0);
      for (const index of others)
        harness.enter(index, (it) => it.introduceNear(harness.self(0), harness.self(1)));
      yield* placed(harness, all, others);
    },
  },
  {
    name: "the gone vanish, and come back in their next life alone",
    applies: ({ crash, restart }) => crash !== undefined && restart !== undefined,
    run: function* (harness) {
      const all = yield* everyone(harness);
      for (const index of indices(harness))
        harness.enter(index, (it) => it.introduceNear(harness.self(0), harness.self(1)));
      yield* placed(harness, all, indices(harness));
      harness.crash?.(3);
      const others = indices(harness).filter((index) => index !== 3);
      yield* placed(harness, all, others);
      harness.restart?.(3);
      harness.enter(3, (it) => {
        all[3] = it;
        it.introduceNear(harness.self(0));
      });
      yield* placed(harness, all, indices(harness));
    },
  },
];

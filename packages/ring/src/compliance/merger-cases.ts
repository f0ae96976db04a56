/** What must hold for every provider of Merger, one case each. */

import type { PeerRef } from "@kith/network";
import { type Case, pass, until, type Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import { everyone, imperfection, perfect, range } from "./cases.ts";
import type { MergerHarness, MergerUser } from "./harness.ts";

/** The processes of two rings, in turn along the identifiers. */
function sides({ count }: MergerHarness): readonly [number[], number[]] {
  const all = range(count);
  return [all.filter((index) => index % 2 === 0), all.filter((index) => index % 2 === 1)];
}

/** Two perfect rings that know nothing of each other. */
function* twoRings(harness: MergerHarness): Generator<Wait, MergerUser[], void> {
  const users = yield* everyone(harness);
  for (const side of sides(harness)) {
    const [founder = 0, ...others] = side;
    harness.enter(founder, (user) => user.found());
    for (const index of others) harness.enter(index, (user) => user.join([harness.self(founder)]));
  }
  for (const side of sides(harness)) yield* perfect(harness, users, side);
  return users;
}

/** Whether a peer is probed by one of the processes. */
function probes(user: MergerUser | undefined, { peerId, incarnation }: PeerRef): boolean {
  const passive = user?.passive ?? [];
  return passive.some((peer) => peer.peerId === peerId && peer.incarnation === incarnation);
}

function one(
  name: string,
  run: Case<MergerHarness>["run"],
  ...needs: readonly (keyof MergerHarness)[]
): Case<MergerHarness> {
  return { name, run, applies: (harness) => needs.every((need) => harness[need] !== undefined) };
}

/** The cases of the suite. */
export const mergerCases: readonly Case<MergerHarness>[] = [
  one("MG1: two rings become one where one peer remembers one of the other", function* (harness) {
    const users = yield* twoRings(harness);
    yield pass(20_000);
    for (const side of sides(harness))
      expect(imperfection(harness, users, side), "while nobody remembers").to.equal(undefined);
    harness.enter(2, (user) => user.remember(harness.self(3)));
    yield* perfect(harness, users, range(harness.count));
    yield pass(20_000);
    expect(imperfection(harness, users, range(harness.count))).to.equal(undefined);
  }),
  one("MG2: peers of another cluster are never merged with", function* (harness) {
    const users = yield* twoRings(harness);
    const { stranger } = harness;
    harness.enter(stranger, (user) => {
      users[stranger] = user;
      user.found();
    });
    yield* perfect(harness, users, [stranger]);
    harness.enter(0, (user) => user.remember(harness.self(stranger)));
    harness.enter(stranger, (user) =>
      user.remember(...range(harness.count).map((index) => harness.self(index))),
    );
    yield pass(60_000);
    expect(imperfection(harness, users, [stranger]), "the stranger").to.equal(undefined);
    for (const side of sides(harness))
      expect(imperfection(harness, users, side)).to.equal(undefined);
  }),
  one(
    "MG3: who is of one's ring is asked once, and changes nothing; who does not answer is kept",
    function* (harness) {
      const users = yield* twoRings(harness);
      const nobody = { ...harness.self(1), peerId: 90, port: 1 };
      harness.enter(0, (user) => user.remember(harness.self(2), nobody));
      yield until("it is said who is probed", () => probes(users[0], nobody));
      yield until("who has answered is not", () => !probes(users[0], harness.self(2)), 60_000);
      yield pass(20_000);
      expect(users[0]?.passive.map(({ peerId }) => peerId)).to.deep.equal([90]);
      for (const side of sides(harness))
        expect(imperfection(harness, users, side)).to.equal(undefined);
    },
  ),
  one(
    "who vanishes from the ring is probed, and who starts again is not in its past life",
    function* (harness) {
      const users = yield* twoRings(harness);
      yield pass(10_000);
      const past = harness.self(2);
      harness.crash?.(2);
      yield until("a neighbour probes it", () => users.some((user) => probes(user, past)), 60_000);
      harness.restart?.(2);
      harness.enter(2, (user) => {
        users[2] = user;
        user.join([harness.self(0)]);
      });
      const [even] = sides(harness);
      yield* perfect(harness, users, even);
      const probed = (): boolean => even.some((index) => probes(users[index], past));
      yield until("nobody probes the past life", () => !probed(), 120_000);
    },
    "crash",
    "restart",
  ),
  one(
    "MG1: parts of one ring that could not talk become one without anybody's help",
    function* (harness) {
      const users = yield* twoRings(harness);
      harness.enter(2, (user) => user.remember(harness.self(3)));
      yield* perfect(harness, users, range(harness.count));
      yield pass(20_000);
      const [left, right] = sides(harness);
      for (const a of left) for (const b of right) harness.cut?.(a, b);
      for (const side of [left, right]) yield* perfect(harness, users, side);
      harness.mend?.();
      yield* perfect(harness, users, range(harness.count));
    },
    "cut",
    "mend",
  ),
  one(
    "a swap at any instant loses nobody that is remembered",
    function* (harness) {
      const users = yield* twoRings(harness);
      harness.enter(2, (user) => user.remember(harness.self(3)));
      for (let swap = 0; swap < 60; swap++) {
        harness.swap?.(swap % harness.count);
        yield pass(177);
      }
      yield* perfect(harness, users, range(harness.count));
    },
    "swap",
  ),
];

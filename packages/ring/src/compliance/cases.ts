/** What must hold for every provider of Ring, one case each. */

import { type Case, pass, until, type Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import type { RingHarness, RingUser } from "./harness.ts";

const healWithin = 120_000;

/** So many numbers, from 0 or another one on. */
export function range(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

/** The part of a harness that all its suites need. */
interface Processes<U extends RingUser> extends Pick<RingHarness, "count" | "self"> {
  enter(index: number, action: (user: U) => void): void;
}

/** The users of all processes, once they have started. */
export function* everyone<U extends RingUser>(harness: Processes<U>): Generator<Wait, U[], void> {
  const found: U[] = [];
  for (const index of range(harness.count))
    harness.enter(index, (user) => {
      found[index] = user;
    });
  const ready = (): boolean => found.filter((one) => one !== undefined).length === harness.count;
  yield until("all have started", ready);
  return found;
}

/** What is not as in the sorted order of these processes; undefined where all is. */
export function imperfection(
  harness: Pick<RingHarness, "self">,
  users: readonly RingUser[],
  members: readonly number[],
): string | undefined {
  for (const [at, index] of members.entries()) {
    const after = members[(at + 1) % members.length] ?? 0;
    const before = members[(at - 1 + members.length) % members.length] ?? 0;
    const view = users[index]?.view ?? null;
    const [successor] = view?.successors ?? [];
    const { peerId, incarnation } = harness.self(after);
    if (view?.status !== "in") return `${index} is not in`;
    if (successor?.peerId !== peerId || successor.incarnation !== incarnation)
      return `${index} has successor ${successor?.peerId}`;
    const wanted = harness.self(before);
    if (view.predecessor?.peerId !== wanted.peerId) return `${index} has another predecessor`;
    if (view.predecessor.incarnation !== wanted.incarnation) return `${index} has a past one`;
  }
  return undefined;
}

/** Waits until these processes are one perfect ring. */
export function* perfect(
  harness: Pick<RingHarness, "self">,
  users: readonly RingUser[],
  members: readonly number[],
): Generator<Wait, void, void> {
  yield until(
    `${members.length} peers are one perfect ring`,
    () => imperfection(harness, users, members) === undefined,
    healWithin,
  );
  for (const index of members) expect(users[index]?.wrongViews, `views of ${index}`).to.equal(0);
}

/** A perfect ring of all processes. */
function* ringOfAll(harness: RingHarness): Generator<Wait, RingUser[], void> {
  const users = yield* everyone(harness);
  harness.enter(0, (user) => user.found());
  for (const index of range(harness.count - 1, 1))
    harness.enter(index, (user) => user.join([harness.self(0)]));
  yield* perfect(harness, users, range(harness.count));
  return users;
}

function one(
  name: string,
  run: Case<RingHarness>["run"],
  ...needs: readonly (keyof RingHarness)[]
): Case<RingHarness> {
  return { name, run, applies: (harness) => needs.every((need) => harness[need] !== undefined) };
}

/** The cases of the suite. */
export const ringCases: readonly Case<RingHarness>[] = [
  one("a ring of one is its own neighbour", function* (harness) {
    const users = yield* everyone(harness);
    harness.enter(0, (user) => user.found());
    yield* perfect(harness, users, [0]);
    yield pass(10_000);
    yield* perfect(harness, users, [0]);
  }),
  one("nobody founds a ring by joining: without an answer one stays outside", function* (harness) {
    const users = yield* everyone(harness);
    harness.enter(1, (user) => user.join([harness.self(0)]));
    harness.enter(2, (user) => user.join([]));
    yield pass(30_000);
    for (const index of [0, 1, 2]) expect(users[index]?.view?.status).to.not.equal("in");
    harness.enter(0, (user) => user.found());
    yield* perfect(harness, users, [0, 1]);
  }),
  one("all that join at once become one perfect ring, and stay it", function* (harness) {
    const users = yield* ringOfAll(harness);
    yield pass(30_000);
    expect(imperfection(harness, users, range(harness.count))).to.equal(undefined);
  }),
  one("an introducer that does not answer is not the last one", function* (harness) {
    const users = yield* everyone(harness);
    harness.enter(0, (user) => user.found());
    harness.enter(1, (user) => user.join([harness.self(3), harness.self(0)]));
    yield* perfect(harness, users, [0, 1]);
  }),
  one(
    "an introducer that starts again is asked in its next life, even if there is no other",
    function* (harness) {
      const users = yield* everyone(harness);
      harness.enter(1, (user) => user.join([harness.self(0)]));
      yield pass(3000);
      harness.crash?.(0);
      yield pass(3000);
      harness.restart?.(0);
      harness.enter(0, (user) => {
        users[0] = user;
        user.found();
      });
      yield* perfect(harness, users, [0, 1]);
    },
    "crash",
    "restart",
  ),
  one(
    "the ring closes where one has crashed, and where two neighbours have",
    function* (harness) {
      const users = yield* ringOfAll(harness);
      yield pass(10_000);
      const rest = (...gone: number[]): number[] =>
        range(harness.count).filter((index) => !gone.includes(index));
      harness.crash?.(2);
      yield* perfect(harness, users, rest(2));
      yield pass(10_000);
      harness.crash?.(3);
      harness.crash?.(4);
      yield* perfect(harness, users, rest(2, 3, 4));
    },
    "crash",
  ),
  one("who leaves is told when it is done, and the others close the ring", function* (harness) {
    const users = yield* ringOfAll(harness);
    yield pass(10_000);
    for (const index of [1, 2]) harness.enter(index, (user) => user.leave());
    yield until("they have left", () => [1, 2].every((index) => users[index]?.left === true));
    yield* perfect(
      harness,
      users,
      range(harness.count).filter((index) => index !== 1 && index !== 2),
    );
  }),
  one(
    "R5: who starts again is taken in anew, and its past life is forgotten",
    function* (harness) {
      const users = yield* ringOfAll(harness);
      yield pass(10_000);
      harness.crash?.(3);
      harness.restart?.(3);
      harness.enter(3, (user) => {
        users[3] = user;
        user.join([harness.self(0)]);
      });
      yield* perfect(harness, users, range(harness.count));
    },
    "crash",
    "restart",
  ),
  one("two rings of one become one when one considers the other", function* (harness) {
    const users = yield* everyone(harness);
    for (const index of [0, 1]) harness.enter(index, (user) => user.found());
    yield* perfect(harness, users, [0]);
    harness.enter(0, (user) => user.consider(harness.self(1)));
    yield* perfect(harness, users, [0, 1]);
  }),
  one(
    "neighbours that cannot talk stay in one ring with the others, and are neighbours again later",
    function* (harness) {
      const users = yield* ringOfAll(harness);
      yield pass(10_000);
      harness.cut?.(2, 3);
      yield pass(60_000);
      for (const index of range(harness.count))
        expect(users[index]?.view?.successors.length, `successors of ${index}`).to.be.above(0);
      harness.mend?.();
      yield* perfect(harness, users, range(harness.count));
    },
    "cut",
    "mend",
  ),
  one(
    "a swap at any instant changes nothing",
    function* (harness) {
      const users = yield* everyone(harness);
      harness.enter(0, (user) => user.found());
      for (const index of range(harness.count - 1, 1))
        harness.enter(index, (user) => user.join([harness.self(0)]));
      for (let swap = 0; swap < 60; swap++) {
        harness.swap?.(swap % harness.count);
        yield pass(77);
      }
      yield* perfect(harness, users, range(harness.count));
    },
    "swap",
  ),
];

/** What must hold for every provider of Router, one case each. */

import type { PeerRef } from "@kith/network";
import { type Case, type Script, until, type Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import type { RoutedPeer, RouterHarness } from "./harness.ts";

/** All attempts of an ask, and some more. */
const endWithin = 15_000;
const ringWithin = 60_000;

function range(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

/** The users of all processes, once they have started. */
function* everyone(harness: RouterHarness): Generator<Wait, RoutedPeer[], void> {
  const found: RoutedPeer[] = [];
  for (const index of range(harness.count))
    harness.enter(index, (user) => {
      found[index] = user;
    });
  const ready = (): boolean => found.filter((one) => one !== undefined).length === harness.count;
  yield until("all have started", ready);
  return found;
}

/** Waits until the ring of these is in the sorted order. */
function* closed(
  harness: RouterHarness,
  users: readonly RoutedPeer[],
  members: readonly number[],
): Script {
  yield until(
    `${members.length} peers are one ring`,
    () =>
      members.every((index, at) => {
        const view = users[index]?.view;
        const after = members[(at + 1) % members.length] ?? 0;
        const before = members[(at - 1 + members.length) % members.length] ?? 0;
        return (
          view?.status === "in" &&
          view.successors[0]?.peerId === harness.self(after).peerId &&
          view.predecessor?.peerId === harness.self(before).peerId
        );
      }),
    ringWithin,
  );
}

function* ringOfAll(harness: RouterHarness): Generator<Wait, RoutedPeer[], void> {
  const users = yield* everyone(harness);
  harness.enter(0, (user) => user.found());
  for (const index of range(harness.count - 1, 1))
    harness.enter(index, (user) => user.join([harness.self(0)]));
  yield* closed(harness, users, range(harness.count));
  return users;
}

/** What the peers ask, and the peer that each answer has to name. */
interface Asked {
  readonly by: number;
  readonly ask: number;
  readonly key: number;
  readonly owner: PeerRef;
}

/** Asks at each of these for keys of each owner: its identifier, and the first of its keys. */
function askAll(
  harness: RouterHarness,
  members: readonly number[],
  add: (asked: Asked) => void,
): void {
  for (const by of members)
    for (const [at, index] of members.entries()) {
      const owner = harness.self(index);
      const before = harness.self(members[(at - 1 + members.length) % members.length] ?? 0);
      for (const key of [owner.peerId, before.peerId + 1])
        harness.enter(by, (user) => add({ by, ask: user.lookup(key), key, owner }));
    }
}

/** All find the owner of every key. */
function* found(
  harness: RouterHarness,
  users: readonly RoutedPeer[],
  members: readonly number[],
): Script {
  const asked: Asked[] = [];
  askAll(harness, members, (one) => asked.push(one));
  const wanted = members.length * members.length * 2;
  const answered = (): boolean =>
    asked.length === wanted && asked.every(({ by, ask }) => users[by]?.located.has(ask));
  yield until("every lookup has its answer", answered, endWithin);
  for (const { by, ask, key, owner } of asked) {
    const located = users[by]?.located.get(ask);
    expect(located?.peer?.peerId, `${by} looked ${key} up`).to.equal(owner.peerId);
    expect(located?.failure).to.equal(null);
    expect(located?.hops === 0, `${by} is the owner itself`).to.equal(
      harness.self(by).peerId === owner.peerId,
    );
  }
  none(users);
}

/** RT3: no ask was answered twice. */
function none(users: readonly RoutedPeer[]): void {
  for (const { twice } of users) expect(twice, "answers beyond the first").to.equal(0);
}

function one(
  name: string,
  run: Case<RouterHarness>["run"],
  ...needs: readonly (keyof RouterHarness)[]
): Case<RouterHarness> {
  return { name, run, applies: (harness) => needs.every((need) => harness[need] !== undefined) };
}

/** The cases of the suite. */
export const routerCases: readonly Case<RouterHarness>[] = [
  one("in a ring of one all keys are its own", function* (harness) {
    const users = yield* everyone(harness);
    harness.enter(0, (user) => user.found());
    yield* closed(harness, users, [0]);
    harness.enter(0, (user) => {
      user.lookup(harness.self(0).peerId);
      user.lookup(harness.self(0).peerId + 1);
      user.lookup(0);
      user.toKey(7, "to itself");
      user.toInterval({ first: 3, last: 2 }, "all around");
    });
    const [user] = users;
    yield until("all is answered", () => user?.located.size === 3 && user.covered.size === 1);
    for (const { peer, hops } of user?.located.values() ?? [])
      expect([peer?.peerId, hops]).to.deep.equal([harness.self(0).peerId, 0]);
    expect([user?.came("to itself"), user?.came("all around")]).to.deep.equal([1, 1]);
  }),
  one("RT3: whoever is of no ring is told so, after all attempts", function* (harness) {
    const users = yield* everyone(harness);
    harness.enter(1, (user) => {
      user.lookup(5);
      user.toKey(5, "nowhere");
    });
    const [, user] = users;
    yield until(
      "both are answered",
      () => user?.located.size === 1 && user.sent.size === 1,
      15_000,
    );
    expect(user?.located.get(1)?.failure).to.equal("out");
    expect(user?.sent.get(2)).to.include({ status: "failed", failure: "out", by: null });
  }),
  one("two peers share all keys", function* (harness) {
    const users = yield* everyone(harness);
    harness.enter(0, (user) => user.found());
    harness.enter(1, (user) => user.join([harness.self(0)]));
    yield* closed(harness, users, [0, 1]);
    yield* found(harness, users, [0, 1]);
  }),
  one("every peer finds the owner of every key", function* (harness) {
    const users = yield* ringOfAll(harness);
    yield* found(harness, users, range(harness.count));
  }),
  one("RT4: a payload is delivered once, at the owner, with its source", function* (harness) {
    const users = yield* ringOfAll(harness);
    for (const to of range(harness.count))
      harness.enter(1, (user) => user.toKey(harness.self(to).peerId, `to ${to}`));
    const [, sender] = users;
    yield until("all are sent", () => sender?.sent.size === harness.count, endWithin);
    for (const [ask, { status, by }] of sender?.sent ?? []) {
      expect(status).to.equal("delivered");
      expect(by?.peerId).to.equal(harness.self(ask - 1).peerId);
    }
    for (const [at, user] of users.entries()) {
      expect(user.parcels.map(({ text }) => text)).to.deep.equal([`to ${at}`]);
      expect(user.parcels[0]?.source.peerId).to.equal(harness.self(1).peerId);
    }
    none(users);
  }),
  one(
    "a payload is delivered at the peer that is named, and in that life only",
    function* (harness) {
      const users = yield* ringOfAll(harness);
      for (const to of range(harness.count))
        harness.enter(2, (user) => user.toPeer(harness.self(to), `to ${to}`));
      const other = harness.self(3);
      harness.enter(2, (user) =>
        user.toPeer({ ...other, incarnation: other.incarnation + 1 }, "to a later life"),
      );
      const sender = users[2];
      yield until("all are answered", () => sender?.sent.size === harness.count + 1, endWithin);
      for (const to of range(harness.count)) {
        expect(sender?.sent.get(to + 1)?.status).to.equal("delivered");
        expect(users[to]?.parcels.map(({ text }) => text)).to.deep.equal([`to ${to}`]);
      }
      expect(sender?.sent.get(harness.count + 1)?.status).to.not.equal("delivered");
      none(users);
    },
  ),
  one("a payload for an interval is delivered once at each owner", function* (harness) {
    const users = yield* ringOfAll(harness);
    const at = (index: number): number => harness.self(index).peerId;
    const last = harness.count - 1;
    const intervals: readonly (readonly [string, number, number, readonly number[]])[] = [
      ["one key", at(2), at(2), [2]],
      ["two owners", at(1) + 1, at(2) + 1, [2, 3]],
      ["all", at(0) + 1, at(0), range(harness.count)],
      ["over the end", at(last), at(0), [0, last]],
    ];
    for (const [text, first, end] of intervals)
      harness.enter(3, (user) => user.toInterval({ first, last: end }, text));
    const sender = users[3];
    yield until("all are covered", () => sender?.covered.size === intervals.length, endWithin);
    for (const [index, [text, , , owners]] of intervals.entries()) {
      const { by, gaps } = sender?.covered.get(index + 1) ?? { by: [], gaps: [] };
      expect(gaps, text).to.deep.equal([]);
      const names = by.map(({ peerId }) => peerId).sort((a, b) => a - b);
      expect(names, text).to.deep.equal(owners.map(at));
      for (const [index_, user] of users.entries())
        expect(user.came(text), `${text} at ${index_}`).to.equal(owners.includes(index_) ? 1 : 0);
    }
    none(users);
  }),
  one("peers that are named and do not exist delay nothing for good", function* (harness) {
    const users = yield* ringOfAll(harness);
    const { host } = harness.self(0);
    for (const index of range(harness.count))
      harness.enter(index, (user) =>
        user.learn(
          ...range(12, 1).map((port) => ({ peerId: port * 2 ** 40, host, port, incarnation: 1 })),
        ),
      );
    yield* found(harness, users, range(harness.count));
  }),
  one(
    "RT3: asks for the keys of one that has crashed end, and then those of its heir are found",
    function* (harness) {
      const users = yield* ringOfAll(harness);
      yield* found(harness, users, range(harness.count));
      const lost = harness.self(2);
      harness.crash?.(2);
      const rest = range(harness.count).filter((index) => index !== 2);
      for (const index of rest)
        harness.enter(index, (user) => {
          user.lookup(lost.peerId);
          user.toKey(lost.peerId, `from ${index}`);
        });
      const open = (): boolean =>
        rest.some((index) => {
          const user = users[index];
          return user === undefined || user.located.size + user.sent.size < user.asks;
        });
      yield until("all asks have ended", () => !open(), endWithin);
      yield* closed(harness, users, rest);
      yield* found(harness, users, rest);
      for (const index of rest)
        for (const { status } of users[index]?.sent.values() ?? [])
          if (status === "delivered") expect(users[3]?.came(`from ${index}`)).to.equal(1);
    },
    "crash",
  ),
  one("who leaves hands on what comes to it, and its keys are its heir's", function* (harness) {
    const users = yield* ringOfAll(harness);
    yield* found(harness, users, range(harness.count));
    const gone = harness.self(1);
    const before = users.map(({ located }) => located.size);
    harness.enter(1, (user) => user.leave());
    for (const index of range(harness.count))
      harness.enter(index, (user) => user.lookup(gone.peerId));
    const rest = range(harness.count).filter((index) => index !== 1);
    yield until(
      "all have their answer",
      () => rest.every((index) => users[index]?.located.size === (before[index] ?? 0) + 1),
      endWithin,
    );
    yield* closed(harness, users, rest);
    yield* found(harness, users, rest);
  }),
  one(
    "one that cannot be reached by its source is reached over others, and answers over others",
    function* (harness) {
      const users = yield* ringOfAll(harness);
      yield* found(harness, users, range(harness.count));
      harness.cut?.(0, 2);
      harness.enter(0, (user) => user.toKey(harness.self(2).peerId, "over others"));
      const [sender, , owner] = users;
      yield until("it is answered", () => sender?.sent.size === 1, endWithin);
      expect([...(sender?.sent.values() ?? [])][0]?.status).to.equal("delivered");
      expect(owner?.came("over others")).to.equal(1);
      none(users);
    },
    "cut",
  ),
  one(
    "a swap at any instant loses no ask, and answers none twice",
    function* (harness) {
      const users = yield* ringOfAll(harness);
      for (let swap = 0; swap < 20; swap++) {
        const at = swap % harness.count;
        const key = harness.self((swap * 3) % harness.count).peerId;
        harness.enter((at + 1) % harness.count, (user) => {
          user.lookup(key);
          user.toKey(key, `swap ${swap}`);
        });
        harness.swap?.(at);
        harness.swap?.((at + 2) % harness.count);
      }
      const all = (): boolean =>
        users.reduce((sum, { located, sent }) => sum + located.size + sent.size, 0) === 40;
      yield until("all asks are answered", all, endWithin);
      for (const { located, sent } of users) {
        for (const { failure } of located.values()) expect(failure).to.equal(null);
        for (const { status } of sent.values()) expect(status).to.equal("delivered");
      }
      for (let swap = 0; swap < 20; swap++)
        expect(users.reduce((sum, user) => sum + user.came(`swap ${swap}`), 0)).to.equal(1);
      none(users);
    },
    "swap",
  ),
];

/** What must hold for every provider of Multicast, one case each. */

import { type Case, until, type Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import {
  keepPlaces,
  multicastComplaint,
  type MulticastHarness,
  type MulticastPeer,
} from "./multicast-harness.ts";

const all = [0, 1, 2, 3];

type Peers = Map<number, MulticastPeer>;

/** The main components, once they have started. */
function* peersOf(
  harness: MulticastHarness,
  indices: readonly number[] = all,
): Generator<Wait, Peers, void> {
  const peers: Peers = new Map();
  for (const index of indices) harness.enter(index, (peer) => void peers.set(index, peer));
  yield until("the processes have started", () => peers.size === indices.length, 10_000);
  return peers;
}

/** Lets these join, and waits until all of them know a view of so many. */
function* joined(
  harness: MulticastHarness,
  peers: Peers,
  indices: readonly number[],
): Generator<Wait, void, void> {
  for (const index of indices) harness.enter(index, (peer) => peer.join());
  yield until(
    `${indices.join(", ")} are in one view`,
    () => indices.every((index) => peers.get(index)?.view?.members.length === indices.length),
    20_000,
  );
}

/** Waits until these were given so many messages. */
function given(peers: Peers, indices: readonly number[], count: number): Wait {
  const enough = (): boolean =>
    indices.every((index) => (peers.get(index)?.messages.length ?? 0) >= count);
  return until(`${indices.join(", ")} are given ${count} messages`, enough, 20_000);
}

function sendAt(harness: MulticastHarness, index: number, ...texts: readonly string[]): void {
  harness.enter(index, (peer) => {
    for (const text of texts) peer.send(text);
  });
}

/** Everything that was given keeps what the port promises. */
function agree(...groups: readonly Peers[]): void {
  const pieces = groups.flatMap((peers) => [...peers.values()].flatMap((peer) => peer.given));
  expect(multicastComplaint(pieces)).to.equal(null);
}

/** The cases of the suite. */
export const multicastCases: readonly Case<MulticastHarness>[] = [
  {
    name: "all members are given the same in the same order, also who has sent it",
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      yield* joined(harness, peers, all);
      for (let n = 0; n < 10; n++)
        for (const index of all) sendAt(harness, index, `${index}: ${n}`);
      yield given(peers, all, 40);
      agree(peers);
      const [first] = all.map((index) => peers.get(index)?.messages);
      for (const index of all) {
        const messages = peers.get(index)?.messages ?? [];
        expect(messages).to.deep.equal(first);
        const own = messages.filter((text) => text.startsWith(`${index}:`));
        expect(own).to.deep.equal(Array.from({ length: 10 }, (_, n) => `${index}: ${n}`));
      }
      yield until("the senders are answered", () =>
        all.every((index) =>
          [...(peers.get(index)?.sent.values() ?? [])].every((what) => /^\d+$/.test(what)),
        ),
      );
    },
  },
  {
    name: "who joins later is given everything from its view on, and nothing before",
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      yield* joined(harness, peers, [0, 1]);
      sendAt(harness, 0, "before");
      yield given(peers, [0, 1], 1);
      yield* joined(harness, peers, [0, 1, 2, 3]);
      sendAt(harness, 1, "after");
      yield given(peers, [0, 1], 2);
      yield given(peers, [2, 3], 1);
      agree(peers);
      expect(peers.get(3)?.messages).to.deep.equal(["after"]);
    },
  },
  {
    name: "who leaves is given everything up to the view without it, and nothing after",
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      yield* joined(harness, peers, [0, 1, 3]);
      sendAt(harness, 3, "last words");
      harness.enter(3, (peer) => peer.leave());
      yield until(
        "it has left",
        () => peers.get(3)?.answers.includes("NotMember") ?? false,
        10_000,
      );
      expect(peers.get(3)?.messages).to.deep.equal(["last words"]);
      sendAt(harness, 0, "later");
      yield given(peers, [0, 1], 2);
      expect(peers.get(3)?.view?.members.length).to.equal(2);
      expect(peers.get(3)?.messages).to.deep.equal(["last words"]);
      agree(peers);
    },
  },
  {
    name: "who is no member cannot send, and who has left can join again",
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      sendAt(harness, 1, "too early");
      yield until("it is refused", () => peers.get(1)?.sent.get("too early") === "NotMember");
      yield* joined(harness, peers, [1]);
      harness.enter(1, (peer) => peer.leave());
      yield until(
        "it has left",
        () => peers.get(1)?.answers.includes("NotMember") ?? false,
        10_000,
      );
      yield* joined(harness, peers, [1, 2]);
      sendAt(harness, 1, "again");
      yield given(peers, [1, 2], 1);
      agree(peers);
      expect(peers.get(1)?.given.length).to.equal(2);
    },
  },
  {
    name: "a member that has crashed is removed by others, and its next life is another one",
    applies: ({ crash, restart }) => crash !== undefined && restart !== undefined,
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      yield* joined(harness, peers, all);
      sendAt(harness, 2, "of the first life");
      yield given(peers, all, 1);
      const gone = peers.get(2)?.view?.members.find((one) => one.peerId === 3);
      expect(gone).to.not.equal(undefined);
      harness.crash?.(2);
      harness.enter(0, (peer) => {
        if (gone !== undefined) peer.expel(gone);
      });
      const rest = [0, 1, 3];
      yield until(
        "it is out of the view",
        () => rest.every((index) => peers.get(index)?.view?.members.length === 3),
        20_000,
      );
      sendAt(harness, 1, "without it");
      yield given(peers, rest, 2);
      harness.restart?.(2);
      const again = yield* peersOf(harness, [2]);
      harness.enter(2, (peer) => peer.join());
      yield until("it is in again", () => again.get(2)?.isMember ?? false, 20_000);
      sendAt(harness, 2, "of the second life");
      yield given(peers, rest, 3);
      yield given(again, [2], 1);
      expect(again.get(2)?.messages).to.deep.equal(["of the second life"]);
      agree(peers, again);
    },
  },
  {
    name: "what was given to one is given to all, whoever crashes meanwhile",
    applies: ({ crash, restart }) => crash !== undefined && restart !== undefined,
    run: function* (harness) {
      const lives = [yield* peersOf(harness)];
      const peers = lives[0] ?? new Map<number, MulticastPeer>();
      yield* joined(harness, peers, all);
      for (const [round, victim] of [0, 1, 2].entries()) {
        for (let n = 0; n < 5; n++) sendAt(harness, 3, `${round}: ${n} of the outsider`);
        sendAt(harness, (victim + 1) % 3, `${round}: of ${(victim + 1) % 3}`);
        yield until(
          "some is given",
          () => (peers.get(3)?.messages.length ?? 0) > round * 5,
          20_000,
        );
        harness.crash?.(victim);
        harness.restart?.(victim);
        const again = yield* peersOf(harness, [victim]);
        lives.push(again);
        peers.set(victim, again.get(victim) ?? raise());
        harness.enter(victim, (peer) => peer.join());
        yield until("it is in again", () => again.get(victim)?.isMember ?? false, 20_000);
      }
      sendAt(harness, 3, "the end");
      yield until(
        "all are given the last message",
        () => all.every((index) => peers.get(index)?.messages.includes("the end")),
        20_000,
      );
      agree(...lives);
      // Messages of members that stayed are all there.
      for (let round = 0; round < 3; round++)
        for (let n = 0; n < 5; n++)
          expect(peers.get(3)?.messages).to.include(`${round}: ${n} of the outsider`);
    },
  },
  {
    name: "who was cut off catches up",
    applies: ({ isolate, mend }) => isolate !== undefined && mend !== undefined,
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      yield* joined(harness, peers, all);
      harness.isolate?.(1, 3);
      for (let n = 0; n < 20; n++) sendAt(harness, 0, `m${n}`);
      sendAt(harness, 3, "of the one cut off");
      yield given(peers, [0, 2], 20);
      expect(peers.get(3)?.messages).to.deep.equal([]);
      harness.mend?.();
      yield given(peers, all, 21);
      agree(peers);
    },
  },
  {
    name: "who has missed too much is told that it is out, and can join again",
    applies: ({ isolate, mend }) => isolate !== undefined && mend !== undefined,
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      yield* joined(harness, peers, all);
      harness.isolate?.(3);
      const texts = Array.from({ length: keepPlaces + 50 }, (_, n) => `m${n}`);
      sendAt(harness, 0, ...texts);
      yield given(peers, [0, 1, 2], texts.length);
      harness.mend?.();
      yield until("it is told", () => peers.get(3)?.behind === 1, 20_000);
      harness.enter(3, (peer) => peer.join());
      yield until("it is in again", () => peers.get(3)?.isMember ?? false, 20_000);
      sendAt(harness, 3, "back");
      yield given(peers, [0, 1, 2], texts.length + 1);
      agree(peers);
    },
  },
  {
    name: "a provider is replaced while it multicasts",
    applies: ({ swap }) => swap !== undefined,
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      yield* joined(harness, peers, all);
      for (let n = 0; n < 10; n++) {
        for (const index of all) sendAt(harness, index, `${index}: ${n}`);
        for (const index of all) harness.swap?.(index);
        yield given(peers, all, 4 * (n + 1));
      }
      agree(peers);
    },
  },
];

function raise(): never {
  throw new Error("the process has not started");
}

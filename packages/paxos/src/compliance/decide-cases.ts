/** What must hold for every provider of Decisions, one case each. */

import { type Case, pass, until, type Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import { type DecideHarness, type DecidePeer, openMax } from "./decide-harness.ts";

const all = [0, 1, 2, 3, 4];

/** Peers by number, in their present lives. */
type Peers = Map<number, DecidePeer>;

/** The main components, once they have started. */
function* peersOf(
  harness: DecideHarness,
  indices: readonly number[] = all,
): Generator<Wait, Peers, void> {
  const peers: Peers = new Map();
  for (const index of indices) harness.enter(index, (peer) => void peers.set(index, peer));
  yield until("the processes have started", () => peers.size === indices.length, 10_000);
  return peers;
}

/** Waits until these peers have so many answers about an instance. */
function answered(peers: Peers, instance: string, indices: readonly number[], count = 1): Wait {
  const enough = (): boolean =>
    indices.every((index) => (peers.get(index)?.of(instance).length ?? 0) >= count);
  return until(`${indices.join(", ")} are answered about ${instance}`, enough, 20_000);
}

/** The one value that these peers were given. */
function agreed(peers: Peers, instance: string, indices: readonly number[]): string {
  const values = new Set(indices.flatMap((index) => peers.get(index)?.of(instance) ?? []));
  expect([...values], `what ${instance} is decided as`).to.have.length(1);
  return [...values].join();
}

/** The cases of the suite. */
export const decideCases: readonly Case<DecideHarness>[] = [
  {
    name: "what one proposes is decided, and all others learn it",
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      harness.enter(1, (peer) => peer.decide("i", "one"));
      yield answered(peers, "i", [1]);
      for (const index of all) harness.enter(index, (peer) => peer.learn("i"));
      yield answered(peers, "i", all);
      expect(agreed(peers, "i", all)).to.equal("one");
    },
  },
  {
    name: "of several values that are proposed at once one is decided, for all of them",
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      for (let n = 0; n < 5; n++)
        for (const index of all)
          harness.enter(index, (peer) => peer.decide(`i${n}`, `value ${index}`));
      for (let n = 0; n < 5; n++) {
        yield answered(peers, `i${n}`, all);
        expect(agreed(peers, `i${n}`, all)).to.match(/^value [0-4]$/);
      }
    },
  },
  {
    name: "what is proposed later changes nothing",
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      harness.enter(0, (peer) => peer.decide("i", "first"));
      yield answered(peers, "i", [0]);
      for (const index of all) harness.enter(index, (peer) => peer.decide("i", "second"));
      yield answered(peers, "i", [1, 2, 3, 4]);
      yield answered(peers, "i", [0], 2);
      expect(agreed(peers, "i", all)).to.equal("first");
    },
  },
  {
    name: "a peer that is no acceptor proposes and learns like others",
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      harness.enter(4, (peer) => peer.decide("i", "from outside"));
      yield answered(peers, "i", [4]);
      harness.enter(2, (peer) => peer.learn("i"));
      yield answered(peers, "i", [2]);
      expect(agreed(peers, "i", [2, 4])).to.equal("from outside");
    },
  },
  {
    name: "who learns before anybody has proposed waits, and proposes nothing",
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      harness.enter(4, (peer) => peer.learn("i"));
      harness.enter(3, (peer) => peer.learn("never", 1000));
      yield answered(peers, "never", [3]);
      expect(peers.get(3)?.of("never")).to.deep.equal(["Unknown"]);
      expect(peers.get(4)?.of("i")).to.deep.equal([]);
      harness.enter(0, (peer) => peer.decide("i", "late"));
      yield answered(peers, "i", [0, 4]);
      expect(agreed(peers, "i", [0, 4])).to.equal("late");
    },
  },
  {
    name: "many instances are decided at once, each for itself",
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      const names = Array.from({ length: 30 }, (_, n) => `i${n}`);
      for (const name of names) harness.enter(1, (peer) => peer.decide(name, `of ${name}`));
      for (const name of names) {
        yield answered(peers, name, [1]);
        expect(agreed(peers, name, [1])).to.equal(`of ${name}`);
      }
    },
  },
  {
    name: "too much that is open is refused, and the rest goes on",
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      const names = Array.from({ length: openMax + 5 }, (_, n) => `i${n}`);
      harness.enter(4, (peer) => {
        for (const name of names) peer.learn(name);
      });
      const refused = (): number =>
        names.filter((name) => peers.get(4)?.of(name)[0] === "Busy").length;
      yield until("those beyond the bound are refused", () => refused() >= 5, 10_000);
      expect(refused()).to.equal(5);
      harness.enter(0, (peer) => peer.decide("i0", "done"));
      yield answered(peers, "i0", [0, 4]);
    },
  },
  {
    name: "one acceptor that is gone stops nothing",
    applies: ({ crash }) => crash !== undefined,
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      harness.crash?.(3);
      for (const index of [0, 4]) harness.enter(index, (peer) => peer.decide("i", `${index}`));
      yield answered(peers, "i", [0, 4]);
      expect(agreed(peers, "i", [0, 4])).to.match(/^[04]$/);
    },
  },
  {
    name: "without a quorum nothing is decided, and with it the same is",
    applies: ({ isolate, mend }) => isolate !== undefined && mend !== undefined,
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      harness.isolate?.(2, 3);
      for (const index of [0, 2]) harness.enter(index, (peer) => peer.decide("i", `${index}`));
      yield pass(5000);
      expect(peers.get(0)?.of("i")).to.deep.equal([]);
      expect(peers.get(2)?.of("i")).to.deep.equal([]);
      harness.mend?.();
      yield answered(peers, "i", [0, 2]);
      expect(agreed(peers, "i", [0, 2])).to.match(/^[02]$/);
    },
  },
  {
    name: "what was decided is still decided after all have crashed",
    applies: ({ crash, restart }) => crash !== undefined && restart !== undefined,
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      for (const index of all) harness.enter(index, (peer) => peer.decide("i", `${index}`));
      yield answered(peers, "i", all);
      const before = agreed(peers, "i", all);
      for (const index of all) harness.crash?.(index);
      for (const index of all) harness.restart?.(index);
      const again = yield* peersOf(harness);
      for (const index of all) harness.enter(index, (peer) => peer.decide("i", "another"));
      yield answered(again, "i", all);
      expect(agreed(again, "i", all)).to.equal(before);
    },
  },
  {
    name: "what a proposer has begun others end, and it has one end",
    applies: ({ crash, restart }) => crash !== undefined && restart !== undefined,
    run: function* (harness) {
      yield* peersOf(harness);
      for (const [n, delay] of [0, 1, 2, 5, 10, 20].entries()) {
        const name = `i${n}`;
        harness.enter(4, (peer) => peer.decide(name, "of the crashed"));
        yield pass(delay);
        harness.crash?.(4);
        harness.enter(0, (peer) => peer.decide(name, "of another"));
        harness.restart?.(4);
        const peers = yield* peersOf(harness);
        harness.enter(4, (peer) => peer.learn(name));
        yield answered(peers, name, [0, 4]);
        expect(agreed(peers, name, [0, 4])).to.match(/^of (the crashed|another)$/);
      }
    },
  },
  {
    name: "a provider is replaced while it decides",
    applies: ({ swap }) => swap !== undefined,
    run: function* (harness) {
      const peers = yield* peersOf(harness);
      for (let n = 0; n < 5; n++) {
        for (const index of [0, 1])
          harness.enter(index, (peer) => peer.decide(`i${n}`, `${index}`));
        for (const index of [0, 1, 2]) harness.swap?.(index);
        yield answered(peers, `i${n}`, [0, 1]);
        expect(agreed(peers, `i${n}`, [0, 1])).to.match(/^[01]$/);
      }
    },
  },
];

/** A snapshot in the middle of other things: what of the log, its memberships and its writes is left. */

import { expect } from "chai";
import { changed, type Config, foundingConfig } from "./config.ts";
import type { Content, Entry, Term } from "./entry.ts";
import { flushed, receive, turn } from "./group.ts";
import { lastIndex } from "./log.ts";
import type { Base, Payload, PeerMessage } from "./peer-message.ts";
import { install } from "./snapshots.ts";
import { configOf, founded, type GroupState, replica } from "./state.ts";

const peers = [1, 2, 3].map((peerId) => ({ peerId, host: `n${peerId}`, port: 7000 }));
const config = foundingConfig(peers);
const larger = changed(config, {
  kind: "add-learner",
  peer: { peerId: 4, host: "n4", port: 7000 },
}) as Config;

function entry(index: number, term: Term, content: Content = { kind: "noop" }): Entry {
  return { ...content, index, term, time: index };
}

/** A member that knows of nothing yet. */
function member(): GroupState {
  return replica({ gid: "g", self: 1, peerId: 1, seed: 1, now: 0 }, founded(config));
}

function from(replicaId: number, payload: Payload): PeerMessage {
  return { gid: "g", from: replicaId, fromPeer: replicaId, to: 1, toPeer: 1, ...payload };
}

/** Entries of the leader of a term, which the member does not know to be committed. */
function appended(
  state: GroupState,
  leader: number,
  term: Term,
  entries: readonly Entry[],
): number {
  const prevIndex = (entries[0]?.index ?? 1) - 1;
  const at = { prevIndex, prevTerm: state.log.entries[prevIndex - 1]?.term ?? state.log.baseTerm };
  const rest = { commit: 0, round: 0, quiet: false, entries };
  receive(state, from(leader, { kind: "append", term, ...at, ...rest }), 1);
  return turn(state).write;
}

/** A snapshot of one part, staged and installed. */
function installed(state: GroupState, leader: number, term: Term, base: Base): number {
  const rest = { part: 0, cells: [], last: true, digest: 1 };
  const message = from(leader, { kind: "snapshot", term, base, ...rest });
  receive(state, message, 2);
  expect(turn(state).snapshots).length(1);
  expect(message.kind === "snapshot" && install(state, message)).equal(true);
  return turn(state).write;
}

describe("a snapshot that comes to a log", () => {
  it("leaves the memberships behind it, where the rest of the log stays", () => {
    const state = member();
    const add: Content = { kind: "config", config: larger };
    appended(state, 2, 1, [entry(1, 1), entry(2, 1), entry(3, 1), entry(4, 1, add), entry(5, 1)]);
    installed(state, 2, 1, { index: 2, term: 1, time: 2, config });
    expect(lastIndex(state.log)).equal(5);
    expect(configOf(state)).equal(larger);
    // It was not committed: with the entry it goes.
    appended(state, 3, 2, [entry(3, 1), entry(4, 2)]);
    expect(configOf(state)).deep.equal(config);
  });

  it("makes nothing durable that comes after it by what was being written before", () => {
    const state = member();
    const before = appended(
      state,
      2,
      1,
      Array.from({ length: 8 }, (_, i) => entry(i + 1, 1)),
    );
    const write = installed(state, 3, 2, { index: 6, term: 2, time: 6, config });
    expect(lastIndex(state.log)).equal(6);
    flushed(state, before, 0, 3);
    const behind = appended(state, 3, 2, [entry(7, 2), entry(8, 2)]);
    const confirmed = (): number[] =>
      turn(state).messages.flatMap((one) => (one.kind === "append-answer" ? [one.match] : []));
    expect(state.stable).below(6);
    expect(confirmed()).deep.equal([]);
    flushed(state, write, 6, 4);
    expect(confirmed()).deep.equal([6]);
    flushed(state, behind, 6, 5);
    expect(confirmed()).deep.equal([8]);
  });
});

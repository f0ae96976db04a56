/** Bundles: what is said arrives as it was said, and what is none is refused. */

import { KithError } from "@kith/core";
import { expect } from "chai";
import fc from "fast-check";
import { Bundle, bundled, messagesIn, type WireMessage } from "./bundle.ts";
import type { Config } from "./config.ts";
import { addressAt } from "./register.test.ts";

const at = (index: number) => ({ ...addressAt(index), incarnation: 1 });
const [from, to] = [at(0), at(1)];

const count = fc.maxSafeNat();
const bytes = fc.uint8Array({ maxLength: 200 });
const config: fc.Arbitrary<Config> = fc.record({
  epoch: count,
  members: fc.array(
    fc.record({
      replicaId: count,
      peerId: count,
      host: fc.string(),
      port: fc.nat(65_535),
      voter: fc.boolean(),
    }),
    { maxLength: 5 },
  ),
  nextReplicaId: count,
});
const about = {
  gid: fc.string({ unit: "grapheme" }),
  from: count,
  fromPeer: fc.constant(from.peerId),
  to: count,
  toPeer: fc.constant(to.peerId),
  term: count,
};
const of = <T>(kind: T) => fc.constant(kind);

const anyMessage: fc.Arbitrary<WireMessage> = fc.oneof(
  fc.record({ ...about, kind: of("pre-vote" as const), lastIndex: count, lastTerm: count }),
  fc.record({ ...about, kind: of("pre-vote-answer" as const), granted: fc.boolean() }),
  fc.record({
    ...about,
    kind: of("vote" as const),
    lastIndex: count,
    lastTerm: count,
    transfer: fc.boolean(),
  }),
  fc.record({ ...about, kind: of("vote-answer" as const), granted: fc.boolean() }),
  fc.record({
    ...about,
    kind: of("append" as const),
    prevIndex: count,
    prevTerm: count,
    commit: count,
    round: count,
    quiet: fc.boolean(),
    entries: bytes,
  }),
  fc.record({
    ...about,
    kind: of("append-answer" as const),
    match: count,
    round: count,
    version: count,
  }),
  fc.record({
    ...about,
    kind: of("append-answer" as const),
    match: count,
    round: count,
    version: count,
    clock: fc.double({ noNaN: true }),
  }),
  fc.record({
    ...about,
    kind: of("append-reject" as const),
    prevIndex: count,
    conflictTerm: count,
    conflictIndex: count,
    round: count,
  }),
  fc.record({
    ...about,
    kind: of("snapshot" as const),
    base: fc.record({ index: count, term: count, time: fc.double({ noNaN: true }), config }),
    part: count,
    cells: fc.array(fc.tuple(fc.string({ unit: "binary-ascii" }), bytes), { maxLength: 5 }),
    last: fc.boolean(),
    digest: fc.integer(),
  }),
  fc.record({
    ...about,
    kind: of("snapshot-answer" as const),
    index: count,
    part: count,
    taken: fc.boolean(),
  }),
  fc.record({ ...about, kind: of("timeout-now" as const) }),
  fc.record({ ...about, kind: of("too-old" as const), config }),
);

const bundleOf = (messages: Uint8Array): Bundle => new Bundle({ to, from, messages });

describe("a bundle", () => {
  it("says what was put into it, of all kinds and in that order", () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 6 }), (messages) => {
        expect(messagesIn(bundleOf(bundled(messages)))).deep.equal(messages);
      }),
    );
  });

  it("is refused where it ends too early or is something else, and nothing else happens", () => {
    const refusals = { read: 0, refused: 0 };
    const look = (some: Uint8Array): void => {
      try {
        messagesIn(bundleOf(some));
        refusals.read++;
      } catch (error) {
        expect(error).instanceOf(KithError).with.property("code", "KITH_PAXOS_CORRUPT");
        refusals.refused++;
      }
    };
    fc.assert(
      fc.property(fc.array(anyMessage, { minLength: 1 }), fc.nat(), bytes, (messages, n, wild) => {
        const whole = bundled(messages);
        look(whole.subarray(0, n % whole.length));
        look(wild);
      }),
    );
    expect(refusals.refused).greaterThan(refusals.read);
  });
});

/**
 * Bugs planted into copies of the deciders: the exhaustive cases or the runs under faults find each of them. Without
 * one, both find nothing (`exhaustive.test.ts`, `chaos.test.ts`).
 */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Copies } from "@kith/testing/planting";
import { expect } from "chai";

interface Bug {
  readonly what: string;
  readonly file: string;
  readonly text: string;
  readonly planted: string;
  /** The seed under faults that finds it; without it, the exhaustive cases do. */
  readonly seed?: number;
  /** The exhaustive case that finds it, by number, where that is not the first one. */
  readonly small?: number;
}

const bugs: readonly Bug[] = [
  {
    what: "a promise is forgotten in a crash",
    file: "decide/records.ts",
    text: "writeBallot(writer, instance.promised);",
    planted: "writeBallot(writer, { round: -1, proposer: 0, life: 0 });",
  },
  {
    what: "a vote is forgotten in a crash",
    file: "decide/records.ts",
    text: "writeVote(writer, instance.accepted);",
    planted: "writeVote(writer, null);",
  },
  {
    what: "an acceptor votes below its promise",
    file: "decide/acceptor.ts",
    text: "if (compareBallots(ballot, acceptor.promised) < 0) return false; const { accepted } = acceptor;",
    planted: "const { accepted } = acceptor;",
  },
  {
    what: "a promise goes back",
    file: "decide/acceptor.ts",
    text: "if (compareBallots(ballot, acceptor.promised) < 0) return false; raise(acceptor, ballot); return true;",
    planted: "acceptor.promised = ballot;\n  return true;",
  },
  {
    what: "a vote is no promise",
    file: "decide/acceptor.ts",
    text: "raise(acceptor, ballot); acceptor.accepted = { ballot, value };",
    planted: "acceptor.accepted = { ballot, value };",
  },
  {
    what: "an acceptor votes twice in a fast round",
    file: "decide/acceptor.ts",
    text: "if (accepted !== null && sameBallot(accepted.ballot, ballot)) return sameValue(accepted.value, value);",
    planted: "",
    small: 2,
  },
  {
    what: "a quorum of promises is too small",
    file: "single/single-rule.ts",
    text: "promises: (acceptors) => Math.floor(acceptors / 2) + 1,",
    planted: "promises: (acceptors) => Math.floor(acceptors / 2),",
  },
  {
    what: "a quorum of votes is too small",
    file: "single/single-rule.ts",
    text: "quorum: (acceptors) => Math.floor(acceptors / 2) + 1,",
    planted: "quorum: (acceptors) => Math.floor(acceptors / 2),",
  },
  {
    what: "the value of the lowest vote is proposed",
    file: "single/single-rule.ts",
    text: "compareBallots(vote.ballot, highest.ballot) > 0",
    planted: "compareBallots(vote.ballot, highest.ballot) < 0",
  },
  {
    what: "a majority is enough in a fast round",
    file: "fast/fast-rule.ts",
    text: "return acceptors - Math.floor(acceptors / 4);",
    planted: "return Math.floor(acceptors / 2) + 1;",
    small: 2,
  },
  {
    what: "any value is proposed after a collision",
    file: "fast/fast-rule.ts",
    text: 'return only === undefined ? { kind: "free", seen } : { kind: "bound", value: only.value };',
    planted: 'return { kind: "free", seen: only?.value ?? seen };',
    small: 3,
  },
  {
    what: "after a collision those who have not promised count for nothing",
    file: "fast/fast-rule.ts",
    text: "count + silent >= fastQuorum(acceptors)",
    planted: "count + 0 * silent >= fastQuorum(acceptors)",
    small: 3,
  },
  {
    what: "a value that got the only votes of a fast round is not binding",
    file: "fast/fast-rule.ts",
    text: 'if (tallies.length === 1) return { kind: "bound", value: seen };',
    planted: "",
    small: 4,
  },
  {
    what: "votes of lower rounds are taken for those of the highest",
    file: "fast/fast-rule.ts",
    text: "compareBallots(vote.ballot, highest.ballot) > 0",
    planted: "compareBallots(vote.ballot, highest.ballot) < 0",
    small: 2,
  },
  {
    what: "an acceptor answers before its disk has it",
    file: "decide/family-host.ts",
    text: "if (written > flushed) {",
    planted: "if (written < 0) {",
    seed: 11,
  },
  {
    what: "what an acceptor says is not flushed",
    file: "decide/decider.ts",
    text: "state.out.flush = true;",
    planted: "state.out.flush = false;",
    seed: 1,
  },
  {
    what: "a proposer uses a ballot of an earlier life again",
    file: "decide/family-host.ts",
    text: "this.makeMachine(this.livesIn(rows) + 1, rows);",
    planted: "this.makeMachine(1, rows);",
    seed: 14,
  },
  {
    what: "a proposer proposes its own value, whatever it has heard",
    file: "decide/decider.ts",
    text: 'const value = picked.kind === "bound" ? picked.value : (attempt.value ?? picked.seen);',
    planted:
      'const value = attempt.value ?? (picked.kind === "bound" ? picked.value : picked.seen);',
    seed: 1,
  },
  {
    what: "one vote less is enough",
    file: "decide/decider.ts",
    text: "if (votesFor(same, value) < rule.quorum(state.acceptors.length, ballot)) continue;",
    planted:
      "if (votesFor(same, value) < rule.quorum(state.acceptors.length, ballot) - 1) continue;",
    seed: 4,
  },
  {
    what: "an answer about an earlier ballot counts",
    file: "decide/decider.ts",
    text: "else if (!sameBallot(word.ballot, attempt.ballot)) return;",
    planted: "",
    seed: 3,
  },
];

/** How many seeds a bug may survive. */
const seedsMax = 500;

const folder = fileURLToPath(new URL("..", import.meta.url));
// `KITH_PAXOS_PLANTED` runs all; some of them are enough to see that the tests still find what they are there for.
const all = process.env["KITH_PAXOS_PLANTED"] !== undefined;
const planted = bugs.filter((_, i) => all || i % 3 === 0);

describe("a bug planted into the deciders", function () {
  this.timeout(120_000);
  let copies: Copies;
  before(() => {
    copies = new Copies(folder, path.resolve(folder, "../../.."));
  });
  after(() => copies.remove());

  it("can be planted, each of them", () => {
    for (const bug of bugs) copies.check(bug);
  });

  for (const bug of planted)
    it(`is found where ${bug.what}`, async () => {
      const copy = copies.make(bug);
      const load = async <T>(file: string): Promise<T> =>
        (await import(pathToFileURL(path.join(copy, file)).href)) as T;
      let found: unknown = null;
      const tries: (() => unknown)[] = [];
      if (bug.seed === undefined) {
        type Cases = typeof import("./small-cases.test.ts");
        const { explore, smallCases } = await load<Cases>("decide/small-cases.test.ts");
        for (const [, one] of [...smallCases.slice(bug.small ?? 0), ...smallCases])
          tries.push(() => explore(one));
      } else {
        const { decideChaos } = await load<typeof import("./chaos-run.test.ts")>(
          "decide/chaos-run.test.ts",
        );
        const known = process.env["KITH_PAXOS_PLANTED"] === "search" ? [] : [bug.seed];
        for (const seed of [...known, ...Array.from({ length: seedsMax }, (_, i) => i + 1)])
          tries.push(() => {
            decideChaos(seed);
          });
      }
      let at = 0;
      for (; at < tries.length && found === null; at++) {
        try {
          tries[at]?.();
        } catch (cause) {
          found = cause;
        }
      }
      if (process.env["KITH_PAXOS_MARKS"] !== undefined)
        console.log(`      try ${at}: ${String(found).slice(0, 150)}`);
      expect(found).not.equal(null);
    });
});

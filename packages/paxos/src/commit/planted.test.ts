/** Bugs planted into copies of Paxos Commit: the exhaustive cases or the runs under faults find each of them. */

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
}

const bugs: readonly Bug[] = [
  {
    what: "an acceptor forgets its votes in a crash",
    file: "commit/commit-records.ts",
    text: "for (const [manager, vote] of votes) writeVote(writer.count(manager), vote);",
    planted: "for (const manager of votes.keys()) writeVote(writer.count(manager), null);",
  },
  {
    what: "an acceptor forgets its promise in a crash",
    file: "commit/commit-records.ts",
    text: "writeBallot(writer, promised);",
    planted: "writeBallot(writer, { round: -1 + 0 * promised.round, proposer: 0, life: 0 });",
  },
  {
    what: "who ends a transaction takes a silent manager for prepared",
    file: "commit/ballots.ts",
    text: 'picked.kind === "bound" ? picked.value : aborted',
    planted: 'picked.kind === "bound" ? picked.value : prepared',
  },
  {
    what: "too few promises are enough",
    file: "commit/ballots.ts",
    text: "if (promises.length < singleRule.promises(acceptors)) return null;",
    planted: "if (promises.length < singleRule.promises(acceptors) - 1) return null;",
  },
  {
    what: "one vote of an acceptor is enough",
    file: "commit/ballots.ts",
    text: "if (same.length >= singleRule.quorum(acceptors, ballot)) return value;",
    planted: "if (same.length >= singleRule.quorum(1 + 0 * acceptors, ballot)) return value;",
  },
  {
    what: "it commits when one manager is prepared",
    file: "commit/ballots.ts",
    text: "all &&= chosen !== null;",
    planted: "all = chosen !== null;",
  },
  {
    what: "votes in the first ballot need no look at what was promised",
    file: "commit/ballots.ts",
    text: "promised: ballots.promised, accepted: ballots.votes.get(manager) ?? null,",
    planted: "promised: ballot,\n    accepted: ballots.votes.get(manager) ?? null,",
  },
  {
    what: "a manager's vote is not kept",
    file: "commit/commit-records.ts",
    text: "put(prefixes.managing + name, voted ? writeManaging(managing) : null);",
    planted:
      "put(prefixes.managing + name, voted && name === '' ? writeManaging(managing) : null);",
    seed: 8,
  },
  {
    what: "votes and promises leave before the disk has them",
    file: "decide/family-host.ts",
    text: "if (written > flushed) {",
    planted: "if (written < 0) {",
    seed: 21,
  },
  {
    what: "a manager that has taken the outcome answers for its acceptor",
    file: "commit/committer.ts",
    text: 'if (isOver(state.over, id)) return reply(state, from, { ...head(word), kind: "ended" });',
    planted:
      'if (isFinished(state, id)) return reply(state, from, { ...head(word), kind: "ended" });',
    seed: 1,
  },
  {
    what: "an acceptor forgets a transaction, and that it was over",
    file: "commit/committer.ts",
    text: "noteOver(state.over, id); forget(state, name);",
    planted: "forget(state, name);",
    seed: 6,
  },
  {
    what: "it is over when one manager has taken it",
    file: "commit/committer.ts",
    text: "if (of.every((peerId) => lead.taken.has(peerId))) declareOver(state, name, lead);",
    planted: "if (of.some((peerId) => lead.taken.has(peerId))) declareOver(state, name, lead);",
    seed: 1,
  },
];

/** How many seeds a bug may survive. */
const seedsMax = 500;

const folder = fileURLToPath(new URL("..", import.meta.url));
// `KITH_PAXOS_PLANTED` runs all; some of them are enough to see that the tests still find what they are there for.
const all = process.env["KITH_PAXOS_PLANTED"] !== undefined;
const planted = bugs.filter((_, i) => all || i % 3 === 0);

describe("a bug planted into Paxos Commit", function () {
  this.timeout(300_000);
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
        type Explore = typeof import("./explore-commit.test.ts");
        const { allVotes, exploreCommit } = await load<Explore>("commit/explore-commit.test.ts");
        for (const said of allVotes(2)) tries.push(() => exploreCommit(said, 1));
        tries.push(() => exploreCommit(["prepared", "prepared"], 2));
      } else {
        const { commitChaos } = await load<typeof import("./commit-run.test.ts")>(
          "commit/commit-run.test.ts",
        );
        const known = process.env["KITH_PAXOS_PLANTED"] === "search" ? [] : [bug.seed];
        for (const seed of [...known, ...Array.from({ length: seedsMax }, (_, i) => i + 1)])
          tries.push(() => {
            commitChaos(seed);
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

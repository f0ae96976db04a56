import { KithError } from "@kith/core";
import { expect } from "chai";
import { contracts } from "./contracts.test.ts";
import {
  eachFact,
  freshSeeds,
  reportOf,
  runSeed,
  runSuite,
  type Scenario,
  type SeedChecks,
  seedChecks,
  someFact,
  Suite,
} from "./index.ts";
import { Kept, tally } from "./tally.test.ts";

const number = Number(process.env["KITH_FRESH"] ?? Date.now());

/** Seeds that once failed, each for a bug that was mended. */
const corpus: Readonly<Record<string, readonly number[]>> = {
  contracts: [
    // A message for another life was acknowledged, although nobody got it.
    ...[8, 9, 12, 14, 19, 21, 23, 31],
    // The scenario took an acknowledgement for the word of a handler: a node that crashed at the instant
    // at which messages came, after its Network and before its component, was blamed.
    ...[350, 511, 771, 829, 1495, 4186425722],
  ],
  // A burst of calls at a node that was down never let the time go on.
  tally: [7, 11],
};

describe("scenarios without planted bugs", function () {
  this.timeout(60_000);
  const scenarios: readonly Scenario[] = [tally(), contracts];
  for (const scenario of scenarios)
    for (const { name, check } of seedChecks(scenario, {
      number,
      corpus: corpus[scenario.name] ?? [],
    }))
      it(name, check);
});

describe("the tests of a scenario", () => {
  /** Runs them, and gives what they throw, by the order in which they stand. */
  function thrown(scenario: Scenario, what: Partial<SeedChecks> = {}): (string | undefined)[] {
    return seedChecks(scenario, { number: 1, fresh: 3, seedsMax: 6, ...what }).map(({ check }) => {
      try {
        check();
        return undefined;
      } catch (error) {
        if (!(error instanceof KithError)) throw error;
        expect(error.code).to.equal("KITH_SIM_SEED");
        return error.message;
      }
    });
  }
  /** A mark that one of the seeds reaches, and how many were run. */
  function marked(seed: number): {
    readonly scenario: Scenario;
    readonly runs: (number | string)[];
  } {
    const runs: (number | string)[] = [];
    const scenario = tally("none", {
      init: (node) => {
        if (runs.at(-1) !== node.seed) runs.push(node.seed);
        return tally().init(node);
      },
      sometimes: [{ name: "rare", inputs: ["history"], begin: () => () => runs.at(-1) === seed }],
    });
    return { scenario, runs };
  }

  it("do not blame fresh seeds for a mark that they miss", () => {
    expect(thrown(marked(4).scenario)).to.deep.equal([undefined, undefined]);
    const [fresh, marks] = thrown(marked(7).scenario);
    expect(fresh).to.equal(undefined);
    expect(marks).to.match(/The mark "rare" was never reached/);
  });

  it("begin with the seeds that reach what is rare, and do not go on for long", () => {
    const { scenario, runs } = marked(700);
    seedChecks(scenario, { number: 1, reaching: [700] })[1]?.check();
    expect(runs).to.deep.equal([700, 1, 2, 3, 4]);
  });

  it("blame a seed, fresh or old, for what does not hold", () => {
    const wrong = tally("none", {
      invariants: [{ name: "never", inputs: ["history"], begin: () => () => "so it is" }],
    });
    const [fresh, corpus] = thrown(wrong, { corpus: [17] });
    expect(fresh).to.match(new RegExp(`^Seed ${freshSeeds(1, 1)[0]}: never: so it is`));
    expect(corpus).to.match(/^Seed 17: never: so it is/);
  });
});

describe("a suite", () => {
  it("counts what its runs have done, in any order", () => {
    const reports = [1, 2, 3].map((seed) => reportOf(runSeed(contracts, seed)));
    const one = new Suite(contracts);
    const other = new Suite(contracts);
    for (const report of reports) one.add(report);
    for (const report of reports.toReversed()) other.add(report);
    expect(one.result()).to.deep.equal(other.result());
    expect(one.result().seeds).to.equal(3);
    expect(one.result().without["cold path"]).to.equal("its nodes have none");
    expect(Object.keys(one.result().checked)).to.deep.equal(
      contracts.invariants?.map(({ name }) => name),
    );
    for (const [name, times] of Object.entries(one.result().checked))
      expect(times, name).to.be.above(3);
    expect(one.result().operations.ok).to.equal(
      reports.reduce((sum, { operations }) => sum + operations.ok, 0),
    );
  });

  it("fails where a mark is never reached", () => {
    const scenario = tally("none", {
      sometimes: [{ name: "pigs fly", inputs: ["history"], begin: () => () => false }],
    });
    expect(runSuite(scenario, { from: 1, count: 2 }).problems).to.deep.equal([
      'The mark "pigs fly" was never reached.',
    ]);
  });

  it("fails where too few operations succeed in the mean, and in one run", () => {
    const lazy = tally("none", { succeed: { each: 1, mean: 1_000_000 } });
    expect(runSuite(lazy, { from: 1, count: 2 }).problems[0]).to.match(/too few/);
    const lazier = tally("none", { succeed: { each: 1_000_000, mean: 1 } });
    const [problem] = runSuite(lazier, { from: 1, count: 1 }).problems;
    expect(problem).to.match(
      /Seed 1: enough succeeds: \d+ operations were ok; 1000000 are too few/,
    );
  });

  it("does not count what closes a run as work", () => {
    const idle = tally("none", {
      processes: [{ name: "client", next: () => null }],
      succeed: { each: 1, mean: 1 },
    });
    const { operations, problems } = runSuite(idle, { from: 1, count: 2 });
    expect(operations).to.include({ ok: 4, closing: 4 });
    expect(problems).to.include("0 operations were ok in the mean; 1 are too few.");
  });

  it("judges each fact of a class, and is reached by some", () => {
    const scenario = (max: number): Scenario =>
      tally("none", {
        invariants: [
          {
            name: "few",
            ...eachFact(Kept, () => {
              let count = 0;
              return ({ node }) => (++count > max ? `${node} has kept one too many` : undefined);
            }),
          },
        ],
        sometimes: [
          { name: "a second one", ...someFact(Kept, ({ fact }) => fact.count === 2) },
          { name: "any", ...someFact(Kept) },
          { name: "none", ...someFact(Kept, ({ life }) => life > 1000) },
        ],
      });
    const { failure } = runSeed(scenario(7), 1);
    expect(failure?.complaint).to.match(/^n\d has kept one too many$/);
    const { failure: none, reached } = runSeed(scenario(1_000_000), 1);
    expect(none).to.equal(null);
    expect([...reached].sort()).to.deep.equal(["a second one", "any"]);
  });

  it("fails where a verdict throws", () => {
    const check = (): string => {
      throw new Error("no such thing");
    };
    const { failure } = runSeed(tally("none", { finally: [{ name: "strange", check }] }), 1);
    expect(failure?.invariant).to.equal("strange");
    expect(failure?.complaint).to.match(/^It threw: Error: no such thing/);
  });

  it("says which kinds never struck, and which are excluded and why", () => {
    const scenario = tally("none", {
      faults: { only: ["loss", "reset"], without: { reset: "for the test" } },
    });
    const result = runSuite(scenario, { from: 4, count: 1 });
    expect(result.unstruck).to.deep.equal(["loss"]);
    expect(result.without.reset).to.equal("for the test");
    const { without } = runSuite({ ...scenario, keys: ["one"] }, { from: 4, count: 1 });
    expect(without["hot key"]).to.equal("all calls are about one thing");
    expect(without["cold path"]).to.equal(undefined);
  });

  it("tries the same fresh seeds for the same number, and others for another", () => {
    expect(freshSeeds(1, 5)).to.deep.equal(freshSeeds(1, 5));
    expect(freshSeeds(1, 5)).not.to.deep.equal(freshSeeds(2, 5));
  });
});

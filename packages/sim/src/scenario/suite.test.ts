import { expect } from "chai";
import { contracts } from "./contracts.test.ts";
import { freshSeeds, reportOf, runSeed, runSuite, type Scenario, Suite } from "./index.ts";
import { tally } from "./tally.test.ts";

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

describe("scenarios without planted bugs", () => {
  const scenarios: readonly Scenario[] = [tally(), contracts];
  for (const scenario of scenarios) {
    it(`hold for seeds that are fresh from ${number}: ${scenario.name}`, function () {
      this.timeout(60_000);
      for (const seed of freshSeeds(number, 20))
        expect(runSeed(scenario, seed).failure, `seed ${seed}`).to.equal(null);
    });

    it(`hold for seeds that once failed: ${scenario.name}`, function () {
      this.timeout(60_000);
      for (const seed of corpus[scenario.name] ?? [])
        expect(runSeed(scenario, seed).failure, `seed ${seed}`).to.equal(null);
    });
  }
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

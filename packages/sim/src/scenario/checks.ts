/**
 * The tests of a scenario, for `it` of whatever runs tests: some seeds that are new each time, those that once failed, and
 * what many runs have to come to together.
 *
 * Fresh seeds fail by what must hold, and by nothing else: which marks they reach and how much succeeds in a few of them is
 * chance. That is asked of seeds which are the same each time, so that the answer hangs on the code alone.
 */

import type { ComponentClass } from "@kith/core";
import { simError } from "../errors.ts";
import { runSeed } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { freshSeeds, reportOf, type SeedReport, Suite } from "./suite.ts";

/** What is to be tried. */
export interface SeedChecks {
  /** The fresh seeds hang on it; it stands in the name of their test, and given again they are the same. */
  readonly number: number;
  /** How many of them; default 20. */
  readonly fresh?: number;
  /** Seeds that once failed. */
  readonly corpus?: readonly number[];
  /** Seeds that reach what is rare; after them and the corpus come 1, 2 and so on, until every mark is reached. */
  readonly reaching?: readonly number[];
  /** How many of those that come after; default 200. */
  readonly seedsMax?: number;
}

/** A test: its name, and what throws where it fails. */
export interface SeedCheck {
  readonly name: string;
  readonly check: () => void;
}

/** In fewer, how much succeeds in the mean says nothing. */
const seedsMin = 5;

/** The tests of a scenario; that of the corpus only where there is one. Each throws a KithError `KITH_SIM_SEED` that names the seeds. */
export function seedChecks<K extends ComponentClass>(
  scenario: Scenario<K>,
  { number, fresh = 20, corpus = [], reaching = [], seedsMax = 200 }: SeedChecks,
): readonly SeedCheck[] {
  const known = new Map<number, SeedReport>();
  const reportFor = (seed: number): SeedReport => {
    const report = known.get(seed) ?? reportOf(runSeed(scenario, seed));
    known.set(seed, report);
    return report;
  };
  const hold = (seeds: readonly number[]): void => {
    for (const seed of seeds) {
      const { failure } = reportFor(seed);
      if (failure !== null)
        throw simError("KITH_SIM_SEED", `Seed ${seed}: ${failure.invariant}: ${failure.complaint}`);
    }
  };
  const old = {
    name: `${scenario.name} holds for seeds that once failed`,
    check: () => hold(corpus),
  };
  return [
    {
      name: `${scenario.name} holds for ${fresh} seeds that are fresh from ${number}`,
      check: () => hold(freshSeeds(number, fresh)),
    },
    ...(corpus.length > 0 ? [old] : []),
    {
      name: `${scenario.name} reaches its marks, and enough succeeds`,
      check: () => {
        const suite = new Suite(scenario);
        const seeds = new Set([...corpus, ...reaching]);
        for (const seed of seeds) suite.add(reportFor(seed));
        for (let seed = 1; seed <= seedsMax; seed++) {
          const { reached, seeds: count } = suite.result();
          if (count >= seedsMin && Object.values(reached).every((runs) => runs > 0)) break;
          if (!seeds.has(seed)) suite.add(reportFor(seed));
        }
        const { problems } = suite.result();
        if (problems.length > 0) throw simError("KITH_SIM_SEED", problems.join("\n"));
      },
    },
  ];
}

/**
 * Many seeds of one scenario, and what they come to together: a suite also fails where a mark was never
 * reached and where too few operations succeeded, so that nothing passes by refusing to work.
 */

import { type ComponentClass, mix, streamKey } from "@kith/core";
import { allKinds, amnesiac, countAll, type FaultKind, type Injected } from "./kinds.ts";
import { indices, kindsOf } from "./plan.ts";
import { runSeed, type RunResult } from "./run.ts";
import { nodesOf, type Scenario } from "./scenario.ts";
import type { OperationCounts } from "./callers.ts";
import type { Failure } from "./watch.ts";

/** What a suite keeps of one run: plain data, that can come from another process. */
export interface SeedReport {
  readonly seed: number | string;
  readonly hash: string;
  readonly failure: Failure | null;
  readonly operations: Readonly<OperationCounts>;
  readonly checked: Readonly<Record<string, number>>;
  readonly injected: Injected;
  readonly cold: Readonly<Record<string, number>>;
  readonly reached: readonly string[];
  readonly time: number;
  readonly steps: number;
}

/** What came of many runs. */
export interface SuiteResult {
  readonly scenario: string;
  readonly seeds: number;
  readonly failures: readonly { readonly seed: number | string; readonly failure: Failure }[];
  readonly operations: Readonly<OperationCounts>;
  /** How often each invariant was asked, and in how many runs all else was judged that has to hold. */
  readonly checked: Readonly<Record<string, number>>;
  /** How often each kind of faults struck, over all runs. */
  readonly injected: Injected;
  /** In how many runs each kind struck. */
  readonly struckRuns: Injected;
  /** Kinds that could have struck and never did. */
  readonly unstruck: readonly FaultKind[];
  /** Kinds that the scenario excludes, and why. */
  readonly without: Readonly<Partial<Record<FaultKind, string>>>;
  readonly cold: Readonly<Record<string, number>>;
  /** In how many runs each mark was reached. */
  readonly reached: Readonly<Record<string, number>>;
  /** Simulated milliseconds of all runs. */
  readonly time: number;
  readonly steps: number;
  /** Everything that is wrong, as sentences; empty where the suite has passed. */
  readonly problems: readonly string[];
}

/** Takes the reports of runs, in any order. */
export class Suite {
  readonly #scenario: Scenario;
  readonly #failures: { readonly seed: number | string; readonly failure: Failure }[] = [];
  readonly #operations = { invoked: 0, ok: 0, fail: 0, info: 0, closing: 0 };
  readonly #checked = new Map<string, number>();
  readonly #injected = new Map<FaultKind, number>();
  readonly #struck = new Map<FaultKind, number>();
  readonly #cold = new Map<string, number>();
  readonly #reached = new Map<string, number>();
  #seeds = 0;
  #time = 0;
  #steps = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    const { invariants = [], eventually = [], finally: verdicts = [] } = scenario;
    for (const { name } of [...invariants, ...eventually, ...verdicts]) this.#checked.set(name, 0);
    for (const { name } of scenario.sometimes ?? []) this.#reached.set(name, 0);
  }

  /** Takes one in. */
  add(report: SeedReport): void {
    const { seed, failure, operations } = report;
    this.#seeds++;
    this.#time += report.time;
    this.#steps += report.steps;
    if (failure !== null) this.#failures.push({ seed, failure });
    this.#operations.invoked += operations.invoked;
    this.#operations.ok += operations.ok;
    this.#operations.fail += operations.fail;
    this.#operations.info += operations.info;
    this.#operations.closing += operations.closing;
    for (const kind of allKinds) {
      const count = report.injected[kind];
      add(this.#injected, kind, count);
      add(this.#struck, kind, count > 0 ? 1 : 0);
    }
    for (const [name, count] of Object.entries(report.checked)) add(this.#checked, name, count);
    for (const [name, count] of Object.entries(report.cold)) add(this.#cold, name, count);
    for (const name of report.reached) add(this.#reached, name, 1);
  }

  /** What they come to so far. */
  result(): SuiteResult {
    const scenario = this.#scenario;
    const { max } = nodesOf(scenario.nodes);
    const forgets = (scenario.tolerates?.amnesia?.(max, 0) ?? 0) > 0;
    const possible = kindsOf(scenario, scenario.transport ?? "stream", forgets);
    const without: Partial<Record<FaultKind, string>> = {};
    if (!forgets)
      for (const kind of amnesiac)
        if (!possible.includes(kind)) without[kind] = "no node may forget what was durable";
    if ((scenario.keys ?? []).length < 2) without["hot key"] = "all calls are about one thing";
    if (this.#cold.size === 0) without["cold path"] = "its nodes have none";
    return {
      scenario: scenario.name,
      seeds: this.#seeds,
      failures: this.#failures,
      operations: this.#operations,
      checked: Object.fromEntries(this.#checked),
      injected: total(this.#injected),
      struckRuns: total(this.#struck),
      unstruck: possible.filter(
        (kind) =>
          (this.#struck.get(kind) ?? 0) === 0 && (kind !== "cold path" || this.#cold.size > 0),
      ),
      without: { ...without, ...scenario.faults?.without },
      cold: Object.fromEntries(this.#cold),
      reached: Object.fromEntries(this.#reached),
      time: this.#time,
      steps: this.#steps,
      problems: this.#problems(),
    };
  }

  #problems(): string[] {
    const problems = this.#failures.map(
      ({ seed, failure }) => `Seed ${seed}: ${failure.invariant}: ${failure.complaint}`,
    );
    for (const [name, runs] of this.#reached)
      if (runs === 0) problems.push(`The mark "${name}" was never reached.`);
    const { plan, succeed = {} } = this.#scenario;
    // What closes a run is called at a healed core: it says nothing about work under faults.
    const mean = (this.#operations.ok - this.#operations.closing) / Math.max(1, this.#seeds);
    const least = succeed.mean ?? 1;
    if (plan === undefined && mean < least)
      problems.push(`${mean} operations were ok in the mean; ${least} are too few.`);
    return problems;
  }
}

/** What a suite keeps of a run. */
export function reportOf(result: RunResult): SeedReport {
  const { plan, hash, failure, operations, checked, injected, cold, reached, time, steps } = result;
  return {
    seed: plan.seed,
    hash,
    failure,
    operations: { ...operations },
    checked,
    injected,
    cold,
    reached,
    time,
    steps,
  };
}

/** Runs `count` seeds from `from` on, one after another. */
export function runSuite<K extends ComponentClass>(
  scenario: Scenario<K>,
  { from, count }: { readonly from: number; readonly count: number },
): SuiteResult {
  const suite = new Suite(scenario);
  for (let seed = from; seed < from + count; seed++) suite.add(reportOf(runSeed(scenario, seed)));
  return suite.result();
}

/**
 * Seeds that hang on a number alone, for tests that try others each time: they print the number, and
 * given it again they try the same.
 */
export function freshSeeds(number: number, count = 20): number[] {
  const { low } = streamKey("fresh", number);
  return indices(count).map((i) => mix(low, i));
}

function add<Name extends string>(counts: Map<Name, number>, name: Name, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

function total(counts: ReadonlyMap<FaultKind, number>): Injected {
  return countAll((kind) => counts.get(kind) ?? 0);
}

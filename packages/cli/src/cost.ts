/**
 * What seeds of a scenario cost: `node --import tsx --conditions source packages/cli/src/cost.ts FILE EXPORT FROM COUNT` runs them in this
 * process and prints, as JSON, the CPU seconds of each and what it did. Benchmarks do so.
 */

import path from "node:path";
import { runSeed } from "@kith/sim/scenario";
import { scenarioAt } from "./library.ts";

/** What a seed has cost, and done. */
export interface SeedCost {
  readonly seed: number;
  readonly cpuSeconds: number;
  readonly steps: number;
  readonly simulatedSeconds: number;
  readonly operations: number;
  readonly ok: number;
  /** How many faults have struck. */
  readonly faults: number;
  /** What did not hold; null where all did. */
  readonly failure: string | null;
}

const [file = "", exported = "", from = "1", count = "1"] = process.argv.slice(2);
const scenario = await scenarioAt(path.resolve(file), exported);
// The first one is slower than all others: its code was never run before.
runSeed(scenario, Number(from) + Number(count));
const costs = Array.from({ length: Number(count) }, (_, i): SeedCost => {
  const seed = Number(from) + i;
  const before = process.cpuUsage();
  const { steps, time, operations, injected, failure } = runSeed(scenario, seed);
  const { user, system } = process.cpuUsage(before);
  return {
    seed,
    cpuSeconds: (user + system) / 1e6,
    steps,
    simulatedSeconds: time / 1000,
    operations: operations.invoked,
    ok: operations.ok,
    faults: Object.values(injected).reduce((sum, many) => sum + many, 0),
    failure: failure === null ? null : `${failure.invariant}: ${failure.complaint}`,
  };
});
console.log(JSON.stringify(costs));

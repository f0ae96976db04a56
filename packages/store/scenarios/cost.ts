/**
 * What seeds cost: `node --import tsx --conditions source packages/store/scenarios/cost.ts SCENARIO FROM COUNT` runs them in this process and
 * prints, as JSON, the CPU seconds of each and what they did. The benchmark `store-simulated` does so.
 */

import { type RunResult, runSeed } from "@kith/sim/scenario";
import { storeChaos } from "./store-chaos.ts";
import { storeLarge } from "./store-large.ts";

const scenarios: Readonly<Record<string, (seed: number) => RunResult>> = {
  "store-chaos": (seed) => runSeed(storeChaos, seed),
  "store-large": (seed) => runSeed(storeLarge, seed),
};

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

const [name = "", from = "1", count = "1"] = process.argv.slice(2);
const run = scenarios[name];
if (run === undefined)
  throw new Error(`there is no scenario ${name}: ${Object.keys(scenarios).join(", ")}`);
// The first one is slower than all others: its code was never run before.
run(Number(from) + Number(count));
const costs = Array.from({ length: Number(count) }, (_, i): SeedCost => {
  const seed = Number(from) + i;
  const before = process.cpuUsage();
  const { steps, time, operations, injected, failure } = run(seed);
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

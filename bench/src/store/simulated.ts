/**
 * What a simulated seed of the store costs, under all faults and with all that judges it: one of `store-chaos`, and one of sixteen
 * nodes with eight groups for two minutes and five thousand operations, which shall take at most one CPU second. The scenarios run from
 * their sources in a process of their own, which says what each seed took, without what loading them took.
 */

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Case } from "../harness.ts";

const top = fileURLToPath(new URL("../../..", import.meta.url));

/** What `cost.ts` of the command line prints for each seed. */
interface Cost {
  readonly cpuSeconds: number;
  readonly steps: number;
  readonly simulatedSeconds: number;
  readonly operations: number;
  readonly ok: number;
  readonly faults: number;
  readonly failure: string | null;
}

/** Seeds of a scenario: other ones in each round. */
export function seedsCase(scenario: string, exported: string, seeds: number): Case {
  const all: Cost[] = [];
  let nanos = 0;
  let next = 1;
  const mean = (of: (cost: Cost) => number): number =>
    all.reduce((sum, cost) => sum + of(cost), 0) / Math.max(1, all.length);
  return {
    unit: "seed",
    count: seeds,
    cold: true,
    run() {
      const program = ["--import", "tsx", "--conditions", "source", "packages/cli/src/cost.ts"];
      const file = `packages/store/scenarios/${scenario}.ts`;
      const args = [...program, file, exported, `${next}`, `${seeds}`];
      const text = execFileSync(process.execPath, args, { cwd: top, encoding: "utf8" });
      const costs: readonly Cost[] = JSON.parse(text);
      next += seeds;
      for (const cost of costs) {
        all.push(cost);
        nanos += cost.cpuSeconds * 1e9;
      }
    },
    others: () => nanos,
    facts: () => ({
      "CPU seconds a seed": Number(mean((cost) => cost.cpuSeconds).toFixed(2)),
      "most of them for one seed": Number(
        Math.max(...all.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2),
      ),
      "steps a seed": Math.round(mean(({ steps }) => steps)),
      "simulated seconds": Math.round(mean(({ simulatedSeconds }) => simulatedSeconds)),
      operations: Math.round(mean(({ operations }) => operations)),
      ok: Math.round(mean(({ ok }) => ok)),
      faults: Math.round(mean(({ faults }) => faults)),
      "seeds that failed": all.filter(({ failure }) => failure !== null).length,
    }),
  };
}

/** The suite of what simulated seeds of the store cost. */
export const simulatedSuites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  "store-simulated": {
    "store-chaos": seedsCase("store-chaos", "storeChaos", 8),
    "16 nodes, 8 groups, 120 s, 5,000 operations": seedsCase("store-large", "storeLarge", 2),
  },
};

/** A process that runs seeds: it is told a scenario once and then seeds, and answers with their reports. */

import {
  reportOf,
  type RunResult,
  runSeed,
  type Scenario,
  type SeedReport,
} from "@kith/sim/scenario";
import { scenarioAt } from "./library.ts";

/** What a worker is told. */
export type ToWorker =
  | {
      readonly kind: "scenario";
      readonly file: string;
      readonly exported: string;
      /** How many nodes there are: another number than the file has, where somebody wants it so. */
      readonly nodes: Scenario["nodes"];
    }
  | { readonly kind: "seeds"; readonly seeds: readonly (number | string)[] };

/** What a worker answers. */
export type FromWorker =
  | { readonly kind: "ready" }
  | {
      readonly kind: "report";
      readonly report: SeedReport;
      /** What the run took of this process, in microseconds. */
      readonly cpuMicros: number;
      readonly left: number;
    }
  | { readonly kind: "failed"; readonly error: string };

function answer(message: FromWorker): void {
  process.send?.(message);
}

let scenario: Scenario | null = null;

async function take(message: ToWorker): Promise<void> {
  if (message.kind === "scenario") {
    const { file, exported, nodes } = message;
    scenario = { ...(await scenarioAt(file, exported)), nodes };
    answer({ kind: "ready" });
    return;
  }
  if (scenario === null) return;
  let left = message.seeds.length;
  for (const seed of message.seeds) {
    const before = process.cpuUsage();
    const report = reportOf(run(scenario, seed));
    const { user, system } = process.cpuUsage(before);
    answer({ kind: "report", report, cpuMicros: user + system, left: --left });
  }
}

function run(of: Scenario, seed: number | string): RunResult {
  try {
    return runSeed(of, seed);
  } catch (cause) {
    const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    throw new Error(`Seed ${seed} could not be run: ${what}`, { cause });
  }
}

process.on("message", (message: ToWorker) => {
  take(message).catch((cause: unknown) => {
    const error = cause instanceof Error ? cause.message : String(cause);
    answer({ kind: "failed", error });
  });
});
process.on("disconnect", () => process.exit(0));

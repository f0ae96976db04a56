/** Runs seeds on all cores: as many processes as there are, each given a few seeds at a time. */

import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { SeedReport } from "@kith/sim/scenario";
import { cliError } from "./errors.ts";
import type { Entry } from "./library.ts";
import type { FromWorker, ToWorker } from "./worker.ts";

/** How to run seeds. */
export interface PoolOptions {
  /** How many processes; by default one for each core. */
  readonly jobs?: number;
  /** Told of each run and what it took, in the order in which they end. */
  readonly report: (report: SeedReport, cpuMicros: number) => void;
}

const batch = 4;

/** Runs them all. @throws KithError `KITH_CLI_WORKER` where a process dies or cannot run the scenario */
export async function runSeeds(
  { file, exported, scenario: { nodes } }: Entry,
  seeds: readonly (number | string)[],
  { jobs = availableParallelism(), report }: PoolOptions,
): Promise<void> {
  const waiting = [...seeds];
  const count = Math.max(1, Math.min(jobs, Math.ceil(seeds.length / batch)));
  const workers: ChildProcess[] = [];
  try {
    await Promise.all(
      Array.from({ length: count }, () => {
        const worker = fork(workerFile());
        workers.push(worker);
        return work(worker, { kind: "scenario", file, exported, nodes }, waiting, report);
      }),
    );
  } finally {
    for (const worker of workers) worker.kill();
  }
}

function workerFile(): string {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`./worker.${extension}`, import.meta.url));
}

/** Gives seeds to a worker until there are none. */
function work(
  worker: ChildProcess,
  first: ToWorker,
  waiting: (number | string)[],
  report: PoolOptions["report"],
): Promise<void> {
  return new Promise((resolve, reject) => {
    const tell = (message: ToWorker): void => void worker.send(message);
    const next = (): void => {
      const seeds = waiting.splice(0, batch);
      if (seeds.length === 0) resolve();
      else tell({ kind: "seeds", seeds });
    };
    worker.on("message", (message: FromWorker) => {
      if (message.kind === "failed") reject(cliError("KITH_CLI_WORKER", message.error));
      else if (message.kind === "ready") next();
      else {
        try {
          report(message.report, message.cpuMicros);
        } catch (cause) {
          reject(cause);
          return;
        }
        if (message.left === 0) next();
      }
    });
    worker.on("error", (cause) => reject(cliError("KITH_CLI_WORKER", cause.message, cause)));
    worker.on("exit", (code) =>
      reject(cliError("KITH_CLI_WORKER", `A process that ran seeds ended with code ${code}.`)),
    );
    tell(first);
  });
}

/**
 * The full counts: every scenario of the repository for many seeds, with the result as a page that is
 * committed: which commit, which seeds, what was injected, what was reached, what failed.
 *
 * `npm run swarm -- [--seeds 1..2000] [--jobs N] [--out FILE] [--keep FILE] [scenario …]`
 *
 * `--keep`: what came of each seed is written to that file, a line for each, and what stands there of the same commit is not run
 * again. So a count of hours may be stopped, and goes on when it is started with the same words.
 */

import { fileURLToPath } from "node:url";
import { allKinds, type SeedReport, Suite, type SuiteResult } from "@kith/sim/scenario";
import { readArguments, wholeNumber } from "./arguments.ts";
import { cliError } from "./errors.ts";
import { runProgram } from "./failing.ts";
import { Kept, type Ran } from "./kept.ts";
import { type Entry, listScenarios } from "./library.ts";
import { commitOf, machine, table, writePage } from "./page.ts";
import { runSeeds } from "./pool.ts";
import { Progress } from "./progress.ts";
import { providersScenario } from "./planted.ts";
import { parseSeeds } from "./seeds.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** By so many seeds every kind has to have struck. */
const soon = 200;

interface Row {
  readonly result: SuiteResult;
  /** Of the first seeds alone. */
  readonly early: SuiteResult;
  readonly cpuSeconds: number;
}

await runProgram(swarm);

async function swarm(): Promise<void> {
  const { values, positionals } = readArguments({
    options: {
      seeds: { type: "string" },
      jobs: { type: "string" },
      out: { type: "string" },
      keep: { type: "string" },
    },
    allowPositionals: true,
  });
  const range = values.seeds ?? "1..2000";
  const seeds = parseSeeds(range);
  const { jobs } = values;
  const processes =
    jobs === undefined ? {} : { jobs: wholeNumber(jobs, "a number of processes", 1, 999) };
  const all = [...(await listScenarios(root)), await providersScenario(root)];
  const names = all.map(({ scenario }) => scenario.name);
  const stranger = positionals.find((name) => !names.includes(name));
  if (stranger !== undefined)
    throw cliError(
      "KITH_CLI_SCENARIO",
      `There is no scenario ${stranger}; there are ${names.join(", ")}.`,
    );
  const commit = commitOf(root);
  const rows: Row[] = [];
  for (const entry of all) {
    const { name } = entry.scenario;
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const kept = new Kept(values.keep, commit, name);
    const row = await swarmOf(entry, seeds, { ...processes, kept });
    rows.push(row);
    const { failures, problems } = row.result;
    const { unstruck } = row.early;
    console.log(
      `${name}: ${failures.length} failures, ${unstruck.length} kinds never struck in the first ${soon} seeds`,
    );
    for (const problem of problems.slice(0, 10)) console.log(`  ${problem}`);
    if (problems.length > 0 || unstruck.length > 0) process.exitCode = 1;
  }
  writePage(root, values.out ?? "bench/results/swarm.md", page(rows, range, commit));
}

async function swarmOf(
  entry: Entry,
  seeds: readonly number[],
  { kept, ...processes }: { readonly jobs?: number; readonly kept: Kept },
): Promise<Row> {
  const suite = new Suite(entry.scenario);
  const progress = new Progress(process.stderr, seeds.length);
  const reports = new Map<number | string, SeedReport>();
  let cpuMicros = 0;
  const take = ({ report, micros }: Ran): void => {
    reports.set(report.seed, report);
    cpuMicros += micros;
    const { seed, failure } = report;
    // At once: who counts for an hour wants to know before its end.
    if (failure !== null) console.log(`${entry.scenario.name}: seed ${seed}: ${failure.invariant}`);
    progress.advance(failure !== null);
  };
  for (const ran of kept.all) if (seeds.includes(Number(ran.report.seed))) take(ran);
  const open = seeds.filter((seed) => !reports.has(seed));
  await runSeeds(entry, open, {
    ...processes,
    report: (report, micros) => {
      kept.keep({ report, micros });
      take({ report, micros });
    },
  });
  progress.clear();
  // In the order of the seeds: which process was first must not show.
  const first = new Suite(entry.scenario);
  for (const [at, seed] of seeds.entries()) {
    const report = reports.get(seed);
    if (report === undefined) continue;
    suite.add(report);
    if (at < soon) first.add(report);
  }
  return { result: suite.result(), early: first.result(), cpuSeconds: cpuMicros / 1e6 };
}

function page(rows: readonly Row[], range: string, commit: string): string {
  const names = rows.map(({ result }) => result.scenario);
  const excluded = rows.flatMap(({ result: { scenario, without } }) =>
    Object.entries(without).map(([kind, why]) => `- ${scenario}: ${kind}: ${why}`),
  );
  const problems = rows.flatMap(({ result: { scenario, problems: all } }) =>
    all.map((problem) => `- ${scenario}: ${problem}`),
  );
  const missing = rows.flatMap(({ early: { scenario, unstruck } }) =>
    unstruck.map((kind) => `${kind} (${scenario})`),
  );
  const late = missing.length === 0 ? "none of those that could" : missing.join(", ");
  const checks = rows.flatMap(({ result: { scenario, checked } }) =>
    Object.entries(checked).map(([name, times]) => [scenario, name, times]),
  );
  const marks = rows.flatMap(({ result: { scenario, reached } }) =>
    Object.entries(reached).map(([mark, runs]) => [scenario, mark, runs]),
  );
  return `# Swarm

Made by \`npm run swarm -- --seeds ${range}\` at commit ${commit}, on ${machine()}.
CPU time is that of the processes that ran the seeds.

${table(
  [
    "scenario",
    "seeds",
    "failures",
    "seeds per CPU second",
    "simulated hours",
    "operations ok",
    "failed",
    "unknown",
  ],
  rows.map(({ result: { scenario, seeds: count, failures, operations, time }, cpuSeconds }) => [
    scenario,
    count,
    failures.length,
    (count / cpuSeconds).toFixed(1),
    (time / 3_600_000).toFixed(1),
    operations.ok,
    operations.fail,
    operations.info,
  ]),
)}

## Failures

${problems.length === 0 ? "None." : problems.join("\n")}

## Injected

How often each kind struck, and in how many runs. Within the first ${soon} seeds never struck: ${late}.

${table(
  ["kind", ...names],
  allKinds.map((kind) => [
    kind,
    ...rows.map(({ result: { injected, struckRuns } }) =>
      injected[kind] === 0 ? "–" : `${injected[kind]} in ${struckRuns[kind]}`,
    ),
  ]),
)}

Excluded:

${excluded.length === 0 ? "Nothing." : excluded.join("\n")}

## Checked

How often each invariant was asked, and in how many runs all else was judged that has to hold.

${table(["scenario", "what has to hold", "times"], checks)}

## Reached

${table(["scenario", "mark", "runs"], marks)}
`;
}

/** `kith sim`: runs a scenario, says whether it holds and what was tried, or tells the story of a failure. */

import path from "node:path";
import {
  decisionsOf,
  describeFault,
  Recording,
  reportOf,
  type RunResult,
  runPlan,
  runSeed,
  type SeedReport,
  shrink,
  storyFile,
  Suite,
} from "@kith/sim/scenario";
import { formatHistory } from "@kith/testing/history";
import { cliError } from "./errors.ts";
import { checkPlace, writeText } from "./files.ts";
import { type Entry, findScenario, listScenarios } from "./library.ts";
import { runSeeds } from "./pool.ts";
import { Progress, type Terminal } from "./progress.ts";
import { failureText, suiteText } from "./report.ts";
import { parseSeed, parseSeeds } from "./seeds.ts";

/** The options of the command, as they are given. */
export interface SimOptions {
  readonly seed?: string;
  readonly seeds?: string;
  readonly json?: boolean;
  readonly history?: string;
  readonly trace?: string;
  readonly shrink?: boolean | string;
  readonly list?: boolean;
  readonly jobs?: string;
  readonly peers?: string;
}

/** What the command writes to. */
export interface Output {
  readonly out: (text: string) => void;
  readonly terminal: Terminal;
  /** The folder from which scenarios are found, and in which files are written. */
  readonly folder: string;
}

/** So many seeds are run where none are given. */
const seedsByDefault = "1..100";
const shrinkMillis = 60_000;

/** Runs the command. @returns whether all that was asked for holds */
export async function sim(
  name: string | undefined,
  options: SimOptions,
  output: Output,
): Promise<boolean> {
  if (options.list === true) return list(options, output);
  if (name === undefined)
    throw cliError("KITH_CLI_ARGUMENT", "No scenario was named, and --list was not given.");
  const entry = sized(await findScenario(name, output.folder), options);
  const seeds = seedsOf(entry, options);
  // Before the long run: what it finds has to have a place.
  for (const file of [options.history, options.trace, options.shrink])
    if (typeof file === "string") checkPlace(path.resolve(output.folder, file));
  const suite = new Suite(entry.scenario);
  const progress = new Progress(output.terminal, seeds.length);
  const reports: SeedReport[] = [];
  const size = options.peers === undefined ? "" : ` --peers ${quoted(options.peers)}`;
  const commandFor = (seed: number | string): string =>
    `npx kith sim ${quoted(name)}${size} --seed ${quoted(String(seed))}`;
  let told: SeedReport | null = null;
  const report = (one: SeedReport): void => {
    reports.push(one);
    progress.advance(one.failure !== null);
    if (one.failure === null || told !== null || seeds.length === 1 || options.json === true)
      return;
    // At once: nobody waits for the other seeds to learn that one fails, and how.
    told = one;
    progress.clear();
    const { slice } = look(entry, one, {}, output);
    output.out(`${failureText(one.seed, one.failure, slice, commandFor(one.seed))}\n`);
  };
  const [only] = seeds;
  if (seeds.length === 1 && only !== undefined) report(reportOf(runSeed(entry.scenario, only)));
  else await runSeeds(entry, seeds, { report, ...jobsOf(options) });
  progress.clear();
  const order = new Map(seeds.map((seed, index) => [seed, index]));
  reports.sort((a, b) => (order.get(a.seed) ?? 0) - (order.get(b.seed) ?? 0));
  for (const one of reports) suite.add(one);
  const result = suite.result();
  const failed = reports.find(({ failure }) => failure !== null);
  // One seed reaches what it reaches: only several are judged by their marks.
  const problems =
    seeds.length > 1
      ? result.problems
      : result.failures.map(({ failure }) => `${failure.invariant}: ${failure.complaint}`);
  const looked = failed ?? reports[0];
  const again = looked && look(entry, looked, options, output);
  const command = commandFor(looked?.seed ?? "");
  if (options.json === true) {
    const hashes = reports.map(({ seed, hash }) => ({ seed, hash }));
    const one = reports.length === 1 ? { hash: reports[0]?.hash } : { hashes };
    const story = failed && { failure: failed.failure, seed: failed.seed, command };
    const slice = again?.slice;
    output.out(
      JSON.stringify(
        { ...result, ...one, problems, ...story, slice, shrunk: again?.shrunk },
        null,
        2,
      ),
    );
  } else {
    output.out(suiteText(result));
    if (reports.length === 1) output.out(`  hash         ${reports[0]?.hash ?? ""}`);
    if (failed?.failure !== null && failed !== undefined && again !== undefined) {
      if (failed !== told)
        output.out(`\n${failureText(failed.seed, failed.failure, again.slice, command)}`);
      if (again.shrunk !== undefined) output.out(again.shrunk.text);
    }
    const marks = problems.filter((problem) => !problem.startsWith("Seed "));
    if (seeds.length > 1) for (const problem of marks) output.out(`Failed: ${problem}`);
    const failures = result.failures.length;
    if (failures > 1)
      output.out(
        `${failures} seeds failed: ${result.failures
          .slice(0, 20)
          .map(({ seed }) => seed)
          .join(", ")}${failures > 20 ? ", …" : ""}`,
      );
    output.out(problems.length === 0 ? "holds" : "does not hold");
  }
  return problems.length === 0;
}

async function list({ json }: SimOptions, { out, folder }: Output): Promise<boolean> {
  const entries = await listScenarios(folder);
  if (json === true) {
    const plain = entries.map(({ scenario: { name, about }, file }) => ({ name, about, file }));
    out(JSON.stringify(plain, null, 2));
    return true;
  }
  for (const { scenario } of entries)
    out(`${scenario.name}\n${wrapped(scenario.about).join("\n")}\n`);
  if (entries.length === 0) out("There are no scenarios here.");
  return true;
}

function seedsOf({ scenario }: Entry, { seed, seeds }: SimOptions): (number | string)[] {
  if (seed !== undefined && seeds !== undefined)
    throw cliError("KITH_CLI_ARGUMENT", "Give --seed or --seeds, not both.");
  // What is written down is the same for every seed.
  if (scenario.plan !== undefined) return [scenario.plan.seed];
  if (seed !== undefined) return [parseSeed(seed)];
  return parseSeeds(seeds ?? seedsByDefault);
}

/** The scenario with as many nodes as were asked for, instead of those that its seeds draw. */
function sized(entry: Entry, { peers }: SimOptions): Entry {
  if (peers === undefined) return entry;
  if (!/^[1-9]\d{0,3}$/.test(peers))
    throw cliError("KITH_CLI_ARGUMENT", `${peers} is no number of nodes.`);
  const { scenario } = entry;
  if (scenario.plan !== undefined)
    throw cliError("KITH_CLI_ARGUMENT", `${scenario.name} is a story: its nodes are written down.`);
  return { ...entry, scenario: { ...scenario, nodes: Number(peers) } };
}

function jobsOf({ jobs }: SimOptions): { readonly jobs?: number } {
  if (jobs === undefined) return {};
  if (!/^[1-9]\d{0,2}$/.test(jobs))
    throw cliError("KITH_CLI_ARGUMENT", `${jobs} is no number of processes.`);
  return { jobs: Number(jobs) };
}

interface Looked {
  readonly slice: readonly string[];
  readonly shrunk?: { readonly file: string; readonly decisions: number; readonly text: string };
}

/** Runs a seed again, for what is asked about it: its history, its trace, its causes, its smallest form. */
function look(
  entry: Entry,
  { seed, failure, hash }: SeedReport,
  options: SimOptions,
  output: Output,
): Looked {
  const { history, trace } = options;
  const { scenario } = entry;
  if (history === undefined && trace === undefined && failure === null) return { slice: [] };
  const recording = new Recording();
  const result = runSeed(scenario, seed, { recording });
  if (result.hash !== hash)
    throw cliError(
      "KITH_CLI_WORKER",
      `Seed ${seed} has the hash ${result.hash}, and had ${hash}: it is not deterministic.`,
    );
  if (history !== undefined)
    writeText(path.resolve(output.folder, history), formatHistory(result.history));
  if (trace !== undefined) writeText(path.resolve(output.folder, trace), recording.shiviz());
  const slice = failure === null ? [] : recording.slice();
  if (failure === null || options.shrink === undefined || options.shrink === false)
    return { slice };
  return { slice, shrunk: shrunkTo(entry, result, options.shrink, output) };
}

function shrunkTo(
  { scenario, file, exported }: Entry,
  found: RunResult,
  wanted: string | true,
  { folder }: Output,
): NonNullable<Looked["shrunk"]> {
  const begin = performance.now();
  const { plan, result, runs } = shrink(scenario, found.plan, {
    stop: () => performance.now() - begin > shrinkMillis,
  });
  const { failure } = result;
  if (failure === null) throw cliError("KITH_CLI_WORKER", "What was shrunk does not fail.");
  const name =
    typeof wanted === "string" ? wanted : `${scenario.name}-${String(plan.seed)}.story.ts`;
  const target = path.resolve(folder, name);
  const relative = path.relative(path.dirname(target), file).split(path.sep).join("/");
  const from = relative.startsWith(".") ? relative : `./${relative}`;
  writeText(target, storyFile({ exported, from, plan, failure }));
  const recording = new Recording();
  runPlan(scenario, plan, { recording });
  const { faults, operations = [] } = plan;
  const text = [
    "",
    `Shrunk to ${decisionsOf(plan)} decisions on ${plan.nodes} nodes in ${runs} runs, as ${target}:`,
    ...faults.map((fault) => `  ${describeFault(fault)}`),
    ...operations.map(
      ({ at, node, caller, op, key, value }) =>
        `  at ${at} ms caller ${caller} asks n${node + 1} for ${op} ${key ?? ""} ${JSON.stringify(value) ?? ""}`,
    ),
    "What leads to it:",
    ...recording.slice().map((line) => `  ${line}`),
  ].join("\n");
  return { file: target, decisions: decisionsOf(plan), text };
}

function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = " ";
  for (const word of text.split(/\s+/)) {
    if (line.length + word.length > 95) {
      lines.push(line);
      line = " ";
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

function quoted(text: string): string {
  return /^[\w./@-]+$/.test(text) ? text : JSON.stringify(text);
}

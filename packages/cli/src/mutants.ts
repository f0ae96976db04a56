/**
 * The count of the planted bugs: each is hunted in several ranges of seeds, and the story of the first seed that finds it
 * is shrunk. The result is a page that is committed.
 *
 * `npm run mutants -- [--from 1,1001,2001,3001,4001] [--count 200] [--seconds 60] [--jobs N] [--out FILE] [scenario …]`
 */

import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { readArguments, wholeNumber } from "./arguments.ts";
import { cliError } from "./errors.ts";
import { runProgram } from "./failing.ts";
import type { FromHunter, Hunt, Hunted } from "./mutant-worker.ts";
import { commitOf, machine, table, writePage } from "./page.ts";
import { type PlantedBug, plantedBugs } from "./planted.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** What a story may have at most, to be small. */
const decisionsMax = 12;
const nodesMax = 4;

/** All that the page is about. */
interface Count {
  readonly bugs: readonly PlantedBug[];
  readonly results: readonly Hunted[];
  readonly missed: readonly Hunted[];
  readonly small: readonly Hunted[];
  readonly loud: readonly Hunted[];
  readonly ranges: readonly number[];
  readonly count: number;
  readonly seconds: number;
  readonly commit: string;
}

await runProgram(mutants);

async function mutants(): Promise<void> {
  const { values, positionals } = readArguments({
    options: {
      from: { type: "string", default: "1,1001,2001,3001,4001" },
      count: { type: "string", default: "200" },
      seconds: { type: "string", default: "60" },
      jobs: { type: "string", default: `${availableParallelism()}` },
      out: { type: "string", default: "bench/results/mutants.md" },
    },
    allowPositionals: true,
  });
  const ranges = values.from
    .split(",")
    .map((text) => wholeNumber(text, "a first seed", 0, 1_000_000_000));
  const count = wholeNumber(values.count, "a number of seeds", 1, 1_000_000);
  const seconds = wholeNumber(values.seconds, "a number of seconds", 1, 86_400);
  const jobs = wholeNumber(values.jobs, "a number of processes", 1, 999);
  const commit = commitOf(root);
  const bugs = await plantedBugs(root);
  const scenarios = [...new Set(bugs.map(({ scenario }) => scenario))];
  const stranger = positionals.find((name) => !scenarios.includes(name));
  if (stranger !== undefined)
    throw cliError(
      "KITH_CLI_SCENARIO",
      `No bug is planted for a scenario ${stranger}; there are ${scenarios.join(", ")}.`,
    );
  const waiting = [...bugs.keys()].filter(
    (bug) => positionals.length === 0 || positionals.includes(bugs[bug]?.scenario ?? ""),
  );
  const results: Hunted[] = [];
  await Promise.all(
    Array.from({ length: jobs }, async () => {
      // A process for each bug: nothing of one is left when the next is planted.
      for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
        const hunted = await hunt({ bug, ranges, count, seconds });
        results.push(hunted);
        console.log(
          [
            bugs[bug]?.scenario,
            bugs[bug]?.what,
            hunted.tried.map((n) => n ?? "never").join(" "),
          ].join(": "),
        );
      }
    }),
  );
  results.sort((a, b) => a.bug - b.bug);

  const missed = results.filter(({ tried }) => tried.includes(null));
  const small = results.filter(
    ({ story }) =>
      story !== null &&
      story.decisions <= decisionsMax &&
      story.nodes <= nodesMax &&
      story.isCalm &&
      story.cpuSeconds <= seconds,
  );
  const loud = results.filter(({ story }) => story?.isCalm === false);
  console.log(
    `${results.length} bugs, ${missed.length} missed in some range, ${small.length} shrunk; ${loud.length} stories fail without the bug.`,
  );
  const all: Count = { bugs, results, missed, small, loud, ranges, count, seconds, commit };
  writePage(root, values.out, page(all));
  if (missed.length > 0 || loud.length > 0 || small.length < 0.9 * results.length)
    process.exitCode = 1;
}

function hunt(what: Hunt): Promise<Hunted> {
  return new Promise((resolve, reject) => {
    const worker = fork(fileURLToPath(new URL("./mutant-worker.ts", import.meta.url)));
    worker.on("message", (message: FromHunter) => {
      if (message.kind === "hunted") resolve(message.hunted);
      else reject(cliError("KITH_CLI_WORKER", message.error));
      worker.disconnect();
    });
    worker.on("error", (cause) => reject(cliError("KITH_CLI_WORKER", cause.message, cause)));
    worker.on("exit", (code) =>
      reject(cliError("KITH_CLI_WORKER", `A process that hunted a bug ended with code ${code}.`)),
    );
    worker.send(what);
  });
}

function page({
  bugs,
  results,
  missed,
  small,
  loud,
  ranges,
  count,
  seconds,
  commit,
}: Count): string {
  const named = ({ bug }: Hunted): string[] => [bugs[bug]?.scenario ?? "", bugs[bug]?.what ?? ""];
  const rare = results.filter(({ bug }) => (bugs[bug]?.rareSteps ?? 0) >= 2);
  return `# Planted bugs

Made by \`npm run mutants\` at commit ${commit}, on ${machine()}.
Bugs are planted into copies of the examples (\`mutants.json\`) and into the simulated
providers (scenario \`contracts\`); each is hunted in ${ranges.length} ranges of ${count} seeds.

${results.length} bugs, ${rare.length} of which need two rare steps; ${results.length - missed.length} are found in every range.
${small.length} stories are shrunk to at most ${decisionsMax} decisions (faults and calls) and ${nodesMax} nodes within ${seconds} s of CPU time.
${loud.length === 0 ? "None of the stories fails" : `${loud.length} of the stories fail`} in that way where the bug is not planted.

## Seeds until it is found

The ranges by their first seeds; the number is that of the seed within the range.

${table(
  ["scenario", "bug", "rare steps", ...ranges.map((from) => `${from}`), "CPU ms per seed"],
  results.map((hunted) => [
    ...named(hunted),
    bugs[hunted.bug]?.rareSteps ?? 0,
    ...hunted.tried.map((number) => number ?? "never"),
    (hunted.cpuSecondsPerSeed * 1000).toFixed(0),
  ]),
)}

## Shrunk

The first seed that found it, shrunk for at most ${seconds} s of CPU time.

${table(
  ["scenario", "bug", "seed", "invariant", "decisions", "nodes", "runs", "seconds", "CPU seconds"],
  results.map((hunted) => {
    const { story } = hunted;
    if (story === null) return [...named(hunted), "–", "–", "–", "–", "–", "–", "–"];
    const { seed, invariant, decisions, nodes, runs } = story;
    const times = [story.seconds.toFixed(1), story.cpuSeconds.toFixed(1)];
    return [...named(hunted), seed, invariant, decisions, nodes, runs, ...times];
  }),
)}
`;
}

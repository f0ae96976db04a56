/**
 * `npm run chaos --workspace @kith/cli`: two minutes of it, one of five killed every ten seconds and started after three, and what came
 * of them. `--seconds N`, `--every N`, `--acknowledged N` (20,000), `--people N` (16) take other amounts, `--history FILE` keeps the
 * history. It bears the name of a test so that it is not published; without `--run` it does nothing.
 */

import { writeFileSync } from "node:fs";
import { formatHistory } from "@kith/testing/history";
import { readArguments, wholeNumber } from "../arguments.ts";
import { runProgram } from "../failing.ts";
import { bundleKith } from "../kith-kit.test.ts";
import { judge, runChaos } from "./chaos-kit.test.ts";

if (process.argv[2] === "--run") await runProgram(chaos);

async function chaos(): Promise<void> {
  const { values } = readArguments({
    options: {
      run: { type: "boolean" },
      seconds: { type: "string", default: "120" },
      every: { type: "string", default: "10" },
      acknowledged: { type: "string", default: "20000" },
      people: { type: "string", default: "16" },
      history: { type: "string" },
    },
  });
  const { program, remove } = await bundleKith();
  try {
    const result = await runChaos({
      command: [program],
      duration: wholeNumber(values.seconds, "a number of seconds", 1, 86_400) * 1000,
      acknowledged: wholeNumber(values.acknowledged, "a number of answers", 0, 1e9),
      every: wholeNumber(values.every, "a number of seconds", 1, 3600) * 1000,
      restartAfter: 3000,
      people: wholeNumber(values.people, "a number of people", 1, 1000),
      told: (what) => console.log(what),
    });
    const { history, counters, recoveries, ...facts } = result;
    if (values.history !== undefined) writeFileSync(values.history, formatHistory(history));
    const sorted = [...recoveries].sort((a, b) => a - b);
    console.log({
      ...facts,
      counters,
      "until every key was served, ms": {
        median: Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0),
        most: Math.round(sorted.at(-1) ?? 0),
      },
    });
    const problems = judge(result);
    console.log(
      problems.length === 0 ? "strictly serializable, and no count is lost" : problems.join("\n"),
    );
    if (problems.length > 0) process.exitCode = 1;
  } finally {
    remove();
  }
}

/**
 * `npm run chaos --workspace @kith/example-store`: two minutes of it, and what came of them. `--seconds N` takes another
 * time, `--pause N` lets members stand still for other seconds, `--answers N`
 * waits for other than 20,000 answers, `--people N` lets so many ask at a time, `--history FILE` keeps the history.
 */

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bundled } from "@kith/testing/bundling";
import { formatHistory } from "@kith/testing/history";
import { judge } from "./judge.ts";
import { runChaos } from "./chaos.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "120" },
    pause: { type: "string", default: "20" },
    answers: { type: "string", default: "20000" },
    people: { type: "string", default: "64" },
    history: { type: "string" },
  },
});
const bundle = await bundled(fileURLToPath(new URL("main.ts", import.meta.url)));
const { history, ...facts } = await runChaos({
  program: bundle.program,
  people: Number(values.people),
  duration: Number(values.seconds) * 1000,
  answers: Number(values.answers),
  every: 6000,
  pause: Number(values.pause) * 1000,
  told: (what) => console.log(what),
}).finally(() => bundle.remove());
if (values.history !== undefined) writeFileSync(values.history, formatHistory(history));
const problems = judge(history);
console.log({
  ...facts,
  "unknown %": (facts.unknown * 100) / (facts.unknown + facts.acknowledged),
});
console.log(problems.length === 0 ? "strictly serializable" : problems.join("\n"));
const isTooUnclear = facts.unknown * 20 > facts.unknown + facts.acknowledged;
if (problems.length > 0 || facts.servedByFew > 0 || isTooUnclear) process.exitCode = 1;

/**
 * `npm run chaos --workspace @kith/example-group`: two minutes of it, and what came of them. `--seconds N` takes another
 * time, `--every N` other seconds between two faults, `--history FILE` keeps the history.
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { checkRegisters, formatHistory } from "@kith/testing/history";
import { runChaos } from "./chaos.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "120" },
    every: { type: "string", default: "4" },
    history: { type: "string" },
  },
});
const { history, failovers, ...facts } = await runChaos({
  duration: Number(values.seconds) * 1000,
  every: Number(values.every) * 1000,
  told: (what) => console.log(what),
});
if (values.history !== undefined) writeFileSync(values.history, formatHistory(history));
const { verdict, ...why } = checkRegisters(history);
const sorted = [...failovers].sort((a, b) => a - b);
console.log(facts);
console.log("ms from a kill of the leader to the next acknowledged write", {
  median: sorted[sorted.length >> 1],
  longest: sorted.at(-1),
});
console.log(`linearizable: ${verdict}`, why);
if (verdict !== "valid") process.exitCode = 1;

/**
 * `npm run bench [SUITE …] [-- --rounds N] [--save FILE]`: builds the packages, runs each case in
 * processes of its own, interleaved, and prints the medians as a table, with the commit and the
 * machine. What matters is the ratio to the first case of a suite, measured in the same run.
 */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { suites } from "./suites.ts";
import { type Measured, median } from "./harness.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "7" }, save: { type: "string" } },
});
const rounds = Number(values.rounds);
const wanted = positionals.length === 0 ? Object.keys(suites) : positionals;
for (const suite of wanted)
  if (suites[suite] === undefined)
    throw new Error(`there is no suite ${suite}: ${Object.keys(suites).join(", ")}`);

const top = fileURLToPath(new URL("../..", import.meta.url));
execFileSync("npx", ["tsc", "-b", "bench/tsconfig.build.json"], { cwd: top, stdio: "inherit" });
const child = fileURLToPath(new URL("../dist/child.js", import.meta.url));

const runs = new Map<string, Measured[]>();
for (let round = 0; round < rounds; round++) {
  for (const suite of wanted) {
    for (const name of Object.keys(suites[suite] ?? {})) {
      process.stderr.write(`\rround ${round + 1} of ${rounds}: ${suite} / ${name}`.padEnd(79));
      const heap = suites[suite]?.[name]?.heapMegabytes;
      const flags = heap === undefined ? [] : [`--max-old-space-size=${heap}`];
      const args = ["--expose-gc", ...flags, child, suite, name];
      const key = `${suite}/${name}`;
      // What fails costs its own row alone: the others may have taken an hour.
      try {
        const measured: Measured = JSON.parse(
          execFileSync(process.execPath, args, { encoding: "utf8" }),
        );
        runs.set(key, [...(runs.get(key) ?? []), measured]);
      } catch (error) {
        console.error(`\n${key} failed:`, error);
        process.exitCode = 1;
      }
    }
  }
}
process.stderr.write(`\r${"".padEnd(79)}\r`);

const git = (...args: string[]): string =>
  execFileSync("git", args, { cwd: top, encoding: "utf8" }).trim();
const dirty =
  git("status", "--porcelain", "--", "packages", "bench/src") === ""
    ? ""
    : ", with uncommitted changes";
const lines = [
  `commit ${git("rev-parse", "--short", "HEAD")}${dirty}; Node ${process.versions.node}; ${cpus().length} × ${cpus()[0]?.model ?? "?"}`,
  `${rounds} interleaved rounds, a process for each case and round; median CPU time (wall time) in ns, and the ratio of CPU time to the first row`,
];
for (const suite of wanted) {
  lines.push(
    "",
    `## ${suite}`,
    "",
    "| case | per | CPU ns | wall ns | ratio | |",
    "| --- | --- | --- | --- | --- | --- |",
  );
  const names = Object.keys(suites[suite] ?? {});
  const first = runs.get(`${suite}/${names[0]}`) ?? [];
  for (const name of names) {
    const all = runs.get(`${suite}/${name}`) ?? [];
    if (all.length === 0) {
      lines.push(`| ${name} | | | | | failed |`);
      continue;
    }
    const cpu = median(all.map((one) => one.cpuNs));
    // Rounds are paired, so that a slow moment of the machine drops out of the ratio.
    const ratio = median(all.map((one, i) => one.cpuNs / (first[i]?.cpuNs ?? NaN)));
    const facts = Object.keys(all[0]?.facts ?? {}).map(
      (fact) => `${fact}: ${median(all.map((one) => one.facts[fact] ?? NaN))}`,
    );
    lines.push(
      `| ${name} | ${all[0]?.unit ?? ""} | ${show(cpu)} | ${show(median(all.map((one) => one.wallNs)))} | ${ratio.toFixed(2)} | ${facts.join(", ")} |`,
    );
  }
}
console.log(lines.join("\n"));
if (values.save !== undefined) writeFileSync(values.save, `${lines.join("\n")}\n`);

function show(ns: number): string {
  return ns >= 100 ? Math.round(ns).toLocaleString("en") : ns.toFixed(1);
}

/**
 * `npm run soak -- [--minutes 10] [--rate 1000] [--save FILE]`: four processes on loopback send each other
 * messages, write to their disks, and tell how much memory they use, every ten seconds after a full
 * garbage collection. Each minute one of them (not the first) is killed with -9 and started again.
 * Flat means: the median of the first process's last third lies within 10 % of that of its second third.
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bindAddress } from "@kith/network/host";
import { median } from "../harness.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    rate: { type: "string", default: "1000" },
    save: { type: "string" },
  },
});
const everySeconds = 10;
const minutes = Number(values.minutes);
const top = fileURLToPath(new URL("../../..", import.meta.url));
execFileSync("npx", ["tsc", "-b", "bench/tsconfig.build.json"], { cwd: top, stdio: "inherit" });
const program = fileURLToPath(new URL("../../dist/soak/node.js", import.meta.url));

const data = mkdtempSync(join(tmpdir(), "kith-soak-"));
const bound = await Promise.all([0, 1, 2, 3].map(() => bindAddress()));
const addresses = bound.map(({ host, port }) => `${host}:${port}`);
for (const one of bound) one.close();

type Report = Record<string, number>;
const reports: Report[][] = [[], [], [], []];
const children: (ChildProcess | undefined)[] = [];
const kills = [0, 0, 0, 0];
let ending = false;

function begin(index: number): void {
  const child = spawn(
    process.execPath,
    [
      ...["--expose-gc", program, "--listen", addresses[index] ?? ""],
      ...["--data", join(data, `${index}`), "--rate", values.rate],
      ...["--others", addresses.filter((_, other) => other !== index).join()],
      ...["--every", `${everySeconds}`],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  children[index] = child;
  createInterface(child.stdout).on("line", (line) => {
    const report: Report = JSON.parse(line);
    reports[index]?.push(report);
    if (index === 0) process.stderr.write(`${reports[0]?.length}: ${line}\n`);
  });
  child.on("exit", (code, signal) => {
    if (ending) return;
    if (signal === "SIGKILL") begin(index);
    else throw new Error(`process ${index} ended with ${code ?? signal}`);
  });
}

for (const index of [0, 1, 2, 3]) begin(index);
let victim = 0;
const killing = setInterval(() => {
  victim = (victim % 3) + 1;
  kills[victim] = (kills[victim] ?? 0) + 1;
  children[victim]?.kill("SIGKILL");
}, 60_000);
await new Promise((resolve) => setTimeout(resolve, minutes * 60_000));
clearInterval(killing);
ending = true;
for (const child of children) {
  if (child === undefined || child.exitCode !== null) continue;
  child.kill("SIGTERM");
  await once(child, "exit");
}
rmSync(data, { recursive: true });

const git = (...args: string[]): string =>
  execFileSync("git", args, { cwd: top, encoding: "utf8" }).trim();
const first = reports[0] ?? [];
const third = Math.floor(first.length / 3);
const parts = [first.slice(0, third), first.slice(third, 2 * third), first.slice(2 * third)];
const lines = [
  "# Soak: four processes on loopback",
  "",
  `commit ${git("rev-parse", "--short", "HEAD")}; Node ${process.versions.node}; ${cpus().length} × ${cpus()[0]?.model ?? "?"}`,
  "",
  `${minutes} minutes; each process asks ${values.rate} questions a second of 100 bytes, writes a durable batch each 10 ms; ${kills.join(", ")} kills with -9 of the four. The first process, medians of each third, after a full garbage collection:`,
  "",
  "| | heap MB | external MB | RSS MB |",
  "| --- | --- | --- | --- |",
  ...parts.map((part, i) => {
    const of = (name: string) => (median(part.map((one) => one[name] ?? NaN)) / 2 ** 20).toFixed(1);
    return `| third ${i + 1} | ${of("heapUsed")} | ${of("external")} | ${of("rss")} |`;
  }),
  "",
  `At its end: ${Object.entries(first.at(-1) ?? {})
    .filter(([name]) => !["rss", "heapUsed", "external"].includes(name))
    .map(([name, value]) => `${name} ${value.toLocaleString("en")}`)
    .join(", ")}.`,
];
const growth = ["heapUsed", "rss"].map((name) => {
  const of = (part: readonly Report[] = []) => median(part.map((one) => one[name] ?? NaN));
  return of(parts[2]) / of(parts[1]);
});
const flat = growth.every((factor) => factor <= 1.1);
lines.push(
  "",
  `Growth from the second third to the last one: heap ${((growth[0] ?? NaN) * 100 - 100).toFixed(1)} %, RSS ${((growth[1] ?? NaN) * 100 - 100).toFixed(1)} %: ${flat ? "flat" : "not flat"} (limit 10 %).`,
);
console.log(lines.join("\n"));
if (values.save !== undefined) writeFileSync(values.save, `${lines.join("\n")}\n`);
if (!flat) process.exitCode = 1;

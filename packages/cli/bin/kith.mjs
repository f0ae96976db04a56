#!/usr/bin/env node
// The kith command. Runs what was built, or else the sources, so that it works right after `npm ci`.
// Scenario files are TypeScript: they are loaded by tsx, where that is installed.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const built = new URL("../dist/main.js", import.meta.url);
const source = new URL("../src/main.ts", import.meta.url);
const isBuilt = existsSync(built);
const args = [];
try {
  args.push("--import", import.meta.resolve("tsx"));
} catch {
  if (!isBuilt) {
    console.error("kith has not been built, and tsx, which runs its sources, is not installed.");
    process.exit(1);
  }
}
if (!isBuilt) args.push("--conditions", "source");
args.push(fileURLToPath(isBuilt ? built : source), ...process.argv.slice(2));

const child = spawn(process.execPath, args, { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 1;
});

#!/usr/bin/env node
// The kith command. In the repository it runs the sources, built or not: what was built may be old. Where
// it was installed, it runs what was built. TypeScript files, such as scenarios, are loaded by tsx, where
// that is there.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const built = new URL("../dist/main.js", import.meta.url);
const source = new URL("../src/main.ts", import.meta.url);
const isInstalled = fileURLToPath(import.meta.url).includes(`${path.sep}node_modules${path.sep}`);
let isBuilt = existsSync(built);
const args = [];
try {
  args.push("--import", import.meta.resolve("tsx"));
  isBuilt &&= isInstalled;
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

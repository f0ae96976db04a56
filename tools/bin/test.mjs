// `npm test`: the checks of the whole house and the tests of every package, through turbo's cache.
// Arguments go to turbo: `npm test -- --force` runs all of it again, `--filter=@kith/core` a part.
//
// The last line is `N passed, N failed`, summed over the result files that `bin/mocha.mjs` leaves. Before it stands
// what failed and why, so that the end of a log tells the cause.
// turbo restores these files on a cache hit, so that a cached run counts like the run it repeats.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { told } from "./failures.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const RESULT_FILES = { test: ".test-result.json", house: ".house-result.json" };

const env = {
  ...process.env,
  TURBO_TELEMETRY_DISABLED: "1",
  TURBO_NO_UPDATE_NOTIFIER: "1",
  DO_NOT_TRACK: "1",
};
const args = process.argv.slice(2);
const partial = args.some((argument) => argument.startsWith("--filter") || argument === "-F");

const expected = tasks();
for (const { file } of expected) fs.rmSync(file, { force: true });

const turbo = spawnSync(
  path.join(root, "node_modules/.bin/turbo"),
  [
    "run",
    ...Object.keys(RESULT_FILES),
    "--continue=always",
    "--output-logs=new-only",
    "--log-order=grouped",
    "--concurrency=100%",
    ...args,
  ],
  { cwd: root, stdio: "inherit", env },
);
if (turbo.error) console.log(`turbo did not start: ${turbo.error.message}`);

let passed = 0;
let failed = 0;
const red = [];
const results = [];
for (const { name, file } of expected) {
  const counts = read(file);
  if (counts === undefined && partial) continue;
  results.push({ name, failures: counts?.failures });
  passed += counts?.passed ?? 0;
  failed += counts?.failed ?? 1;
  if (counts === undefined) red.push(`${name}: no result, its task did not run or died`);
  else if (counts.failed > 0) red.push(`${name}: ${counts.failed} failed`);
}
if (turbo.status !== 0 && failed === 0) {
  failed = 1;
  red.push(`turbo ended with code ${turbo.status ?? turbo.signal}`);
}

for (const line of [...told(results), ...red]) console.log(line);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/** Every task that must leave a result file, found by the scripts of the workspaces. */
function tasks() {
  const folders = ["packages", "examples"].flatMap((parent) => children(parent));
  return [...folders, "tools", "bench"].flatMap((folder) => {
    const manifest = read(path.join(root, folder, "package.json"));
    return Object.entries(RESULT_FILES)
      .filter(([task]) => manifest?.scripts?.[task])
      .map(([task, file]) => ({ name: `${folder} ${task}`, file: path.join(root, folder, file) }));
  });
}

function children(parent) {
  const folder = path.join(root, parent);
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder).map((child) => path.join(parent, child));
}

function read(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

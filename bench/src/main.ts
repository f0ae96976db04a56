// `npm run bench`: runs every `*.bench.ts` beside this file, each in a process of its own, one after
// the other, so that none warms up or fills the heap of another.
//
// `npm run bench -- swap ping` runs those whose name contains one of the words. What a benchmark
// prints on standard output is its report; a code other than 0 fails the whole run.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const folder = path.dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2);
const wanted = fs
  .readdirSync(folder)
  .filter((file) => file.endsWith(".bench.ts"))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .toSorted();

if (wanted.length === 0) console.log(`no benchmark matches ${words.join(" ") || "*.bench.ts"}`);
for (const file of wanted) {
  console.log(`\n${file.slice(0, -".bench.ts".length)}`);
  const run = spawnSync(
    process.execPath,
    ["--expose-gc", "--import", "tsx", "--conditions", "source", path.join(folder, file)],
    { stdio: "inherit" },
  );
  if (run.status !== 0) process.exitCode = 1;
}

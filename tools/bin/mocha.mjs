// Runs the mocha tests of the package in whose folder it is started: `node ../../tools/bin/mocha.mjs`.
// Arguments go to mocha (`--grep swap`). With `--config <file>` another configuration than
// `.mocharc.json` is read.
//
// It guarantees a result file, whatever happens to the test process: a package without tests has
// 0 passed and 0 failed, a test process that dies before its end has one failed.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const RUN_MS_MAX = 15 * 60_000;

const given = process.argv.slice(2);
const at = given.indexOf("--config");
const configFile = at >= 0 ? given[at + 1] : ".mocharc.json";
const config = JSON.parse(fs.readFileSync(configFile, "utf8"));
const options = [config["reporter-option"] ?? []].flat();
const resultFile = options.find((o) => o.startsWith("file="))?.slice(5) ?? ".test-result.json";

fs.rmSync(resultFile, { force: true });

const folder = config.spec.split("/")[0];
if (!hasTests(folder)) {
  console.log(`no tests in ${folder}`);
  write({ passed: 0, failed: 0, pending: 0 });
  process.exit(0);
}

// The configuration is unfolded into arguments, because mocha would start a second process for
// the loader's flags in a configuration file.
const { spec, "node-option": nodeOptions = [], ...rest } = config;
const wanted = dropConfig(given);
const run = spawnSync(
  process.execPath,
  [
    ...[nodeOptions].flat().map((option) => `--${option}`),
    path.join(
      path.dirname(createRequire(import.meta.url).resolve("mocha/package.json")),
      "bin/mocha.js",
    ),
    "--no-config",
    ...Object.entries(rest).flatMap(([key, value]) => [value].flat().map((v) => `--${key}=${v}`)),
    ...(process.env.CI ? ["--forbid-only"] : []),
    ...wanted,
    ...(wanted.some((argument) => argument.endsWith(".test.ts")) ? [] : [spec]),
  ],
  { stdio: "inherit", timeout: RUN_MS_MAX, killSignal: "SIGKILL" },
);

const result = read();
const ended = run.signal ? `by ${run.signal}` : `with code ${run.status}`;
if (result === undefined) {
  fail(`the test process ended ${ended} before the end of the tests`, { passed: 0, pending: 0 });
} else if (run.status !== 0 && result.failed === 0) {
  fail(`the test process ended ${ended} after its tests`, result);
}
process.exit(read().failed > 0 ? 1 : 0);

function hasTests(dir) {
  if (!fs.existsSync(dir)) return false;
  return fs.readdirSync(dir, { recursive: true }).some((f) => f.endsWith(".test.ts"));
}

function dropConfig(args) {
  return at >= 0 ? args.filter((_, i) => i !== at && i !== at + 1) : args;
}

function read() {
  try {
    return JSON.parse(fs.readFileSync(resultFile, "utf8"));
  } catch {
    return undefined;
  }
}

function fail(title, counts) {
  console.log(`${title}: 1 failed`);
  write({ ...counts, failed: 1, failures: [{ title, error: [] }] });
}

function write(counts) {
  fs.writeFileSync(resultFile, JSON.stringify(counts));
}

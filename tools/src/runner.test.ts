import { expect } from "chai";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { plant, uproot } from "./repository.ts";
import { ROOT } from "./source.ts";

interface Outcome {
  readonly code: number | null;
  readonly output: string;
  readonly counts: unknown;
}

/**
 * Runs `bin/mocha.mjs` in a package with one test file, or none.
 *
 * @param lingerMs how long the process may go on; long, unless it is to be caught: the machine may be busy
 */
function run(test?: string, lingerMs = 60_000): Outcome {
  const root = plant(
    {
      ".mocharc.json": JSON.stringify({
        "node-option": ["import=tsx", "conditions=source"],
        reporter: "../../bin/reporter.mjs",
        "reporter-option": [`linger=${lingerMs}`],
        spec: "src/**/*.test.ts",
      }),
      ".test-result.json": '{ "passed": 1000, "failed": 0, "pending": 0 }',
      ...(test === undefined ? {} : { "src/deep/a.test.ts": test }),
    },
    path.join(ROOT, "tools/.tmp"),
  );
  try {
    const runner = path.join(ROOT, "tools/bin/mocha.mjs");
    const { status, stdout, stderr } = spawnSync(process.execPath, [runner], {
      cwd: root,
      encoding: "utf8",
    });
    const counts = JSON.parse(fs.readFileSync(path.join(root, ".test-result.json"), "utf8"));
    return { code: status, output: stdout + stderr, counts };
  } finally {
    uproot(root);
  }
}

const good = 'it("good", () => {});\n';

describe("the test runner", () => {
  it("counts what passes, fails and is pending", () => {
    const { code, counts } = run(
      `${good} it("bad", () => { throw new Error("x"); }); it("later");`,
    );
    expect(counts).to.deep.equal({ passed: 1, failed: 1, pending: 1 });
    expect(code).to.equal(1);
  });

  it("gives code 0 where all passes", () => {
    const { code, counts } = run(good);
    expect(counts).to.deep.equal({ passed: 1, failed: 0, pending: 0 });
    expect(code).to.equal(0);
  });

  it("takes a package without tests as it is", () => {
    const { code, counts } = run();
    expect(counts).to.deep.equal({ passed: 0, failed: 0, pending: 0 });
    expect(code).to.equal(0);
  });

  it("counts a promise that nobody handles, though its test passes", () => {
    const { code, output, counts } = run(
      `${good} it("lost", () => { Promise.reject(new Error("nobody")); });`,
    );
    expect(counts).to.deep.equal({ passed: 2, failed: 1, pending: 0 });
    expect(output).to.contain("unhandled rejection: Error: nobody");
    expect(code).to.equal(1);
  });

  it("counts one that is rejected after the last test", () => {
    const { counts } = run(
      `${good} after(() => { setTimeout(() => Promise.reject(new Error("late")), 50); });`,
    );
    expect(counts).to.deep.equal({ passed: 1, failed: 1, pending: 0 });
  });

  it("does not count one that is handled in time", () => {
    const { counts } = run(
      'it("late", async () => { const p = Promise.reject(new Error("x")); await new Promise((go) => setTimeout(go, 5)); await p.catch(() => {}); });',
    );
    expect(counts).to.deep.equal({ passed: 1, failed: 0, pending: 0 });
  });

  it("counts a process that ends before its tests do", () => {
    const { code, output, counts } = run(`${good} it("exits", () => process.exit(0));`);
    expect(counts).to.deep.equal({ passed: 0, failed: 1, pending: 0 });
    expect(output).to.contain("before the end of the tests");
    expect(code).to.equal(1);
  });

  it("counts a file that cannot be loaded", () => {
    const { counts } = run('throw new Error("at load");');
    expect(counts).to.deep.equal({ passed: 0, failed: 1, pending: 0 });
  });

  it("counts a process that ends badly after its tests", () => {
    const { counts } = run(
      `${good} after(() => { setTimeout(() => { throw new Error("late"); }, 50); });`,
    );
    expect(counts).to.deep.equal({ passed: 1, failed: 1, pending: 0 });
  });

  it("ends a process that does not end by itself", () => {
    const { output, counts } = run(`${good} after(() => { setInterval(() => {}, 1000); });`, 300);
    expect(counts).to.deep.equal({ passed: 1, failed: 1, pending: 0 });
    expect(output).to.match(/still running after the last test, held by: .*Timeout/);
  });
});

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
  readonly failures: readonly Failure[];
}

interface Failure {
  readonly title: string;
  readonly error: readonly string[];
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
    const result = fs.readFileSync(path.join(root, ".test-result.json"), "utf8");
    const { failures = [], ...counts } = JSON.parse(result);
    return { code: status, output: stdout + stderr, counts, failures };
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

describe("what is told of a failure", () => {
  it("is its title, its message, what was found, and the place", () => {
    const { failures } = run(`import { expect } from "chai";
      describe("suite", () => {
        it("values", () => expect([{ n: 1 }], "seed 17").deep.equal([{ n: 2 }]));
        it("kinds", () => expect({ invariant: "linearizable" }, "seed 18").equal(null));
      });
      describe("hook", () => { before(() => { throw new RangeError("two\\nlines"); }); it("x", () => {}); });`);
    const place = /^at .*deep\/a\.test\.ts:\d+/;
    const [values, kinds, hook] = failures;
    expect(failures.map(({ title }) => title)).deep.equal([
      "suite > values",
      "suite > kinds",
      'hook > "before all" hook for "x"',
    ]);
    expect(values?.error.join("\n")).match(/seed 17.*\n(.*\n)*- +"n": 1\n\+ +"n": 2\n/);
    expect(kinds?.error.slice(0, 2).join("\n")).match(/seed 18.*\n{ invariant: 'linearizable' }/);
    expect(hook?.error.slice(0, 2)).deep.equal(["RangeError: two", "lines"]);
    for (const { error } of failures) expect(error.at(-1)).match(place);
  });

  it("is bounded in lines and in their length, and keeps the place", () => {
    const { failures } = run(
      'it("long", () => { throw new Error(Array(1000).fill("x".repeat(1000)).join("\\n")); });',
    );
    const [{ error } = { error: [] }] = failures;
    expect(error).length(15);
    for (const line of error) expect(line.length).below(410);
    expect(error.at(-1)).contain("a.test.ts");
  });

  it("is there for a promise, a process that lingers, and one that dies", () => {
    const lost = run(`${good} it("lost", () => { Promise.reject(new Error("nobody")); });`);
    expect(lost.failures[0]?.title).equal("a promise that nobody handled");
    expect(lost.failures[0]?.error[0]).equal("Error: nobody");
    const { failures } = run(`${good} it("exits", () => process.exit(0));`);
    expect(failures[0]?.title).match(/ended with code 0 before the end of the tests/);
  });
});

describe("npm test", () => {
  /** Runs `bin/test.mjs` in a repository of its own, where turbo is a program that leaves these result files. */
  function wholeRun(results: Readonly<Record<string, unknown>>): string[] {
    const files: Record<string, string> = {};
    for (const bin of ["test.mjs", "failures.mjs"])
      files[`tools/bin/${bin}`] = fs.readFileSync(path.join(ROOT, "tools/bin", bin), "utf8");
    const manifest = JSON.stringify({ scripts: { test: "x" } });
    for (const name of Object.keys(results)) files[`packages/${name}/package.json`] = manifest;
    files["turbo.mjs"] = `import fs from "node:fs";
      console.log("long output of turbo");
      for (const [name, result] of Object.entries(${JSON.stringify(results)}))
        if (result !== null) fs.writeFileSync("packages/" + name + "/.test-result.json", JSON.stringify(result));`;
    files["node_modules/.bin/turbo"] = `#!/bin/sh\nexec "${process.execPath}" turbo.mjs\n`;
    const root = plant(files, path.join(ROOT, "tools/.tmp"));
    try {
      fs.chmodSync(path.join(root, "node_modules/.bin/turbo"), 0o755);
      const { stdout } = spawnSync(process.execPath, [path.join(root, "tools/bin/test.mjs")], {
        encoding: "utf8",
      });
      return stdout.trimEnd().split("\n");
    } finally {
      uproot(root);
    }
  }

  const green = { passed: 3, failed: 0, pending: 0 };

  it("ends with the counts, and before them with what failed, of which package, and why", () => {
    const failures = [{ title: "suite > values", error: ["Error: seed 17", "at x.ts:1"] }];
    const lines = wholeRun({ good: green, bad: { ...green, failed: 1, failures }, dead: null });
    expect(lines).deep.equal([
      "long output of turbo",
      "",
      "packages/bad test: suite > values",
      "    Error: seed 17",
      "    at x.ts:1",
      "",
      "packages/bad test: 1 failed",
      "packages/dead test: no result, its task did not run or died",
      "6 passed, 2 failed",
    ]);
  });

  it("tells nothing but the counts where all passes", () => {
    expect(wholeRun({ good: green })).deep.equal(["long output of turbo", "3 passed, 0 failed"]);
  });

  it("tells of twenty, and how many more there are", () => {
    const failures = Array.from({ length: 30 }, (_, i) => ({ title: `t${i}`, error: ["Error"] }));
    const lines = wholeRun({ bad: { ...green, failed: 30, failures } });
    expect(lines.filter((line) => line.startsWith("packages/bad test: t"))).length(20);
    expect(lines).contain("10 more failed");
  });
});

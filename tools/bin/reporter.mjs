// The mocha reporter of every package. It prints what mocha's `spec` prints, and leaves the counts, and
// what failed and why, in a file for `bin/test.mjs`.
//
// It exists because mocha 12 lets a test pass that leaves a rejected promise behind. Here each
// promise that nobody handles counts as one failure, whenever it comes, also after the last test.
// A process that does not end by itself after its last test (an open socket, a running timer) is
// ended, and counts as one failure too.

import fs from "node:fs";
import Mocha from "mocha";
import { failureOf, linesOf } from "./failures.mjs";

/** How long a process may go on after its last test; `linger=<ms>` as reporter option changes it. */
const LINGER_MS = 30_000;

/** Promises that were rejected and have no handler, with their reasons. */
const unhandled = new Map();
process.on("unhandledRejection", (reason, promise) => unhandled.set(promise, reason));
process.on("rejectionHandled", (promise) => unhandled.delete(promise));

export default class Reporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const { file = ".test-result.json", linger = LINGER_MS } = options.reporterOption ?? {};
    let ended = false;
    let lingered = 0;
    const failures = [];

    runner.on(Mocha.Runner.constants.EVENT_TEST_FAIL, (test, error) => {
      failures.push(failureOf(test, error));
    });
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      ended = true;
      write();
      setTimeout(() => {
        lingered = 1;
        console.log(`  still running after the last test, held by: ${held()}`);
        process.exit(1);
      }, Number(linger)).unref();
    });

    // No file is written before the end: whoever finds none knows that the run died early. It is
    // written again on exit, when the last rejection is known; a process may die before that.
    process.on("exit", () => {
      if (!ended) return;
      for (const reason of unhandled.values()) console.log("  unhandled rejection:", reason);
      if (write() > 0) process.exitCode ||= 1;
    });

    const write = () => {
      const { passes: passed, pending } = this.stats;
      const failed = this.stats.failures + unhandled.size + lingered;
      const rejections = [...unhandled.values()].map((reason) => ({
        title: "a promise that nobody handled",
        error: linesOf(reason),
      }));
      const late = { title: "the process went on after its last test", error: [] };
      const all = [...failures, ...rejections, ...(lingered > 0 ? [late] : [])];
      const counts = { passed, failed, pending };
      fs.writeFileSync(file, JSON.stringify(failed > 0 ? { ...counts, failures: all } : counts));
      return failed;
    };
  }
}

function held() {
  return process.getActiveResourcesInfo().join(", ") || "nothing that node knows of";
}

// The mocha reporter of every package. It prints what mocha's `spec` prints, and leaves the counts
// in a file that `bin/test.mjs` adds up.
//
// It exists because mocha 12 lets a test pass that leaves a rejected promise behind. Here each
// promise that nobody handles counts as one failure, whenever it comes, also after the last test.
// A process that does not end by itself after its last test (an open socket, a running timer) is
// ended, and counts as one failure too.

import fs from "node:fs";
import Mocha from "mocha";

const LINGER_MS = 5_000;

/** Promises that were rejected and have no handler, with their reasons. */
const unhandled = new Map();
process.on("unhandledRejection", (reason, promise) => unhandled.set(promise, reason));
process.on("rejectionHandled", (promise) => unhandled.delete(promise));

export default class Reporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const file = options.reporterOption?.file ?? ".test-result.json";
    let ended = false;
    let lingered = 0;

    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      ended = true;
      setTimeout(() => {
        lingered = 1;
        console.log(`  still running after the last test, held by: ${held()}`);
        process.exit(1);
      }, LINGER_MS).unref();
    });

    // Without `ended` no file is written: whoever reads it then knows that the run died early.
    process.on("exit", () => {
      if (!ended) return;
      for (const reason of unhandled.values()) {
        console.log("  unhandled rejection:", reason);
      }
      const failed = this.stats.failures + unhandled.size + lingered;
      const { passes: passed, pending } = this.stats;
      fs.writeFileSync(file, JSON.stringify({ passed, failed, pending }));
      if (failed > 0) process.exitCode ||= 1;
    });
  }
}

function held() {
  return process.getActiveResourcesInfo().join(", ") || "nothing that node knows of";
}

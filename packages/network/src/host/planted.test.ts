/**
 * Tests of the tests: bugs planted into the switchboard and the pure parts around it, each of which a suite has to
 * catch. A suite is bundled with the planted text in place of the true one, and run by itself; without a bug it
 * passes, so that it is the bug which is caught.
 *
 * Where the text has changed, plant the same mistake in the new one.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { build } from "esbuild";

interface Bug {
  readonly what: string;
  readonly file: string;
  readonly text: string;
  readonly planted: string;
  /** The suite that has to fail. */
  readonly suite: string;
}

const bugs: readonly Bug[] = [
  {
    what: "a queue has no bound",
    file: "send-queue.ts",
    text: "if (count >= queueMessagesMax) return false;",
    planted: "",
    suite: "send-queue.test.ts",
  },
  {
    what: "the caller's proof is not looked at",
    file: "handshake.ts",
    text: 'if (!sameProof(greeting.proof, prove(secret, "caller", hello, challenge)))',
    planted: "if (false)",
    suite: "handshake.test.ts",
  },
  {
    what: "signs of life are not heard",
    file: "pulse.ts",
    text: "if (call.heard) call.heardAt = now;",
    planted: "",
    suite: "board.test.ts",
  },
  {
    what: "pauses are always the same",
    file: "board.ts",
    text: "(0.5 + (this.traffic.sink?.draw() ?? 0.5) / 2)",
    planted: "1",
    suite: "board.test.ts",
  },
  {
    what: "pauses do not grow",
    file: "board.ts",
    text: "backOffMs * 2 ** Math.min(30, link.failures - 1)",
    planted: "backOffMs",
    suite: "board.test.ts",
  },
  {
    what: "pauses never begin anew",
    file: "board.ts",
    text: "if (orderly || now - call.upAt > limits.backOffMsMax) link.failures = 0;",
    planted: "if (false) link.failures = 0;",
    suite: "board.test.ts",
  },
  {
    what: "both wait for each other",
    file: "board.ts",
    text: "if (dial !== null && this.#name < name) {",
    planted: "if (dial !== null) {",
    suite: "board-race.test.ts",
  },
  {
    what: "a late call takes the place of the connection",
    file: "board.ts",
    text: "met.peer.incarnation === before && met.attempt < (old.met?.attempt ?? 0)",
    planted: "met.attempt < 0",
    suite: "board-race.test.ts",
  },
  {
    what: "a call that gives way counts as a failure",
    file: "board.ts",
    text: 'link.dial = null; this.end(dial, farewell.duplicate, "");',
    planted: 'this.end(dial, farewell.duplicate, "");',
    suite: "board.test.ts",
  },
  {
    what: "an old life gets in",
    file: "board.ts",
    text: "if (met.peer.incarnation < link.life) {",
    planted: "if (met.peer.incarnation < 0) {",
    suite: "board.test.ts",
  },
  {
    what: "what waits is lost with an end in peace",
    file: "board.ts",
    text: 'if (!orderly && phase === "up")',
    planted: "if (true)",
    suite: "board.test.ts",
  },
  {
    what: "deliveries that are open are forgotten",
    file: "board.ts",
    text: "for (const asked of queue.clearOpen())",
    planted: "for (const asked of queue.clearOpen().slice(1))",
    suite: "board.test.ts",
  },
  {
    what: "every attempt is a warning",
    file: "board.ts",
    text: "else if (link.blamed === grievance(code)) log?.debug(line, { code });",
    planted: "",
    suite: "board.test.ts",
  },
  {
    what: "strangers fill the log",
    file: "complaints.ts",
    text: "if (this.#said < windowMax)",
    planted: "if (this.#said >= 0)",
    suite: "board.test.ts",
  },
  {
    what: "a standstill is taken for silence",
    file: "board.ts",
    text: "call.heardAt += late;",
    planted: "",
    suite: "board.test.ts",
  },
  {
    what: "who was paused is never read again",
    file: "inbox.ts",
    text: "call.wire?.resume();",
    planted: "",
    suite: "board.test.ts",
  },
];

const folder = fileURLToPath(new URL(".", import.meta.url));
const mocha = createRequire(import.meta.url).resolve("mocha/bin/mocha.js");

/** Replaces text by its words and signs, whatever white space the formatter puts between them. */
function plant(source: string, { file, text, planted }: Bug): string {
  const words = text.match(/\w+|[^\w\s]/g) ?? [];
  const pattern = new RegExp(words.map((word) => word.replace(/\W/, "\\$&")).join("\\s*"), "g");
  expect(source.match(pattern)?.length, `occurrences of the text to replace in ${file}`).to.equal(
    1,
  );
  return source.replace(pattern, () => planted);
}

/** Runs suites, with a bug; the exit code and the report. */
async function run(suites: readonly string[], bug: Bug | null): Promise<readonly [number, string]> {
  const place = mkdtempSync(path.join(tmpdir(), "kith-planted-"));
  const outfile = path.join(place, "suite.mjs");
  try {
    await build({
      stdin: {
        contents: suites.map((suite) => `import "./${suite}";`).join("\n"),
        resolveDir: folder,
      },
      bundle: true,
      // The package says that none of its files does anything by being imported: its tests do.
      ignoreAnnotations: true,
      outfile,
      format: "esm",
      platform: "node",
      conditions: ["source"],
      logLevel: "silent",
      plugins: [
        {
          name: "plant",
          setup: (it) =>
            it.onLoad({ filter: /\/network\/src\/host\/[\w-]+\.ts$/ }, ({ path: file }) => {
              if (bug === null || path.basename(file) !== bug.file) return null;
              return { contents: plant(readFileSync(file, "utf8"), bug), loader: "ts" };
            }),
        },
      ],
    });
    const options = [mocha, "--no-config", "--bail", "--reporter", "dot", "--timeout", "60000"];
    const { status, stdout, stderr } = spawnSync(process.execPath, [...options, outfile], {
      cwd: place,
      encoding: "utf8",
      timeout: 60_000,
      env: { ...process.env, KITH_NETWORK_WALKS: "10" },
    });
    return [status ?? -1, stdout + stderr];
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

describe("a bug planted into the network", function () {
  this.timeout(120_000);

  it("is what fails: the same suites pass without one", async () => {
    const quick = [...new Set(bugs.map(({ suite }) => suite))].filter((one) => !/race/.test(one));
    const [status, report] = await run(quick, null);
    expect(status, report).to.equal(0);
    expect(report).to.match(/[1-9]\d* passing/);
  });

  for (const bug of bugs)
    it(`is caught where ${bug.what}`, async () => {
      const [status, report] = await run([bug.suite], bug);
      expect(status, report).not.to.equal(0);
      expect(report).to.match(/[1-9]\d* failing/);
    });
});

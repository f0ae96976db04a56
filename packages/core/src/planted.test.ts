/**
 * Tests of the tests: bugs planted into a copy of the kernel, each of which one of the suites on swaps
 * and delivery has to catch. A copy without a bug passes, so that it is the bug which is caught.
 *
 * A bug is a replacement of text that must occur exactly once. Where the kernel's text has changed,
 * plant the same mistake in the new one.
 */

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

interface Bug {
  readonly what: string;
  readonly file: string;
  readonly text: string;
  readonly planted: string;
  /** The suite that has to fail. */
  readonly suite: string;
}

interface Outcome {
  readonly status: number | null;
  readonly report: string;
}

const bugs: readonly Bug[] = [
  {
    what: "held events come channel by channel",
    file: "channel.ts",
    text: "if (free.length > 1) kept.sort((a, b) => a.order - b.order);",
    planted: "",
    suite: "channel.test.ts",
  },
  {
    what: "a second hold is ignored",
    file: "channel.ts",
    text: "    this.flushSwaps();\n    if (this.holds++ === 0) this.refresh();",
    planted: "    this.flushSwaps();\n    this.holds = 1;\n    this.refresh();",
    suite: "channel.test.ts",
  },
  {
    what: "an owner may take back the hold of a swap",
    file: "channel.ts",
    text: "if (!this.held) {",
    planted: "if (this.holds === 0) {",
    suite: "channel.test.ts",
  },
  {
    what: "who rewires a channel notices that a swap holds it",
    file: "channel.ts",
    text: "if (kept === null || this.held) return;",
    planted: "if (kept !== undefined) return;",
    suite: "delivery.properties.test.ts",
  },
  {
    what: "what a free end did not take waits for the next one",
    file: "channel.ts",
    text: "if (this.provider === null || this.user === null) this.flushSwaps();",
    planted: "",
    suite: "delivery.properties.test.ts",
  },
  {
    what: "a lost answer still counts as on its way",
    file: "pending.ts",
    text: "row.queued = row.passed !== undefined;",
    planted: "if (row.queued) return;",
    suite: "channel.test.ts",
  },
  {
    what: "receivers are found when a held channel is resumed",
    file: "half.ts",
    text: "if (far !== null && !far.wants(cls)) continue;",
    planted: "if (far !== null && channel.holds === 0 && !far.wants(cls)) continue;",
    suite: "channel.test.ts",
  },
  {
    what: "the mailbox is forgotten",
    file: "carry.ts",
    text: "for (const from of match.pairs.keys()) moved += moveMailbox(match, from);",
    planted:
      "for (const from of match.pairs.keys()) if (from.parent === null) moved += moveMailbox(match, from);",
    suite: "swap.test.ts",
  },
  {
    what: "asks and timers are not carried",
    file: "carry.ts",
    text: "table.rows.set(row.number, row);",
    planted: "",
    suite: "swap.test.ts",
  },
  {
    what: "the names of timers are not carried",
    file: "carry.ts",
    text: "table.ids.set(id, number);",
    planted: "void [id, number];",
    suite: "swap-everywhere.test.ts",
  },
  {
    what: "random draws begin again",
    file: "carry.ts",
    text: "to.continueDraws(from.drawCounts);",
    planted: "",
    suite: "swap-everywhere.test.ts",
  },
  {
    what: "reply tokens lead to the old one",
    file: "carry.ts",
    text: "[from.id, to.id] = [to.id, from.id];",
    planted: "",
    suite: "swap-everywhere.test.ts",
  },
  {
    what: "callbacks that entered are not waited for",
    file: "carry.ts",
    text: "if (core.entries !== null || core.urgent !== null) return true;",
    planted: "",
    suite: "swap.test.ts",
  },
  {
    what: "holds within a composite are forgotten",
    file: "carry.ts",
    text: "successor.holds = channel.holds;",
    planted: "",
    suite: "carry.test.ts",
  },
  {
    what: "a restart keeps asks and timers",
    file: "carry.ts",
    text: "if (core.hasPending) core.pending.cancelAll();",
    planted: "",
    suite: "carry.test.ts",
  },
  {
    what: "a restart keeps the holds within",
    file: "carry.ts",
    text: "const { orphans } = takePlace(match, false);",
    planted: "const { orphans } = takePlace(match, true);",
    suite: "carry.test.ts",
  },
  {
    what: "the old one does not acquire again after a swap that failed",
    file: "swap.ts",
    text: "      if (!isUp(core)) continue;\n",
    planted: "      continue;\n",
    suite: "swap-failures.test.ts",
  },
  {
    what: "channels stay held after a swap that failed",
    file: "swap.ts",
    text: "releaseHolds([...this.#channels], this);",
    planted: "",
    suite: "swap-failures.test.ts",
  },
  {
    what: "what a replacement sends before the commit is forgotten",
    file: "swap.ts",
    text: "for (const core of all) system.runDeferred(core);",
    planted: "",
    suite: "swap.test.ts",
  },
  {
    what: "the replaced one lives on",
    file: "swap.ts",
    text: "for (const core of match.pairs.keys()) system.buryQuietly(core);",
    planted: "",
    suite: "swap.test.ts",
  },
  {
    what: "a replacement gets the old one's state itself, not a copy",
    file: "state.ts",
    text: "state: copyPlain(state, `The state of ${core.path}`)",
    planted: "state",
    suite: "swap-failures.test.ts",
  },
];

/** A bug may also make a suite run for ever, which then counts as not caught. */
const RUN_MS_MAX = 30_000;

const sources = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(sources, "../../..");
// The slowest suite is left out of the comparison: it has just passed or failed by itself.
const suites = [...new Set(bugs.map(({ suite }) => suite))].filter(
  (name) => !name.includes("everywhere"),
);

/** Runs suites in a copy of the kernel; the text of the report. */
function runSuites(names: readonly string[], bug: Bug | null): Outcome {
  const copy = fs.mkdtempSync(path.join(os.tmpdir(), "kith-planted-"));
  try {
    fs.cpSync(sources, path.join(copy, "src"), { recursive: true });
    fs.writeFileSync(path.join(copy, "package.json"), '{ "type": "module" }');
    fs.symlinkSync(path.join(root, "node_modules"), path.join(copy, "node_modules"), "junction");
    if (bug !== null) plant(path.join(copy, "src", bug.file), bug);
    const mocha = path.join(root, "node_modules/mocha/bin/mocha.js");
    const options = ["--import", "tsx", mocha, "--no-config", "--bail", "--reporter", "dot"];
    // A bug may be caught by a test that never ends; without one, a busy machine must not look like that.
    const limit = bug === null ? 5 * RUN_MS_MAX : RUN_MS_MAX;
    if (bug === null) options.push("--timeout", String(limit));
    const files = names.map((name) => `src/${name}`);
    const { status, stdout } = spawnSync(process.execPath, [...options, ...files], {
      cwd: copy,
      encoding: "utf8",
      timeout: limit,
    });
    return { status, report: stdout };
  } finally {
    fs.rmSync(copy, { recursive: true, force: true });
  }
}

/** Replaces text by its words and signs, whatever white space the formatter puts between them. */
function plant(file: string, { text, planted }: Bug): void {
  const words = text.match(/\w+|[^\w\s]/g) ?? [];
  const pattern = words.map((word) => word.replace(/\W/, "\\$&")).join("\\s*");
  const before = fs.readFileSync(file, "utf8");
  const places = [...before.matchAll(new RegExp(pattern, "g"))];
  expect(places.length, `occurrences of the text to replace in ${path.basename(file)}`).equal(1);
  const [place] = places as [RegExpExecArray];
  const { index } = place;
  fs.writeFileSync(file, before.slice(0, index) + planted + before.slice(index + place[0].length));
}

describe("a planted bug", function () {
  this.timeout(6 * RUN_MS_MAX);

  it("is what fails: the same suites pass in a copy without one", () => {
    const { status, report } = runSuites(suites, null);
    expect(status, report).equal(0);
  });

  for (const bug of bugs) {
    it(`is caught where ${bug.what}`, () => {
      const { status, report } = runSuites([bug.suite], bug);
      expect(status, report).not.equal(0);
      expect(report).match(/[1-9]\d* failing/);
    });
  }
});

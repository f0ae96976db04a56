/**
 * Tests of the tests: bugs planted into copies of the overlay's packages, most of them traps that the
 * specification names, each of which a suite of that package has to catch within 200 seeds. The copies
 * without a bug pass the same suites.
 *
 * A bug is a replacement of text that must occur exactly once. Where the text has changed, plant the same
 * mistake in the new one. It takes minutes: `KITH_PLANTED=1` runs it.
 */

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

interface Bug {
  readonly what: string;
  readonly place: "fd" | "membership" | "ring";
  readonly file: string;
  readonly text: string;
  readonly planted: string;
  /** The suite that has to fail. */
  readonly suite: string;
}

const bugs: readonly Bug[] = [
  {
    what: "a stall of the own process counts as the others' silence",
    place: "fd",
    file: "detector.ts",
    text: "if (now - due <= this.#stallMin) return false;",
    planted: "if (now >= due) return false;",
    suite: "trials.test.ts",
  },
  {
    what: "a restart is taken for the same life",
    place: "fd",
    file: "state.ts",
    text: 'if (target.peer.incarnation < place.newest) return "restarted";',
    planted: "",
    suite: "swarm.test.ts",
  },
  {
    what: "verdicts come after the end of a watch",
    place: "fd",
    file: "detector.ts",
    text: "watched.watchers = watched.watchers.filter((one) => one !== watcher);",
    planted: "",
    suite: "swarm.test.ts",
  },
  {
    what: "a list from before a peer's arrival says that it is gone",
    place: "fd",
    file: "detector.ts",
    text: "const listedFrom = this.#isHere(peer) ? 0 : target.seq + 1;",
    planted: "const listedFrom = 0;",
    suite: "compliance.test.ts",
  },
  {
    what: "who is suspected is not probed any more",
    place: "fd",
    file: "detector.ts",
    text: "if (target !== undefined && target.beat <= soon) this.#beatOf(target);",
    planted:
      "if (target !== undefined && target.beat <= soon && !target.silent) this.#beatOf(target);",
    suite: "swarm.test.ts",
  },
  {
    what: "one miss is enough",
    place: "fd",
    file: "estimate.ts",
    text: "suspects: (_, misses) => misses >= missesMax,",
    planted: "suspects: (_, misses) => misses >= 1,",
    suite: "swarm.test.ts",
  },
  {
    what: "an accuser counts as often as it accuses",
    place: "fd",
    file: "swim-state.ts",
    text: "!known.accusers.includes(from);",
    planted: "true;",
    suite: "swim.test.ts",
  },
  {
    what: "another raises a member's number (FD5)",
    place: "fd",
    file: "swim.ts",
    text: 'this.#learn({ peer, status: "suspect", number, from: processOf(this.#self) });',
    planted:
      'this.#learn({ peer, status: "suspect", number: number + 1, from: processOf(this.#self) });',
    suite: "swim.test.ts",
  },
  {
    what: "an empty server says that there is nobody",
    place: "membership",
    file: "bootstrap-client.ts",
    text: "if (peers.length === 0) return;",
    planted: "",
    suite: "compliance.test.ts",
  },
  {
    what: "a young reference to an earlier life beats one to the later",
    place: "membership",
    file: "view.ts",
    text: "if (outlives(one.peer, other.peer)) return true;",
    planted: "",
    suite: "gossip.test.ts",
  },
  {
    what: "a join that was lost is not sent again",
    place: "ring",
    file: "ring.ts",
    text: "if (!looking || state.retrying) return;",
    planted: "if (state.version >= 0) return;",
    suite: "churn.test.ts",
  },
  {
    what: "a successor is taken up that has not spoken",
    place: "ring",
    file: "relaxed.ts",
    text: "if (predecessor !== null) consider(state, predecessor, effects);",
    planted:
      "if (predecessor !== null && between(state, predecessor, state.self, successor)) state.successors = [predecessor];",
    suite: "interleavings.test.ts",
  },
  {
    what: "whoever asks becomes the predecessor",
    place: "ring",
    file: "relaxed.ts",
    text: "const closer = predecessor === null ? fix : between(state, from, predecessor, self);",
    planted: "const closer = true;",
    suite: "interleavings.test.ts",
  },
  {
    what: "a life that has ended is taken up again (R5)",
    place: "ring",
    file: "state.ts",
    text: "for (const one of ended) if (samePeer(one, peer) || outlives(one, peer)) return false;",
    planted: "if (ended.length + latest.length >= 0) return true;",
    suite: "churn.test.ts",
  },
  {
    what: "whoever stabilises becomes the predecessor, from a branch too",
    place: "ring",
    file: "relaxed.ts",
    text: "if ( predecessor === null || !trusted(state, predecessor) || between(state, from, predecessor, state.self) ) state.predecessor = from;",
    planted: "state.predecessor = from;",
    suite: "churn.test.ts",
  },
  {
    what: "a merge has no limit to its rate",
    place: "ring",
    file: "merger.ts",
    text: "if (now - (seen.get(key) ?? -millis) < millis) return false;",
    planted: "",
    suite: "merger.test.ts",
  },
  {
    what: "a newcomer's crash leaves a ring of one with a dead predecessor",
    place: "ring",
    file: "relaxed.ts",
    text: "else if (successor !== null && samePeer(successor, state.self)) state.predecessor = state.self;",
    planted: "",
    suite: "relaxed.test.ts",
  },
  {
    what: "the boundary moves before the newcomer is told",
    place: "ring",
    file: "relaxed.ts",
    text: "const before = closer ? predecessor : null;",
    planted: "const before = null;",
    suite: "golden.test.ts",
  },
  {
    what: "an identifier is given twice",
    place: "ring",
    file: "relaxed.ts",
    text: "if (from.peerId === self.peerId && !identical(from, self)) effects.send(new IdInUse(effects.to(from)));",
    planted: "",
    suite: "relaxed.test.ts",
  },
  {
    what: "those who left say nothing to who still asks them",
    place: "ring",
    file: "relaxed.ts",
    text: "if (state.left) effects.send(new Leaving({ ...effects.to(to), successors: [] }));",
    planted: "",
    suite: "trials.test.ts",
  },
  {
    what: "some introducers are never asked, depending on how many there are",
    place: "ring",
    file: "relaxed.ts",
    text: "list[Math.floor(turn / askings) %",
    planted: "list[(turn - 1) %",
    suite: "relaxed.test.ts",
  },
  {
    what: "an introducer that has restarted is not asked in its next life",
    place: "ring",
    file: "state.ts",
    text: "samePeer(one, peer) ? inLife(one, later) : one,",
    planted: "one,",
    suite: "compliance.test.ts",
  },
];

/** A bug may also make a suite run for ever, which then counts as not caught. */
const runMillisMax = 600_000;

const packages = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const root = path.resolve(packages, "..");

/** Runs suites in a copy of a package's sources. */
function runSuites(
  place: Bug["place"],
  suites: readonly string[],
  bug: Bug | null,
): { readonly status: number | null; readonly report: string } {
  const copy = fs.mkdtempSync(path.join(os.tmpdir(), "kith-planted-"));
  try {
    for (const part of ["src", "testdata"]) {
      const from = path.join(packages, place, part);
      if (fs.existsSync(from)) fs.cpSync(from, path.join(copy, part), { recursive: true });
    }
    fs.writeFileSync(path.join(copy, "package.json"), '{ "type": "module" }');
    fs.symlinkSync(path.join(root, "node_modules"), path.join(copy, "node_modules"), "junction");
    if (bug !== null) plant(path.join(copy, "src", bug.file), bug);
    const mocha = path.join(root, "node_modules/mocha/bin/mocha.js");
    const options = ["--import", "tsx", "--conditions", "source", mocha, "--no-config", "--bail"];
    const seeds = bug === null ? "3" : "200";
    const { status, stdout } = spawnSync(
      process.execPath,
      [
        ...options,
        "--timeout",
        "600000",
        "--reporter",
        "dot",
        ...suites.map((one) => `src/${one}`),
      ],
      {
        cwd: copy,
        encoding: "utf8",
        timeout: runMillisMax,
        env: { ...process.env, KITH_RING_SEEDS: seeds, KITH_FD_SEEDS: seeds },
      },
    );
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
  const [found] = places as [RegExpExecArray];
  const { index } = found;
  fs.writeFileSync(file, before.slice(0, index) + planted + before.slice(index + found[0].length));
}

describe("a bug planted into the overlay", function () {
  this.timeout(runMillisMax + 60_000);
  if (process.env["KITH_PLANTED"] === undefined) {
    // So that a changed text shows at once, and not when the slow run is made.
    it("finds its place in the sources", () => {
      for (const bug of bugs) {
        const copy = fs.mkdtempSync(path.join(os.tmpdir(), "kith-planted-"));
        const file = path.join(copy, bug.file);
        fs.copyFileSync(path.join(packages, bug.place, "src", bug.file), file);
        plant(file, bug);
        fs.rmSync(copy, { recursive: true, force: true });
      }
    });
    return;
  }

  for (const place of ["fd", "membership", "ring"] as const)
    it(`is what fails: the same suites pass in a copy of ${place} without one`, () => {
      const suites = [
        ...new Set(bugs.filter((bug) => bug.place === place).map(({ suite }) => suite)),
      ];
      const { status, report } = runSuites(place, suites, null);
      expect(status, report).equal(0);
    });

  for (const bug of bugs)
    it(`is caught where ${bug.what}`, () => {
      const { status, report } = runSuites(bug.place, [bug.suite], bug);
      expect(status, report).not.equal(0);
      expect(report).match(/[1-9]\d* failing/);
    });
});

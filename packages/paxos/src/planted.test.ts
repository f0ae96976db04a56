/**
 * Tests of the tests: bugs planted into the pure group, each of which the random schedules have to catch within
 * so many seeds. Without a bug the same seeds pass (`lab-chaos.test.ts`), so that it is the bug which is caught.
 * Those that `group-chaos` has to find, with whole processes, stand in `mutants.json`.
 *
 * A bug is a replacement of text that must occur exactly once. Where the text has changed, plant the same
 * mistake in the new one.
 */

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import * as esbuild from "esbuild";

interface Bug {
  readonly what: string;
  readonly file: string;
  readonly text: string;
  readonly planted: string;
  /** The first seed that catches it, where that is not 1. */
  readonly seed?: number;
}

const bugs: readonly Bug[] = [
  {
    what: "a leader counts its own copy before it is flushed",
    file: "replication.ts",
    text: "id === state.self ? state.stable :",
    planted: "id === state.self ? lastIndex(state.log) :",
  },
  {
    what: "a follower confirms entries before they are flushed",
    file: "replication.ts",
    text: "sendAfter(state, writeOf(state, match), sender, { ...answer, match });",
    planted: "sendAfter(state, 0, sender, { ...answer, match });",
  },
  {
    what: "answers leave before their term and vote are flushed",
    file: "durability.ts",
    text: "const after = Math.max(write, state.hardWrite);",
    planted: "const after = 0 * write;",
  },
  {
    what: "a vote is not written",
    file: "durability.ts",
    text: 'record(state, { kind: "hard", term, vote });',
    planted: 'record(state, { kind: "hard", term, vote: 0 });',
  },
  {
    what: "a voter votes twice in a term",
    file: "election.ts",
    text: "(state.vote === 0 || state.vote === from) &&",
    planted: "",
    seed: 3,
  },
  {
    what: "a vote goes to whoever asks, whatever its log",
    file: "log.ts",
    text: "return term > own || (term === own && index >= lastIndex(log));",
    planted: "return term > own || index >= 0;",
    seed: 2,
  },
  {
    what: "entries of earlier terms are committed by counting",
    file: "replication.ts",
    text: "if (reached <= state.commit || termAt(state.log, reached) !== state.term) return;",
    planted: "if (reached <= state.commit) return;",
  },
  {
    what: "learners count",
    file: "config.ts",
    text: "({ voter }: Member): boolean => voter;",
    planted: "({ replicaId }: Member): boolean => replicaId > 0;",
    seed: 71,
  },
  {
    what: "a read is answered before the new leader's own entry",
    file: "reads.ts",
    text: "return state.commit >= led.noop && (termAt(state.log, state.commit) ?? state.term) === state.term;",
    planted: "return state.commit + led.noop >= 0;",
    seed: 3,
  },
  {
    what: "a read is confirmed by a round that began before it came",
    file: "reads.ts",
    text: "led.reads.push({ id, index: state.commit, round: 0, after: led.round });",
    planted: "led.reads.push({ id, index: state.commit, round: led.round, after: led.round - 1 });",
  },
  {
    what: "a read does not wait for a round at all",
    file: "reads.ts",
    text: "if (!confirmed(round)) return true;",
    planted: "if (!confirmed(0)) return true;",
    seed: 87,
  },
  {
    what: "reads are forgotten by a leader that steps down",
    file: "office.ts",
    text: 'for (const { id } of led.reads) state.out.reads.push({ id, outcome: "refused" });',
    planted: "",
  },
  {
    what: "a membership holds when it is committed, without a guard",
    file: "state.ts",
    text: "return state.configs.at(-1)?.config ?? noConfig;",
    planted: "return committedConfig(state);",
    seed: 7,
  },
  {
    what: "a change is proposed before the one before it is committed",
    file: "membership.ts",
    text: "if ((state.configs.at(-1)?.index ?? 0) > state.commit)",
    planted: "if (state.commit < 0)",
    seed: 20,
  },
  {
    what: "replica ids are given out again",
    file: "config.ts",
    text: "nextReplicaId: nextReplicaId + 1 };",
    planted: "nextReplicaId: Math.max(...members.map((one) => one.replicaId)) + 1 };",
  },
  {
    what: "a membership that was truncated still holds",
    file: "durability.ts",
    text: "state.configs = state.configs.filter(({ index }, i) => i === 0 || index < from);",
    planted: "",
  },
  {
    what: "what was truncated still counts as durable",
    file: "durability.ts",
    text: "state.stable = Math.min(state.stable, from - 1);",
    planted: "",
  },
  {
    what: "a write that was truncated since makes durable what came after",
    file: "durability.ts",
    text: "for (const tail of state.tails) tail.index = Math.min(tail.index, from - 1);",
    planted: "",
  },
  {
    what: "a follower commits what it has not compared",
    file: "replication.ts",
    text: "commitTo(state, Math.min(message.commit, last));",
    planted: "commitTo(state, Math.min(message.commit, lastIndex(log)));",
    seed: 14,
  },
  {
    what: "entries are appended without a look at the one before them",
    file: "replication.ts",
    text: "if (prevIndex >= log.base && known !== prevTerm) {",
    planted: "if (prevIndex >= log.base && known === undefined) {",
    seed: 3,
  },
  {
    what: "entries that are there already are cut off",
    file: "replication.ts",
    text: "if (own === entry.term) continue;",
    planted: "",
  },
  {
    what: "the log is cut below what is applied, durable or not",
    file: "snapshots.ts",
    text: "const counted = state.appliedDurable - keepEntries;",
    planted: "const counted = (state.appliedDurable = state.applied) - keepEntries;",
    seed: 3,
  },
  {
    what: "after a snapshot the rest of the log stays, whatever it is",
    file: "snapshots.ts",
    text: "const keep = termAt(log, base.index) === base.term;",
    planted: "const keep = termAt(log, base.index) !== undefined;",
    seed: 146,
  },
  {
    what: "a snapshot is confirmed before it is installed durably",
    file: "snapshots.ts",
    text: "sendAfter(state, write, sender, {",
    planted: "sendAfter(state, 0 * write, sender, {",
  },
  {
    what: "a replica comes back without its vote",
    file: "state.ts",
    text: "vote: durable.vote,",
    planted: "vote: 0,",
    seed: 4,
  },
  {
    what: "a leader keeps its lease when it hands over",
    file: "transfer.ts",
    text: "led.invited = true;",
    planted: "",
    seed: 29,
  },
  {
    what: "a lease is counted from when the round was confirmed, and not from when it was sent",
    file: "lease.ts",
    text: "return sent.at + electionMin",
    planted:
      "return majorityReached(config, (id) => id === state.self ? state.now : (led.progress.get(id)?.contact ?? 0)) + electionMin",
    seed: 29,
  },
  {
    what: "a lease takes all clocks for equally fast",
    file: "lease.ts",
    text: "electionMin * (1 - lease.drift) - lease.margin",
    planted: "electionMin - 0 * lease.margin",
    seed: 29,
  },
  {
    what: "a voter that comes back is loyal to nobody",
    file: "state.ts",
    text: "contact: now,",
    planted: "contact: now - 1e9,",
    seed: 29,
  },
  {
    what: "who is asked to take over in a term that is over does so",
    seed: 77,
    file: "group.ts",
    text: 'case "snapshot-answer": case "timeout-now": return true; } } /** Whether the sender',
    planted:
      'case "snapshot-answer": return true; case "timeout-now": return false; } } /** Whether the sender',
  },
  {
    what: "a new leader's time begins anew",
    file: "office.ts",
    text: "baseTime: state.time,",
    planted: "baseTime: 0,",
  },
  {
    what: "memberships are forgotten where the log is cut before them",
    file: "snapshots.ts",
    text: "state.configs = [ { index: to, config: base.config }, ...state.configs.filter(({ index }) => index > to), ];",
    planted: "state.configs = [{ index: to, config: base.config }];",
  },
  {
    what: "a connection that ends makes a follower campaign at once",
    file: "group.ts",
    text: "const earliest = Math.max(state.contact + electionMin, now);",
    planted: "const earliest = now + 0 * electionMin;",
    seed: 53,
  },
];

/** How many seeds a bug may survive. */
const SEEDS_MAX = 500;

const sources = path.dirname(fileURLToPath(import.meta.url));

/** Builds the schedules with a bug, or without. @returns runs one seed */
async function build(folder: string, bug: Bug): Promise<(seed: number) => unknown> {
  const outfile = path.join(folder, `bug-${bugs.indexOf(bug)}.mjs`);
  let found = 0;
  await esbuild.build({
    entryPoints: [path.join(sources, "schedule.test.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    conditions: ["source"],
    logLevel: "silent",
    plugins: [
      {
        name: "plant",
        setup: (build) => {
          build.onLoad(
            { filter: new RegExp(`paxos/src/${bug.file.replace(".", "\\.")}$`) },
            (file) => {
              const { text, count } = plant(fs.readFileSync(file.path, "utf8"), bug);
              found = count;
              return { contents: text, loader: "ts" };
            },
          );
        },
      },
    ],
  });
  expect(found, `occurrences of the text to replace in ${bug.file}`).equal(1);
  const entry = (await import(pathToFileURL(outfile).href)) as {
    readonly run: (seed: number) => unknown;
  };
  return entry.run;
}

/** Replaces text by its words and signs, whatever white space the formatter puts between them. */
function plant(before: string, { text, planted }: Bug): { text: string; count: number } {
  const words = text.match(/\w+|[^\w\s]/g) ?? [];
  const escaped = words.map((word) => word.replace(/\W/g, "\\$&"));
  // The formatter may put a comma behind the last of several.
  const pattern = escaped
    .map((word) => (/^\\[)\]}]$/.test(word) ? `,?\\s*${word}` : word))
    .join("\\s*");
  const places = [...before.matchAll(new RegExp(pattern, "g"))];
  const [place] = places;
  if (place === undefined) return { text: before, count: 0 };
  const after = before.slice(place.index + place[0].length);
  return { text: before.slice(0, place.index) + planted + after, count: places.length };
}

describe("a bug planted into the group", function () {
  this.timeout(60_000);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "kith-paxos-planted-"));
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  for (const bug of bugs) {
    it(`is caught where ${bug.what}`, async () => {
      const run = await build(folder, bug);
      let caught: unknown = null;
      let seed = 0;
      // First the seed that has caught it before; `KITH_PAXOS_PLANTED=search` looks from the beginning.
      const known = process.env["KITH_PAXOS_PLANTED"] === "search" ? [] : [bug.seed ?? 1];
      const order = [...known, ...Array.from({ length: SEEDS_MAX }, (_, i) => i + 1)];
      for (let at = 0; caught === null && at < order.length; at++) {
        seed = order[at] ?? 0;
        try {
          run(seed);
        } catch (cause) {
          caught = cause;
        }
      }
      expect(caught, `survived ${SEEDS_MAX} seeds`).not.equal(null);
      if (process.env["KITH_PAXOS_MARKS"] !== undefined)
        console.log(`      seed ${seed}: ${String(caught)}`);
    });
  }
});

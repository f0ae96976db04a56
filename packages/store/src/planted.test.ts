/**
 * Bugs planted into copies of the machine and of the transaction manager (algorithms.md §6.5.16, §6.5.17): the laboratory,
 * or the model checker, finds each of them. Without one, both find nothing.
 *
 * A bug has the seed that found it. `KITH_STORE_PLANTED=search` looks from seed 1 on, for at most 500 seeds.
 */

import { assert } from "chai";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Copies } from "@kith/testing/planting";
import type { Model } from "./explorer.test.ts";

interface Bug {
  readonly what: string;
  readonly file: string;
  readonly text: string;
  readonly planted: string;
  /** The seed of the laboratory that finds it; 0 where the model checker does. */
  readonly seed: number;
  /** The rule of the manager that has to be off, too, for the machine to show it. */
  readonly without?: Model["without"];
}

const seedsMax = 500;

/** What the model checker looks at for those that need one exact order. */
const model: Model = {
  keys: ["a", "m"],
  groups: ["", "h"],
  writes: [["a", "m"]],
  recovery: true,
  expiry: true,
};

const bugs: readonly Bug[] = [
  {
    what: "a register is not written once",
    file: "transactions.ts",
    text: "const open = keys.filter((position) => !tx.registers.has(position));",
    planted: "const open = keys;",
    seed: 1,
  },
  {
    what: "one vote stands for all keys",
    file: "manager/commit.ts",
    text: 'else if (votes.every((vote) => vote === "P")) settle(state, job, "C");',
    planted: 'else if (votes.includes("P")) settle(state, job, "C");',
    seed: 1,
  },
  {
    what: "what was read is not looked at again",
    file: "transactions.ts",
    text: "return expected === null || (group.value(position)?.version ?? 0) === expected;",
    planted: "return true;",
    seed: 1,
  },
  {
    what: "a vote does not mind another writer",
    file: "transactions.ts",
    text: "if (writer !== null && writer !== own) return false;",
    planted: "",
    seed: 1,
  },
  {
    what: "a write does not mind readers",
    file: "transactions.ts",
    text: "if (write !== null && lock?.readers.some((reader) => reader !== own) === true) return false;",
    planted: "",
    seed: 1,
  },
  {
    what: "a key that is read is not locked",
    file: "transactions.ts",
    text: 'if (state === "P") group.acquire(position, name, write !== null);',
    planted: 'if (state === "P" && write !== null) group.acquire(position, name, true);',
    seed: 1,
  },
  {
    what: "a reader does not mind a lock",
    file: "manager/read.ts",
    text: "if (reading.lockedBy === null) continue; waits = true;",
    planted: "if (reading.lockedBy === null || state.now >= 0) continue;\n    waits = true;",
    seed: 6,
  },
  {
    what: "one round is enough for a reader",
    file: "manager/read.ts",
    text: "if (job.keys.every((key) => job.first.get(key)?.version === job.second.get(key))) {",
    planted: "if (job.keys.length > 0) {",
    seed: 1,
  },
  {
    what: "a single write does not mind locks",
    file: "execute.ts",
    text: "if (holder === undefined || holder === own) continue;",
    planted: "if (holder === undefined || holder !== own) continue;",
    seed: 3,
  },
  {
    what: "a transaction of one group does not mind what it has read",
    file: "execute.ts",
    text: 'if ((writer !== null && writer !== own) || !holds) return { kind: "aborted", position };',
    planted: 'if (writer !== null && writer !== own) return { kind: "aborted", position };',
    seed: 2,
  },
  {
    what: "results are not kept",
    file: "machine.ts",
    text: "if (isKept(result)) group.keepResult(ticket.client, ticket.seq, encodeResult(result));",
    planted: "",
    seed: 1,
  },
  {
    what: "that a key was locked is kept as the result",
    file: "execute.ts",
    text: 'return kind === "done" || kind === "refused"',
    planted: 'return kind === "locked" || kind === "done" || kind === "refused"',
    seed: 3,
  },
  {
    what: "that it was in vain is not kept",
    file: "execute.ts",
    text: '|| kind === "aborted" || kind === "cancelled";',
    planted: '|| kind === "cancelled";',
    seed: 49,
  },
  {
    what: "a cancellation is not kept",
    file: "execute.ts",
    text: '|| kind === "aborted" || kind === "cancelled";',
    planted: '|| kind === "aborted";',
    seed: 32,
  },
  {
    what: "what is not needed any more is done again",
    file: "sessions.ts",
    text: 'if (seq < acked || seq < session.firstSeq) return { kind: "stale" };',
    planted: "",
    seed: 1,
  },
  {
    what: "results do not go along with a split",
    file: "split.ts",
    text: 'for (const letter of ["s", "a"])',
    planted: 'for (const letter of ["s"])',
    seed: 17,
  },
  {
    what: "locks do not go along with a split",
    file: "split.ts",
    text: 'for (const letter of ["k", "l"])',
    planted: 'for (const letter of ["k"])',
    seed: 10,
  },
  {
    what: "registers do not go along with a split",
    file: "split.ts",
    text: "rows.set(key, txRow.encode({ ...tx, registers: going }));",
    planted: "",
    seed: 10,
  },
  {
    what: "versions begin anew after a split",
    file: "split.ts",
    text: "lastExpiry: 0, halves: [] }));",
    planted: "lastExpiry: 0, halves: [], version: 0 }));",
    seed: 1,
  },
  {
    what: "the range is looked at by the client only",
    file: "machine.ts",
    text: "if (keys.length > 0 && keys.every((key) => covers(meta, key))) return undefined;",
    planted: "if (keys.length > 0 && meta.epoch > 0) return undefined;",
    seed: 3,
  },
  {
    what: "a write is retried under a new number",
    file: "manager/execute.ts",
    text: 'else if (job.phase === "working") send(state, job); }',
    planted:
      'else if (job.phase === "working") {\n    job.seq = state.nextSeq++;\n    send(state, job);\n  }\n}',
    seed: 1,
  },
  {
    what: "time that has run out counts as not done",
    file: "manager/execute.ts",
    text: 'job.phase = "cancelling"; cancel(state, job); } else if (!job.replied',
    planted:
      'reply(state, job.asked, { kind: "failed", reason: "timeout" });\n    job.replied = true;\n  } else if (!job.replied',
    seed: 2,
  },
  {
    what: "an outcome against a late vote is not kept",
    file: "transactions.ts",
    text: "// Also where nothing was voted: against a vote that is still on its way. tx.registers.set(position, { state: wanted, write: null });",
    planted:
      "if (register !== undefined) tx.registers.set(position, { state: wanted, write: null });",
    seed: 83,
  },
  {
    what: "a session ends although a transaction is not final elsewhere",
    file: "sessions.ts",
    text: "if (tx !== undefined && !(known.has(seq) && isFinal(tx))) return kept;",
    planted: "if (tx !== undefined && !isFinal(tx)) return kept;",
    seed: 0,
  },
  {
    what: "a vote against is stored where the session is gone",
    file: "transactions.ts",
    text: 'if (standing === "no-session") return { kind: "no-session" };',
    planted: "",
    seed: 0,
  },
  {
    what: "what is not final is forgotten",
    file: "sessions.ts",
    text: "if (tx === undefined || isFinal(tx)) continue;",
    planted: "if (tx === undefined || wanted > 0) continue;",
    seed: 0,
    without: "acks-before-forget",
  },
];

describe("a bug planted into the store", function () {
  this.timeout(120_000);
  const folder = path.dirname(fileURLToPath(import.meta.url));
  const search = process.env["KITH_STORE_PLANTED"] === "search";
  let copies: Copies;
  before(() => {
    copies = new Copies(folder, path.resolve(folder, "../../.."));
  });
  after(() => copies.remove());

  for (const bug of bugs)
    it(`is found where ${bug.what}`, async () => {
      const copy = copies.make(bug);
      const load = async <T>(file: string): Promise<T> =>
        (await import(pathToFileURL(path.join(copy, file)).href)) as T;
      if (bug.seed === 0) {
        const { explore } = await load<typeof import("./explorer.test.ts")>("explorer.test.ts");
        const { without } = bug;
        assert.isNotNull(explore(without === undefined ? model : { ...model, without }).violation);
        return;
      }
      const { judgeLab } =
        await load<typeof import("./manager/lab.test.ts")>("manager/lab.test.ts");
      const seeds = search ? Array.from({ length: seedsMax }, (_, i) => i + 1) : [bug.seed];
      const found = seeds.find((seed) => fails(() => judgeLab(seed)));
      if (search) console.log(`      seed ${found ?? "none"}`);
      assert.isDefined(found);
    });
});

function fails(run: () => void): boolean {
  try {
    run();
    return false;
  } catch {
    return true;
  }
}

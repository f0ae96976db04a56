/**
 * Tests of the tests: bugs planted into a copy of the checkers, each of which the comparison with brute force
 * finds. A bug is a replacement of text that must occur exactly once.
 */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import { Copies } from "../planting.ts";
import { type Checkers, compare } from "./samples.test.ts";

interface Bug {
  readonly what: string;
  readonly file: string;
  readonly text: string;
  readonly planted: string;
  /** The comparison that finds it. */
  readonly kind: string;
}

const bugs: readonly Bug[] = [
  {
    what: "an unknown write is thought not to have happened",
    file: "register.ts",
    text: `if (outcome === "fail" || (op`,
    planted: `if (outcome !== "ok" || (op`,
    kind: "registers, unique",
  },
  {
    what: "a failed write may have happened",
    file: "register.ts",
    text: `if (outcome === "fail" || (op === "read" && outcome !== "ok")) continue;`,
    planted: `if (op === "read" && outcome !== "ok") continue;`,
    kind: "registers, unique, searched",
  },
  {
    what: "zones may touch from within",
    file: "zones.ts",
    text: "if (zone !== undefined && point.first < zone.last) return interleaved(zone, point);",
    planted: "if (zone === undefined) return null;",
    kind: "registers, unique",
  },
  {
    what: "a value may be taken before it was written",
    file: "zones.ts",
    text: "if (next.returned < last) return reversed(members, next);",
    planted: "",
    kind: "registers, unique",
  },
  {
    what: "the first value is there at any time",
    file: "zones.ts",
    text: "let first = begin === null ? -1 : begin.returned;",
    planted: "let first = begin === null ? Infinity : begin.returned;",
    kind: "registers, unique",
  },
  {
    what: "a write is hidden though somebody will see it",
    file: "search.ts",
    text: "if (one.returned === Infinity || (this.#observers.get(one.writes) ?? 0) > 0) continue;",
    planted: "if (one.returned === Infinity) continue;",
    kind: "registers, few values",
  },
  {
    what: "what need not happen must",
    file: "search.ts",
    text: "this.#optional &= ~bit;",
    planted: "this.#optional &= ~bit; for (const sets of this.#now.values()) sets.delete(bit);",
    kind: "registers, few values",
  },
  {
    what: "a write that must happen has to be used before the next one",
    file: "search.ts",
    text: "visit(candidate.writes, effects | reads, isOptional && reads === 0n);",
    planted: "visit(candidate.writes, effects | reads, reads === 0n);",
    kind: "registers, few values",
  },
  {
    what: "a read takes effect only at its return",
    file: "search.ts",
    text: "const reads = this.#readsOf(candidate.writes) & ~effects;",
    planted: "const reads = 0n;",
    kind: "registers, few values",
  },
  {
    what: "a cas needs no expected value",
    file: "search.ts",
    text: "if (candidate.expects !== from.value && (candidate.expects !== NOTHING || from.unused)) {",
    planted: "if (candidate.expects === NOTHING && from.unused) {",
    kind: "registers, few values",
  },
  {
    what: "what a read did not see is no dependency",
    file: "appends.ts",
    text: "if (after !== undefined) this.graph.add(node, after, Kind.rw, key);",
    planted: "if (after !== undefined) void after;",
    kind: "appends",
  },
  {
    what: "appends that no read shows are no dependency",
    file: "appends.ts",
    text: "else toLater(node);",
    planted: "",
    kind: "appends",
  },
  {
    what: "a read does not depend on what it saw",
    file: "appends.ts",
    text: "if (before !== undefined) this.graph.add(before, node, Kind.wr, key);",
    planted: "void before;",
    kind: "appends",
  },
  {
    what: "who is called leaves the frontier at once",
    file: "appends.ts",
    text: "for (const one of before.get(node) ?? []) frontier.delete(one);",
    planted: "frontier.clear();",
    kind: "appends",
  },
  {
    what: "an unknown transaction that is seen has not happened",
    file: "appends.ts",
    text: `if (one.outcome !== "ok" && !shown.has(one)) continue;`,
    planted: `if (one.outcome !== "ok") continue;`,
    kind: "appends",
  },
  {
    what: "the order of a transaction's own appends is not looked at",
    file: "versions.ts",
    text: "before.transaction === transaction && step < before.step",
    planted: "before.transaction === transaction && step < 0",
    kind: "appends",
  },
  {
    what: "components are left too early",
    file: "graph.ts",
    text: "if (parent !== undefined) low[parent] = Math.min(low[parent] ?? 0, low[node] ?? 0);",
    planted: "",
    kind: "appends",
  },
  {
    what: "an element proves nothing about those before it",
    file: "set.ts",
    text: "if (add.invoked <= until) continue;",
    planted: "if (add.invoked >= 0) continue;",
    kind: "set",
  },
  {
    what: "an element is known only when it is acknowledged",
    file: "set.ts",
    text: "if (read.returned < element.known) {",
    planted: "if (read.returned < 0) {",
    kind: "set",
  },
  {
    what: "what is possible counts from the acknowledgement",
    file: "counter.ts",
    text: "if (begins !== undefined) possible = plus(possible, amountOf(begins));",
    planted: "if (ends !== undefined) possible = plus(possible, amountOf(ends));",
    kind: "counter",
  },
  {
    what: "only the smallest read is compared",
    file: "long-fork.ts",
    text: "before = reading;\n    if (here === undefined) continue;",
    planted: "before ??= reading;\n    if (here === undefined) continue;",
    kind: "long fork",
  },
];

const folder = fileURLToPath(new URL("..", import.meta.url));
const root = path.resolve(folder, "../../..");

describe("a bug planted into the checkers", function () {
  this.timeout(60_000);
  let copies: Copies;

  before(() => {
    copies = new Copies(folder, root);
  });
  after(() => copies.remove());

  /** The checkers from a copy of their sources. */
  async function copy(bug: Bug | null): Promise<Checkers> {
    const planted = bug === null ? null : { ...bug, file: `history/${bug.file}` };
    const index = path.join(copies.make(planted), "history/index.ts");
    return (await import(pathToFileURL(index).href)) as Checkers;
  }

  it("is what is found: a copy without one agrees with brute force", async () => {
    const comparisons = compare(await copy(null), 200);
    for (const { mistake } of Object.values(comparisons)) expect(mistake).equal(undefined);
  });

  for (const bug of bugs) {
    it(`is found where ${bug.what}`, async () => {
      const found = compare(await copy(bug), 4000, bug.kind);
      expect(found[bug.kind]?.mistake, "a mistake").a("string");
    });
  }
});

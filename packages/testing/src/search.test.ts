import { expect } from "chai";
import fc from "fast-check";
import { event } from "@kith/core";
import type { Action, Leaf, Node } from "./node.ts";
import type { Observed } from "./observed.ts";
import { push, search } from "./search.ts";

class Letter extends event("search/Letter")<{ letter: string }> {}

const statement = { place: "1", text: "", trace: {} };

function leaf(letter: string): Leaf {
  const refuses = ({ event: came }: Observed) =>
    came instanceof Letter && came.letter === letter ? undefined : `no ${letter}`;
  return { ...statement, kind: "leaf", wanted: letter, refuses };
}

function observe(letters: string, allowed = ""): Observed[] {
  return letters.split("").map((letter, line) => ({
    kind: "event",
    line,
    port: "p",
    event: new Letter({ letter }),
    status: allowed.includes(letter) ? "allowed" : "open",
  }));
}

const end: Node = { ...statement, kind: "nothing" };
const find = (nodes: readonly Node[], observed: readonly Observed[]) =>
  search(push([...nodes, end], null), observed, 0);
const holds = (nodes: readonly Node[], letters: string, allowed = ""): boolean =>
  find(nodes, observe(letters, allowed)).kind === "end";

const either = (...blocks: Node[][]): Node => ({ ...statement, kind: "either", blocks });
const loop = (min: number, max: number, ...body: Node[]): Node => ({
  ...statement,
  kind: "loop",
  min,
  max,
  body,
});
const anyOrder = (...items: Node[][]): Node => ({ ...statement, kind: "any-order", items });

describe("the search", () => {
  it("takes expectations in order", () => {
    expect(holds([leaf("a"), leaf("b")], "ab")).to.be.true;
    expect(holds([leaf("a"), leaf("b")], "ba")).to.be.false;
    expect(holds([leaf("a"), leaf("b")], "a")).to.be.false;
    expect(holds([leaf("a")], "ab")).to.be.false;
  });

  it("goes back to an alternative that turns out to fit", () => {
    const nodes = [either([leaf("a"), leaf("b")], [leaf("a"), leaf("c")])];
    expect(holds(nodes, "ab")).to.be.true;
    expect(holds(nodes, "ac")).to.be.true;
    expect(holds(nodes, "ad")).to.be.false;
  });

  it("gives back what a repetition took too much", () => {
    const nodes = [loop(0, Infinity, leaf("a")), leaf("a"), leaf("b")];
    expect(holds(nodes, "aaab")).to.be.true;
    expect(holds(nodes, "b")).to.be.false;
  });

  it("ends repetitions that take nothing", () => {
    expect(holds([loop(0, Infinity, loop(0, 1, leaf("a")))], "aa")).to.be.true;
    expect(holds([loop(0, Infinity, loop(0, 1, leaf("a")))], "b")).to.be.false;
    expect(holds([loop(3, Infinity, loop(0, 1, leaf("a")))], "")).to.be.true;
  });

  it("assigns overlapping items of an any-order", () => {
    const ab = either([leaf("a")], [leaf("b")]);
    expect(holds([anyOrder([ab], [leaf("a")])], "ab")).to.be.true;
    expect(holds([anyOrder([ab], [leaf("a")])], "ba")).to.be.true;
    expect(holds([anyOrder([ab], [leaf("a")])], "bb")).to.be.false;
  });

  it("does not try an any-order of many alike items in all orders", () => {
    const items = Array.from({ length: 16 }, () => [leaf("a")]);
    expect(holds([anyOrder(...items)], "a".repeat(15))).to.be.false;
  });

  it("skips what is allowed, and takes it where it is expected", () => {
    expect(holds([leaf("a"), leaf("b")], "xaxxbx", "x")).to.be.true;
    expect(holds([leaf("a"), leaf("x"), leaf("b")], "axxb", "x")).to.be.true;
    expect(holds([leaf("x"), leaf("a")], "xxa", "x")).to.be.true;
    expect(holds([leaf("a")], "xb", "x")).to.be.false;
  });

  it("never sees what a rule has answered", () => {
    const observed = observe("aab");
    for (const one of observed.slice(0, 2)) one.status = "answered";
    expect(find([leaf("b")], observed).kind).to.equal("end");
    expect(find([leaf("a"), leaf("b")], observed).kind).to.equal("failed");
  });

  it("stops at an action, with what comes after it", () => {
    const action: Action = { ...statement, kind: "action", perform: () => undefined };
    const found = find([leaf("a"), action, leaf("b")], observe("a"));
    if (found.kind !== "action") throw new Error(found.kind);
    expect(found.action).to.equal(action);
    expect(found.cursor).to.equal(1);
    expect(search(found.todo, observe("ab"), found.cursor).kind).to.equal("end");
  });

  it("chooses among alternatives only up to their first action", () => {
    const action: Action = { ...statement, kind: "action", perform: () => undefined };
    const found = find(
      [either([leaf("a"), action, leaf("b")], [leaf("a"), leaf("c")])],
      observe("ac"),
    );
    expect(found.kind).to.equal("action");
  });

  it("reports the furthest place, with everything that would have fitted there", () => {
    const found = find(
      [either([leaf("a"), leaf("b")], [leaf("a"), leaf("c")], [leaf("d")])],
      observe("ax"),
    );
    if (found.kind !== "failed") throw new Error(found.kind);
    expect(found.at).to.equal(1);
    expect(found.misses.map(({ reason }) => reason)).to.deep.equal(["no b", "no c"]);
  });

  it("reports the end of all where something is missing", () => {
    const found = find([leaf("a"), leaf("b")], observe("a"));
    if (found.kind !== "failed") throw new Error(found.kind);
    expect(found.at).to.equal(1);
  });

  it("agrees with regular expressions", () => {
    type Pattern = { readonly nodes: Node[]; readonly regex: string };
    const letter = fc.constantFrom("a", "b", "c").map((l) => ({ nodes: [leaf(l)], regex: l }));
    const { pattern } = fc.letrec<{ pattern: Pattern }>((tie) => ({
      pattern: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        letter,
        fc.array(tie("pattern"), { minLength: 1, maxLength: 3 }).map((parts) => ({
          nodes: parts.flatMap(({ nodes }) => nodes),
          regex: parts.map(({ regex }) => regex).join(""),
        })),
        fc.array(tie("pattern"), { minLength: 2, maxLength: 3 }).map((parts) => ({
          nodes: [either(...parts.map(({ nodes }) => nodes))],
          regex: `(?:${parts.map(({ regex }) => regex).join("|")})`,
        })),
        fc
          .tuple(tie("pattern"), fc.nat(2), fc.constantFrom(2, 3, Infinity))
          .map(([{ nodes, regex }, min, max]) => ({
            nodes: [loop(min, max, ...nodes)],
            regex: `(?:${regex}){${min},${max === Infinity ? "" : max}}`,
          })),
        fc.array(tie("pattern"), { minLength: 2, maxLength: 3 }).map((parts) => ({
          nodes: [anyOrder(...parts.map(({ nodes }) => nodes))],
          regex: `(?:${permutations(parts.map(({ regex }) => regex)).join("|")})`,
        })),
      ),
    }));
    fc.assert(
      fc.property(
        pattern,
        fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 }),
        (p, text) => {
          expect(holds(p.nodes, text), p.regex).to.equal(new RegExp(`^(?:${p.regex})$`).test(text));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

function permutations(parts: readonly string[]): string[] {
  if (parts.length === 0) return [""];
  return parts.flatMap((part, i) =>
    permutations([...parts.slice(0, i), ...parts.slice(i + 1)]).map((rest) => part + rest),
  );
}

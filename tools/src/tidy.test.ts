import { expect } from "chai";
import { plant, uproot } from "./repository.ts";
import type { Finding } from "./source.ts";
import { describeFindings } from "./source.ts";
import {
  LINES_MAX,
  checkDocComments,
  checkLength,
  checkSyntax,
  checkTests,
  checkText,
} from "./tidy.ts";

function run(check: (root: string) => Finding[], files: Readonly<Record<string, string>>): string {
  const root = plant({ "packages/ring/package.json": '{ "name": "@kith/ring" }', ...files });
  try {
    return describeFindings(check(root));
  } finally {
    uproot(root);
  }
}

const ring = (text: string) => ({ "packages/ring/src/ring.ts": text });

describe("tidy", () => {
  for (const [what, text] of Object.entries({
    "A default export": "export default class Ring {}",
    "A default export. Export a name": "const ring = 1;\nexport default ring;",
    "A default export.": "const ring = 1;\nexport { ring as default };",
    "An enum": "export enum Ring { One }",
    "An enum.": "export const enum Ring { One }",
    "A namespace": "export namespace Ring { export const one = 1; }",
    "A decorator": "@ring class Ring {}",
    "A parameter property": "class Ring { constructor(readonly size: number) {} }",
  })) {
    it(`reports ${text.replace(/\n/g, " ")}`, () => {
      expect(run(checkSyntax, ring(text)))
        .to.contain(`packages/ring/src/ring.ts:`)
        .and.contain(what);
    });
  }

  it("permits what looks like them", () => {
    const text = `
      export class Ring { constructor(size: number) { switch (size) { default: } } }
      export type { Ring as Circle };
      declare global { interface Window { ring: Ring } }
      export const text = "export default enum namespace";
    `;
    expect(run(checkSyntax, ring(text))).to.equal("");
  });

  for (const call of ["it.only", "describe.only", "it.skip", "describe.skip", "this.skip", "xit"]) {
    it(`reports ${call} in a test`, () => {
      const files = { "packages/ring/src/ring.test.ts": `\n${call}("joins", () => {});` };
      expect(run(checkTests, files)).to.contain(`ring.test.ts:2: \`${call}\``);
    });
  }

  it("permits methods of these names on other objects", () => {
    const files = { "packages/ring/src/ring.test.ts": "cursor.skip(1); queue.only(2);" };
    expect(run(checkTests, files)).to.equal("");
  });

  it("reports a source that is too long, but no test", () => {
    const text = "// line\n".repeat(LINES_MAX + 1);
    expect(run(checkLength, ring(text))).to.contain(`${LINES_MAX + 1} lines`);
    expect(run(checkLength, ring("// line\n".repeat(LINES_MAX)))).to.equal("");
    expect(run(checkLength, { "packages/ring/src/ring.test.ts": text })).to.equal("");
  });

  it("reports an export without a doc comment, through re-exports", () => {
    const found = run(checkDocComments, {
      "packages/ring/src/index.ts":
        'export * from "./ring.ts";\nexport { Hidden as Shown } from "./hidden.ts";',
      "packages/ring/src/ring.ts": `
/** A ring. */
export class Ring {}
/** The size. */
export const size = 1;
/** Overloaded. */
export function f(a: number): void;
export function f(a: string): void;
export function f(): void {}
/** Merged. */
export const port = 1;
export type port = number;
export const bare = 2;
// no doc comment
export interface Bare {}
/**
 * @internal
 */
export type Empty = 1;
`,
      "packages/ring/src/hidden.ts": "export class Hidden {}\nexport class NotExported {}",
    });
    expect(found.split("\n")).to.deep.equal([
      "packages/ring/src/hidden.ts:1: `Shown` is exported by packages/ring/src/index.ts without a doc comment.",
      "packages/ring/src/ring.ts:13: `bare` is exported by packages/ring/src/index.ts without a doc comment.",
      "packages/ring/src/ring.ts:15: `Bare` is exported by packages/ring/src/index.ts without a doc comment.",
      "packages/ring/src/ring.ts:19: `Empty` is exported by packages/ring/src/index.ts without a doc comment.",
    ]);
  });

  it("reports paths of a machine and names of registries", () => {
    const texts = {
      "a.md": `see /${"work"}/main/README.md`,
      "b.sh": `cd "/${"home"}/someone"`,
      "c.json": `"resolved": "${"https"}://example.org/x.tgz"`,
      ".npmrc": `registry=https://registry.${"npmjs"}.org/`,
    };
    const found = run((root) => checkText(root, Object.keys(texts)), texts);
    expect(found.split("\n").map((line) => line.split(":")[0])).to.deep.equal(Object.keys(texts));
  });

  it("permits paths and addresses that mean no machine", () => {
    const texts = {
      "a.md": `see https://example.org/${"work"}/x, framework/${"work"}/, ./home/, /homework and <https://github.com/x>`,
    };
    expect(run((root) => checkText(root, Object.keys(texts)), texts)).to.equal("");
  });
});

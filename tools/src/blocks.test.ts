import { expect } from "chai";
import fs from "node:fs";
import path from "node:path";
import { blocksOf, checkBlocks } from "./blocks.ts";
import { plant, uproot } from "./repository.ts";
import { ROOT, describeFindings } from "./source.ts";

const fence = "```";

/** A page of blocks, each given as its info string and its code. */
function page(...blocks: (readonly [info: string, code: string])[]): string {
  return ["# A page", ...blocks.map(([info, code]) => `${fence}${info}\n${code}\n${fence}`)].join(
    "\n\n",
  );
}

/** Checks a small repository that stands inside this one, so that its tools are found. */
async function check(files: Readonly<Record<string, string>>): Promise<string> {
  const root = plant(
    {
      "package.json": '{ "type": "module" }',
      "tsconfig.check.json": '{ "extends": "../../../tsconfig.check.json", "include": [] }',
      ...files,
    },
    path.join(ROOT, "tools/.tmp"),
  );
  try {
    fs.symlinkSync(path.join(ROOT, "node_modules"), path.join(root, "node_modules"));
    return describeFindings(await checkBlocks(root, "blocks"));
  } finally {
    uproot(root);
  }
}

describe("documentation blocks", () => {
  it("finds the ts blocks of a page, with their lines and words", () => {
    const text = page(
      ["sh", "npm test"],
      ["ts", "1;\n2;"],
      ["ts no-run", "3;"],
      ["ts file=a.ts", ""],
    );
    const { blocks, findings } = blocksOf("README.md", text);
    expect(findings).to.deep.equal([]);
    expect(blocks.map(({ line, code, run, file }) => [line, code, run, file])).to.deep.equal([
      [8, "1;\n2;", true, undefined],
      [13, "3;", false, undefined],
      [17, "", true, "a.ts"],
    ]);
  });

  it("takes a longer fence for what it holds, and an indented block without its indent", () => {
    const text = `${fence}${fence}md\n${fence}ts\nnot code\n${fence}\n${fence}${fence}\n- item\n\n  ${fence}ts\n  if (1)\n    2;\n  ${fence}`;
    const { blocks } = blocksOf("README.md", text);
    expect(blocks.map(({ code }) => code)).to.deep.equal(["if (1)\n  2;"]);
  });

  it("reports an unknown word, and a continuation of nothing", () => {
    const { findings } = blocksOf("README.md", page(["ts norun", "1;"]));
    expect(describeFindings(findings)).to.contain("README.md:4: A block cannot be `norun`");
    const lonely = blocksOf("README.md", page(["ts continues", "1;"]));
    expect(describeFindings(lonely.findings)).to.contain("no block before it");
  });

  it("passes good blocks on every kind of page", async () => {
    const found = await check({
      "README.md": page(
        ["ts", "export const a: number = 1;"],
        ["ts continues", "console.log(a + 1);"],
      ),
      "docs/model.md": page(
        ["ts no-run", "process.exit(1);"],
        ["ts fails", "const s: string = 1;"],
      ),
      "docs/deep/er.md": page(["ts", "await Promise.resolve();"]),
      "packages/core/README.md": page(["ts", "const unused = 1;"]),
      "examples/chat/README.md": page(["ts file=examples/chat/src/main.ts", "console.log(1);"]),
      "examples/chat/src/main.ts": "console.log(1);\n",
    });
    expect(found).to.equal("");
  });

  it("reports each error at its line on the page, and one does not hide another", async () => {
    const found = await check({
      "README.md": page(
        ["ts", "\nconst n: string = 1;"],
        ["ts", "const = ;"],
        ["ts", 'throw new Error("thrown");'],
        ["ts", "Promise.reject(new Error('lost'));"],
        ["ts fails", "const fine = 1;"],
        ["ts", "const first = 1;"],
        ["ts continues", "first.nothing;"],
        ["ts file=missing.ts", "1;"],
        ["ts file=package.json", "1;"],
      ),
    });
    const starts = found.match(/^README\.md:\d+: \S+ \S+/gm);
    expect(starts).to.have.members([
      "README.md:5: TS2322: Type",
      "README.md:9: TS1134: Variable",
      "README.md:13: The block",
      "README.md:17: The block",
      "README.md:21: This block",
      "README.md:29: TS2339: Property",
      "README.md:33: There is",
      "README.md:37: The block",
    ]);
    expect(found).to.contain("thrown");
    expect(found).to.contain("lost");
    expect(found).to.contain("differs from package.json");
  });

  it("reports a type error in what a failing block continues there, not as its failure", async () => {
    const found = await check({
      "README.md": page(
        ["ts", "const n = 1;"],
        ["ts fails continues", "n.length;"],
        ["ts continues", "n;"],
      ),
    });
    expect(found).to.equal("");
  });
});

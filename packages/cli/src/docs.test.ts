/** What the pages tell people to type: every `kith` command in them is one that the program understands. */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { Command } from "commander";
import {
  declareBench,
  declareClient,
  declareSim,
  declareStart,
  declareUp,
} from "./declarations.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

describe("the commands on the pages", () => {
  const pages = [
    "README.md",
    "packages/cli/README.md",
    ...readdirSync(`${root}/docs`)
      .filter((name) => name.endsWith(".md"))
      .map((name) => `docs/${name}`),
  ];

  it("are understood", () => {
    let count = 0;
    for (const page of pages)
      for (const line of commandsIn(readFileSync(`${root}/${page}`, "utf8"))) {
        count++;
        expect(problemOf(line), `${page}: ${line}`).equal(null);
      }
    expect(count).greaterThan(15);
  });

  it("have a place for what is compiled at the first start, in a unit that may write nowhere else", () => {
    const page = readFileSync(`${root}/docs/running.md`, "utf8");
    const unit = /```ini\n([^]*?)```/.exec(page)?.[1] ?? "";
    expect(
      commandsIn(page).filter((line) => line.startsWith("kith start --listen 10.0.0.2")),
    ).length(4);
    expect(unit)
      .match(/^ProtectSystem=strict$/m)
      .and.match(/^PrivateTmp=true$/m);
  });

  it("are not all understood", () => {
    expect(problemOf("kith up --frobnicate")).match(/unknown option/);
    expect(problemOf("kith frobnicate")).match(/unknown command/);
    expect(problemOf("kith start --data d")).match(/--listen/);
  });
});

/** The commands in shell blocks, unit files, and, where they have arguments, between the words. */
function commandsIn(page: string): string[] {
  const joined = page.replaceAll("\\\n", " ").replaceAll(/\S*\/node \S*\/kith\.mjs /g, "kith ");
  const blocks = [...joined.matchAll(/```(?:sh|ini)\n([^]*?)```/g)].map(([, text]) => text ?? "");
  const lines = blocks.join("\n").split("\n");
  const found = lines.flatMap(
    (line) => /(?:^|=|npx )\s*(?:\S*npx )?(kith .*)$/.exec(line)?.[1] ?? [],
  );
  const inline = [...joined.matchAll(/`npx (kith [^\s`]+ [^`\n]+)`/g)].map(
    ([, text]) => text ?? "",
  );
  return [...found, ...inline].map((line) => line.replace(/ +(#|>).*$/, "").trim());
}

/** What the program says to a command; null where it takes it. */
function problemOf(line: string): string | null {
  const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(
    ([, quoted, plain]) => quoted ?? plain ?? "",
  );
  const program = new Command("kith").exitOverride();
  let problem: string | null = null;
  const done = (): Promise<void> => Promise.resolve();
  declareUp(program, done);
  declareStart(program, done);
  declareBench(program, done);
  declareSim(program, done);
  declareClient(program, { status: done, get: done, put: done, del: done, txn: done, leave: done });
  for (const command of [program, ...program.commands]) {
    command.exitOverride();
    command.configureOutput({
      writeErr: (text) => {
        problem ??= text;
      },
      writeOut: () => undefined,
    });
  }
  try {
    program.parse(words.slice(1), { from: "user" });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!code.startsWith("commander.help")) problem ??= String(error);
  }
  return problem;
}

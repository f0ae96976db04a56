// The code blocks of the documentation: found, type-checked and run.
//
// Every fenced block of a page whose language is `ts` counts. Words after the language say more:
//
//   ts                  type-checked and run, and must end by itself with code 0
//   ts no-run           type-checked only
//   ts fails            must not compile
//   ts continues        stands after the block before it, and is checked as if both were one
//   ts file=<path>      is the text of that file, which is run in its place
//
// All blocks are one TypeScript program, in a folder of their own inside the repository, so that
// `@kith/core` means the sources in `packages/`. The options are those of the house; only unused
// names are allowed, because a block often declares what it shows.

import { execFile, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import ts from "typescript";
import type { Finding } from "./source.ts";
import { filesBelow, read } from "./source.ts";

/** How long a block may run. */
const RUN_MS_MAX = 60_000;
/** How many blocks run at a time. */
const RUNS_MAX = 2;

const FLAGS: ReadonlySet<string> = new Set(["no-run", "fails", "continues"]);

/** One block of a page. */
export interface Block {
  /** The page's path from the root. */
  readonly page: string;
  /** The line of the block's first line of code, counted from 1. */
  readonly line: number;
  readonly code: string;
  readonly run: boolean;
  readonly fails: boolean;
  readonly continues: boolean;
  /** The file whose text the block repeats, from the root. */
  readonly file: string | undefined;
}

/** A block as it is checked: with the code that it continues. */
interface Unit {
  readonly block: Block;
  /** The file's name in the folder of blocks. */
  readonly name: string;
  readonly text: string;
  /** For each line of `text`, its line on the page. */
  readonly lines: readonly number[];
}

/** The pages whose blocks are checked, as paths from the root. */
export function pages(root: string): string[] {
  const readmes = ["packages", "examples"].flatMap((parent) =>
    filesBelow(root, parent).filter((file) => /^[^/]+\/[^/]+\/README\.md$/.test(file)),
  );
  const docs = filesBelow(root, "docs").filter(
    (file) => file.endsWith(".md") && !file.startsWith("docs/api/"),
  );
  return ["README.md", ...docs, ...readmes].filter((file) => fs.existsSync(path.join(root, file)));
}

/** The `ts` blocks of a page, in order. Unknown words in an info string are findings. */
export function blocksOf(page: string, text: string): { blocks: Block[]; findings: Finding[] } {
  const blocks: Block[] = [];
  const findings: Finding[] = [];
  const lines = text.split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    const open = /^(\s*)(`{3,}|~{3,})\s*(.*)$/.exec(lines[at] ?? "");
    if (open === null) continue;
    const [, indent = "", fence = "", info = ""] = open;
    const closes = new RegExp(`^\\s*${fence[0]}{${fence.length},}\\s*$`);
    const start = at + 1;
    while (++at < lines.length && !closes.test(lines[at] ?? ""));
    const words = info.trim().split(/\s+/);
    if (words[0] !== "ts" && words[0] !== "typescript") continue;
    const place = `${page}:${start + 1}`;
    const flags = words.slice(1).filter((word) => !word.startsWith("file="));
    for (const word of flags.filter((flag) => !FLAGS.has(flag))) {
      findings.push({
        place,
        message: `A block cannot be \`${word}\`: ${[...FLAGS].join(", ")}, file=.`,
      });
    }
    if (flags.includes("continues") && blocks.length === 0) {
      findings.push({ place, message: "There is no block before it to continue." });
    }
    blocks.push({
      page,
      line: start + 1,
      code: lines
        .slice(start, at)
        .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line.trimStart()))
        .join("\n"),
      run: !flags.includes("no-run") && !flags.includes("fails"),
      fails: flags.includes("fails"),
      continues: flags.includes("continues"),
      file: words.find((word) => word.startsWith("file="))?.slice("file=".length),
    });
  }
  return { blocks, findings };
}

/**
 * Checks every block of the pages below `root`.
 * @param root the repository: `tsconfig.check.json` and `node_modules` are taken from it
 * @param folder where the blocks are written, below `root`
 */
export async function checkBlocks(
  root: string,
  // Two runs at once must not delete each other's files.
  folder = `tools/.blocks/${process.pid}`,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const units: Unit[] = [];
  const files = new Map<string, Block>();
  const continued = new Set<Unit>();
  for (const page of pages(root)) {
    const found = blocksOf(page, read(root, page));
    findings.push(...found.findings);
    let before: Unit | undefined;
    for (const block of found.blocks) {
      if (block.file !== undefined) {
        const wrong = checkCopy(root, block, block.file);
        findings.push(...wrong);
        if (block.run && wrong.length === 0) files.set(block.file, block);
      }
      const unit = unitOf(block, block.continues ? before : undefined);
      if (block.continues && before !== undefined && block.run) continued.add(before);
      units.push(unit);
      if (!block.fails) before = unit;
    }
  }
  if (units.length === 0) return findings;

  const target = path.join(root, folder);
  fs.rmSync(target, { recursive: true, force: true });
  fs.mkdirSync(target, { recursive: true });
  try {
    const broken = typeCheck(root, target, units);
    findings.push(...broken.findings);
    const runs = units
      .filter((unit) => unit.block.run && unit.block.file === undefined)
      .filter((unit) => !broken.units.has(unit) && !continued.has(unit))
      .map((unit) => ({ block: unit.block, file: path.join(target, unit.name) }));
    const copies = [...files].map(([file, block]) => ({ block, file: path.join(root, file) }));
    findings.push(...(await runAll(root, [...copies, ...runs])));
  } finally {
    fs.rmSync(target, { recursive: true, force: true });
  }
  return findings;
}

function unitOf(block: Block, before: Unit | undefined): Unit {
  const own = block.code.split("\n");
  const name = `${block.page.replace(/\W+/g, "-")}-${block.line}.ts`;
  return {
    block,
    name,
    text: before === undefined ? block.code : `${before.text}\n${block.code}`,
    lines: [...(before?.lines ?? []), ...own.map((_, n) => block.line + n)],
  };
}

function checkCopy(root: string, block: Block, file: string): Finding[] {
  const place = placeOf(block);
  if (!fs.existsSync(path.join(root, file))) return [{ place, message: `There is no ${file}.` }];
  if (read(root, file).trimEnd() === block.code.trimEnd()) return [];
  return [{ place, message: `The block differs from ${file}. Copy the file's text.` }];
}

/** Type-checks all units at once; gives the findings, and the units that cannot be run. */
function typeCheck(
  root: string,
  target: string,
  units: readonly Unit[],
): { findings: Finding[]; units: Set<Unit> } {
  const errors = new Map<Unit, Finding[]>(units.map((unit) => [unit, []]));
  const checked: Unit[] = [];
  for (const unit of units) {
    // tsc reports no type errors at all as long as one file has a syntax error.
    const syntax = syntaxErrors(unit);
    if (syntax.length > 0) errors.get(unit)?.push(...syntax);
    else if (unit.block.file === undefined) checked.push(unit); // a copy is checked as its file is
  }
  for (const { name, text } of checked) fs.writeFileSync(path.join(target, name), `${text}\n`);
  const others = checked.length > 0 ? compile(root, target, checked, errors) : "";

  const findings: Finding[] = [];
  const broken = new Set<Unit>();
  for (const [unit, found] of errors) {
    if (found.length > 0) broken.add(unit);
    if (!unit.block.fails) findings.push(...found);
    else if (found.length === 0) {
      const message = `This block must not compile, but it does.${others}`;
      findings.push({ place: placeOf(unit.block), message });
    }
  }
  return { findings, units: broken };
}

/** Runs tsc over the units and files its errors; gives those that are in no unit, as a remark. */
function compile(
  root: string,
  target: string,
  units: readonly Unit[],
  errors: ReadonlyMap<Unit, Finding[]>,
): string {
  const config = {
    extends: path.relative(target, path.join(root, "tsconfig.check.json")),
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
    include: ["*.ts"],
  };
  fs.writeFileSync(path.join(target, "tsconfig.json"), JSON.stringify(config));
  const tsc = path.join(root, "node_modules/typescript/bin/tsc");
  const run = spawnSync(process.execPath, [tsc, "-p", target, "--pretty", "false"], {
    cwd: target,
    encoding: "utf8",
  });
  const byName = new Map(units.map((unit) => [unit.name, unit]));
  const others: string[] = [];
  for (const line of run.stdout.split("\n")) {
    const error = /^(?:(.*?)\((\d+),\d+\): )?error (TS\d+: .*)$/.exec(line);
    if (error === null) continue;
    const [, file = "", at = "1", message = ""] = error;
    const unit = byName.get(path.relative(target, path.resolve(target, file)));
    if (unit === undefined) {
      others.push(line);
      continue;
    }
    const pageLine = unit.lines[Number(at) - 1] ?? unit.block.line;
    // An error in what the block continues is told there.
    if (pageLine < unit.block.line && unit.block.continues) continue;
    errors.get(unit)?.push({ place: `${unit.block.page}:${pageLine}`, message });
  }
  if (run.status !== 0 && run.stdout.trim() === "") throw new Error(`tsc failed: ${run.stderr}`);
  return others.length > 0 ? ` (Errors elsewhere may hide it: ${others.join("; ")})` : "";
}

function syntaxErrors({ block, text, lines }: Unit): Finding[] {
  const { diagnostics = [] } = ts.transpileModule(text, {
    reportDiagnostics: true,
    fileName: "block.ts",
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  return diagnostics.map(({ code, messageText, file, start }) => {
    const at = file?.getLineAndCharacterOfPosition(start ?? 0).line ?? 0;
    return {
      place: `${block.page}:${lines[at] ?? block.line}`,
      message: `TS${code}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`,
    };
  });
}

async function runAll(
  root: string,
  runs: readonly { block: Block; file: string }[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const queue = [...runs];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { block, file } = next;
      const message = await runOne(root, file);
      if (message !== undefined) findings.push({ place: placeOf(block), message });
    }
  };
  await Promise.all(Array.from({ length: RUNS_MAX }, worker));
  return findings;
}

/** Runs a file as a user would from source; gives what went wrong. */
function runOne(root: string, file: string): Promise<string | undefined> {
  const args = ["--import", "tsx", "--conditions", "source", file];
  const options = { cwd: root, timeout: RUN_MS_MAX, killSignal: "SIGKILL" } as const;
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(undefined);
      else if (error.killed) resolve(`The block did not end within ${RUN_MS_MAX} ms.\n${stdout}`);
      else resolve(`The block failed with ${error.signal ?? `code ${error.code}`}.\n${stderr}`);
    });
  });
}

function placeOf({ page, line }: Block): string {
  return `${page}:${line}`;
}

/** Pages of results that are committed: about which sources, on which machine, and in which format. */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import path from "node:path";

/** The commit that is checked out, and whether there are changes. Ask before a long run: the page is about what was run. */
export function commitOf(root: string): string {
  const git = (...args: string[]): string =>
    execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  // Not those to the pages: two that are made one after the other are about the same sources.
  const status = git("status", "--porcelain", "--", ".", ":!bench/results");
  const changes = status === "" ? "" : ", with changes";
  return `${git("rev-parse", "--short", "HEAD")}${changes}`;
}

/** The machine, in words. */
export function machine(): string {
  const cores = `${availableParallelism()} cores`;
  return `Node ${process.version}, ${cores} (${cpus()[0]?.model.trim() ?? "unknown"})`;
}

/** So many of something, in words: `1 peer`, `2 peers`, `2 processes`. */
export function counted(count: number, what: string): string {
  const many = what.endsWith("s") ? `${what}es` : `${what}s`;
  return `${count.toLocaleString("en")} ${count === 1 ? what : many}`;
}

/** A table of Markdown, with columns as wide as what is in them: people read it on a terminal, too. */
export function table(
  head: readonly string[],
  body: readonly (readonly (string | number)[])[],
): string {
  const widths = head.map((name, at) =>
    Math.max(3, name.length, ...body.map((cells) => `${cells[at] ?? ""}`.length)),
  );
  return [head, widths.map((width) => "-".repeat(width)), ...body]
    .map((cells) => `| ${cells.map((cell, at) => `${cell}`.padEnd(widths[at] ?? 0)).join(" | ")} |`)
    .join("\n");
}

/** Writes a page into a file, whose path is relative to the repository, formatted as the house has it. */
export function writePage(root: string, file: string, text: string): void {
  const target = path.resolve(root, file);
  writeFileSync(target, text);
  execFileSync(path.join(root, "node_modules", ".bin", "oxfmt"), [target], { stdio: "ignore" });
  console.log(`Written to ${path.relative(root, target)}`);
}

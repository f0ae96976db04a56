// Runs the house's linter, with the configuration at the root of the repository.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import type { Finding } from "./source.ts";
import { ROOT } from "./source.ts";

/** A finding of the linter, with the rule that made it, as `kith(pure)`. */
export interface LintFinding extends Finding {
  readonly file: string;
  readonly rule: string;
}

interface Diagnostic {
  readonly message: string;
  readonly code?: string;
  readonly filename: string;
  readonly labels?: readonly { readonly span: { readonly line?: number } }[];
}

/**
 * Lints everything below `root` by the `.oxlintrc.json` in it, warnings included.
 * @throws if the linter itself failed.
 */
export function lint(root: string, options: { typeAware: boolean }): LintFinding[] {
  const run = spawnSync(
    process.execPath,
    [
      path.join(ROOT, "node_modules/oxlint/bin/oxlint"),
      ...(options.typeAware ? ["--type-aware"] : []),
      "--deny-warnings",
      "--format=json",
    ],
    { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 },
  );
  const { diagnostics } = parseReport(run.stdout, run.stderr);
  if (run.status !== 0 && diagnostics.length === 0) {
    throw new Error(`oxlint ended with code ${run.status}:\n${run.stdout}${run.stderr}`);
  }
  return diagnostics.map(({ message, code = "parse error", filename, labels }) => ({
    file: filename,
    place: `${filename}:${labels?.[0]?.span.line ?? 1}`,
    rule: code,
    message: `${message} [${code}]`,
  }));
}

/** Puts the house's lint configuration and rules into another folder, unchanged. */
export function copyConfiguration(root: string): void {
  fs.copyFileSync(path.join(ROOT, ".oxlintrc.json"), path.join(root, ".oxlintrc.json"));
  fs.cpSync(path.join(ROOT, "tools/lint"), path.join(root, "tools/lint"), { recursive: true });
}

function parseReport(stdout: string, stderr: string): { diagnostics: Diagnostic[] } {
  try {
    return JSON.parse(stdout);
  } catch {
    throw new Error(`oxlint gave no report:\n${stdout}${stderr}`);
  }
}

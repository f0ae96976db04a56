// How a check of the house fails: with its findings, one a line, and without a stack.

import type { Finding } from "./source.ts";
import { describeFindings } from "./source.ts";

/** Throws unless there are no findings. */
export function none(findings: readonly Finding[]): void {
  if (findings.length > 0) fail(`${findings.length} found:\n${describeFindings(findings)}`);
}

/** Throws an error that shows its message only: where it was thrown tells nobody anything. */
export function fail(message: string): never {
  const error = new Error(message);
  error.stack = `Error: ${message}`;
  throw error;
}

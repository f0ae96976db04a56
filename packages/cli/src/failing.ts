/**
 * How a command fails: what is wrong, why, and what to do next, as text for people, and an exit code for programs.
 * A stack is shown for an error of Kith itself only, never for a mistake of whoever has typed the command.
 */

import { KithError } from "@kith/core";
import { type Paint, paintFor } from "./colours.ts";
import type { Terminal } from "./progress.ts";

/** What the process ends with. */
export const exitCodes = {
  /** What was asked for is done, or holds. */
  done: 0,
  /** It is not done, or does not hold. */
  failed: 1,
  /** The command itself is wrong: nothing was tried. */
  usage: 2,
  /** Nobody can know whether it was done. */
  unknown: 3,
} as const;

/** Runs a program, and tells how it fails. Sets the exit code; ends nothing. @param json whether a program reads that */
export async function runProgram(
  body: () => Promise<void>,
  terminal: Terminal = process.stderr,
  json = false,
): Promise<void> {
  try {
    await body();
  } catch (cause) {
    const text = json ? JSON.stringify(failureJson(cause)) : failureOf(cause, paintFor(terminal));
    terminal.write(`${text}\n`);
    process.exitCode = exitCodeOf(cause);
  }
}

/** The exit code for what was thrown. */
export function exitCodeOf(cause: unknown): number {
  if (!(cause instanceof KithError)) return exitCodes.failed;
  if (cause.code === "KITH_CLI_ARGUMENT" || cause.code === "KITH_CLIENT_ARGUMENT")
    return exitCodes.usage;
  return "outcome" in cause && cause.outcome === "unknown" ? exitCodes.unknown : exitCodes.failed;
}

/** A failure for people. */
export function failureOf(cause: unknown, paint: Paint): string {
  if (!(cause instanceof Error)) return paint.red(`Something was thrown: ${String(cause)}`);
  const lines = [paint.red(whatOf(cause)), ...causesOf(cause).map((why) => `  because: ${why}`)];
  if (cause instanceof KithError)
    return [...lines, `  ${cause.next}`, `  ${paint.dim(cause.code)}`].join("\n");
  // The system has said no: to a file, say. Where in Kith it was asked is of no interest.
  if ("syscall" in cause) return lines.join("\n");
  return [...lines, paint.dim(cause.stack ?? ""), "This is an error of kith itself."].join("\n");
}

/** The same for programs. */
export function failureJson(cause: unknown): object {
  if (!(cause instanceof Error)) return { error: { message: String(cause) } };
  const causes = causesOf(cause);
  const known =
    cause instanceof KithError
      ? {
          code: cause.code,
          next: cause.next,
          ...("outcome" in cause ? { outcome: cause.outcome } : {}),
        }
      : {};
  return { error: { ...known, message: whatOf(cause), ...(causes.length > 0 ? { causes } : {}) } };
}

/** The sentence that says what is wrong: the message of a coded error has its advice and its code behind it. */
export function whatOf(cause: Error): string {
  if (!(cause instanceof KithError)) return cause.message;
  const more = ` ${cause.next} [${cause.code}]`;
  return cause.message.endsWith(more) ? cause.message.slice(0, -more.length) : cause.message;
}

/** What it goes back to, as far as the sentence does not say so already. */
function causesOf(error: Error): string[] {
  const causes: string[] = [];
  let said = whatOf(error);
  for (let at = error.cause; at instanceof Error && causes.length < 8; at = at.cause) {
    const what = whatOf(at);
    if (!said.includes(what)) causes.push(what);
    said += what;
  }
  return causes;
}

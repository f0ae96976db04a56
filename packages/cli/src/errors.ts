/** The errors of the command: a stable code, and what to do next. */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_CLI_ARGUMENT: "See `kith help`, and `kith help` with the name of the command.",
  KITH_CLI_FILE: "Name a file in a folder that is there and may be written to.",
  KITH_CLI_LOAD:
    "Run the file by itself to see the whole error; TypeScript files need tsx installed.",
  KITH_CLI_SCENARIO:
    'Name one of `kith sim --list`, or a file; a package lists its files under "kith": { "scenarios": […] }.',
  KITH_CLI_WORKER: "Run the seed that it was at by itself, with --seed.",
} as const;

/** The codes of the errors that `@kith/cli` raises. */
export type CliErrorCode = keyof typeof nextSteps;

/** Builds an error of the command. */
export function cliError(code: CliErrorCode, what: string, cause?: unknown): KithError {
  return new KithError(code, what, nextSteps[code], cause === undefined ? undefined : { cause });
}

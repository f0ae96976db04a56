/** The errors of the command: a stable code, and what to do next. */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_CLI_ARGUMENT: "See `kith help`, and `kith help` with the name of the command.",
  KITH_CLI_CERTIFICATE:
    "Give a certificate in PEM that is valid now, and its own key without a password.",
  KITH_CLI_FILE: "Name a file that may be read, or a folder that may be written to.",
  KITH_CLI_LOAD:
    "Run the file by itself to see the whole error; TypeScript files need tsx installed.",
  KITH_CLI_SCENARIO:
    'Name one of `kith sim --list`, or a file; a package lists its files under "kith": { "scenarios": […] }.',
  KITH_CLI_ABSENT: "Write it with `kith put`, or look for another key.",
  KITH_CLI_CONDITION: "Read what is there, and ask for what can be.",
  KITH_CLI_DATA:
    "Name another directory with --data, or start as many peers as it has; leave its files alone.",
  KITH_CLI_ENDED: "Look at what was printed before, see to the cause, and start it again.",
  KITH_CLI_LEAVE:
    "Stop it with Ctrl-C instead: it stays a member, and the others go on as long as most replicas of each group run.",
  KITH_CLI_PORT: "End the program that has it, or choose another port.",
  KITH_CLI_REFUSED:
    "Start it with the name and the secret of the cluster: --cluster, and --secret-file or KITH_SECRET.",
  KITH_CLI_TRANSACTION: "Read what is there, and ask for what can be.",
  KITH_CLI_UNREACHABLE:
    "Check that the peer runs, its address, and that --cluster, the secret and TLS are those of its cluster.",
  KITH_CLI_WORKER: "Run the seed that it was at by itself, with --seed.",
} as const;

/** The codes of the errors that `@kith/cli` raises. */
export type CliErrorCode = keyof typeof nextSteps;

/** Builds an error of the command. */
export function cliError(code: CliErrorCode, what: string, cause?: unknown): KithError {
  return new KithError(code, what, nextSteps[code], cause === undefined ? undefined : { cause });
}

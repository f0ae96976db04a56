/** Seeds as the command line gives them: a number or any text, and ranges `A..B` with both ends. */

import { cliError } from "./errors.ts";

/** The seed of `--seed`. A text of digits is that number. @throws KithError `KITH_CLI_ARGUMENT` */
export function parseSeed(text: string): number | string {
  if (text === "") throw cliError("KITH_CLI_ARGUMENT", "The seed is empty.");
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

/** The seeds of `--seeds A..B`. @throws KithError `KITH_CLI_ARGUMENT` */
export function parseSeeds(text: string): number[] {
  const [, first, last] = /^(\d{1,15})\.\.(\d{1,15})$/.exec(text) ?? [];
  const from = Number(first);
  const to = Number(last);
  if (first === undefined || last === undefined || to < from || to - from >= seedsMax)
    throw cliError("KITH_CLI_ARGUMENT", `${text} is no range of seeds such as 1..200.`);
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

const seedsMax = 10_000_000;

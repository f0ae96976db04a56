/** Arguments of the command line as values: numbers, addresses, files, and programs that take options. */

import { readFileSync } from "node:fs";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { parseAddress } from "@kith/network";
import { cliError } from "./errors.ts";

/** A whole number. @param what what it is, for the error: "a number of peers" @throws KithError `KITH_CLI_ARGUMENT` */
export function wholeNumber(text: string, what: string, min: number, max: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw cliError("KITH_CLI_ARGUMENT", `${text} is not ${what} from ${min} to ${max}.`);
}

/** `HOST:PORT`, or a port of loopback. @throws KithError `KITH_CLI_ARGUMENT` */
export function place(
  text: string,
  what: string,
): { readonly host: string; readonly port: number } {
  if (/^\d+$/.test(text))
    return { host: "127.0.0.1", port: wholeNumber(text, `${what}: a port`, 0, 65_535) };
  try {
    return parseAddress(text);
  } catch {
    throw cliError("KITH_CLI_ARGUMENT", `${text} is not ${what}: neither a port nor HOST:PORT.`);
  }
}

/** The text of a file that an option names. @throws KithError `KITH_CLI_FILE` */
export function textOfFile(file: string, what: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw cliError("KITH_CLI_FILE", `${what} ${file} cannot be read.`, cause);
  }
}

/** What `parseArgs` of Node reads, with errors for people. @throws KithError `KITH_CLI_ARGUMENT` */
export function readArguments<T extends ParseArgsConfig>(
  config: T,
): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (cause) {
    const options = Object.keys(config.options ?? {}).map((name) => `--${name}`);
    const what = cause instanceof Error ? (cause.message.split(". ")[0] ?? "") : String(cause);
    throw cliError("KITH_CLI_ARGUMENT", `${what}. The options are ${options.join(", ")}.`);
  }
}

/** Files that a command is asked to write. */

import { accessSync, constants, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { cliError } from "./errors.ts";

/** Sees to it that a file can be written, before a long run. @throws KithError `KITH_CLI_FILE` */
export function checkPlace(file: string): void {
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
    throw cliError("KITH_CLI_FILE", `${file} is a folder.`);
  try {
    accessSync(path.dirname(file), constants.W_OK);
  } catch (cause) {
    throw cliError("KITH_CLI_FILE", `The file ${file} cannot be written.`, cause);
  }
}

/** Writes a file. @throws KithError `KITH_CLI_FILE` */
export function writeText(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw cliError("KITH_CLI_FILE", `The file ${file} could not be written.`, cause);
  }
}

/** The version that a package's file tells; `unknown` where there is no such file, as in a bundle. */
export function versionOf(file: URL): string {
  try {
    const told: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof told === "object" && told !== null && "version" in told) return String(told.version);
  } catch {
    // It is not needed for anything else.
  }
  return "unknown";
}

/** Files that a command is asked to write. */

import { accessSync, constants, statSync, writeFileSync } from "node:fs";
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

/**
 * The data directory of a process: the identities of its peers in a file of its own, beside the identity and the storage of the
 * world (`@kith/node`).
 *
 * A directory that holds something else is left alone. The file is written whole before anything else is, so that a
 * directory is either empty, or one of Kith.
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { spreadIds } from "@kith/peer";
import { cliError } from "../errors.ts";

const fileName = "kith.json";
const format = 1;
const processFolder = /^peer-\d+$/;

/**
 * The identities of the peers of a directory; made where it is empty.
 *
 * @param count how many peers the process is to have
 * @param wanted where their first identity is to lie, where that is not drawn
 * @throws KithError `KITH_CLI_DATA`
 */
export function peersOf(directory: string, count: number, wanted?: readonly number[]): number[] {
  let names: string[];
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    names = readdirSync(directory);
  } catch (cause) {
    throw cliError("KITH_CLI_DATA", `The data directory ${directory} cannot be used.`, cause);
  }
  if (names.includes(fileName)) return known(directory, count);
  const strangers = names.filter((name) => !name.startsWith(`.${fileName}`));
  if (strangers.length > 0 && strangers.every((name) => processFolder.test(name)))
    throw cliError(
      "KITH_CLI_DATA",
      `${directory} has the data of ${strangers.length} processes, a peer in each: start them with \`kith up --processes\`.`,
    );
  if (strangers.length > 0)
    throw cliError(
      "KITH_CLI_DATA",
      `${directory} is no data directory of Kith: it holds ${strangers.slice(0, 3).join(", ")}.`,
    );
  const peers = [...(wanted ?? drawnIds(count))];
  write(directory, peers);
  return peers;
}

/**
 * Sees to it that a directory is one of so many processes, each with a folder of its own, or an empty one.
 *
 * @throws KithError `KITH_CLI_DATA`
 */
export function checkProcesses(directory: string, count: number): void {
  const names = existsSync(directory) ? readdirSync(directory) : [];
  if (names.includes(fileName))
    throw cliError(
      "KITH_CLI_DATA",
      `${directory} has the data of one process: start it without --processes.`,
    );
  const strangers = names.filter((name) => !processFolder.test(name));
  if (strangers.length > 0)
    throw cliError(
      "KITH_CLI_DATA",
      `${directory} is no data directory of Kith: it holds ${strangers.slice(0, 3).join(", ")}.`,
    );
  // More is all right: they join as those that were there before go on.
  if (names.length > count)
    throw cliError(
      "KITH_CLI_DATA",
      `${directory} has the data of ${names.length} processes, and ${count} are to be started.`,
    );
}

/** Identities, points of a ring of 2^50, that lie evenly and in their order. */
export function drawnIds(count: number): number[] {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  const drawn = (high & 0x3_ffff) * 2 ** 32 + low;
  return spreadIds(Math.floor(drawn / count), count);
}

function known(directory: string, count: number): number[] {
  const file = join(directory, fileName);
  const peers = peersIn(readFileSync(file, "utf8"));
  if (peers === null)
    throw cliError(
      "KITH_CLI_DATA",
      `${file} cannot be understood: it was made by another version.`,
    );
  if (peers.length !== count)
    throw cliError(
      "KITH_CLI_DATA",
      `${directory} has the data of ${peers.length} ${peers.length === 1 ? "peer" : "peers"}, and ${count} are to be started.`,
    );
  return peers;
}

function peersIn(text: string): number[] | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof json !== "object" || json === null || !("peers" in json && "format" in json))
    return null;
  const { peers } = json;
  if (json.format !== format || !Array.isArray(peers) || peers.length === 0) return null;
  const ids = peers.filter((one): one is number => Number.isSafeInteger(one) && one >= 0);
  return ids.length === peers.length ? ids : null;
}

function write(directory: string, peers: readonly number[]): void {
  const aside = join(directory, `.${fileName}.${process.pid}`);
  const file = openSync(aside, "w", 0o600);
  try {
    writeSync(file, `${JSON.stringify({ format, peers })}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(aside, join(directory, fileName));
  // Its name, too, has to be there before anything else is: a directory that holds something else is refused.
  const folder = openSync(directory, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

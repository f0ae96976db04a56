/**
 * Who a process is, and which life of its peer it is: the two numbers that must never be used twice.
 *
 * In a data directory the identity is a file that is made once, whole, by a link; each life is a file
 * of its own, whose name is its number, made exclusively. So two processes that start on one directory at the
 * same instant get two numbers, and none of them needs a lock. Both are flushed, the directory too,
 * before anything uses them. Without a directory the identity is drawn, and the wall clock counts lives.
 */

import * as fs from "node:fs";
import { dirname, join, resolve } from "node:path";
import { nodeError } from "./errors.ts";

/** The two numbers of a peer. */
export interface Identity {
  readonly peerId: number;
  readonly incarnation: number;
}

const peerName = "peer";
const lifePattern = /^life-(\d{1,16})$/;

/**
 * Begins a new life of the peer of a directory, which is made where it is missing.
 *
 * @param peerId who it is to be; by default who it was, or a number drawn
 * @param list the names in a directory; tests put something in between here
 * @throws KithError `KITH_NODE_DATA`, `KITH_NODE_IDENTITY`
 */
export function durableIdentity(
  directory: string,
  peerId?: number,
  list: (directory: string) => readonly string[] = (path) => fs.readdirSync(path),
): Identity {
  checkPeerId(peerId);
  try {
    makeDirectory(resolve(directory));
    return { peerId: peerOf(directory, peerId), incarnation: nextLife(directory, list) };
  } catch (error) {
    if (isSystemError(error))
      throw nodeError("KITH_NODE_DATA", `The directory ${directory} cannot be used.`, error);
    throw error;
  }
}

let lastLife = 0;

/** An identity that ends with the process. */
export function passingIdentity(peerId?: number): Identity {
  checkPeerId(peerId);
  lastLife = Math.max(Date.now(), lastLife + 1);
  return { peerId: peerId ?? drawPeerId(), incarnation: lastLife };
}

function peerOf(directory: string, wanted: number | undefined): number {
  const path = join(directory, peerName);
  if (!fs.existsSync(path)) makePeer(directory, path, wanted ?? drawPeerId());
  const text = fs.readFileSync(path, "latin1");
  const found = Number(/^(\d{1,16})\n$/.exec(text)?.[1] ?? NaN);
  if (!Number.isSafeInteger(found)) throw nodeError("KITH_NODE_DATA", `${path} holds no identity.`);
  if (wanted !== undefined && wanted !== found) {
    throw nodeError(
      "KITH_NODE_IDENTITY",
      `${directory} belongs to peer ${found}, and was opened as peer ${wanted}.`,
    );
  }
  return found;
}

/** Written aside and then linked: whoever sees the file sees all of it, and the first one stays. */
function makePeer(directory: string, path: string, peerId: number): void {
  const aside = join(directory, `${peerName}.${process.pid}.${drawPeerId()}`);
  const file = fs.openSync(aside, "wx", 0o600);
  try {
    fs.writeSync(file, `${peerId}\n`);
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
  try {
    fs.linkSync(aside, path);
  } catch (error) {
    if (!isSystemError(error) || error.code !== "EEXIST") throw error;
  } finally {
    fs.unlinkSync(aside);
  }
  flushDirectory(directory);
}

function nextLife(directory: string, list: (directory: string) => readonly string[]): number {
  for (;;) {
    const lives = list(directory)
      .map((name) => Number(lifePattern.exec(name)?.[1] ?? NaN))
      .filter((life) => Number.isSafeInteger(life));
    const next = Math.max(0, ...lives) + 1;
    if (!Number.isSafeInteger(next))
      throw nodeError("KITH_NODE_DATA", `${directory} has no further life to give.`);
    try {
      fs.closeSync(fs.openSync(join(directory, `life-${next}`), "wx", 0o600));
    } catch (error) {
      // Another process has just taken it.
      if (isSystemError(error) && error.code === "EEXIST") continue;
      throw error;
    }
    flushDirectory(directory);
    // Only now: a crash before that must find the last one.
    for (const life of lives)
      if (life < next) fs.rmSync(join(directory, `life-${life}`), { force: true });
    return next;
  }
}

/** A directory whose name is as durable as what will be in it: a life must not be forgotten with it. */
function makeDirectory(directory: string): void {
  const first = fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  const top = dirname(resolve(first));
  for (let at = dirname(directory); ; at = dirname(at)) {
    try {
      flushDirectory(at);
    } catch (error) {
      // Where names may be made and not be read, that is the best there is.
      if (!isSystemError(error) || error.code !== "EACCES") throw error;
    }
    if (at === top || at === dirname(at)) return;
  }
}

/** Makes names that were made or removed durable. */
function flushDirectory(directory: string): void {
  const file = fs.openSync(directory, "r");
  try {
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
}

/** 53 bits at random. */
/** A point of the ring of identifiers, which has 2^50 unless somebody sets `ring.size`: one beyond it has no place. */
function drawPeerId(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high & 0x3_ffff) * 2 ** 32 + low;
}

function checkPeerId(peerId: number | undefined): void {
  if (peerId !== undefined && !(Number.isSafeInteger(peerId) && peerId >= 0))
    throw nodeError(
      "KITH_NODE_IDENTITY",
      `${peerId} is no identity: it is no whole number from 0 on.`,
    );
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}

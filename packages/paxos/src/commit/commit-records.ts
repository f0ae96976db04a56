/** How a peer's transactions lie in a Storage: a row for each at an acceptor, at a manager, and for what is over. */

import type { Entry as Row, Operation } from "@kith/storage";
import { bytesText, ByteReader, ByteWriter, textBytes } from "../bytes.ts";
import type { PeerAddress } from "../config.ts";
import type { Vote } from "../decide/acceptor.ts";
import { readBallot, writeBallot } from "../decide/ballot.ts";
import { readVote, writeVote } from "../decide/records.ts";
import type { Accepting, Committer, Managing } from "./transactions.ts";
import type { Over } from "./transaction-id.ts";

const prefixes = { accepting: "a/", managing: "m/", over: "o/", finished: "f/" };

/** What is read back. */
export interface ReadCommits {
  readonly lives: number;
  readonly accepting: Map<string, Omit<Accepting, "deadline">>;
  readonly managing: Map<string, Pick<Managing, "managers" | "vote">>;
  readonly over: Over;
  readonly finished: Over;
}

/** The rows of transactions and lives as they are now; those that are no more are deleted. */
export function operationsFor(
  state: Committer,
  transactions: Iterable<string>,
  lives: Iterable<string>,
): Operation[] {
  const operations: Operation[] = [];
  const put = (name: string, value: Uint8Array | null): void => {
    const key = textBytes(name);
    operations.push(value === null ? { kind: "delete", key } : { kind: "put", key, value });
  };
  for (const name of transactions) {
    const accepting = state.accepting.get(name);
    put(prefixes.accepting + name, accepting === undefined ? null : writeAccepting(accepting));
    const managing = state.managing.get(name);
    const voted = managing !== undefined && managing.vote !== null;
    put(prefixes.managing + name, voted ? writeManaging(managing) : null);
  }
  for (const life of lives) {
    put(prefixes.over + life, writeOver(state.over, life));
    put(prefixes.finished + life, writeOver(state.finished, life));
  }
  return operations;
}

/** What the rows say. @throws KithError `KITH_PAXOS_CORRUPT` */
export function readCommits(rows: readonly Row[]): ReadCommits {
  const read: ReadCommits = {
    lives: 0,
    accepting: new Map(),
    managing: new Map(),
    over: new Map(),
    finished: new Map(),
  };
  let lives = 0;
  for (const { key, value } of rows) {
    const text = bytesText(key);
    const name = text.slice(2);
    const reader = new ByteReader(value);
    if (text.startsWith(prefixes.accepting)) read.accepting.set(name, readAccepting(reader));
    else if (text.startsWith(prefixes.managing)) {
      const managers = readManagers(reader);
      const vote = reader.bytes();
      read.managing.set(name, { managers, vote });
    } else if (text.startsWith(prefixes.over)) readOver(reader, read.over, name);
    else if (text.startsWith(prefixes.finished)) readOver(reader, read.finished, name);
    else lives = reader.count();
  }
  return { ...read, lives };
}

function writeOver(over: Over, life: string): Uint8Array | null {
  const known = over.get(life);
  if (known === undefined) return null;
  const writer = new ByteWriter().count(known.below).count(known.beyond.size);
  for (const seq of known.beyond) writer.count(seq);
  return writer.done();
}

function readOver(reader: ByteReader, over: Over, life: string): void {
  const below = reader.count();
  const beyond = new Set<number>();
  for (let left = reader.count(); left > 0; left--) beyond.add(reader.count());
  over.set(life, { below, beyond });
}

function writeAccepting({ managers, promised, votes }: Accepting): Uint8Array {
  const writer = new ByteWriter();
  writeManagers(writer, managers);
  writeBallot(writer, promised);
  writer.count(votes.size);
  for (const [manager, vote] of votes) writeVote(writer.count(manager), vote);
  return writer.done();
}

function readAccepting(reader: ByteReader): Omit<Accepting, "deadline"> {
  const managers = readManagers(reader);
  const promised = readBallot(reader);
  const votes = new Map<number, Vote>();
  for (let left = reader.count(); left > 0; left--) {
    const manager = reader.count();
    const vote = readVote(reader);
    if (vote !== null) votes.set(manager, vote);
  }
  return { managers, promised, votes };
}

function writeManaging({ managers, vote }: Managing): Uint8Array {
  const writer = new ByteWriter();
  writeManagers(writer, managers);
  return writer.bytes(vote ?? new Uint8Array()).done();
}

function writeManagers(writer: ByteWriter, managers: readonly PeerAddress[]): void {
  writer.count(managers.length);
  for (const { peerId, host, port } of managers) writer.count(peerId).text(host).count(port);
}

function readManagers(reader: ByteReader): PeerAddress[] {
  return Array.from({ length: reader.count() }, () => {
    const peerId = reader.count();
    const host = reader.text();
    return { peerId, host, port: reader.count() };
  });
}

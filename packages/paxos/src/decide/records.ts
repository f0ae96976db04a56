/** How a peer's instances lie in a Storage: one row each, and one that counts the lives of the peer. */

import type { Entry as Row, Operation } from "@kith/storage";
import { bytesText, ByteReader, ByteWriter, textBytes } from "../bytes.ts";
import type { Vote } from "./acceptor.ts";
import { readBallot, writeBallot } from "./ballot.ts";
import type { Instance } from "./decider.ts";

const lifeKey = textBytes("life");
const instancePrefix = "i/";

/** The row that counts lives. */
export function putLife(life: number): Operation {
  return { kind: "put", key: lifeKey, value: new ByteWriter().count(life).done() };
}

/** The row of an instance. */
export function putInstance(name: string, instance: Instance): Operation {
  const writer = new ByteWriter();
  writeBallot(writer, instance.promised);
  writeVote(writer, instance.accepted);
  writer.count(instance.decided === null ? 0 : 1);
  if (instance.decided !== null) writer.bytes(instance.decided);
  return { kind: "put", key: textBytes(instancePrefix + name), value: writer.done() };
}

/** What the rows say: how many lives there were, and the instances. @throws KithError `KITH_PAXOS_CORRUPT` */
export function readRows(rows: readonly Row[]): {
  readonly lives: number;
  readonly instances: Map<string, Instance>;
} {
  let lives = 0;
  const instances = new Map<string, Instance>();
  for (const { key, value } of rows) {
    const reader = new ByteReader(value);
    const text = bytesText(key);
    if (text.startsWith(instancePrefix)) {
      const promised = readBallot(reader);
      const accepted = readVote(reader);
      const decided = reader.count() === 0 ? null : reader.bytes();
      instances.set(text.slice(instancePrefix.length), { promised, accepted, decided });
    } else lives = reader.count();
  }
  return { lives, instances };
}

/** Writes a vote, or that there is none. */
export function writeVote(writer: ByteWriter, vote: Vote | null): void {
  writer.count(vote === null ? 0 : 1);
  if (vote === null) return;
  writeBallot(writer, vote.ballot);
  writer.bytes(vote.value);
}

/** Reads what `writeVote` wrote. @throws KithError `KITH_PAXOS_CORRUPT` */
export function readVote(reader: ByteReader): Vote | null {
  if (reader.count() === 0) return null;
  const ballot = readBallot(reader);
  return { ballot, value: reader.bytes() };
}

/** Stamps: the order of all writes of a key, in which no two writes are equal. */

import type { ByteReader, ByteWriter } from "@kith/paxos";

/** Says which of two values is newer. Plain data. */
export interface Stamp {
  /** One more than the highest that the writer found. */
  readonly count: number;
  /** The name of the writer's life: of two who found the same, one is the higher. */
  readonly writer: string;
  /** Which of the writer's operations it is: two of them may have found the same. */
  readonly operation: number;
}

/** A value with its stamp; a null value is that of a key that was deleted, or never written. */
export interface Stamped {
  readonly stamp: Stamp;
  readonly value: Uint8Array | null;
}

/** The stamp of what nobody has written. */
export const noStamp: Stamp = { count: 0, writer: "", operation: 0 };

/** What a key has that nobody has written. */
export const unwritten: Stamped = { stamp: noStamp, value: null };

/** More than 0 where `a` is the newer one, 0 where they are the same. */
export function compareStamps(a: Stamp, b: Stamp): number {
  if (a.count !== b.count) return a.count - b.count;
  if (a.writer !== b.writer) return a.writer < b.writer ? -1 : 1;
  return a.operation - b.operation;
}

/** Writes a value with its stamp. */
export function writeStamped(writer: ByteWriter, { stamp, value }: Stamped): void {
  writer.count(stamp.count).text(stamp.writer).count(stamp.operation);
  if (value === null) writer.count(0);
  else writer.count(1).bytes(value);
}

/** Reads what `writeStamped` wrote. @throws KithError `KITH_PAXOS_CORRUPT` */
export function readStamped(reader: ByteReader): Stamped {
  const stamp = { count: reader.count(), writer: reader.text(), operation: reader.count() };
  return { stamp, value: reader.count() === 0 ? null : reader.bytes() };
}

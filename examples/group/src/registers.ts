/**
 * The machine that the group replicates: a register for each key, which is written, compared and set, and read.
 * What a command says and what comes of it are bytes, since the log knows nothing else.
 */

import { ByteReader, ByteWriter, type Machine, utf8Key, withSessions } from "@kith/paxos";

/** What may be done to a register; null stands for an absent key. */
export type Deed =
  | { readonly op: "write"; readonly key: string; readonly value: Uint8Array | null }
  /** Sets the value to `to` if it is `from`. */
  | {
      readonly op: "cas";
      readonly key: string;
      readonly from: Uint8Array | null;
      readonly to: Uint8Array | null;
    };

/** The registers. */
export const registers: Machine = {
  versions: [1],
  apply({ command, table }) {
    const deed = decodeDeed(command);
    const key = utf8Key(deed.key);
    if (deed.op === "cas" && !equal(table.get(key) ?? null, deed.from)) return refused;
    const value = deed.op === "write" ? deed.value : deed.to;
    if (value === null) table.delete(key);
    else table.put(key, value);
    return taken;
  },
  query({ query, table }) {
    const key = utf8Key(new ByteReader(query).text());
    return encodeValue(table.get(key) ?? null);
  },
};

/** What the group is called. */
export const registersGroup = "registers";

/** The same with a table of what each client has asked, so that nothing is done twice. */
export const registersWithSessions: Machine = withSessions(registers);

/** A command. */
export function encodeDeed(deed: Deed): Uint8Array {
  const writer = new ByteWriter().count(deed.op === "write" ? 0 : 1).text(deed.key);
  if (deed.op === "cas") putValue(writer, deed.from);
  putValue(writer, deed.op === "write" ? deed.value : deed.to);
  return writer.done();
}

/** Whether a deed was done; a comparison may have found something else. */
export function isTaken(result: Uint8Array): boolean {
  return result[0] === 1;
}

/** The query for the value of a key. */
export function encodeLook(key: string): Uint8Array {
  return new ByteWriter().text(key).done();
}

/** The value that a query has found. */
export function decodeValue(bytes: Uint8Array): Uint8Array | null {
  return takeValue(new ByteReader(bytes));
}

const refused = Uint8Array.of(0);
const taken = Uint8Array.of(1);

function decodeDeed(bytes: Uint8Array): Deed {
  const reader = new ByteReader(bytes);
  const op = reader.count() === 0 ? "write" : "cas";
  const key = reader.text();
  if (op === "write") return { op, key, value: takeValue(reader) };
  return { op, key, from: takeValue(reader), to: takeValue(reader) };
}

function encodeValue(value: Uint8Array | null): Uint8Array {
  const writer = new ByteWriter();
  putValue(writer, value);
  return writer.done();
}

function putValue(writer: ByteWriter, value: Uint8Array | null): void {
  writer.count(value === null ? 0 : 1);
  if (value !== null) writer.bytes(value);
}

function takeValue(reader: ByteReader): Uint8Array | null {
  return reader.count() === 0 ? null : reader.bytes();
}

function equal(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

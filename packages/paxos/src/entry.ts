/** Entries of a group's log: what they are, and their form on the disk. */

import { ByteReader, ByteWriter } from "./bytes.ts";
import { type Config, readConfig, writeConfig } from "./config.ts";
import { paxosError } from "./errors.ts";

/** The position of an entry: 1 for the first one, 0 before it. */
export type Index = number;

/** A period with at most one leader; 0 before the first. */
export type Term = number;

/** What an entry says. */
export type Content =
  /** A leader took office. */
  | { readonly kind: "noop" }
  /** A command for the applied machine. */
  | { readonly kind: "command"; readonly data: Uint8Array }
  /** The members from now on. */
  | { readonly kind: "config"; readonly config: Config }
  /** The machine applies what follows by this version of its rules. */
  | { readonly kind: "upgrade"; readonly version: number };

/** An entry of the log. Plain data, never changed. */
export type Entry = Content & {
  readonly index: Index;
  readonly term: Term;
  /** The group's time in milliseconds, as its leader saw it: no wall clock. */
  readonly time: number;
};

const kinds = ["noop", "command", "config", "upgrade"] as const;

/** The entry of a command. All of them are made here: code that sees one shape of entry is compiled once, and runs faster. */
export function commandEntry(index: Index, term: Term, time: number, data: Uint8Array): Entry {
  return { kind: "command", index, term, time, data };
}

/** An entry as bytes; its index is that of the record. */
export function encodeEntry(entry: Entry): Uint8Array {
  const writer = new ByteWriter();
  writer.count(kinds.indexOf(entry.kind)).count(entry.term).float(entry.time);
  if (entry.kind === "command") writer.bytes(entry.data);
  else if (entry.kind === "config") writeConfig(writer, entry.config);
  else if (entry.kind === "upgrade") writer.count(entry.version);
  return writer.done();
}

/** Reads what `encodeEntry` wrote; a command stays a part of the record. @throws KithError `KITH_PAXOS_CORRUPT` */
export function decodeEntry(index: Index, record: Uint8Array): Entry {
  const reader = new ByteReader(record);
  const kind = kinds[reader.count()];
  if (kind === undefined)
    throw paxosError("KITH_PAXOS_CORRUPT", `Entry ${index} is of no known kind.`);
  const term = reader.count();
  const time = reader.float();
  switch (kind) {
    case "noop":
      return { kind, index, term, time };
    case "command":
      return commandEntry(index, term, time, reader.view());
    case "config":
      return { kind, index, term, time, config: readConfig(reader) };
    case "upgrade":
      return { kind, index, term, time, version: reader.count() };
  }
}

/** About how many bytes an entry takes. */
export function sizeOf(entry: Entry): number {
  return entry.kind === "command" ? entry.data.length + 32 : 64;
}

/**
 * Exactly once: a machine around another one that knows which commands of a client it has applied.
 *
 * A client opens a session, numbers its commands from `nextSeq` on, and may propose one again, to any
 * leader, as often as it likes: it is applied once, and the first result is given each time, until the
 * client says that it needs no result below `ackedBelow`. All of that stands in the table, so that snapshots have it.
 *
 * - What has no session, or is below the session's first number, is refused for good: a late copy of an old
 *   command cannot be applied after its result has been forgotten.
 * - A client may have at most 1,024 commands beyond `ackedBelow`; more are answered `busy`, and are not remembered.
 *
 * A session that has not been used for an hour of the group's time expires when the next one is opened. A copy of the request
 * that opened it must not open it again, for late copies of its commands would be applied once more. So whoever opens a
 * session says up to where the table was applied when it last looked (`Done.index` of any answer); where a session
 * has expired since, that is `stale`, and has to be asked anew.
 */

import type { Millis } from "@kith/core";
import { ByteReader, ByteWriter } from "./bytes.ts";
import type { Applying, Machine, Querying, TableReader, TableWriter } from "./machine.ts";
import { utf8Key } from "./machine.ts";

/** What became of a command with a number. */
export type SessionResult =
  /** Applied now or before, with this result. */
  | { readonly kind: "done"; readonly result: Uint8Array }
  /** The session is open; numbers below its first one are refused. */
  | { readonly kind: "opened" }
  /** Not applied: there is no such session. Whether an earlier copy was, nobody can say. */
  | { readonly kind: "unknown-session" }
  /**
   * Not applied now: its result is not needed any more, as the client said, or it is older than the session. Of a
   * session: not opened, for one has expired since the client looked; look again, and open it then.
   */
  | { readonly kind: "stale" }
  /** Not applied: too many results are kept for this client. */
  | { readonly kind: "busy" }
  /** Not applied: this is no command of a session. */
  | { readonly kind: "invalid" };

/** One command of a client. */
export interface SessionCommand {
  readonly client: string;
  /** The number of the command, from the session's first one on; the same in each copy of it. */
  readonly seq: number;
  /** The client needs no result of a lower number any more. */
  readonly ackedBelow: number;
  readonly command: Uint8Array;
}

interface Session {
  readonly firstSeq: number;
  ackedBelow: number;
  /** The group's time when a command was last applied in it. */
  usedAt: number;
  readonly results: Map<number, Uint8Array>;
}

const kinds = ["done", "opened", "unknown-session", "stale", "busy", "invalid"] as const;
const resultsMax = 1024;
/** A longer name does not fit into a key with certainty. */
const clientLengthMax = 1024;
/** Where the index stands at which a session last expired; clients' and users' keys begin with other characters. */
const expiryKey = "e";
const sessionPrefix = "s";
const userPrefix = "u";
const afterSessions = "t";

/** How sessions are kept. */
export interface SessionOptions {
  /** How long a session may go unused, in milliseconds of the group's time; default an hour. The same at all replicas. */
  readonly expireAfter?: Millis;
}

/**
 * The command that opens a session; where it is open already, it stays as it is. A group that another one makes begins with the
 * sessions of that one: name a session after its group, too.
 *
 * @param nextSeq the number of its first command: all lower ones are refused
 * @param seen up to where the table was applied when the client last looked; 1 does while no session has expired
 */
export function openSession(client: string, nextSeq = 1, seen = 1): Uint8Array {
  return new ByteWriter().count(0).text(client).count(nextSeq).count(seen).done();
}

/** A command within a session. */
export function inSession({ client, seq, ackedBelow, command }: SessionCommand): Uint8Array {
  return new ByteWriter().count(1).text(client).count(seq).count(ackedBelow).bytes(command).done();
}

/** Reads a result of a machine with sessions. @throws KithError `KITH_PAXOS_CORRUPT` */
export function sessionResult(bytes: Uint8Array): SessionResult {
  const reader = new ByteReader(bytes);
  const kind = kinds[reader.count()] ?? "unknown-session";
  return kind === "done" ? { kind, result: reader.bytes() } : { kind };
}

/** The machine with sessions around it. Its queries are those of the inner one. */
export function withSessions(
  machine: Machine,
  { expireAfter = 3_600_000 }: SessionOptions = {},
): Machine {
  return {
    versions: machine.versions,
    query: (querying: Querying) =>
      machine.query({ ...querying, table: new UserReader(querying.table) }),
    apply: (applying) => encodeResult(applyInSession(machine, applying, expireAfter)),
  };
}

type Asked =
  | {
      readonly opens: true;
      readonly client: string;
      readonly firstSeq: number;
      readonly seen: number;
    }
  | ({ readonly opens: false } & SessionCommand);

/** What is asked; null where it cannot be read: whoever has sent that must not stop the group. */
function askedIn(bytes: Uint8Array): Asked | null {
  try {
    const reader = new ByteReader(bytes);
    const opens = reader.count() === 0;
    const client = reader.text();
    const [first, second] = [reader.count(), reader.count()];
    if (client.length > clientLengthMax) return null;
    return opens
      ? { opens, client, firstSeq: first, seen: second }
      : { opens, client, seq: first, ackedBelow: second, command: reader.bytes() };
  } catch {
    return null;
  }
}

function applyInSession(machine: Machine, applying: Applying, expireAfter: Millis): SessionResult {
  const { table, time } = applying;
  const asked = askedIn(applying.command);
  if (asked === null) return { kind: "invalid" };
  const key = sessionPrefix + utf8Key(asked.client);
  const saved = table.get(key);
  if (asked.opens) {
    const { firstSeq, seen } = asked;
    if (saved !== undefined) return { kind: "opened" };
    const lastExpiry = expire(applying, expireAfter);
    if (seen <= lastExpiry) return { kind: "stale" };
    const results = new Map<number, Uint8Array>();
    table.put(key, encodeSession({ firstSeq, ackedBelow: firstSeq, usedAt: time, results }));
    return { kind: "opened" };
  }
  if (saved === undefined) return { kind: "unknown-session" };
  const session = decodeSession(saved);
  const { seq, ackedBelow, command } = asked;
  // The low-water mark only rises: copies come in any order.
  const rises = ackedBelow > session.ackedBelow;
  if (rises) {
    session.ackedBelow = ackedBelow;
    for (const known of session.results.keys())
      if (known < ackedBelow) session.results.delete(known);
  }
  const before = session.results.get(seq);
  const stale = seq < session.ackedBelow || seq < session.firstSeq;
  if (stale || before !== undefined || session.results.size >= resultsMax) {
    if (rises) table.put(key, encodeSession(session));
    if (stale) return { kind: "stale" };
    return before === undefined ? { kind: "busy" } : { kind: "done", result: before };
  }
  const { index, version } = applying;
  const spawn: Applying["spawn"] = (gid, cells) => applying.spawn(gid, withRows(table, cells));
  const user = new UserWriter(table);
  const result = machine.apply({ command, table: user, index, time, version, spawn });
  session.results.set(seq, result);
  session.usedAt = Math.max(session.usedAt, time);
  table.put(key, encodeSession(session));
  return { kind: "done", result };
}

/** What a group begins with that the inner machine makes: its cells, and all sessions, so that copies are known there too. */
function withRows(
  table: TableReader,
  cells: ReadonlyMap<string, Uint8Array>,
): ReadonlyMap<string, Uint8Array> {
  const rows = new Map([...cells].map(([key, value]) => [userPrefix + key, value]));
  for (const key of table.keys(sessionPrefix, afterSessions)) {
    const row = table.get(key);
    if (row !== undefined) rows.set(key, row);
  }
  return rows;
}

/** Removes the sessions that have gone unused. @returns the index at which one last expired; 0 where none has */
function expire({ table, time, index }: Applying, expireAfter: Millis): number {
  let gone = false;
  for (const key of table.keys(sessionPrefix, afterSessions)) {
    const saved = table.get(key);
    if (saved === undefined || decodeSession(saved).usedAt + expireAfter >= time) continue;
    table.delete(key);
    gone = true;
  }
  if (gone) table.put(expiryKey, new ByteWriter().count(index).done());
  const last = table.get(expiryKey);
  return last === undefined ? 0 : new ByteReader(last).count();
}

function encodeResult(result: SessionResult): Uint8Array {
  const writer = new ByteWriter().count(kinds.indexOf(result.kind));
  if (result.kind === "done") writer.bytes(result.result);
  return writer.done();
}

function encodeSession({ firstSeq, ackedBelow, usedAt, results }: Session): Uint8Array {
  const writer = new ByteWriter();
  writer.count(firstSeq).count(ackedBelow).float(usedAt).count(results.size);
  for (const [seq, result] of results) writer.count(seq).bytes(result);
  return writer.kept();
}

function decodeSession(bytes: Uint8Array): Session {
  const reader = new ByteReader(bytes);
  const firstSeq = reader.count();
  const ackedBelow = reader.count();
  const usedAt = reader.float();
  const results = new Map<number, Uint8Array>();
  for (let left = reader.count(); left > 0; left--) results.set(reader.count(), reader.bytes());
  return { firstSeq, ackedBelow, usedAt, results };
}

const userEnd = String.fromCharCode(userPrefix.charCodeAt(0) + 1);

/** What the inner machine sees of the table: its own keys. */
class UserReader implements TableReader {
  readonly #table: TableReader;

  constructor(table: TableReader) {
    this.#table = table;
  }

  get(key: string): Uint8Array | undefined {
    return this.#table.get(userPrefix + key);
  }

  keys(from = "", to?: string, limit?: number): string[] {
    const end = to === undefined ? userEnd : userPrefix + to;
    return this.#table
      .keys(userPrefix + from, end, limit)
      .map((key) => key.slice(userPrefix.length));
  }
}

class UserWriter extends UserReader implements TableWriter {
  readonly #table: TableWriter;

  constructor(table: TableWriter) {
    super(table);
    this.#table = table;
  }

  put(key: string, value: Uint8Array): void {
    this.#table.put(userPrefix + key, value);
  }

  delete(key: string): void {
    this.#table.delete(userPrefix + key);
  }
}

/**
 * Sessions: by which a command is executed once, however often it comes (algorithms.md §6.5.4, ruling 6).
 *
 * A client has one session in a group, opened at its first contact. Its commands are numbered, and below
 * `ackedBelow`, which only rises, it needs nothing any more: results and registers go then, and late copies are
 * `stale`. That is the only way in which registers go, but for the end of the session.
 *
 * - What is below the session's first number is stale too: a transaction cannot be prepared again in a later session.
 * - A session is opened only with a place in this group's log that is later than the last end of any session:
 *   otherwise a late copy of the request would open one again for a client whose registers are gone.
 */

import type { CommandOf, Ticket, Token } from "./command.ts";
import type { GroupTable } from "./group-table.ts";
import type { Octets } from "./position.ts";
import type { Result } from "./result.ts";
import { known, nameOf, rowKeys, type SessionRow, txOf, type TxRow } from "./rows.ts";

/** How many numbers of a client a group keeps apart, beyond those that the client needs no more. */
export const openSeqsMax = 1024;

/** How old the time in a session's row may be, in ms of the group's time: not every command writes it. */
const seenStepMs = 100;

/** Behind all numbers in the order of rows. */
const beyondSeqs = "\u00ff".repeat(8);

/** Opens the session of a client, or tells of the one that it has. */
export function openSession(
  group: GroupTable,
  { client, nextSeq, hello }: CommandOf<"open">,
  index: number,
): Result {
  const { gid, lastExpiry } = group.meta;
  if (hello.gid !== gid || hello.index <= lastExpiry) return { kind: "stale" };
  let session = group.session(client);
  if (session === undefined) {
    session = { gid, index, firstSeq: nextSeq, ackedBelow: nextSeq, lastSeen: group.time };
    group.setSession(client, session);
  }
  const { firstSeq, ackedBelow } = session;
  const descriptors = known(group.meta);
  return {
    kind: "opened",
    gid: session.gid,
    index: session.index,
    firstSeq,
    ackedBelow,
    descriptors,
  };
}

/**
 * Finds the session of a command and notes what its client needs no more.
 *
 * @returns why the command is not executed, or undefined
 */
export function admit(group: GroupTable, ticket: Ticket): Result | undefined {
  const { client, seq, token, ackedBelow } = ticket;
  const session = group.session(client);
  if (session === undefined || !isOf(session, token)) return { kind: "unknown-session" };
  const acked = raise(group, client, session, ackedBelow);
  if (seq < acked || seq < session.firstSeq) return { kind: "stale" };
  return seq >= acked + openSeqsMax ? { kind: "busy" } : undefined;
}

/** The client needs nothing below a number. @returns up to where that was noted */
export function forget(group: GroupTable, { client, ackedBelow }: CommandOf<"forget">): Result {
  const session = group.session(client);
  if (session === undefined) return { kind: "unknown-session" };
  return { kind: "forgot", ackedBelow: raise(group, client, session, ackedBelow) };
}

/**
 * Ends the session of a client that was not heard of for `idle` ms, if all transactions that it has here are final
 * everywhere: here by their registers, elsewhere by what the leader found out.
 */
export function expireSession(
  group: GroupTable,
  { client, idle, finished }: CommandOf<"expire-session">,
  index: number,
): Result {
  const session = group.session(client);
  if (session === undefined) return { kind: "session-expired", ended: true };
  const kept: Result = { kind: "session-expired", ended: false };
  if (group.time - session.lastSeen < idle) return kept;
  const known = new Set(finished);
  const { ackedBelow } = session;
  for (const key of group.table.keys(rowKeys.tx(client), rowKeys.tx(client + beyondSeqs))) {
    const { seq } = txOf(key.slice(1));
    const tx = group.tx(key.slice(1));
    if (tx !== undefined && !(known.has(seq) && isFinal(tx))) return kept;
  }
  drop(group, client, ackedBelow, Number.MAX_SAFE_INTEGER);
  group.table.delete(rowKeys.session(client));
  group.setMeta({ ...group.meta, lastExpiry: index });
  return { kind: "session-expired", ended: true };
}

/** Whether a client's number can still come, as far as this group knows. */
export function standingOf(
  group: GroupTable,
  client: Octets,
  seq: number,
): "open" | "forgotten" | "no-session" {
  const session = group.session(client);
  if (session === undefined || seq < session.firstSeq) return "no-session";
  return seq < session.ackedBelow ? "forgotten" : "open";
}

/**
 * Raises the low-water mark of a client, and drops what is below it: up to the first transaction that is
 * not final here, which no client in its senses has done with (T10).
 */
function raise(group: GroupTable, client: Octets, session: SessionRow, wanted: number): number {
  let to = Math.max(session.ackedBelow, wanted);
  const from = session.ackedBelow;
  if (to > from) {
    for (const key of txsOf(group, client, from, to)) {
      const tx = group.tx(key.slice(1));
      if (tx === undefined || isFinal(tx)) continue;
      to = txOf(key.slice(1)).seq;
      break;
    }
    drop(group, client, from, to);
  }
  // It is written when it says something new, or its time has grown old.
  if (to > from || group.time - session.lastSeen >= seenStepMs)
    group.setSession(client, { ...session, ackedBelow: to, lastSeen: group.time });
  return to;
}

/**
 * Drops results and registers of the numbers from `from` to below `to`; also of those that are beyond the numbers that a client
 * can have open at once: votes against what was never prepared here, and its outcome, come in no session.
 */
function drop(group: GroupTable, client: Octets, from: number, to: number): void {
  const { table } = group;
  for (const key of table.keys(rowKeys.result(client, from), rowKeys.result(client, to)))
    table.delete(key);
  for (const key of txsOf(group, client, from, to)) table.delete(key);
}

/** The rows of a client's transactions with numbers from `from` to below `to`, in their order. */
function txsOf({ table }: GroupTable, client: Octets, from: number, to: number): string[] {
  return table.keys(
    rowKeys.tx(nameOf({ client, seq: from })),
    rowKeys.tx(nameOf({ client, seq: to })),
  );
}

function isFinal({ registers }: TxRow): boolean {
  return [...registers.values()].every(({ state }) => state === "C" || state === "X");
}

function isOf(session: SessionRow, { gid, index }: Token): boolean {
  return session.gid === gid && session.index === index;
}

/**
 * The machine of the store: what each command does to a group's table.
 *
 * All of it is one function of the table, the command, the entry's index and the group's time. It is put upon
 * `@kith/paxos`, which brings commands into one order and keeps the table; it asks nobody and waits for nothing.
 */

import type { Applying } from "@kith/paxos";
import type { Command, CommandOf, Ticket } from "./command.ts";
import { execute, isKept } from "./execute.ts";
import { GroupTable } from "./group-table.ts";
import { covers, type Position } from "./position.ts";
import { decodeResult, encodeResult, type Result } from "./result.ts";
import { known, metaRow, rowKeys } from "./rows.ts";
import { admit, expireSession, forget, openSession } from "./sessions.ts";
import { type Spawn, split } from "./split.ts";
import { finish, forceAbort, prepare } from "./transactions.ts";

/** What a command is applied to, and when. */
export type Place = Pick<Applying, "table" | "index" | "time">;

/**
 * Applies a command.
 *
 * @param spawn makes a group of the rows that a split gives away
 * @throws KithError `KITH_STORE_INVARIANT`, which stops the group
 */
export function applyCommand(
  { table, index, time }: Place,
  command: Command,
  spawn: Spawn,
): Result {
  const group = new GroupTable(table, time);
  const result =
    command.kind === "found" ? found(group, command) : dispatch(group, command, index, spawn);
  group.end();
  return result;
}

function dispatch(
  group: GroupTable,
  command: Exclude<Command, CommandOf<"found">>,
  index: number,
  spawn: Spawn,
): Result {
  switch (command.kind) {
    case "open":
      return openSession(group, command, index);
    case "execute": {
      const { reads, operations, ticket } = command;
      const keys = [...reads, ...operations].map(({ position }) => position);
      return once(group, keys, ticket, () => execute(group, command));
    }
    case "cancel": {
      const { keys, ticket } = command;
      const here = keys.filter((key) => covers(group.meta, key));
      // One of its keys is enough: a split may have torn them apart, and each half is asked.
      return once(group, here.length > 0 ? here : keys, ticket, () => ({ kind: "cancelled" }));
    }
    case "prepare": {
      const keys = command.parts.map(({ position }) => position);
      return misplaced(group, keys) ?? admit(group, command.ticket) ?? prepare(group, command);
    }
    case "force-abort":
      return misplaced(group, command.keys) ?? forceAbort(group, command);
    case "finish":
      return misplaced(group, command.keys) ?? finish(group, command);
    case "forget":
      return forget(group, command);
    case "expire":
      return expire(group, command);
    case "expire-session":
      return expireSession(group, command, index);
    case "split":
      return split(group, command, spawn);
  }
}

function found(group: GroupTable, command: CommandOf<"found">): Result {
  if (group.metaOrNone !== undefined) return { kind: "founded" };
  const { gid, ordered, lo, hi } = command;
  const counters = { version: 0, deleteFloor: 0, lastExpiry: 0, halves: [] };
  group.table.put(rowKeys.meta, metaRow.encode({ gid, epoch: 1, lo, hi, ordered, ...counters }));
  return { kind: "founded" };
}

/** Does something once for each number of a client: a copy gets the result that was kept. */
function once(
  group: GroupTable,
  keys: readonly Position[],
  ticket: Ticket,
  action: () => Result,
): Result {
  const refused = misplaced(group, keys) ?? admit(group, ticket);
  if (refused !== undefined) return refused;
  const before = group.result(ticket.client, ticket.seq);
  if (before !== undefined) return decodeResult(before);
  const result = action();
  if (isKept(result)) group.keepResult(ticket.client, ticket.seq, encodeResult(result));
  return result;
}

function misplaced(group: GroupTable, keys: readonly Position[]): Result | undefined {
  const { meta } = group;
  if (keys.length > 0 && keys.every((key) => covers(meta, key))) return undefined;
  return { kind: "wrong-range", descriptors: known(meta) };
}

/** Deletes those of the keys whose time has passed and that nobody has locked. */
function expire(group: GroupTable, { keys }: CommandOf<"expire">): Result {
  let count = 0;
  for (const position of keys) {
    const { expireAt = 0 } = group.value(position) ?? {};
    if (expireAt === 0 || expireAt > group.time || group.lock(position) !== undefined) continue;
    group.delete(position);
    count++;
  }
  return { kind: "expired", count };
}

/** Operations on keys of one group: done at once in one entry, without locks. */

import { bytesText, textBytes } from "@kith/paxos";
import type { Condition, CommandOf, Operation } from "./command.ts";
import type { GroupTable } from "./group-table.ts";
import { type Position, valueBytesMax } from "./position.ts";
import type { Outcome, RefusalReason, Result, ResultOf } from "./result.ts";
import { nameOf, type TxName, type ValueRow } from "./rows.ts";

/** How many bytes of values the result of a command may tell. */
const toldBytesMax = 8 * valueBytesMax;
const integerMin = -(2n ** 63n);
const integerMax = 2n ** 63n - 1n;

/** Whether a result is kept with its number: whatever the client may act upon. */
export function isKept(result: Result): boolean {
  const { kind } = result;
  return kind === "done" || kind === "refused" || kind === "aborted" || kind === "cancelled";
}

/**
 * Does all operations, or none. Without reads, locked keys are waited for (`locked`); with reads, the
 * transaction is over as soon as one of them does not hold (`aborted`, which is kept: the client runs it again).
 */
export function execute(
  group: GroupTable,
  { ticket, reads, operations }: CommandOf<"execute">,
): Result {
  const own = nameOf(ticket);
  for (const { position } of operations) {
    const holder = group.holder(position);
    if (holder === undefined || holder === own) continue;
    return reads.length > 0 ? { kind: "aborted", position } : lockedBy(group, position, holder);
  }
  for (const { position, version } of reads) {
    const writer = group.lock(position)?.writer ?? null;
    const holds = (group.value(position)?.version ?? 0) === version;
    if ((writer !== null && writer !== own) || !holds) return { kind: "aborted", position };
  }
  // Operations on one key build on each other, so that each is tried on what those before it leave.
  const refused = tryAll(group, operations);
  if (refused !== undefined) return refused;
  return { kind: "done", outcomes: operations.map((one) => perform(group, one)) };
}

/** Says who has a key. */
export function lockedBy(
  group: GroupTable,
  position: Position,
  holder: TxName,
): ResultOf<"locked"> {
  const tx = group.tx(holder);
  const { hint = "", since = 0 } = tx ?? {};
  return { kind: "locked", position, by: holder, hint, since };
}

/** What is at a key, as operations see it. */
interface Draft {
  readonly value: Uint8Array;
  /** Undefined where an operation before this one has made it. */
  readonly version: number | undefined;
}

/** Looks whether all operations can be done, one after the other, without doing them. */
function tryAll(group: GroupTable, operations: readonly Operation[]): Result | undefined {
  const [only] = operations;
  // Most commands are this, and nothing that is there can be in its way.
  if (
    operations.length === 1 &&
    only?.kind === "set" &&
    only.when === undefined &&
    only.value.length <= valueBytesMax
  )
    return undefined;
  const drafts = new Map<Position, Draft | null>();
  let told = 0;
  for (const [at, operation] of operations.entries()) {
    const { kind, position } = operation;
    let draft = drafts.get(position);
    if (draft === undefined) {
      const row = group.value(position);
      draft = row === undefined ? null : { value: row.value, version: row.version };
    }
    // The result tells what was there before, and is kept in one row.
    if (kind !== "add" && kind !== "append" && kind !== "set") told += draft?.value.length ?? 0;
    const next = told > toldBytesMax ? "too-large" : after(draft, operation);
    if (typeof next === "string") {
      const version = draft?.version ?? 0;
      return { kind: "refused", at, reason: next, version, value: draft?.value ?? null };
    }
    drafts.set(position, next);
  }
  return undefined;
}

/** What an operation leaves, or why it cannot be done. */
function after(draft: Draft | null, operation: Operation): Draft | null | RefusalReason {
  const { kind, when } = operation;
  if (when !== undefined && !holds(draft, when)) return "condition";
  switch (kind) {
    case "put":
    case "set":
      if (operation.value.length > valueBytesMax) return "too-large";
      return { value: operation.value, version: undefined };
    case "delete":
      return null;
    case "append": {
      const value = joined(draft?.value, operation.value);
      return value.length > valueBytesMax ? "too-large" : { value, version: undefined };
    }
    case "add": {
      const value = sum(draft?.value, operation.delta);
      return typeof value === "string" ? value : { value, version: undefined };
    }
    case "expire":
      return draft === null ? "condition" : { value: draft.value, version: undefined };
    case "check":
      return draft;
  }
}

function holds(draft: Draft | null, when: Condition): boolean {
  switch (when.kind) {
    case "absent":
      return draft === null;
    case "present":
      return draft !== null;
    case "version":
      return draft === null ? when.version === 0 : draft.version === when.version;
    case "value":
      return draft !== null && equal(draft.value, when.value);
  }
}

function perform(group: GroupTable, operation: Operation): Outcome {
  const { kind, position } = operation;
  if (kind === "set") return { version: group.put(position, operation.value, "never") };
  const row = group.value(position);
  const before = row?.value ?? null;
  switch (kind) {
    case "put":
      return { version: group.put(position, operation.value, operation.expiry), before };
    case "delete":
      return { version: group.delete(position), before };
    case "append": {
      const value = joined(row?.value, operation.value);
      const version = group.put(position, value, "keep");
      return { version, after: textBytes(String(value.length)) };
    }
    case "add": {
      const value = sum(row?.value, operation.delta);
      if (typeof value === "string") return { version: versionOf(row), before };
      return { version: group.put(position, value, "keep"), after: value };
    }
    case "expire":
      if (row === undefined) return { version: 0, before };
      return { version: group.expire(position, row, operation.expiry), before };
    case "check":
      return { version: versionOf(row), before };
  }
}

function versionOf(row: ValueRow | undefined): number {
  return row?.version ?? 0;
}

function joined(before: Uint8Array | undefined, more: Uint8Array): Uint8Array {
  if (before === undefined) return more;
  const all = new Uint8Array(before.length + more.length);
  all.set(before);
  all.set(more, before.length);
  return all;
}

/** The sum of a decimal integer and a number. */
function sum(before: Uint8Array | undefined, delta: bigint): Uint8Array | RefusalReason {
  const text = before === undefined ? "0" : bytesText(before);
  // As Redis has it: no sign but a minus, no leading zeros, no spaces.
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return "not-an-integer";
  const start = BigInt(text);
  if (start < integerMin || start > integerMax) return "not-an-integer";
  const value = start + delta;
  if (value < integerMin || value > integerMax) return "overflow";
  return textBytes(String(value));
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

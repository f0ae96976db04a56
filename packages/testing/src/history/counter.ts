/**
 * Counters: `add` adds an amount, `read` reads the sum (the workload of Jepsen's counter test).
 *
 * A read must lie between the smallest and the largest sum that the amounts allow: those acknowledged before it
 * was called count, those that may have taken effect by its return count where that helps. Where no amount is below
 * zero, a later read must not find less than an earlier one either. This is necessary for a linearizable
 * counter, not sufficient: reads are not compared side by side. It costs the time of a sort.
 */

import { testError } from "../errors.ts";
import type { HistoryEvent } from "./event.ts";
import { type AddOperation, byKey, only, operationsOf, type ReadOperation } from "./operation.ts";
import { invalid, type Invalid, showValue, type Verdict } from "./verdict.ts";

/**
 * Judges a history of `add` and `read`, key by key; an absent counter reads null or 0. Undecided for a key
 * that was never read.
 *
 * @throws KithError where the history is malformed, has other operations, or an amount is no number
 */
export function checkCounter(history: readonly HistoryEvent[]): Verdict {
  const operations = only(operationsOf(history), ["add", "read"]);
  let unread: string | undefined;
  for (const [key, own] of byKey(operations)) {
    const reads = own.filter(isRead);
    if (reads.length === 0) unread ??= key;
    const wrong = checkBounds(key, own, reads) ?? checkGrowth(key, own, reads);
    if (wrong !== undefined) return wrong;
  }
  if (unread === undefined) return { verdict: "valid", operations: operations.length };
  return { verdict: "undecided", reason: `nobody read the counter ${unread}`, spent: 0 };
}

/** An instant at which the bounds change, or are looked at. */
interface Instant {
  readonly at: number;
  /** What becomes possible: it begins. */
  readonly begins?: AddOperation;
  /** What becomes certain: it is acknowledged. */
  readonly ends?: AddOperation;
  readonly call?: ReadOperation;
  readonly returned?: ReadOperation;
}

function checkBounds(
  key: string,
  own: readonly (AddOperation | ReadOperation)[],
  reads: readonly ReadOperation[],
): Invalid | undefined {
  const instants: Instant[] = [];
  for (const read of reads) {
    instants.push({ at: read.invoked, call: read }, { at: read.returned, returned: read });
  }
  for (const add of own) {
    if (add.op !== "add" || add.outcome === "fail") continue;
    instants.push({ at: add.invoked, begins: add });
    if (add.outcome === "ok") instants.push({ at: add.returned, ends: add });
  }
  instants.sort((a, b) => a.at - b.at);
  // The sums of what is certain, and of all that is possible, with its sign.
  let certain = { up: 0, down: 0 };
  let possible = { up: 0, down: 0 };
  const atCall = new Map<ReadOperation, { up: number; down: number }>();
  for (const { begins, ends, call, returned } of instants) {
    if (begins !== undefined) possible = plus(possible, amountOf(begins));
    if (ends !== undefined) certain = plus(certain, amountOf(ends));
    if (call !== undefined) atCall.set(call, certain);
    if (returned === undefined) continue;
    const before = atCall.get(returned) ?? certain;
    const low = before.up + possible.down;
    const high = possible.up + before.down;
    const value = sumOf(returned);
    if (value >= low && value <= high) continue;
    const what = `The counter ${key} was read as ${value}; by what was added it was between ${low} and ${high}.`;
    return invalid("out of bounds", what, [returned]);
  }
  return undefined;
}

function checkGrowth(
  key: string,
  own: readonly (AddOperation | ReadOperation)[],
  reads: readonly ReadOperation[],
): Invalid | undefined {
  if (own.some((one) => one.op === "add" && one.outcome !== "fail" && amountOf(one) < 0))
    return undefined;
  const byReturn = [...reads].sort((a, b) => a.returned - b.returned);
  let next = 0;
  let most: ReadOperation | undefined;
  for (const read of reads) {
    for (
      let done = byReturn[next];
      done !== undefined && done.returned < read.invoked;
      done = byReturn[++next]
    ) {
      if (most === undefined || sumOf(done) > sumOf(most)) most = done;
    }
    if (most === undefined || sumOf(read) >= sumOf(most)) continue;
    const what = `The counter ${key}, which only grows, was read as ${sumOf(most)} and later as ${sumOf(read)}.`;
    return invalid("stale read", what, [most, read]);
  }
  return undefined;
}

function isRead(one: AddOperation | ReadOperation): one is ReadOperation {
  return one.op === "read" && one.outcome === "ok";
}

function plus(sums: { up: number; down: number }, amount: number): { up: number; down: number } {
  return amount > 0
    ? { up: sums.up + amount, down: sums.down }
    : { up: sums.up, down: sums.down + amount };
}

function amountOf({ value, invoked }: AddOperation): number {
  if (typeof value === "number") return value;
  throw testError(
    "KITH_HISTORY_VALUE",
    `Event ${invoked} adds ${showValue(value)}, which is no number.`,
  );
}

function sumOf({ result, returned }: ReadOperation): number {
  if (result === null) return 0;
  if (typeof result === "number") return result;
  throw testError(
    "KITH_HISTORY_VALUE",
    `Event ${returned} read ${showValue(result)}, which is no number.`,
  );
}

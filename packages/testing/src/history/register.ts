/**
 * The register operations of one key, prepared for the two deciders: values become small numbers, and what
 * cannot matter is left out.
 *
 * Left out is what failed, reads without an answer, and an `info` whose value nobody can have seen: such an
 * operation need not have happened, and if it is left out of an order of the others, these see the same
 * as before. That is what makes many unknown outcomes cheap.
 */

import type { CasOperation, ReadOperation, WriteOperation } from "./operation.ts";
import { identityOf } from "./value.ts";

/** An operation on a register, as histories have it. */
export type RegisterOperation = ReadOperation | WriteOperation | CasOperation;

/** No value: what a write expects, what a read writes. */
export const NOTHING = -1;
/** The number of null: the value of an absent key. */
export const ABSENT = 0;

/** An operation on a register, prepared. */
export interface Prepared {
  readonly operation: RegisterOperation;
  /** The value that the register must have, or `NOTHING`. */
  readonly expects: number;
  /** The value that it has afterwards, or `NOTHING` where it keeps its own. */
  readonly writes: number;
  readonly invoked: number;
  /** `Infinity` where it need not happen. */
  readonly returned: number;
}

/** Prepares the operations of one key; the order stays. */
export function prepare(operations: readonly RegisterOperation[]): Prepared[] {
  const numbers = new Map<string, number>([[identityOf(null), ABSENT]]);
  const numberOf = (value: Parameters<typeof identityOf>[0]): number => {
    const text = identityOf(value);
    const known = numbers.get(text);
    if (known !== undefined) return known;
    numbers.set(text, numbers.size);
    return numbers.size - 1;
  };
  const all: Prepared[] = [];
  for (const operation of operations) {
    const { op, outcome, invoked } = operation;
    if (outcome === "fail" || (op === "read" && outcome !== "ok")) continue;
    const returned = outcome === "ok" ? operation.returned : Infinity;
    const expects =
      op === "read"
        ? numberOf(operation.result)
        : op === "cas"
          ? numberOf(operation.from)
          : NOTHING;
    const writes =
      op === "write" ? numberOf(operation.value) : op === "cas" ? numberOf(operation.to) : NOTHING;
    all.push({ operation, expects, writes, invoked, returned });
  }
  return useful(all);
}

/** Without the operations that need not happen, and whose value nobody expects. */
export function useful(all: readonly Prepared[]): Prepared[] {
  const observers = new Map<number, number>();
  const maybe = new Map<number, Prepared[]>();
  const seen = new Set<Prepared>();
  const reached: number[] = [];
  const observe = ({ expects }: Prepared): void => {
    if (expects === NOTHING || observers.has(expects)) return;
    observers.set(expects, 1);
    reached.push(expects);
  };
  for (const one of all) {
    if (one.returned !== Infinity) observe(one);
    else if (maybe.has(one.writes)) maybe.get(one.writes)?.push(one);
    else maybe.set(one.writes, [one]);
  }
  for (let value = reached.pop(); value !== undefined; value = reached.pop()) {
    for (const one of maybe.get(value) ?? []) {
      seen.add(one);
      observe(one);
    }
  }
  return all.filter((one) => one.returned !== Infinity || seen.has(one));
}

/** The same with some operations that need not have happened (writes) or are left out (reads). */
export function relaxed(all: readonly Prepared[], without: ReadonlySet<Prepared>): Prepared[] {
  const rest: Prepared[] = [];
  for (const one of all) {
    if (!without.has(one)) rest.push(one);
    else if (one.writes !== NOTHING) rest.push({ ...one, returned: Infinity });
  }
  return useful(rest);
}

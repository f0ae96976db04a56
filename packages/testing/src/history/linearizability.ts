/**
 * Linearizability of registers with read, write and compare-and-set: whether all operations can be put in one
 * order which agrees with real time and in which each read has the value written last.
 *
 * Linearizability is local (Herlihy and Wing 1990), so each key is judged by itself: by its blocks where each value
 * is written once (`zones.ts`), by a search otherwise (`search.ts`). What is found wrong is cut down to a few
 * operations which have no order either.
 */

import type { HistoryEvent } from "./event.ts";
import { byKey, only, operationsOf } from "./operation.ts";
import { NOTHING, prepare, type Prepared, relaxed } from "./register.ts";
import { search } from "./search.ts";
import { type Invalid, invalid, type Verdict } from "./verdict.ts";
import { isWrittenOnce, misfit } from "./zones.ts";

/** How a check of registers may be bounded. */
export interface RegisterOptions {
  /** The configurations that the search may look at, for all keys together; default 5,000,000. */
  readonly budget?: number;
  /** Whether to search even where values are written once; for tests and measurements. Default false. */
  readonly searchAlways?: boolean;
}

const BUDGET = 5_000_000;
/** What cutting down may cost, in operations looked at. */
const CUTTING = 4_000_000;

/**
 * Judges a history of `read`, `write` and `cas`.
 *
 * @throws KithError where the history is malformed, or has other operations
 */
export function checkRegisters(
  history: readonly HistoryEvent[],
  { budget = BUDGET, searchAlways = false }: RegisterOptions = {},
): Verdict {
  const operations = only(operationsOf(history), ["read", "write", "cas"]);
  let spent = 0;
  let undecided: string | undefined;
  for (const [key, own] of byKey(operations)) {
    const prepared = prepare(own);
    if (!searchAlways && isWrittenOnce(prepared)) {
      const found = misfit(prepared);
      if (found === null) continue;
      const few = cut(found.among, (some) => misfit(some) !== null);
      const last = misfit(few) ?? found;
      return explain(last.anomaly, `${last.sentence} The key is ${key}.`, few);
    }
    const found = search(prepared, budget - spent);
    spent += found.spent;
    if (found.kind === "spent") undecided ??= key;
    if (found.kind === "none") return cutAndExplain(key, prepared, found.until, budget);
  }
  if (undecided !== undefined) {
    const reason = `the search for key ${undecided} looked at ${spent} configurations and was not done. Let fewer operations run side by side on a key, or write each value once.`;
    return { verdict: "undecided", reason, spent };
  }
  return { verdict: "valid", operations: operations.length };
}

function cutAndExplain(
  key: string,
  prepared: readonly Prepared[],
  until: number,
  budget: number,
): Invalid {
  // What came until then has no order by itself; what had not returned by then need not have happened.
  const begun: Prepared[] = [];
  for (const one of prepared) {
    if (one.invoked > until) continue;
    if (one.returned <= until) begun.push(one);
    else if (one.writes !== NOTHING) begun.push({ ...one, returned: Infinity });
  }
  const few = cut(begun, (some) => search(some, budget).kind === "none");
  const once = isWrittenOnce(few) ? misfit(few) : null;
  if (once !== null) return explain(once.anomaly, `${once.sentence} The key is ${key}.`, few);
  const sentence = `There is no order of these operations on key ${key} in which each read has the value written last.`;
  return explain("not linearizable", sentence, few);
}

/** Few of the operations that are wrong by themselves: as many as possible need not happen, or are left out. */
function cut(
  all: readonly Prepared[],
  isWrong: (some: readonly Prepared[]) => boolean,
): readonly Prepared[] {
  let few = relaxed(all, new Set());
  if (!isWrong(few)) return all;
  let looked = 0;
  for (
    let size = Math.ceil(few.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let again = true; again;) {
      again = false;
      const due = few.filter(({ returned }) => returned !== Infinity);
      for (let from = 0; from < due.length; from += size) {
        looked += few.length;
        if (looked > CUTTING) return few;
        const present = new Set(few);
        const without = due.slice(from, from + size).filter((one) => present.has(one));
        const fewer = relaxed(few, new Set(without));
        if (without.length === 0 || !isWrong(fewer)) continue;
        few = fewer;
        again = size === 1;
      }
    }
  }
  return few;
}

function explain(anomaly: string, sentence: string, few: readonly Prepared[]): Invalid {
  return invalid(
    anomaly,
    sentence,
    few.map(({ operation }) => operation),
  );
}

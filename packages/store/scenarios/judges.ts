/** What is said at the end about what clients saw. */

import type { HistoryEvent, Verdict, View } from "@kith/sim/scenario";
import {
  checkAppends,
  checkBank,
  checkCounter,
  checkLongFork,
  checkRegisters,
  complaint,
  operationsOf,
} from "@kith/testing/history";
import { revived } from "./expiring.ts";
import { Aside, Told } from "./facts.ts";
import { accounts, balance, counter, fleetingPrefix } from "./keys.ts";
import { ledgerOf, nameOfLife } from "./ledger.ts";
import { misled } from "./watching.ts";

const registerOps = new Set(["read", "write", "cas"]);
const operationsMin = 500;
const transactionsMin = 300;
const okMin = 0.6;
const infoMax = 0.2;

/** Enough was asked, most of it done, and of little nobody knows: nothing passes by refusing to work. */
const enough: Verdict["check"] = ({ history }) => {
  const asked = { operations: 0, transactions: 0 };
  let done = 0;
  let open = 0;
  for (const { type, op, error = "" } of history) {
    // Of a call at a node that is down the store has never heard: it does not count at all.
    if (type === "invoke" || error === "the node is down") continue;
    asked[op === "txn" ? "transactions" : "operations"]++;
    // A comparison that is answered with another value was done, too.
    if (type === "ok" || error === "refused") done++;
    else if (type === "info") open++;
  }
  const { operations, transactions } = asked;
  const all = operations + transactions;
  const isEnough =
    operations >= operationsMin &&
    transactions >= transactionsMin &&
    done >= okMin * all &&
    open <= infoMax * all;
  if (isEnough) return undefined;
  return `Of ${all} calls (${operations} of registers, ${transactions} transactions) ${done} were done, and of ${open} nobody knows.`;
};

/** The history of what was done beside, of keys that begin with a letter. */
function beside(view: View, letter: string): HistoryEvent[] {
  return view
    .facts(Aside)
    .map(({ fact, time }): HistoryEvent => {
      const { process, type, op, key, value } = fact;
      const about = key === undefined ? {} : { key };
      return { process, type, op, ...about, value, time: Math.round(time * 1e6) };
    })
    .filter(({ key, value }) => (key ?? firstKey(value)).startsWith(letter));
}

function firstKey(value: unknown): string {
  const [step]: unknown[] = Array.isArray(value) ? value : [];
  return Array.isArray(step) ? String(step[1]) : "";
}

/**
 * What was done to keys that are written once, without those that were not: nobody writes again what is there. A key of which an
 * earlier life does not know whether it has written it may be written twice: that one is left out, and what reads it.
 */
function once(view: View): HistoryEvent[] {
  const history = beside(view, "o");
  const failed = new Set(history.filter(({ type }) => type === "fail").map((one) => one.process));
  const kept = history.filter(({ process }) => !failed.has(process));
  const writes = new Map<string, number>();
  for (const { type, value } of kept) {
    const [step]: unknown[] = Array.isArray(value) ? value : [];
    if (type !== "invoke" || !Array.isArray(step) || step[0] !== "w") continue;
    const key = String(step[1]);
    writes.set(key, (writes.get(key) ?? 0) + 1);
  }
  const groupOf = (key: string): string => key.split(".")[0] ?? "";
  const twice = new Set([...writes].filter(([, many]) => many > 1).map(([key]) => groupOf(key)));
  return kept.filter(({ value }) => !twice.has(groupOf(firstKey(value))));
}

/** Of two writes one after the other, nobody sees the later one without the earlier one. */
function causal(history: readonly HistoryEvent[]): string | undefined {
  const operations = operationsOf(history).filter((one) => one.op === "txn");
  const writes = new Map<string, { readonly invoked: number; readonly returned: number }>();
  for (const { steps, invoked, returned, outcome } of operations)
    for (const { kind, key } of steps)
      if (kind === "w" && outcome !== "fail")
        writes.set(key, { invoked, returned: outcome === "ok" ? returned : Infinity });
  for (const { steps, outcome } of operations) {
    if (outcome !== "ok") continue;
    const reads = steps.filter(({ kind }) => kind === "r");
    const there = reads.filter(({ value }) => value !== null);
    for (const { key } of reads.filter(({ value }) => value === null)) {
      const earlier = writes.get(key);
      const later = there.find(
        (one) => (writes.get(one.key)?.invoked ?? 0) > (earlier?.returned ?? Infinity),
      );
      if (later !== undefined)
        return `${later.key} was read without ${key}, which was written before.`;
    }
  }
  return undefined;
}

/** What those who watch were told, life by life. */
function watched(view: View): string | undefined {
  const lives = new Map<string, Told[]>();
  for (const report of view.facts(Told)) {
    const life = nameOfLife(report);
    const told = lives.get(life);
    if (told === undefined) lives.set(life, [report.fact]);
    else told.push(report.fact);
  }
  for (const [life, told] of lives) {
    const wrong = misled(told, ledgerOf(view).changed);
    if (wrong !== undefined) return `${life} was told of ${wrong}`;
  }
  return undefined;
}

/** What is judged at the end of a run. */
export const verdicts: readonly Verdict[] = [
  {
    name: "registers are linearizable",
    check: ({ history }) =>
      complaint(checkRegisters(history.filter(({ op }) => registerOps.has(op)))),
  },
  {
    name: "lists are strictly serializable",
    check: ({ history }) => complaint(checkAppends(history.filter(({ op }) => op === "txn"))),
  },
  {
    name: "no money is lost",
    check: ({ view }) =>
      complaint(checkBank(beside(view, "b"), { accounts, total: accounts.length * balance })),
  },
  {
    name: "each addition counts once",
    check: ({ view }) => complaint(checkCounter(beside(view, counter))),
  },
  {
    name: "no long fork",
    check: ({ view }) => complaint(checkLongFork(once(view))),
  },
  {
    name: "what has gone does not come back, nor goes before its time",
    check: ({ view }) => revived(beside(view, fleetingPrefix)),
  },
  {
    name: "each change is told once, in order, or what is there",
    check: ({ view }) => watched(view),
  },
  { name: "no causal reverse", check: ({ view }) => causal(once(view)) },
  { name: "most of it is done", check: enough },
];

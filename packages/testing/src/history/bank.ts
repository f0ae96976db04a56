/**
 * The bank: transfers move money between accounts, so that whoever reads all accounts at once finds the same total
 * (the workload of Jepsen's bank test). It finds reads that are torn across keys.
 *
 * Transactions read with `r` and write with `w` numbers. Only `ok` transactions that read every account, before they
 * write one, are looked at: that they all find the total is necessary for a correct bank, not sufficient.
 */

import type { HistoryEvent } from "./event.ts";
import { only, operationsOf, type TransactionOperation } from "./operation.ts";
import type { Value } from "./value.ts";
import { invalid, showValue, type Verdict } from "./verdict.ts";

/** What is known of the bank. */
export interface BankOptions {
  /** The keys of all accounts. */
  readonly accounts: readonly string[];
  /** What they hold together, at all times. */
  readonly total: number;
  /** Whether an account may hold less than nothing; default false. */
  readonly overdraft?: boolean;
}

/**
 * Judges a history of `txn` whose steps are `r` and `w`. Undecided where nobody read all accounts.
 *
 * @throws KithError where the history is malformed, or has other operations
 */
export function checkBank(
  history: readonly HistoryEvent[],
  { accounts, total, overdraft = false }: BankOptions,
): Verdict {
  const transactions = only(operationsOf(history), ["txn"]);
  let looked = 0;
  for (const transaction of transactions) {
    if (transaction.outcome !== "ok") continue;
    const balances = balancesOf(transaction);
    let sum = 0;
    let all = true;
    for (const account of accounts) {
      const balance = balances.get(account);
      if (balance === undefined) {
        all = false;
      } else if (typeof balance !== "number") {
        const what = `Account ${account} was read as ${showValue(balance)}, which is no amount.`;
        return invalid("no amount", what, [transaction]);
      } else if (balance < 0 && !overdraft) {
        const what = `Account ${account} was read as ${balance}: it holds less than nothing.`;
        return invalid("overdraft", what, [transaction]);
      } else {
        sum += balance;
      }
    }
    if (!all) continue;
    looked++;
    if (sum !== total) {
      const what = `All accounts were read at once, and held ${sum} together instead of ${total}.`;
      return invalid("wrong total", what, [transaction]);
    }
  }
  if (looked > 0) return { verdict: "valid", operations: looked };
  return { verdict: "undecided", reason: "nobody read all accounts in one transaction", spent: 0 };
}

/** What the transaction found before it wrote anything to the account itself. */
function balancesOf({ steps }: TransactionOperation): Map<string, Value> {
  const balances = new Map<string, Value>();
  const written = new Set<string>();
  for (const { kind, key, value } of steps) {
    if (kind !== "r") written.add(key);
    else if (!written.has(key) && !balances.has(key)) balances.set(key, value);
  }
  return balances;
}

/** What is wrong with a history of registers and lists. */

import { checkAppends, checkRegisters, complaint, type HistoryEvent } from "@kith/testing/history";

/** What is wrong with a history, in words. */
export function judge(history: readonly HistoryEvent[]): string[] {
  const transactions = history.filter(({ op }) => op === "txn");
  const single = history.filter(({ op }) => op !== "txn");
  const found = [complaint(checkAppends(transactions)), complaint(checkRegisters(single))];
  return found.flatMap((one) => one ?? []);
}

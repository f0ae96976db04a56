/** Histories of what clients saw, and checkers that say whether a correct service can have shown them that. */

export { checkAppends } from "./appends.ts";
export { type BankOptions, checkBank } from "./bank.ts";
export { checkCounter } from "./counter.ts";
export { formatHistory, type HistoryEvent, type HistoryEventType, parseHistory } from "./event.ts";
export { checkRegisters, type RegisterOptions } from "./linearizability.ts";
export { checkLongFork } from "./long-fork.ts";
export {
  type AddOperation,
  type Called,
  type CasOperation,
  type Operation,
  operationsOf,
  type Outcome,
  type ReadOperation,
  type Step,
  type TransactionOperation,
  type WriteOperation,
} from "./operation.ts";
export { checkSet } from "./set.ts";
export type { Value } from "./value.ts";
export {
  complaint,
  type Invalid,
  showOperation,
  type Undecided,
  type Valid,
  type Verdict,
} from "./verdict.ts";

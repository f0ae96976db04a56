/** The transactional store: linearizable keys, strictly serializable transactions. */

export { answer } from "./answer.ts";
export {
  type Command,
  type CommandOf,
  type Condition,
  decodeCommand,
  encodeCommand,
  type Expected,
  type Operation,
  type Part,
  type Ticket,
  type Token,
} from "./command.ts";
export type { StoreErrorCode } from "./errors.ts";
export {
  AskDirectory,
  StoreDirectory,
  type StoreDirectoryInit,
  TellDirectory,
} from "./directory.ts";
export { Caretaker, type CaretakerInit } from "./caretaker.ts";
export { applyCommand, type Place } from "./machine.ts";
export {
  covers,
  everything,
  hintOf,
  hintsMax,
  keyAt,
  keyBytesMax,
  type Octets,
  type Position,
  positionFrom,
  positionOf,
  type Range,
  valueBytesMax,
} from "./position.ts";
export {
  Aborted,
  Ambiguous,
  Applied,
  Apply,
  Browse,
  Browsed,
  Busy,
  type Change,
  Changes,
  Commit,
  Committed,
  Delete,
  Entries,
  type Entry,
  Get,
  Got,
  type Key,
  NotDone,
  type NotDoneReason,
  Put,
  Read,
  type Refusal,
  Refused,
  Registers,
  Resync,
  WatchRefused,
  Scan,
  type Seen,
  Store,
  StoreAnswer,
  Unwatch,
  type Update,
  type Updated,
  Watch,
  type Watched,
  type Writing,
  Written,
} from "./port.ts";
export {
  type Answer,
  decodeAnswer,
  decodeQuery,
  encodeAnswer,
  encodeQuery,
  type IdleSession,
  type KnownTx,
  type Query,
  type Reading,
} from "./query.ts";
export {
  decodeResult,
  encodeResult,
  type Outcome,
  type RefusalReason,
  type Result,
  type ResultOf,
  type Vote,
} from "./result.ts";
export {
  type Descriptor,
  type Expiry,
  type Participant,
  type RegisterState,
  type TxId,
  type TxName,
  type TxWrite,
} from "./rows.ts";
export { openSeqsMax } from "./sessions.ts";
export type { Spawn } from "./split.ts";
export { WatchGate, type WatchGateInit } from "./watch-gate.ts";
export { type KnownGroup, StoreClient, type StoreClientInit } from "./store-client.ts";
export { type ManagerSettings, managerSettings } from "./manager/state.ts";
export { keysMax } from "./requests.ts";
export { commandBytesMax, storeMachine } from "./store-machine.ts";
export {
  Founding,
  FoundingAnswer,
  FoundingFailed,
  FoundStore,
  StoreFounded,
  StoreMember,
  type StoreMemberInit,
} from "./store-member.ts";
export {
  GroupSplit,
  Operator,
  OperatorAnswer,
  SplitFailed,
  SplitGroup,
  StoreOperator,
} from "./operator.ts";
export { storeMessages } from "./store-messages.ts";
export { Conclude, Concluded, Recovery } from "./recovery.ts";
export { checkStep, checkTable, checkTables } from "./table-invariants.ts";

/** The store for ordinary code: promises, transactions, watches. */

export type { CallOptions } from "./calls.ts";
export {
  type BatchWrite,
  Client,
  type ClientParts,
  type Found,
  type ScanRange,
  type When,
} from "./client.ts";
export { bytes, type Codec, json, rich, text } from "./codec.ts";
export { connect, type ConnectOptions } from "./connect.ts";
export { ClientError, type ClientErrorCode, type Outcome } from "./errors.ts";
export { type ClientEvents, type Emitter, emitter, type Listening } from "./events.ts";
export { Finder, type FinderInit, type FoundStore } from "./finder.ts";
export { type ConnectionListener, Guest } from "./guest.ts";
export type { PutOptions, Transaction, TransactOptions } from "./transaction.ts";
export { type Listener, type Settle, type StoreRequest, StoreUser } from "./user.ts";
export type { Watching, WatchEvent, WatchOptions, WatchTarget } from "./watch.ts";

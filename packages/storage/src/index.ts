/** The Storage port, its memory provider, and helpers for keys. */

export { limits, type Problem } from "./checks.ts";
export { nextStep, storageError, type StorageErrorCode } from "./errors.ts";
export { after, compareKeys, prefixEnd } from "./keys.ts";
export { MemoryDisk } from "./memory-disk.ts";
export { memoryStorage, MemoryStorage, type MemoryStorageState } from "./memory-storage.ts";
export type {
  Append,
  Cut,
  Delete,
  DeleteRange,
  Drop,
  Entry,
  KeyRange,
  Operation,
  Put,
  Truncate,
} from "./operation.ts";
export {
  AbortInstall,
  BeginInstall,
  ChunkTaken,
  CloseView,
  CommitInstall,
  Entries,
  Flushed,
  InstallBegun,
  InstallChunk,
  KeyValue,
  ListNamespaces,
  LogBounds,
  LogRecords,
  Namespaces,
  OpenView,
  ReadBounds,
  ReadKey,
  ReadLog,
  Scan,
  Storage,
  StorageAnswer,
  StorageFailed,
  StorageLost,
  ViewOpened,
  Write,
  Written,
} from "./port.ts";
export { Tables, type TablesState } from "./tables.ts";

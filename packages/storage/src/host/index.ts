/** Durable storage in a directory, for Node. */

export { DiskStorage, type DiskStorageInit, type DiskStorageState } from "./disk-storage.ts";
export type { Counters } from "./engine.ts";

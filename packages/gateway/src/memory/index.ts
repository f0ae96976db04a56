/** A Store in memory, for tests, benchmarks and a first try. */

export { MemoryStore, type MemoryStoreInit } from "./memory-store.ts";

/** A lock with leases and fencing tokens, the resource that it protects, and a client of both. */

export { Exclusive, JournalAnswer, Journalize, LockClient } from "./client.ts";
export { Journal } from "./journal.ts";
export { LockServer } from "./server.ts";

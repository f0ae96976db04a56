/** Locks with leases and fencing tokens, the journals that they protect, and a client of both. */

export { Exclusive, JournalAnswer, Journalize, LockClient, type LockClientInit } from "./client.ts";
export { Journal } from "./journal.ts";
export { isLarger, NO_TOKEN, type Token } from "./messages.ts";
export { LockServer } from "./server.ts";

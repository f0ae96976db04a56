/** The port Recovery: transactions of anyone are brought to their end by anyone (algorithms.md §6.5.6). */

import { event, port, request } from "@kith/core";
import type { KnownTx } from "./query.ts";

/** The transaction is final at all its keys; or, where `known` is false, nobody said which keys it has. */
export class Concluded extends event("store/Concluded")<{ readonly known: boolean }> {}

/**
 * Finds out what became of a transaction, and carries it out everywhere. One that is still at work is voted down where it has
 * not voted yet; so it should be old.
 */
export class Conclude extends request("store/Conclude", Concluded)<{ readonly tx: KnownTx }> {}

/** Ends transactions. Provider: `StoreClient`. */
export const Recovery = port("Recovery", { requests: [Conclude] });

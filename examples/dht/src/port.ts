/** The port of the hash table, and the one by which a peer is told to go. */

import { event, port, request } from "@kith/core";

/** How an operation has ended. */
export class Outcome extends event("dht/Outcome")<{
  /** `ok`: done. `failed`: not done, and it will not be. `unknown`: it may have been, or may yet be. */
  readonly status: "ok" | "failed" | "unknown";
  /** What stands under the key: before the deletion, after the put; null where there is nothing. */
  readonly value: string | null;
}> {}

/** What to do with a key. */
export type Op = "put" | "get" | "delete";

/** Asks for an operation on a key, at whichever peer it belongs to. */
export class Ask extends request("dht/Ask", Outcome)<{
  readonly op: Op;
  readonly key: string;
  /** What is put; left out otherwise. */
  readonly value?: string;
}> {}

/** Hands all entries to the peer behind this one, and leaves the ring. Answered by `Gone`. */
export class Go extends event("dht/Go") {}

/** This peer is of no ring any more. */
export class Gone extends event("dht/Gone") {}

/** A table of texts, spread over all peers. Provider: `Dht`. */
export const Table = port("Table", { requests: [Ask, Go], indications: [Gone] });

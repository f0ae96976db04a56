/** A plain distributed hash table on Kith's overlay: the example of a service composed on the stack. */

export { Main } from "./client.ts";
export { Dht, Hand, Operate, pointOf, Result } from "./dht.ts";
export { Peer } from "./peer.ts";
export { Ask, Go, Gone, type Op, Outcome, Table } from "./port.ts";

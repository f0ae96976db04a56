/** Names of transactions, and which of them are over: all of their managers have taken the outcome. */

import { paxosError } from "../errors.ts";

/** Who began a transaction, in which life, and its number in that life. */
export interface TransactionId {
  readonly manager: number;
  readonly life: number;
  readonly seq: number;
}

/** By manager and life: all numbers below `below`, and those in `beyond`, are over. Plain data. */
export type Over = Map<string, { below: number; readonly beyond: Set<number> }>;

/** The name of a transaction. */
export function formatTransaction({ manager, life, seq }: TransactionId): string {
  return `${manager}.${life}.${seq}`;
}

/** Reads what `formatTransaction` wrote. @throws KithError `KITH_PAXOS_ARGUMENT` */
export function parseTransaction(name: string): TransactionId {
  const [, manager, life, seq] = /^(\d+)\.(\d+)\.(\d+)$/.exec(name) ?? [];
  if (seq === undefined)
    throw paxosError("KITH_PAXOS_ARGUMENT", `"${name}" is no name of a transaction.`);
  return { manager: Number(manager), life: Number(life), seq: Number(seq) };
}

/** Where `Over` keeps a life of a manager. */
export function lifeOf({ manager, life }: TransactionId): string {
  return `${manager}.${life}`;
}

/** Whether a transaction is over. */
export function isOver(over: Over, id: TransactionId): boolean {
  const known = over.get(lifeOf(id));
  return known !== undefined && (id.seq < known.below || known.beyond.has(id.seq));
}

/** Takes note that a transaction is over. */
export function noteOver(over: Over, id: TransactionId): void {
  entryOf(over, id).beyond.add(id.seq);
}

/** Takes note that all transactions of a life below a number are over. @returns whether that was news */
export function noteBelow(over: Over, id: TransactionId, below: number): boolean {
  const known = entryOf(over, id);
  if (below <= known.below) return false;
  known.below = below;
  for (const seq of known.beyond) if (seq < below) known.beyond.delete(seq);
  return true;
}

function entryOf(over: Over, id: TransactionId): { below: number; readonly beyond: Set<number> } {
  const key = lifeOf(id);
  let known = over.get(key);
  if (known === undefined) over.set(key, (known = { below: 1, beyond: new Set() }));
  return known;
}

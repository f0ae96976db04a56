/**
 * Transactions over several groups: votes, recovery, outcomes (algorithms.md §6.5.3, §6.5.5, §6.5.6).
 *
 * A transaction has one register for each of its keys, in the group that owns the key. The first vote that is
 * written there stands (Gray & Lamport 2006, with the group's log as the consensus instance): the transaction is
 * committed when all registers are prepared, and cancelled when one is not. Nobody needs to be asked for
 * the outcome: whoever reads the registers finds the same one.
 *
 * T1  A register goes nothing → P → C or X, nothing → A → X, or nothing → X; final ones are forgotten, in time.
 * T3  A key is locked for writing by exactly the one transaction that is prepared there and writes it.
 */

import type { CommandOf, Part } from "./command.ts";
import { ensure } from "./errors.ts";
import type { GroupTable } from "./group-table.ts";
import type { Position } from "./position.ts";
import type { Result, Vote } from "./result.ts";
import { nameOf, type Participant, type TxId, type TxName, type TxRow } from "./rows.ts";
import { standingOf } from "./sessions.ts";

/** Votes on a transaction: for each key the first vote stands, whoever asks and however often. */
export function prepare(group: GroupTable, command: CommandOf<"prepare">): Result {
  const { ticket, participants, parts, bodyHash, hint } = command;
  const name = nameOf(ticket);
  const tx = group.tx(name) ?? newTx(group, participants);
  if (tx.bodyHash !== 0 && tx.bodyHash !== bodyHash) return { kind: "mismatch" };
  const open = parts.filter(({ position }) => !tx.registers.has(position));
  if (open.length > 0) {
    const against = parts.some(({ position }) => tx.registers.get(position)?.state === "A");
    const state = !against && open.every((part) => isValid(group, part, name)) ? "P" : "A";
    for (const { position, write } of open) {
      tx.registers.set(position, { state, write: state === "P" ? write : null });
      if (state === "P") group.acquire(position, name, write !== null);
    }
    tx.bodyHash = bodyHash;
    tx.hint = hint;
    // What recovery heard of it first may lack this.
    if (tx.participants.length === 0) Object.assign(tx, { participants });
    group.setTx(name, tx);
  }
  return votesOf(
    tx,
    parts.map(({ position }) => position),
  );
}

/** Whether a transaction may read and write a key now: nothing that it read has changed, and nobody else has it. */
function isValid(group: GroupTable, { position, expected, write }: Part, own: TxName): boolean {
  const lock = group.lock(position);
  const writer = lock?.writer ?? null;
  if (writer !== null && writer !== own) return false;
  if (write !== null && lock?.readers.some((reader) => reader !== own) === true) return false;
  return expected === null || (group.value(position)?.version ?? 0) === expected;
}

/** Votes against a transaction where nothing was voted yet, and tells all votes. */
export function forceAbort(
  group: GroupTable,
  { tx: id, participants, keys }: CommandOf<"force-abort">,
): Result {
  const standing = standingOf(group, id.client, id.seq);
  if (standing === "forgotten") return { kind: "forgotten" };
  // Where the session is gone, a register would stand for ever, and could contradict one that was dropped.
  if (standing === "no-session") return { kind: "no-session" };
  const name = nameOf(id);
  const tx = group.tx(name) ?? newTx(group, participants);
  const open = keys.filter((position) => !tx.registers.has(position));
  for (const position of open) tx.registers.set(position, { state: "A", write: null });
  if (open.length > 0) group.setTx(name, tx);
  return votesOf(tx, keys);
}

/** Carries an outcome out. @throws KithError where the outcome contradicts a vote, which stops the group */
export function finish(
  group: GroupTable,
  { tx: id, committed, participants, keys }: CommandOf<"finish">,
): Result {
  const name = nameOf(id);
  const gone = standingOf(group, id.client, id.seq) !== "open";
  const known = group.tx(name);
  if (known === undefined && gone) return { kind: "finished" };
  const tx = known ?? newTx(group, participants);
  for (const position of keys) finishKey(group, id, tx, position, committed, gone);
  group.setTx(name, tx);
  return { kind: "finished" };
}

function finishKey(
  group: GroupTable,
  id: TxId,
  tx: TxRow,
  position: Position,
  committed: boolean,
  gone: boolean,
): void {
  const register = tx.registers.get(position);
  const state = register?.state;
  const wanted = committed ? "C" : "X";
  if (state === wanted) return;
  if (register !== undefined && state === "P") {
    const { write } = register;
    group.release(position, nameOf(id));
    if (committed && write !== null) {
      if (write.kind === "delete") group.delete(position);
      else group.put(position, write.value, write.expiry);
    }
    tx.registers.set(position, { state: wanted, write: null });
    return;
  }
  // Finished earlier and forgotten, or never prepared and never to be.
  if (state === undefined && gone) return;
  ensure(!committed && state !== "C", "T2", () => {
    const has = state === undefined ? "no vote" : `the register ${state}`;
    return `a transaction is to be ${committed ? "committed" : "cancelled"} where it has ${has}`;
  });
  // Also where nothing was voted: against a vote that is still on its way.
  tx.registers.set(position, { state: wanted, write: null });
}

function newTx(group: GroupTable, participants: readonly Participant[]): TxRow {
  return { bodyHash: 0, hint: "", since: group.time, participants, registers: new Map() };
}

function votesOf(tx: TxRow, keys: readonly Position[]): Result {
  const votes: Vote[] = [];
  for (const position of keys) {
    const register = tx.registers.get(position);
    if (register !== undefined) votes.push({ position, state: register.state });
  }
  return { kind: "votes", votes };
}

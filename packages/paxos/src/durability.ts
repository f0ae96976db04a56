/**
 * The order of writing and answering, in one place.
 *
 * - A record that is queued in a turn belongs to the write with the number `written + 1`.
 * - An answer that speaks of a term, a vote or an entry leaves only when the write that holds it is flushed.
 * - A replica's own copy of an entry counts only up to `stable`, which moves when a write is flushed.
 */

import { ensureFollows, type Member, type ReplicaId } from "./config.ts";
import type { Entry, Index, Term } from "./entry.ts";
import { ensure } from "./errors.ts";
import { append, lastIndex, truncate } from "./log.ts";
import type { Payload, PeerMessage } from "./peer-message.ts";
import { configOf, type GroupState, type LogRecord } from "./state.ts";

/** Queues a record for the write of this turn. @returns the number of that write */
export function record(state: GroupState, what: LogRecord): number {
  state.out.records.push(what);
  return state.written + 1;
}

/** Sets term and vote, durably before anything that speaks of them leaves. */
export function setHard(state: GroupState, term: Term, vote: ReplicaId): void {
  ensure(term >= state.term, "G1", () => `term ${term} was to follow ${state.term}`);
  ensure(
    term > state.term || state.vote === 0 || state.vote === vote,
    "G1",
    () => `a second vote in term ${term}: ${vote} after ${state.vote}`,
  );
  state.term = term;
  state.vote = vote;
  state.hardWrite = record(state, { kind: "hard", term, vote });
}

/** Adds an entry to the log, durably later; a configuration holds from here on (L5). */
export function appendEntry(state: GroupState, entry: Entry): void {
  append(state.log, entry);
  record(state, { kind: "append", entry });
  state.time = Math.max(state.time, entry.time);
  if (entry.kind !== "config") return;
  ensureFollows(configOf(state), entry.config);
  state.configs.push({ index: entry.index, config: entry.config });
}

/** Takes entries that conflict off the log, and with them the configurations they brought. */
export function truncateFrom(state: GroupState, from: Index): void {
  ensure(from > state.commit, "G3", () => `entry ${from} is committed and was to be truncated`);
  truncate(state.log, from);
  record(state, { kind: "truncate", from });
  state.stable = Math.min(state.stable, from - 1);
  for (const tail of state.tails) tail.index = Math.min(tail.index, from - 1);
  state.configs = state.configs.filter(({ index }, i) => i === 0 || index < from);
}

/** Closes the write of a turn. */
export function closeWrite(state: GroupState): void {
  if (state.out.records.length === 0) return;
  state.out.write = ++state.written;
  state.tails.push({ write: state.written, index: lastIndex(state.log) });
}

/** Takes note that all writes up to a number are durable, and lets go what has waited for them. */
export function noteFlushed(state: GroupState, write: number): void {
  if (write <= state.flushed) return;
  ensure(write <= state.written, "T8", () => `write ${write} of ${state.written} was flushed`);
  state.flushed = write;
  while (state.tails[0] !== undefined && state.tails[0].write <= write) {
    const tail = state.tails.shift();
    if (tail !== undefined) state.stable = Math.max(state.stable, tail.index);
  }
  let kept = 0;
  for (const held of state.held) {
    if (held.after <= write) state.out.messages.push(held.message);
    else state.held[kept++] = held;
  }
  state.held.length = kept;
}

/** Sends something that needs no write. */
export function send(
  state: GroupState,
  to: Pick<Member, "replicaId" | "peerId">,
  payload: Payload,
): void {
  state.out.messages.push(address(state, to, payload));
}

/** Sends something once a write and the present term are durable. */
export function sendAfter(
  state: GroupState,
  write: number,
  to: Pick<Member, "replicaId" | "peerId">,
  payload: Payload,
): void {
  const after = Math.max(write, state.hardWrite);
  const message = address(state, to, payload);
  if (after <= state.flushed) state.out.messages.push(message);
  else state.held.push({ after, message });
}

/** Sends something to all other voters once the present term is durable. */
export function askVoters(state: GroupState, write: number, payload: Payload): void {
  for (const member of configOf(state).members)
    if (member.voter && member.replicaId !== state.self) sendAfter(state, write, member, payload);
}

/** Asserts of a message that leaves now that what it promises is durable: the other side of `sendAfter`. */
export function ensureDurable(state: GroupState, message: PeerMessage): void {
  const { kind, term } = message;
  // Not of other answers: a vote may be on its way to the disk that was given after them, in the same term.
  const votes = kind === "vote" || (kind === "vote-answer" && message.granted);
  if (votes && term === state.term)
    ensure(
      state.hardWrite <= state.flushed,
      "T8",
      () => `a ${kind} leaves before it is durable in term ${term}`,
    );
  if (kind !== "append-answer" || term !== state.term) return;
  ensure(
    // What lies before a base that has come since is committed, and need not be here any more.
    message.match <= state.stable || message.match < state.log.base,
    "T8",
    () => `entry ${message.match} is confirmed, and durable is ${state.stable}`,
  );
}

/** The first write after which the entry at an index is durable; 0 where it is. */
export function writeOf(state: GroupState, index: Index): number {
  if (index <= state.stable) return 0;
  // A tail that was truncated below the index does not hold it any more.
  return state.tails.find((tail) => tail.index >= index)?.write ?? state.written + 1;
}

function address(
  state: GroupState,
  to: Pick<Member, "replicaId" | "peerId">,
  payload: Payload,
): PeerMessage {
  const { gid, self, peerId } = state;
  return { gid, from: self, fromPeer: peerId, to: to.replicaId, toPeer: to.peerId, ...payload };
}

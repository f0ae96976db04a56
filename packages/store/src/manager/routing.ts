/**
 * The way from keys to groups: which group has a key, by which session it is spoken to, and what to do when a
 * group has given a key away.
 *
 * The directory is a guess. A group that no longer has a key says who has it, and the session of the group that has
 * split is known in both halves: the same token goes on, so that a late copy is still told from a new command.
 */

import { encodeCommand, type Token } from "../command.ts";
import { covers, type Position } from "../position.ts";
import type { Answer } from "../query.ts";
import { encodeQuery } from "../query.ts";
import type { Result } from "../result.ts";
import type { Descriptor } from "../rows.ts";
import { type Call, type ManagerState, pause, type Session } from "./state.ts";

/**
 * The group that has a key, as far as is known: of several the newest. Where none is known to have it, the one
 * before it, which has given it away and says to whom.
 */
export function ownerOf(state: ManagerState, position: Position): Descriptor | undefined {
  let owner: Descriptor | undefined;
  let before: Descriptor | undefined;
  for (const one of state.directory.values()) {
    if (covers(one, position)) {
      if (owner === undefined || one.epoch > owner.epoch) owner = one;
    } else if (one.lo <= position && (before === undefined || one.lo > before.lo)) before = one;
  }
  return owner ?? before;
}

/** The keys by their groups; those of which no group is known are left out. */
export function byGroup(state: ManagerState, keys: readonly Position[]): Map<string, Position[]> {
  const groups = new Map<string, Position[]>();
  for (const position of keys) {
    const gid = ownerOf(state, position)?.gid;
    if (gid === undefined) continue;
    const group = groups.get(gid);
    if (group === undefined) groups.set(gid, [position]);
    else group.push(position);
  }
  return groups;
}

/** Takes note of groups. @param from who has told: what it has given away goes on with its session */
export function learn(state: ManagerState, from: string, descriptors: readonly Descriptor[]): void {
  for (const one of descriptors) {
    const known = state.directory.get(one.gid);
    if (known !== undefined && known.epoch >= one.epoch) continue;
    state.directory.set(one.gid, one);
    if (known === undefined) state.origins.set(one.gid, from);
    const token = tokenOf(state, from);
    if (one.gid !== from && token !== undefined && !state.sessions.has(one.gid))
      state.sessions.set(one.gid, { token, usedAt: state.now, acked: 0 });
  }
}

/** The session in a group, open or about to be. */
export function sessionOf(state: ManagerState, gid: string): Session | undefined {
  return state.sessions.get(gid);
}

/** The token for a group; undefined while there is none. */
export function tokenOf(state: ManagerState, gid: string): Token | undefined {
  return state.sessions.get(gid)?.token ?? undefined;
}

/** Opens sessions where there are none. @returns whether all are open */
export function ensureSessions(state: ManagerState, keys: readonly Position[]): boolean {
  // Keys of which no group is known: somebody may still tell of it.
  let open = keys.every((key) => ownerOf(state, key) !== undefined);
  for (const gid of byGroup(state, keys).keys()) {
    const session = state.sessions.get(gid);
    // The group may have ended what was not used for long.
    const isOld = session !== undefined && state.now - session.usedAt > state.settings.idleMs;
    const token = session?.token ?? null;
    if (token !== null && !isOld) continue;
    open = false;
    if (session?.token === null) continue;
    state.sessions.set(gid, { token: null, usedAt: state.now, acked: 0 });
    sayHello(state, gid);
  }
  return open;
}

/** Asks a group where it is: the first step to a session. */
export function sayHello(state: ManagerState, gid: string): void {
  ask(state, { job: 0, purpose: "hello", gid, keys: [] }, encodeQuery({ kind: "hello" }));
}

/** The answer to that: opens the session. */
export function greeted(state: ManagerState, { gid }: Call, answer: Answer): void {
  if (answer.kind !== "here") {
    retry(state, { job: 0, purpose: "hello", gid, keys: [] }, 5);
    return;
  }
  const hello = { gid, index: answer.index };
  const command = { kind: "open", client: state.client, nextSeq: state.nextSeq, hello } as const;
  execute(state, { job: 0, purpose: "open", gid, keys: [] }, encodeCommand(command));
}

/** The session is open, or the place in the log was too old. @returns whether it is */
export function opened(state: ManagerState, { gid }: Call, result: Result): boolean {
  if (result.kind !== "opened") {
    sayHello(state, gid);
    return false;
  }
  learn(state, gid, result.descriptors);
  const token = { gid: result.gid, index: result.index };
  state.sessions.set(gid, { token, usedAt: state.now, acked: 0 });
  return true;
}

/** A group does not know a session any more: what comes next goes in another one. */
export function lost(state: ManagerState, { gid, token }: Call): void {
  const now = tokenOf(state, gid);
  // Another call may have heard of it earlier, and a session be open again.
  if (now !== undefined && now.gid === token?.gid && now.index === token.index)
    state.sessions.delete(gid);
}

/** Asks a group something. */
export function ask(state: ManagerState, call: Call, body: Uint8Array): void {
  emit(state, call, "query", body);
}

/** Has a group execute something. */
export function execute(state: ManagerState, call: Call, body: Uint8Array): void {
  emit(state, call, "command", body);
}

/** Makes a call again, after a while. */
export function retry(state: ManagerState, call: Call, tries: number): void {
  state.retries.push({ ...call, at: state.now + pause(state, tries) });
}

function emit(state: ManagerState, call: Call, kind: "command" | "query", body: Uint8Array): void {
  const number = ++state.lastCall;
  state.calls.set(number, call);
  state.out.calls.push({ call: number, gid: call.gid, kind, body });
}

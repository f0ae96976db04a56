/**
 * A member of the store on consistent quorums, as a state machine without ports, disk or clock (algorithms.md §6.2).
 *
 * - **Q1.** What follows a view is decided once: by single-decree Paxos among its members, one instance for each view.
 * - **Q2.** A peer serves a phase in a view only while the view is the newest that it has of that range, is in use
 *   (`active`) and not sealed; and says in which view it has done so. A quorum is a majority of one view.
 * - **Q3.** Before a peer that is new in a view uses it, a majority of the members of the view before have sealed that, durably,
 *   and have handed over what they have. Who was a member before seals the old view and uses the new one in one batch.
 * - **Q4.** Data of a range that a peer has no part in any more go only when all members of the next view use that.
 * - **Q5.** The stamp of a key only grows at a peer, over restarts too; one stamp has one value.
 * - Nothing is said before what it depends on is durable: a letter waits for the rows that it names.
 *
 * Together: a phase that was completed in a view was so at a majority, of which every later view has heard through Q3
 * from somebody who had done it before it sealed. So what a later phase finds is at least as new.
 */

import { mix, type Millis, streamKey } from "@kith/core";
import {
  type Decider,
  decider,
  decisionOf,
  type Instance,
  propose,
  receive,
  singleRule,
  tick as tickDecider,
  turn as turnDecider,
} from "@kith/paxos/decide";
import type { PeerRef } from "@kith/network";
import { ensure } from "../errors.ts";
import { covers, type Position } from "../position.ts";
import type { MemberWord, Phase, PhaseReply } from "./messages.ts";
import { compareStamps, type Stamped, unwritten } from "./stamp.ts";
import {
  decodeViews,
  encodeViews,
  followersOf,
  isMember,
  majorityOf,
  noteView,
  type View,
  type ViewChange,
  viewAt,
  viewName,
} from "./view.ts";

/** What a peer has of a view. Plain data. */
export interface Installed {
  readonly view: View;
  /** Whether its data are complete here; else they are being copied. */
  active: boolean;
  /** From which view they are copied; null for the first of a chain. */
  readonly before: View | null;
  /** What was decided to follow. */
  next: readonly View[] | null;
}

/** A view that this peer has left behind, until all who are concerned use what follows. */
export interface Handover {
  readonly view: View;
  readonly next: readonly View[];
  /** Who has not said yet that it is done. Gone with the life: all are asked again. */
  readonly pending: Set<number>;
}

/** How far the data of the view before are copied. Gone with the life. */
export interface Copying {
  /** By member of the view before: from where its next page is to come. */
  readonly from: Map<number, Position>;
  readonly complete: Set<number>;
}

/** The name of something durable: a view, a handover, a decision, what is past of a chain, or a key. */
export type RowName = `v${string}` | `h${string}` | `d${string}` | `p${string}` | `k${Position}`;

/** Who asks for phases. */
export interface Client {
  readonly peer: PeerRef;
  readonly name: string;
}

/** Something to say, once the rows that it depends on are durable. */
export type Outgoing =
  | { readonly to: number; readonly word: MemberWord }
  | { readonly client: Client; readonly reply: PhaseReply };

/** A member. Plain data. */
export interface Replica {
  readonly self: number;
  readonly life: number;
  readonly seed: number;
  now: Millis;
  /** By the name of the chain: the newest view that this peer has a part in. */
  readonly views: Map<string, Installed>;
  /** By the name of the view. */
  readonly handovers: Map<string, Handover>;
  /** By the name of the view. */
  readonly deciders: Map<string, Decider>;
  readonly data: Map<Position, Stamped>;
  readonly copying: Map<string, Copying>;
  /** By chain: the newest view that this peer has no part in any more, having had all of its data. */
  readonly past: Map<string, number>;
  /** Views that others have told of: hints for clients. */
  readonly hints: Map<string, View>;
  /** When the handovers and copies are asked for again. */
  askAt: Millis;
  out: {
    /** What has to be written: the row as it is when it is written. */
    readonly dirty: Set<RowName>;
    readonly letters: { readonly after: readonly RowName[]; readonly what: Outgoing }[];
  };
}

/** What the rows of earlier lives say. */
export interface Remembered {
  readonly views: readonly Installed[];
  readonly handovers: readonly Pick<Handover, "view" | "next">[];
  readonly decisions: readonly (readonly [string, Instance])[];
  readonly past: readonly (readonly [string, number])[];
  readonly hints: readonly View[];
  readonly data: Map<Position, Stamped>;
}

const askEvery = 250;
const pageBytes = 256 * 1024;

/** A member in a new life. @param first the views that the store begins with; only where nothing is remembered */
export function replica(
  options: Pick<Replica, "self" | "life" | "seed" | "now">,
  first: readonly View[],
  { views, handovers, decisions, past, hints, data }: Remembered,
): Replica {
  const state: Replica = {
    ...options,
    views: new Map(),
    handovers: new Map(),
    deciders: new Map(),
    data,
    copying: new Map(),
    past: new Map(past),
    hints: new Map(hints.map((view) => [view.rid, view])),
    askAt: 0,
    out: { dirty: new Set(), letters: [] },
  };
  for (const view of first) noteView(state.hints, view);
  const decided = new Map(decisions);
  for (const one of views) use(state, { ...one }, decided.get(viewName(one.view)));
  for (const { view, next } of handovers) {
    const name = viewName(view);
    state.handovers.set(name, { view, next, pending: concerned(view, next, state.self) });
    for (const follower of next) noteView(state.hints, follower);
    if (!state.deciders.has(name)) decide(state, view, decided.get(name));
  }
  if (views.length === 0 && handovers.length === 0 && past.length === 0)
    for (const view of first)
      if (isMember(view, state.self)) {
        use(state, { view, active: true, before: null, next: null });
        state.out.dirty.add(rowOf(view));
      }
  return state;
}

// --- phases ----------------------------------------------------------------------------------------

/** A client asks for a phase. */
export function serve(state: Replica, client: Client, { phase, position, keep }: Phase): void {
  const one = installedAt(state, position);
  if (one === undefined || !one.active || one.next !== null) {
    const known = knownAt(state, position);
    return say(state, [], { client, reply: { phase, view: null, has: null, known } });
  }
  const rows: RowName[] = [rowOf(one.view), `k${position}`];
  if (keep !== null) merge(state, position, keep);
  const has = keep === null ? (state.data.get(position) ?? unwritten) : null;
  return say(state, rows, { client, reply: { phase, view: one.view, has, known: [] } });
}

/** Keeps a value, unless there is a newer one. */
function merge(state: Replica, position: Position, keep: Stamped): void {
  const has = state.data.get(position);
  const newer = has === undefined ? 1 : compareStamps(keep.stamp, has.stamp);
  ensure(
    newer !== 0 || sameValue(keep.value, has?.value ?? null),
    "Q5",
    () => `two values have the stamp ${JSON.stringify(keep.stamp)}`,
  );
  if (newer <= 0) return;
  state.data.set(position, keep);
  state.out.dirty.add(`k${position}`);
}

function sameValue(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

// --- deciding what follows -------------------------------------------------------------------------

/**
 * Proposes what is to follow a view.
 *
 * @returns null while that is to be decided; what follows where it is; "elsewhere" where this peer is no member
 */
export function change(
  state: Replica,
  name: string,
  wanted: ViewChange,
): readonly View[] | "elsewhere" | null {
  const decided = followersKnown(state, name);
  if (decided !== null) return decided;
  const one = [...state.views.values()].find(({ view }) => viewName(view) === name);
  const its = state.deciders.get(name);
  if (one === undefined || its === undefined) return "elsewhere";
  its.now = state.now;
  propose(its, singleRule, name, encodeViews(followersOf(one.view, wanted)));
  drain(state, name, its);
  return followersKnown(state, name);
}

/** What follows a view, as far as this peer knows. */
export function followersKnown(state: Replica, name: string): readonly View[] | null {
  const handover = state.handovers.get(name);
  if (handover !== undefined) return handover.next;
  for (const { view, next } of state.views.values()) if (viewName(view) === name) return next;
  return null;
}

function decide(state: Replica, view: View, instance: Instance | undefined): void {
  const name = viewName(view);
  const its = decider(
    {
      self: state.self,
      life: state.life,
      acceptors: view.members.map(({ peerId }) => peerId),
      seed: mix(streamKey(name).low, state.seed),
      now: state.now,
    },
    instance === undefined ? [] : [[name, instance]],
  );
  state.deciders.set(name, its);
}

/** Takes out what a decider wants to be done. */
function drain(state: Replica, name: string, its: Decider): void {
  const { records, replies, requests } = turnDecider(its);
  if (records.size > 0) state.out.dirty.add(`d${name}`);
  for (const { to, word } of replies)
    say(state, [`d${name}`], { to, word: { kind: "decide", view: name, word } });
  for (const { to, word } of requests)
    say(state, [], { to, word: { kind: "decide", view: name, word } });
  const value = decisionOf(its, name);
  if (value === null) return;
  const one = [...state.views.values()].find(({ view }) => viewName(view) === name);
  if (one !== undefined && one.next === null) follow(state, one, decodeViews(value));
}

// --- what follows a view ---------------------------------------------------------------------------

/** What follows a view that this peer has a part in is known. It waits for that view's own data. */
function follow(state: Replica, one: Installed, next: readonly View[]): void {
  ensure(
    one.next === null || viewName(one.next[0] ?? one.view) === viewName(next[0] ?? one.view),
    "Q1",
    () => `two views follow ${viewName(one.view)}`,
  );
  one.next = next;
  state.out.dirty.add(rowOf(one.view));
  if (one.active) leave(state, one);
}

/** Seals a view, uses what follows where this peer is a member, and tells everybody. */
function leave(state: Replica, { view, next }: Installed): void {
  if (next === null) return;
  const name = viewName(view);
  state.handovers.set(name, { view, next, pending: concerned(view, next, state.self) });
  state.out.dirty.add(`h${name}`);
  pass(state, view.rid, view.version);
  remove(state, view);
  for (const follower of next)
    if (isMember(follower, state.self) && !isBehind(state, follower)) {
      use(state, { view: follower, active: true, before: view, next: null });
      state.out.dirty.add(rowOf(follower));
    }
  state.askAt = state.now;
}

/** Somebody says what follows a view. */
function onInstall(state: Replica, from: number, view: View, next: readonly View[]): void {
  const name = viewName(view);
  for (const follower of next) noteView(state.hints, follower);
  const one = state.views.get(view.rid);
  if (one !== undefined && viewName(one.view) === name) {
    if (one.next === null) follow(state, one, next);
    if (state.views.get(view.rid) === one) return undefined; // It is being copied: later.
  } else if (!isMember(view, state.self)) for (const follower of next) join(state, view, follower);
  const rows: RowName[] = [`p${view.rid}`, `h${name}`, ...next.map((one) => rowOf(one))];
  // A member that has not even come to the view itself is still needed there.
  if (isPast(state, view) && next.every((follower) => isPast(state, follower)))
    say(state, rows, { to: from, word: { kind: "installed", view: name } });
  return undefined;
}

/** Begins to copy the data of a view that this peer is new in. */
function join(state: Replica, before: View, view: View): void {
  if (!isMember(view, state.self)) return;
  // A view of which this is a part has to be left first: whoever leaves that uses the first view of each part.
  const whole = [...state.views.values()].find(
    (one) => view.rid.startsWith(`${one.view.rid}/`) && covers(one.view, view.lo),
  );
  if (whole !== undefined) return;
  // A view that it has to leave first comes first: others tell of what follows that.
  if (state.views.has(view.rid) || isPast(state, view)) return;
  use(state, { view, active: false, before, next: null });
  state.out.dirty.add(rowOf(view));
  state.askAt = state.now;
}

/** Whether a view does not wait for this peer: it is in use here, or was, or is none of its business. */
function isPast(state: Replica, view: View): boolean {
  if (!isMember(view, state.self) || (state.past.get(view.rid) ?? 0) >= view.version) return true;
  const one = state.views.get(view.rid);
  return one !== undefined && one.active && one.view.version >= view.version;
}

/** Whether this peer has come further in the chain of a view, or was further and has left it. */
function isBehind(state: Replica, { rid, version }: View): boolean {
  const later = state.views.get(rid)?.view.version ?? 0;
  return later > version || (state.past.get(rid) ?? 0) >= version;
}

/** All views of a chain up to this one are past. */
function pass(state: Replica, rid: string, version: number): void {
  state.past.set(rid, Math.max(version, state.past.get(rid) ?? 0));
  state.out.dirty.add(`p${rid}`);
}

function use(state: Replica, one: Installed, instance?: Instance): void {
  const { view, active } = one;
  state.views.set(view.rid, one);
  noteView(state.hints, view);
  decide(state, view, instance);
  if (!active) state.copying.set(view.rid, { from: new Map(), complete: new Set() });
}

/** A view is not this peer's any more; its decision stays while there is a handover. */
function remove(state: Replica, view: View): void {
  state.views.delete(view.rid);
  state.copying.delete(view.rid);
  state.out.dirty.add(rowOf(view));
}

/** All who are concerned use what follows: what is not needed any more goes. */
function settle(state: Replica, name: string): void {
  const handover = state.handovers.get(name);
  if (handover === undefined || handover.pending.size > 0) return;
  state.handovers.delete(name);
  state.deciders.delete(name);
  state.out.dirty.add(`h${name}`).add(`d${name}`);
  // With what followed, which clients ask for for long.
  for (const { rid } of handover.next) state.out.dirty.add(`p${rid}`);
  const { view } = handover;
  for (const position of state.data.keys())
    if (covers(view, position) && !isHeld(state, position)) {
      state.data.delete(position);
      state.out.dirty.add(`k${position}`);
    }
}

/** Whether this peer has to keep what is at a position. */
function isHeld(state: Replica, position: Position): boolean {
  if (installedAt(state, position) !== undefined) return true;
  for (const { view } of state.handovers.values()) if (covers(view, position)) return true;
  return false;
}

// --- copying ---------------------------------------------------------------------------------------

/** A new member asks for the data of a view: it is sealed before they are given. */
function onPull(
  state: Replica,
  from: number,
  { view, next, from: begin }: MemberWord & { readonly kind: "pull" },
): void {
  const name = viewName(view);
  const one = state.views.get(view.rid);
  if (one !== undefined && viewName(one.view) === name && one.active && one.next === null)
    follow(state, one, next);
  if (!state.handovers.has(name)) return;
  const positions = [...state.data.keys()].filter((at) => at >= begin && covers(view, at)).sort();
  const copied: [Position, Stamped][] = [];
  let bytes = 0;
  let end: Position | null = null;
  for (const position of positions) {
    const has = state.data.get(position);
    if (has === undefined) continue;
    if (bytes > 0 && bytes + (has.value?.length ?? 0) > pageBytes) {
      end = position;
      break;
    }
    copied.push([position, has]);
    bytes += position.length + (has.value?.length ?? 0) + 64;
  }
  const rows: RowName[] = [`h${name}`, ...copied.map(([position]) => `k${position}` as const)];
  const word = { kind: "page", view: name, from: begin, copied, next: end } as const;
  say(state, rows, { to: from, word });
}

function onPage(
  state: Replica,
  from: number,
  { view: name, from: begin, copied, next }: MemberWord & { readonly kind: "page" },
): void {
  for (const [rid, one] of state.views) {
    const copying = state.copying.get(rid);
    if (copying === undefined || one.before === null || viewName(one.before) !== name) continue;
    if (copying.complete.has(from) || (copying.from.get(from) ?? one.view.lo) !== begin) continue;
    for (const [position, has] of copied) merge(state, position, has);
    if (next !== null) {
      copying.from.set(from, next);
      pull(state, one, copying, from);
      continue;
    }
    copying.complete.add(from);
    if (copying.complete.size < majorityOf(one.before)) continue;
    one.active = true;
    state.copying.delete(rid);
    // A majority of the view before has had all that came before that: nobody waits for this peer there.
    if (one.view.version > 1) pass(state, rid, one.view.version - 1);
    state.out.dirty.add(rowOf(one.view));
    const rows = [rowOf(one.view)];
    for (const { peerId } of one.before.members)
      say(state, rows, { to: peerId, word: { kind: "installed", view: name } });
    leave(state, one);
  }
}

function pull(state: Replica, { view, before }: Installed, copying: Copying, to: number): void {
  if (before === null) return;
  const from = copying.from.get(to) ?? view.lo;
  say(state, [], { to, word: { kind: "pull", view: before, next: [view], from } });
}

// --- words and time --------------------------------------------------------------------------------

/** A peer says something. */
export function hear(state: Replica, from: number, word: MemberWord): void {
  switch (word.kind) {
    case "decide": {
      const its = state.deciders.get(word.view);
      if (its === undefined) return;
      its.now = state.now;
      receive(its, singleRule, from, word.word);
      return drain(state, word.view, its);
    }
    case "install":
      return onInstall(state, from, word.view, word.next);
    case "installed": {
      state.handovers.get(word.view)?.pending.delete(from);
      return settle(state, word.view);
    }
    case "pull":
      return onPull(state, from, word);
    case "page":
      return onPage(state, from, word);
  }
}

/** Lets time pass. */
export function tickReplica(state: Replica, now: Millis): void {
  state.now = now;
  for (const [name, its] of state.deciders) {
    tickDecider(its, now);
    drain(state, name, its);
  }
  if (now < state.askAt) return;
  state.askAt = now + askEvery;
  // Also where nobody else is concerned, and not before whoever has asked for the change has heard of it.
  for (const name of [...state.handovers.keys()]) settle(state, name);
  for (const { view, next, pending } of state.handovers.values())
    for (const to of pending) say(state, [], { to, word: { kind: "install", view, next } });
  for (const [rid, copying] of state.copying) {
    const one = state.views.get(rid);
    for (const { peerId } of one?.before?.members ?? [])
      if (one !== undefined && !copying.complete.has(peerId)) pull(state, one, copying, peerId);
  }
}

/** The view that this peer has of a position. */
function installedAt(state: Replica, position: Position): Installed | undefined {
  let found: Installed | undefined;
  // A part is newer than what it is a part of.
  for (const one of state.views.values())
    if (covers(one.view, position) && (found === undefined || one.view.lo > found.view.lo))
      found = one;
  return found;
}

/** What a client may ask instead. */
function knownAt(state: Replica, position: Position): readonly View[] {
  const own = installedAt(state, position);
  if (own?.next) return own.next;
  const known = own?.view ?? viewAt(state.hints.values(), position);
  return known === undefined ? [] : [known];
}

/** Who has to use what follows before what was may be forgotten; who was a member has to know of it. */
function concerned(view: View, next: readonly View[], self: number): Set<number> {
  const all = [view, ...next].flatMap(({ members }) => members.map(({ peerId }) => peerId));
  return new Set(all.filter((peerId) => peerId !== self));
}

function say(state: Replica, after: readonly RowName[], what: Outgoing): void {
  state.out.letters.push({ after, what });
}

/** The row of a view. */
export function rowOf(view: View): RowName {
  return `v${viewName(view)}`;
}

/**
 * Errands: what takes more than one request to the store, as generators that say what they ask for and get the
 * answers. They know no clock and no chance but what they are given, so a test can play the store.
 *
 * A transaction (algorithms.md §6.5.5) reads what its commands look at, does them on a draft, and commits the draft with
 * the versions that it has read. It is tried again, after a pause at random, until its time is over. It says that a
 * watched key has changed only where a version says so: a lock that is in the way is no change.
 */

import {
  Aborted,
  Applied,
  Apply,
  Browse,
  Browsed,
  Busy,
  Commit,
  Committed,
  Entries,
  type Entry,
  type Key,
  NotDone,
  Read,
  Refused,
  type StoreAnswer,
  type Update,
  valueBytesMax,
} from "@kith/store";
import { type Action, keysOf, perform, refusal } from "./commands/action.ts";
import { Draft } from "./commands/draft.ts";
import { failureOf, overtaken } from "./failure.ts";
import type { LaneKeys } from "./lanes.ts";
import type { Past } from "./past.ts";
import { array, err, integer, nothing, ok, type Reply, text } from "./resp/reply.ts";

/** A request to the store. */
export type StoreRequest = Apply | Browse | Commit | Read;

/** What an errand wants next: an answer, or some milliseconds to pass. */
export type Wish = StoreRequest | { readonly pauseMs: number };

/** What takes several requests. */
export type Errand<T = Reply> = Generator<Wish, T, StoreAnswer | null>;

/** The world of an errand. */
export interface World {
  /** How long to try, in milliseconds. */
  readonly withinMs: number;
  /** Milliseconds that only grow. */
  now(): number;
  /** A draw from 0 to 1. */
  draw(): number;
  /** Counts an attempt that others got ahead of. */
  overtaken(): void;
  /** What this port knows of versions. */
  readonly past: Past;
}

/** The keys that were watched, with the versions that they had. */
export type Watched = ReadonlyMap<Key, number>;

/** What became of a transaction: the replies to its commands, that a watched key has changed, or why it was not done. */
export type Outcome = readonly Reply[] | "changed" | Reply;

const pauseMaxMs = 1000;
const nobody: Watched = new Map();

/** Does one action of several keys, or one that reads before it writes. */
export function* doAction(action: Action, world: World): Errand {
  if (action.kind === "read") {
    const answer = yield new Read({ keys: action.keys, within: world.withinMs });
    if (!(answer instanceof Entries)) return failureOf(answer);
    const at = new Map(answer.entries.map((entry) => [entry.key, entry]));
    const none = { value: null, expiresIn: null };
    return action.reply(action.keys.map((key) => at.get(key) ?? none));
  }
  if (action.kind === "update") {
    const answer = yield new Apply({ updates: action.updates, within: world.withinMs });
    if (answer instanceof Applied) return action.reply(answer.updated);
    if (answer instanceof Refused) return refusal(action, answer.reason, answer.value);
    if (!isScattered(answer)) return failureOf(answer);
  }
  const outcome = yield* transact([action], nobody, world);
  return isReplies(outcome) ? (outcome[0] ?? ok) : outcome === "changed" ? nothing : outcome;
}

/** Whether these are replies. */
export function isReplies(outcome: Outcome): outcome is readonly Reply[] {
  return Array.isArray(outcome);
}

/**
 * Does actions at one instant, where the watched keys are as they were.
 *
 * @param since when it was asked for: it may have waited for its lane
 */
export function* transact(
  actions: readonly Action[],
  watched: Watched,
  world: World,
  since = world.now(),
): Errand<Outcome> {
  const until = since + world.withinMs;
  const { past } = world;
  if ([...watched].some(([key, version]) => past.has(key, version, since))) return "changed";
  if (world.now() >= until) return overtaken;
  if (watched.size === 0) {
    const done = yield* applyAll(actions, world);
    if (done !== undefined) return done;
  }
  const looked = keysToRead(actions);
  const mayWrite = actions.some(({ kind }) => kind !== "read");
  for (let attempt = 0; ; attempt++) {
    const within = (): number => Math.max(1, until - world.now());
    // What is only watched is looked at by the commit; after a first try, whether it has changed.
    const isRead = looked.length > 0 || attempt > 0;
    const keys = isRead ? [...new Set([...looked, ...watched.keys()])] : [];
    const apart = mayWrite && keys.length > 1;
    // Who was overtaken is let through in its turn. What it watches it has read long ago: to have it kept now would be in vain.
    const turn = mayWrite && watched.size === 0 ? { attempt } : {};
    let entries: readonly Entry[] = [];
    if (keys.length > 0) {
      const begun = world.now();
      const answer = yield new Read({ keys, apart, ...turn, within: within() });
      if (!(answer instanceof Entries)) return failureOf(answer);
      entries = answer.entries;
      for (const { key, version } of entries) past.saw(key, version, begun);
      if (entries.some(({ key, version }) => (watched.get(key) ?? version) !== version))
        return "changed";
    }
    const draft = new Draft(entries);
    const replies = actions.map((action) => perform(action, draft));
    const writes = draft.writes();
    const versions = new Map([...watched, ...entries.map(versionOf)]);
    const wasOneInstant = isRead && !apart;
    if (writes.length === 0 && (versions.size === 0 || wasOneInstant)) return replies;
    const reads = [...versions].map(([key, version]) => ({ key, version }));
    const begun = world.now();
    const answer = yield new Commit({ reads, writes, queues: true, within: within() });
    if (answer instanceof Committed) {
      for (const { key, write } of writes)
        past.wrote(key, versions.get(key) ?? 0, ...(write.kind === "put" ? [begun] : []));
      return replies;
    }
    if (!(answer instanceof Aborted) && !(answer instanceof Busy)) return failureOf(answer);
    if (answer instanceof Aborted) world.overtaken();
    const key = answer instanceof Aborted ? answer.outdated : undefined;
    if (key !== undefined) {
      past.wrote(key, versions.get(key) ?? 0);
      if (watched.has(key)) return "changed";
      // Nobody is in the way: it only has to read again.
      if (world.now() < until) continue;
    }
    // Full jitter, so that those who were in each other's way are not again.
    const pauseMs = world.draw() * Math.min(pauseMaxMs, 5 * 2 ** Math.min(attempt, 8));
    if (world.now() + pauseMs >= until)
      return answer instanceof Busy ? failureOf(answer) : overtaken;
    yield { pauseMs };
  }
}

function versionOf({ key, version }: Entry): readonly [Key, number] {
  return [key, version];
}

/** Tries to have it all done by the store itself; undefined where that cannot be, and nothing was done. */
function* applyAll(actions: readonly Action[], { withinMs }: World): Errand<Outcome | undefined> {
  const updates: Update[] = [];
  let writes = false;
  for (const action of actions) {
    if (action.kind === "change") return undefined;
    if (action.kind === "update") {
      if (action.updates.some(({ when }) => when !== undefined)) return undefined;
      updates.push(...action.updates);
      writes = true;
    } else if (!action.plain) return undefined;
    else for (const key of action.keys) updates.push({ kind: "check", key });
  }
  if (!writes) return undefined;
  const answer = yield new Apply({ updates, within: withinMs });
  if (answer instanceof Refused || isScattered(answer)) return undefined;
  if (!(answer instanceof Applied)) return failureOf(answer);
  let at = 0;
  return actions.map((action) => {
    const from = at;
    if (action.kind === "read") {
      at += action.keys.length;
      const found = answer.updated.slice(from, at);
      return action.reply(found.map(({ before = null }) => ({ value: before, expiresIn: null })));
    }
    if (action.kind === "change") return nothing;
    at += action.updates.length;
    return action.reply(answer.updated.slice(from, at));
  });
}

/** Which keys actions may write, and which they look at beside those that are watched: for their lanes. */
export function laneKeys(actions: readonly Action[], watched: Watched): LaneKeys {
  const writing = actions.filter(({ kind }) => kind !== "read");
  if (writing.length === 0) return { written: [], seen: [] };
  return {
    written: writing.flatMap((action) => keysOf(action)),
    seen: [...watched.keys(), ...actions.flatMap((action) => keysOf(action))],
  };
}

/** What has to be read before actions can be done: not what they write first, without looking. */
function keysToRead(actions: readonly Action[]): Key[] {
  const written = new Set<Key>();
  const keys = new Set<Key>();
  for (const action of actions)
    for (const key of keysOf(action))
      if (isBlind(action)) written.add(key);
      else if (!written.has(key)) keys.add(key);
  return [...keys];
}

/** Whether an action writes without a look. What is too large is not written, and those behind it look at what was there. */
function isBlind(action: Action): boolean {
  if (action.kind !== "update" || !action.blind) return false;
  return action.updates.every((one) => one.kind !== "put" || one.value.length <= valueBytesMax);
}

/** Finds out which versions keys have. */
export function* versionsOf(keys: readonly Key[], { withinMs }: World): Errand<Watched | Reply> {
  const answer = yield new Read({ keys: [...new Set(keys)], apart: true, within: withinMs });
  return answer instanceof Entries ? new Map(answer.entries.map(versionOf)) : failureOf(answer);
}

// --- through all keys --------------------------------------------------------------------------------

/** One page of SCAN. */
export function* scan(
  from: number,
  limit: number,
  matches: (key: Key) => boolean,
  { withinMs }: World,
): Errand {
  const page = yield new Browse({ from, limit, within: withinMs });
  if (!(page instanceof Browsed)) return failureOf(page);
  return array([
    text(String(page.next ?? 0)),
    array(page.keys.filter((key) => matches(key)).map((key) => text(key))),
  ]);
}

/** All keys that match, up to so many bytes. */
export function* allKeys(matches: (key: Key) => boolean, bytesMax: number, world: World): Errand {
  const found: Reply[] = [];
  let bytes = 0;
  for (let from: number | null = 0; from !== null;) {
    const page: StoreAnswer | null = yield new Browse({ from, within: world.withinMs });
    if (!(page instanceof Browsed)) return failureOf(page);
    for (const key of page.keys) {
      if (!matches(key)) continue;
      found.push(text(key));
      bytes += key.length + 16;
      if (bytes > bytesMax) return err("too many keys match: go through them with SCAN");
    }
    from = page.next;
  }
  return array(found);
}

/** How many keys there are. */
export function* countKeys({ withinMs }: World): Errand {
  let count = 0;
  for (let from: number | null = 0; from !== null;) {
    const page: StoreAnswer | null = yield new Browse({ from, within: withinMs });
    if (!(page instanceof Browsed)) return failureOf(page);
    count += page.keys.length;
    from = page.next;
  }
  return integer(count);
}

/** Some key: the first one from a place at random on. @param places how many places there are */
export function* randomKey(places: number, world: World): Errand {
  const { withinMs } = world;
  const start = Math.floor(world.draw() * places);
  for (const begin of [start, 0])
    for (let from: number | null = begin; from !== null;) {
      const page: StoreAnswer | null = yield new Browse({ from, limit: 1, within: withinMs });
      if (!(page instanceof Browsed)) return failureOf(page);
      const [key] = page.keys;
      if (key !== undefined) return text(key);
      from = page.next;
    }
  return nothing;
}

/** Deletes all keys, page by page: each page of a group at one instant, not all of them. */
export function* deleteAll(world: World): Errand {
  for (let from: number | null = 0; from !== null;) {
    const page: StoreAnswer | null = yield new Browse({ from, within: world.withinMs });
    if (!(page instanceof Browsed)) return failureOf(page);
    const failure = yield* deleteKeys(page.keys, world);
    if (failure !== undefined) return failure;
    from = page.next;
  }
  return ok;
}

function* deleteKeys(keys: readonly Key[], world: World): Errand<Reply | undefined> {
  if (keys.length === 0) return undefined;
  const updates = keys.map((key) => ({ kind: "delete", key }) as const);
  const answer = yield new Apply({ updates, within: world.withinMs });
  if (answer instanceof Applied) return undefined;
  // Keys of several groups, or more values than one answer tells: neighbours are in one group.
  const isTooMuch = isScattered(answer) || answer instanceof Refused;
  if (!isTooMuch || keys.length === 1) return failureOf(answer);
  const half = keys.length >> 1;
  const failure = yield* deleteKeys(keys.slice(0, half), world);
  return failure ?? (yield* deleteKeys(keys.slice(half), world));
}

function isScattered(answer: StoreAnswer | null): boolean {
  return answer instanceof NotDone && answer.reason === "scattered";
}

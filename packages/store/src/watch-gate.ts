/**
 * The gate of a member for those who watch keys (algorithms.md §6.5.0, ruling 11): tells what its replicas apply, gap-free and in
 * order, group by group.
 *
 * Each command that changes keys gives them the group's next version, so that a version tells whether anything was missed. The
 * last changes of a group are kept while somebody watches it; who comes later than that gets what is there now instead. A watcher
 * that is slow costs nothing: it asks when it is ready.
 */

import {
  type AskTimeout,
  Component,
  type Millis,
  SchedulePeriodic,
  timeout,
  Timer,
} from "@kith/core";
import { Dropped, Network, type PeerRef } from "@kith/network";
import {
  Applied,
  AskStatus,
  Consensus,
  type ConsensusAnswer,
  Done,
  Follow,
  GroupHalted,
  GroupLeft,
  MembersChanged,
  Peek,
  Status,
} from "@kith/paxos";
import { covers, keyAt, type Position } from "./position.ts";
import { type Answer, decodeAnswer, encodeQuery } from "./query.ts";
import { type Descriptor, known, metaRow, rowKeys, valueRow } from "./rows.ts";
import { type Membership, WatchAsk, type WatchedKey, WatchNews } from "./watch-messages.ts";

/** A group that is watched. Plain data. */
interface Watched {
  /** Null until the replica has said how it stands. */
  descriptors: readonly Descriptor[] | null;
  ordered: boolean;
  /** Null until it is known. */
  membership: Membership | null;
  /** The last version that was seen, and the one after which nothing is missing. */
  last: number;
  floor: number;
  changes: WatchedKey[];
  bytes: number;
  usedAt: Millis;
}

/** An ask that is not answered. Plain data. */
interface Waiting {
  readonly from: PeerRef;
  readonly ask: WatchAsk;
  readonly until: Millis;
  /** The version up to which nothing has come that concerns it. */
  after: number;
  /** What was found so far, where all that is there is being looked for. */
  state: Map<Position, WatchedKey> | null;
  bytes: number;
  /** The version at which that began. */
  since: number;
}

/** The init of a gate. Plain data. */
export interface WatchGateInit {
  /** How many changes of a group are kept for those who are late; default 4,096. More costs memory, while somebody watches. */
  readonly kept?: number;
  /** How many bytes of keys and values are told at once of what is there; default 8 MiB. More has to fit into a message. */
  readonly told?: number;
}

/** What a look at the table is for: an ask, in its round; or how the replica stands. */
type Context = { readonly name: string; readonly round: number } | null;

class Tick extends timeout("store/WatchTick") {}

const tickMs = 500;
const changesMax = 4096;
const bytesMax = 4 * 1024 * 1024;
const waitingMax = 10_000;
/** What nobody has asked for so long is not followed any more. */
const idleMs = 60_000;
const pieceMax = 1000;
/** Of more than that, who asks asks in two parts. */
const stateBytesMax = 8 * 1024 * 1024;

/** Lets watchers in. */
export class WatchGate extends Component {
  readonly consensus = this.requires(Consensus);
  readonly network = this.requires(Network);
  readonly timer = this.requires(Timer);
  readonly state = this.declareState({
    groups: new Map<string, Watched>(),
    waiting: new Map<string, Waiting>(),
  });
  readonly #kept: number;
  readonly #told: number;
  readonly #peek = this.consensus.onAnswer(Peek, (answer, { gid }, context: { of: Context }) =>
    this.#seen(gid, context.of, answer),
  );

  readonly #status = this.consensus.onAnswer(AskStatus, (answer, { gid }) => {
    if (answer instanceof Status) this.#member(gid, answer.config);
  });

  constructor({ kept = changesMax, told = stateBytesMax }: WatchGateInit = {}) {
    super();
    this.#kept = kept;
    this.#told = told;
    this.network.on(WatchAsk, (ask) => this.#asked(ask));
    this.network.on(Dropped, ({ reason, tag, from: to }) => {
      if (reason !== "wrong-incarnation" || tag !== WatchAsk.tag) return;
      // It was for an earlier life of this process: an answer to nothing tells the sender which one this is.
      const what = { kind: "elsewhere" } as const;
      const nothing = { client: "", part: 0, round: 0, members: null };
      this.network.trigger(new WatchNews({ to, ...nothing, what }));
    });
    this.consensus.on(MembersChanged, ({ gid, config }) => this.#member(gid, config));
    this.consensus.on(Applied, ({ gid, written }) => this.#applied(gid, written));
    this.consensus.on(GroupLeft, ({ gid }) => this.#gone(gid));
    // It applies nothing any more: others do.
    this.consensus.on(GroupHalted, ({ gid }) => this.#gone(gid));
    this.timer.on(Tick, () => this.#tick());
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: tickMs, timeout: new Tick() })),
    );
  }

  #asked(ask: WatchAsk): void {
    const { groups, waiting } = this.state;
    const { from, client, part, round, gid, hold } = ask;
    const name = `${from.peerId} ${client} ${part}`;
    const before = waiting.get(name);
    if (before !== undefined && before.ask.round >= round) return;
    if (waiting.size >= waitingMax) return this.#say(from, ask, { kind: "elsewhere" });
    const now = this.clock.monotonic;
    const until = now + Math.min(hold, idleMs / 2);
    waiting.set(name, { from, ask, until, after: ask.after, state: null, bytes: 0, since: 0 });
    const group = groups.get(gid);
    if (group !== undefined) {
      group.usedAt = now;
      return this.#serve(name);
    }
    const none = { last: 0, floor: 0, changes: [], bytes: 0, usedAt: now };
    groups.set(gid, { descriptors: null, ordered: false, membership: null, ...none });
    this.consensus.trigger(new Follow({ gid, on: true }));
    return this.#hello(gid);
  }

  /** Asks how the replica stands. What it tells is of the same order as what it has applied. */
  #hello(gid: string): void {
    const query = encodeQuery({ kind: "hello" });
    this.#peek(new Peek({ gid, query }), { context: { of: null } });
    this.#status(new AskStatus({ gid }));
  }

  #member(gid: string, { epoch, members: all }: Membership): void {
    const group = this.state.groups.get(gid);
    if (group === undefined || epoch <= (group.membership?.epoch ?? 0)) return;
    const members = all.map(({ peerId, host, port }) => ({ peerId, host, port }));
    group.membership = { epoch, members };
  }

  /** Answers an ask that can be answered. */
  #serve(name: string): void {
    const one = this.state.waiting.get(name);
    const group = one && this.state.groups.get(one.ask.gid);
    if (one === undefined || group === undefined || group.descriptors === null) return;
    const { ask } = one;
    const [here] = group.descriptors;
    if (here === undefined || here.epoch > ask.epoch)
      return this.#answer(name, { kind: "divided", descriptors: group.descriptors });
    if (one.state !== null) return;
    if (one.after < group.floor) return this.#gather(name, one, group);
    const changes = changesAfter(group, one.after).filter(({ position }) =>
      concerns(ask, group, position),
    );
    const upTo = Math.max(one.after, group.last);
    // What does not concern it may go, and is not looked at again.
    if (changes.length === 0 && this.clock.monotonic < one.until) one.after = upTo;
    else this.#answer(name, { kind: "changes", changes, upTo });
  }

  /** Looks for all that is there: piece by piece, and what changes meanwhile is kept anyway. */
  #gather(name: string, one: Waiting, group: Watched): void {
    one.state = new Map();
    one.since = group.last;
    this.#scan(name, one.ask, one.ask.lo);
  }

  #scan(name: string, { gid, hi, round }: WatchAsk, from: Position): void {
    const query = encodeQuery({ kind: "scan", from, to: hi, limit: pieceMax, values: true });
    this.#peek(new Peek({ gid, query }), { context: { of: { name, round } } });
  }

  #seen(gid: string, of: Context, answer: ConsensusAnswer | AskTimeout): void {
    const found = answer instanceof Done ? decodeAnswer(answer.result) : null;
    if (of === null) this.#greeted(gid, found);
    // A piece for an ask whose place a newer one has taken is no piece of what that one looks for.
    else if (this.state.waiting.get(of.name)?.ask.round === of.round) this.#scanned(of.name, found);
  }

  #greeted(gid: string, found: Answer | null): void {
    const group = this.state.groups.get(gid);
    if (group === undefined) return;
    if (found?.kind !== "here") return this.#gone(gid);
    const { descriptors, ordered, version } = found;
    const isFirst = group.descriptors === null;
    Object.assign(group, { descriptors, ordered });
    // At first; and where a snapshot has come since, of which no command has told.
    if (version !== group.last || isFirst)
      Object.assign(group, { last: version, floor: version, changes: [], bytes: 0 });
    this.#serveAll(gid);
  }

  #scanned(name: string, found: Answer | null): void {
    const waiting = this.state.waiting.get(name);
    const group = waiting && this.state.groups.get(waiting.ask.gid);
    if (waiting === undefined || group === undefined) return;
    const { ask, state, since } = waiting;
    if (state === null) return;
    if (found?.kind === "wrong-range" && found.descriptors.length > 0)
      return this.#answer(name, { kind: "divided", descriptors: found.descriptors });
    if (found?.kind !== "scanned" || group.floor > since)
      return this.#answer(name, { kind: "elsewhere" });
    for (const { position, value, version, present } of found.readings) {
      const one: WatchedKey = { position, value, version };
      if (!present || !concerns(ask, group, position)) continue;
      waiting.bytes += bytesOf(one);
      if (waiting.bytes > this.#told && state.size > 0)
        return this.#answer(name, { kind: "large", at: position });
      state.set(position, one);
    }
    const { next } = found;
    const end = group.descriptors?.[0]?.hi ?? null;
    if (next !== null && next !== ask.hi && next !== end) return this.#scan(name, ask, next);
    // The last change of each key since the first look: with them, all of it is of one version.
    for (const change of group.changes)
      if (change.version > since && concerns(ask, group, change.position))
        state.set(change.position, change);
    const entries = [...state.values()].filter(({ value }) => value !== null);
    return this.#answer(name, { kind: "state", entries, upTo: group.last });
  }

  #applied(gid: string, written: Applied["written"]): void {
    const group = this.state.groups.get(gid);
    if (group === undefined || group.descriptors === null) return;
    const meta = written.find(([key]) => key === rowKeys.meta)?.[1];
    if (meta === undefined || meta === null) return;
    const row = metaRow.decode(meta);
    if (row.epoch > (group.descriptors[0]?.epoch ?? 0)) group.descriptors = known(row);
    if (row.version > group.last) {
      // Not all of it came by here: a snapshot has.
      if (row.version > group.last + 1)
        Object.assign(group, { floor: row.version - 1, changes: [], bytes: 0 });
      group.last = row.version;
      for (const [key, bytes] of written) {
        if (!key.startsWith("k")) continue;
        const value = bytes === null ? null : valueRow.decode(bytes).value;
        const change = { position: key.slice(1), value, version: row.version };
        group.changes.push(change);
        group.bytes += bytesOf(change);
      }
      trim(group, this.#kept);
    }
    this.#serveAll(gid);
  }

  #serveAll(gid: string): void {
    for (const [name, { ask }] of this.state.waiting) if (ask.gid === gid) this.#serve(name);
  }

  #tick(): void {
    const now = this.clock.monotonic;
    const { groups, waiting } = this.state;
    for (const [name, { until, ask }] of waiting) {
      if (now < until) continue;
      const { gid } = ask;
      this.#serve(name);
      // Nothing was heard of the replica, or of all that is there.
      if (waiting.get(name)?.ask === ask) this.#answer(name, { kind: "elsewhere" });
      if (groups.get(gid)?.descriptors === null) this.#gone(gid);
    }
    for (const [gid, { usedAt }] of groups)
      if (now - usedAt > idleMs) this.#gone(gid);
      else this.#hello(gid);
  }

  #gone(gid: string): void {
    const { groups, waiting } = this.state;
    if (groups.delete(gid)) this.consensus.trigger(new Follow({ gid, on: false }));
    for (const [name, { ask }] of waiting)
      if (ask.gid === gid) this.#answer(name, { kind: "elsewhere" });
  }

  #answer(name: string, what: WatchNews["what"]): void {
    const one = this.state.waiting.get(name);
    if (one === undefined) return;
    this.state.waiting.delete(name);
    this.#say(one.from, one.ask, what);
  }

  #say(to: PeerRef, { client, part, round, gid, config }: WatchAsk, what: WatchNews["what"]): void {
    const membership = this.state.groups.get(gid)?.membership ?? null;
    const members = (membership?.epoch ?? 0) > config ? membership : null;
    this.network.trigger(new WatchNews({ to, client, part, round, members, what }));
  }
}

function concerns({ lo, hi, prefix }: WatchAsk, { ordered }: Watched, position: Position): boolean {
  return covers({ lo, hi }, position) && keyAt(position, ordered).startsWith(prefix);
}

/** Lets the oldest changes of a group go, where they are too many or have too many bytes. */
export function trim(group: Pick<Watched, "changes" | "bytes" | "floor">, kept: number): void {
  let many = 0;
  for (const change of group.changes) {
    if (group.changes.length - many <= kept && group.bytes <= bytesMax) break;
    group.bytes -= bytesOf(change);
    group.floor = change.version;
    many++;
  }
  if (many === 0) return;
  // All changes of one command go together.
  for (; group.changes[many]?.version === group.floor; many++)
    group.bytes -= bytesOf(group.changes[many]);
  group.changes = group.changes.slice(many);
}

function bytesOf(change: WatchedKey | undefined): number {
  return change === undefined ? 0 : change.position.length + (change.value?.length ?? 0);
}

/** The changes of later versions, of which there are few. */
function changesAfter({ changes }: Watched, version: number): WatchedKey[] {
  let from = changes.length;
  while ((changes[from - 1]?.version ?? 0) > version) from--;
  return changes.slice(from);
}

/**
 * The client's side of watches: keeps each going, part by part, one for each group that may have keys of it.
 *
 * It pulls from one member of each group, and turns to the next where no answer comes. Where a group has given keys away, the part
 * goes on in both halves from the version at which it was: versions go on there, too, so that nothing is missed and nothing comes
 * twice.
 */

import { Component, type Millis, port, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { ConnectionDown, ConnectionUp, Dropped, Network } from "@kith/network";
import { heardOf, met, type PeerAddress, type PeerBook, sharing } from "@kith/paxos";
import { type Change, Changes, type Entry, Resync, Unwatch, Watch, type Watched } from "./port.ts";
import { keyAt, type Octets, type Position, positionOf } from "./position.ts";
import type { Descriptor } from "./rows.ts";
import type { KnownGroup } from "./store-client.ts";
import { type Membership, WatchAsk, type WatchedKey, WatchNews } from "./watch-messages.ts";

/** Watches, as the client of the store hands them on. */
export const Watches = port("Watches", {
  requests: [Watch, Unwatch],
  indications: [Changes, Resync],
});

/** What is watched, as positions. Plain data. */
interface Area {
  readonly lo: Position;
  readonly hi: Position | null;
  readonly prefix: Octets;
}

/** The part of a watch that lies in one group. Plain data. */
interface Part extends Area {
  readonly watch: string;
  readonly gid: string;
  after: number;
  round: number;
  /** When it asks again. */
  due: Millis;
  asked: boolean;
}

/** A group, and whom to ask. Plain data. */
interface Source {
  descriptor: Descriptor;
  /** As far as is known: they may change. */
  members: readonly PeerAddress[];
  /** The epoch of that; 0 where nobody of them has told. */
  config: number;
  turn: number;
}

class Turn extends timeout("store/WatcherTurn")<{ readonly at: Millis }> {}

const holdMs = 2000;
const answerMs = 1000;
const pauseMs = 50;
/** Between two answers with changes: what comes meanwhile comes together. */
const restMs = 5;

/** Keeps watches going. */
export class Watcher extends Component {
  readonly watches = this.provides(Watches);
  readonly network = this.requires(Network);
  readonly timer = this.requires(Timer);
  readonly state;
  readonly #ordered: boolean;

  constructor({
    groups,
    ordered,
  }: {
    readonly groups: readonly KnownGroup[];
    readonly ordered: boolean;
  }) {
    super();
    this.#ordered = ordered;
    const book: PeerBook = new Map();
    for (const { members } of groups) for (const member of members) heardOf(book, member);
    this.state = this.declareState({
      /** Names this client at the gates. */
      client: this.random("life").below(0x1_0000_0000).toString(36),
      sources: new Map(
        groups.map(({ descriptor, members }, turn): [string, Source] => [
          descriptor.gid,
          { descriptor, members, config: 0, turn },
        ]),
      ),
      areas: new Map<string, Area>(),
      parts: new Map<number, Part>(),
      last: 0,
      book,
      wakeAt: Infinity,
    });
    this.watches.on(Watch, ({ watch, what }) => this.#watch(watch, what));
    this.watches.on(Unwatch, ({ watch }) => this.#unwatch(watch));
    this.network.on(ConnectionUp, ({ peer }) => met(this.state.book, peer));
    this.network.on(ConnectionDown, ({ peer }) => {
      for (const peerId of sharing(this.state.book, peer)) this.#again(peerId, true);
    });
    this.network.on(Dropped, ({ to, reason, tag }) => {
      if (tag === WatchAsk.tag && (reason === "unreachable" || reason === "disconnected"))
        this.#again(to.peerId, true);
    });
    this.network.on(WatchNews, (news) => this.#news(news));
    this.timer.on(Turn, ({ at }) => {
      if (at !== this.state.wakeAt) return;
      this.state.wakeAt = Infinity;
      this.#proceed();
    });
  }

  #watch(watch: string, what: Watched): void {
    this.#unwatch(watch);
    const area = areaOf(what, this.#ordered);
    this.state.areas.set(watch, area);
    for (const { descriptor } of this.state.sources.values())
      this.#begin(watch, area, descriptor, -1);
    this.#proceed();
  }

  #unwatch(watch: string): void {
    this.state.areas.delete(watch);
    for (const [number, part] of this.state.parts)
      if (part.watch === watch) this.state.parts.delete(number);
  }

  /** Begins a part in a group, where they have anything in common. */
  #begin(watch: string, area: Area, group: Descriptor, after: number): void {
    const common = overlap(area, group);
    if (common === null) return;
    const part = { ...common, watch, gid: group.gid, after, round: 0, due: 0, asked: false };
    this.state.parts.set(++this.state.last, part);
  }

  /** Asks what is due, and sets the clock for the next. */
  #proceed(): void {
    const { state } = this;
    const now = this.clock.monotonic;
    let next = Infinity;
    for (const [number, part] of state.parts) {
      if (part.due <= now) {
        // Who has had all the time and said nothing is left for the next one.
        if (part.asked) this.#leave(part.gid);
        this.#ask(number, part);
      }
      next = Math.min(next, part.due);
    }
    if (next >= state.wakeAt) return;
    state.wakeAt = next;
    const delay = Math.max(1, next - now);
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Turn({ at: next }) }));
  }

  #ask(number: number, part: Part): void {
    const { sources, book, client } = this.state;
    const source = sources.get(part.gid);
    const member = source?.members[source.turn % source.members.length];
    const to = member && book.get(member.peerId);
    part.round++;
    part.asked = true;
    part.due = this.clock.monotonic + holdMs + answerMs;
    if (source === undefined || to === undefined) return;
    const { gid, after, round, lo, hi, prefix } = part;
    const { descriptor, config } = source;
    const about = { gid, epoch: descriptor.epoch, config, after, lo, hi, prefix, hold: holdMs };
    this.network.trigger(new WatchAsk({ to, client, part: number, round, ...about }));
  }

  /** What was asked of a peer is asked again: of it, or of the next one. */
  #again(peerId: number, leaves: boolean): void {
    const { sources, parts } = this.state;
    for (const { members, turn, descriptor } of sources.values()) {
      const { gid } = descriptor;
      if (members[turn % members.length]?.peerId !== peerId) continue;
      if (leaves) this.#leave(gid);
      for (const part of parts.values()) {
        if (part.gid !== gid) continue;
        part.asked = false;
        part.due = this.clock.monotonic + (leaves ? pauseMs : 0);
      }
    }
    this.#proceed();
  }

  /** Who the members are now. It goes on with the one that has told. */
  #member(gid: string, { epoch, members }: Membership, teller: number): void {
    const { sources, book } = this.state;
    const source = sources.get(gid);
    if (source === undefined || epoch <= source.config || members.length === 0) return;
    for (const member of members) heardOf(book, member);
    source.members = members;
    source.config = epoch;
    source.turn = Math.max(
      0,
      members.findIndex(({ peerId }) => peerId === teller),
    );
  }

  #leave(gid: string): void {
    const source = this.state.sources.get(gid);
    if (source !== undefined) source.turn++;
  }

  #news({ from, client, part: number, round, members, what }: WatchNews): void {
    const { state } = this;
    met(state.book, from);
    // It has heard an ask that was for an earlier life of it.
    if (client === "") return this.#again(from.peerId, false);
    const part = state.parts.get(number);
    if (client !== state.client || part === undefined || round !== part.round) return;
    // The network may bring an answer twice.
    if (!part.asked) return;
    const { watch, lo, hi } = part;
    if (members !== null) this.#member(part.gid, members, from.peerId);
    part.asked = false;
    part.due = this.clock.monotonic + restMs;
    if (what.kind === "elsewhere") {
      this.#leave(part.gid);
      part.due = this.clock.monotonic + pauseMs;
    } else if (what.kind === "divided") this.#divided(part.gid, what.descriptors);
    else if (what.kind === "large") this.#halve(number, part, what.at);
    else {
      part.after = what.upTo;
      if (what.kind === "state") {
        const entries = what.entries.map((one) => this.#entry(one));
        this.watches.trigger(new Resync({ watch, entries, lo, hi }));
      } else if (what.changes.length > 0) {
        const changes = what.changes.map((one) => this.#change(one));
        this.watches.trigger(new Changes({ watch, changes }));
      }
    }
    this.#proceed();
  }

  /** A group has given keys away: its parts become smaller, and go on where the keys are now. */
  #divided(gid: string, descriptors: readonly Descriptor[]): void {
    const { sources, parts } = this.state;
    const source = sources.get(gid);
    const here = descriptors.find((one) => one.gid === gid);
    if (source === undefined || here === undefined) return;
    const fresh = descriptors.filter((one) => one.gid !== gid && !sources.has(one.gid));
    for (const descriptor of fresh)
      sources.set(descriptor.gid, {
        descriptor,
        members: source.members,
        config: 0,
        turn: source.turn,
      });
    source.descriptor = here;
    for (const [number, part] of [...parts]) {
      if (part.gid !== gid) continue;
      const { watch, after } = part;
      parts.delete(number);
      this.#begin(watch, part, here, after);
      // A half that was split again itself says so when it is asked.
      for (const one of fresh) this.#begin(watch, part, one, after);
    }
  }

  /** What is there is too much to be told at once: two parts, each for itself. */
  #halve(number: number, part: Part, at: Position): void {
    const { descriptor } = this.state.sources.get(part.gid) ?? {};
    if (descriptor === undefined || at <= part.lo || (part.hi !== null && at >= part.hi)) return;
    const { watch, after } = part;
    this.state.parts.delete(number);
    this.#begin(watch, { ...part, hi: at }, descriptor, after);
    this.#begin(watch, { ...part, lo: at }, descriptor, after);
  }

  #entry({ position, value, version }: WatchedKey): Entry {
    return { key: keyAt(position, this.#ordered), value, version, expiresIn: null };
  }

  #change({ position, value, version }: WatchedKey): Change {
    return { key: keyAt(position, this.#ordered), value, version };
  }
}

function areaOf(what: Watched, ordered: boolean): Area {
  if ("key" in what) {
    const lo = positionOf(what.key, ordered);
    return { lo, hi: `${lo}\u0000`, prefix: "" };
  }
  const { prefix } = what;
  if (!ordered) return { lo: "", hi: null, prefix };
  return { lo: prefix, hi: beyondPrefix(prefix), prefix: "" };
}

/** The first position after all that begin with a prefix; null where there is none. */
function beyondPrefix(prefix: Octets): Position | null {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const code = prefix.charCodeAt(i);
    if (code < 0xff) return prefix.slice(0, i) + String.fromCharCode(code + 1);
  }
  return null;
}

/** What an area and a group have in common; null where that is nothing. */
function overlap({ lo, hi, prefix }: Area, group: Descriptor): Area | null {
  const from = lo > group.lo ? lo : group.lo;
  const to = hi === null || (group.hi !== null && group.hi < hi) ? group.hi : hi;
  return to !== null && from >= to ? null : { lo: from, hi: to, prefix };
}

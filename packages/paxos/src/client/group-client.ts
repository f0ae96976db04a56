/**
 * A client of replicated groups: finds their leaders, asks again where no answer comes, and sees to it that no command is
 * applied twice.
 *
 * - A command keeps its session and its number there through all its repetitions. A session has one command at a time, so that
 *   the group keeps one result of it; as many sessions are opened as commands wait at a time.
 * - Whom it asks is a guess: a member says who leads, and who does not answer is left for the next one.
 */

import { type Millis, type ReplyToken, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { ConnectionDown, ConnectionUp, Dropped, parsePeer, self as ownPeer } from "@kith/network";
import type { PeerAddress } from "../config.ts";
import { heardOf, met, type PeerBook, sharing } from "../decide/peer-book.ts";
import { Busy, type ConsensusAnswer, PeerAt, Refused, Unknown } from "../port.ts";
import { inSession, openSession, sessionResult } from "../sessions.ts";
import {
  type Batch,
  Batcher,
  type Call as WireCall,
  GroupCalls,
  GroupReplies,
  type Reply,
} from "./messages.ts";
import { Execute, Executed, Inquire, Know, Replicated, Turned } from "./port.ts";

/** The init of a client. */
export interface GroupClientInit {
  /** Members of each group to begin with, by its name; `Know` tells of more groups. */
  readonly groups?: Readonly<Record<string, readonly PeerAddress[]>>;
  /** Whether the groups' machine has sessions (`withSessions`); default true. Else a command may be applied twice. */
  readonly sessions?: boolean;
  /** How long to wait for an answer before another member is asked; default 1 s. */
  readonly retry?: Millis;
  /** Tells this client from others of the same process that use the same groups; default empty. */
  readonly name?: string;
  /** How many requests may wait before one more is answered `Busy`; default and at most 1,000. */
  readonly pendingMax?: number;
}

/** A session in a group. */
interface Session {
  readonly name: string;
  /** The number of its next command. */
  seq: number;
  usedAt: Millis;
}

/** What is known of a group. Plain data. */
interface Group {
  members: readonly PeerAddress[];
  /** Whom to ask, by peerId. */
  target: number;
  /** Sessions without a command, those first that have been so for longest; and how many there are in all. */
  free: Session[];
  sessions: number;
  /** How many of them are being opened, and how many were ever named. */
  opening: number;
  named: number;
  /** Up to where the table was applied when a session could not be opened. */
  seen: number;
  /** The commands that have no session yet, in order. */
  waiting: number[];
}

/** A request that is not answered. Plain data. */
interface Call {
  readonly gid: string;
  readonly kind: "propose" | "query";
  body: Uint8Array;
  /** Null where it opens its session. */
  readonly token: ReplyToken<ConsensusAnswer> | null;
  readonly until: Millis;
  session: Session | null;
  /** When it is to be sent again; infinite where it was not sent yet. */
  due: Millis;
  /** Who has to answer; 0 once that has happened. */
  asked: number;
}

class Tick extends timeout("paxos/ClientTick")<{ readonly at: Millis }> {}

const tickMs = 25;
const pauseMs = 50;
const withinMs = 30_000;
const pendingLimit = 1000;
/** More commands of a group wait for the answers to others. */
const sessionsMax = 256;
/** A session that was not used for longer is not used any more: the group may have forgotten it. */
const idleMax = 1_800_000;

/** Provides replicated groups to a process that may be a member of none. */
export class GroupClient extends Batcher<WireCall> {
  readonly replicated = this.provides(Replicated);
  protected readonly timer = this.requires(Timer);

  readonly state = this.declareState({
    /** Begins the names of its sessions. */
    name: "",
    batches: new Map<string, Batch<WireCall>>(),
    groups: new Map<string, Group>(),
    calls: new Map<number, Call>(),
    lastCall: 0,
    /** How many calls somebody waits for. */
    pending: 0,
    book: emptyBook(),
    /** When calls are looked at next; infinite where none has to be. */
    tickAt: Infinity,
  });

  readonly #init: GroupClientInit;

  constructor(init: GroupClientInit) {
    super();
    this.#init = init;
    const { peerId, incarnation } = parsePeer(this.setting(ownPeer));
    // Another life of the process is another client, also where it has the incarnation of the one before.
    const life = this.random("life").below(0x1_0000_0000).toString(36);
    this.state.name = `${peerId}.${incarnation}.${life}.${init.name ?? ""}`;
    for (const [gid, members] of Object.entries(init.groups ?? {})) this.#know(gid, members);
    this.network.on(ConnectionUp, ({ peer }) => met(this.state.book, peer));
    this.network.on(ConnectionDown, ({ peer }) => {
      for (const peerId of sharing(this.state.book, peer)) this.#lost(peerId);
    });
    this.network.on(Dropped, ({ to, reason, tag }) => {
      if (tag === GroupCalls.tag && (reason === "unreachable" || reason === "disconnected"))
        this.#lost(to.peerId);
    });
    this.network.on(GroupReplies, ({ from, client, replies }) => {
      met(this.state.book, from);
      if (client !== this.state.name) return;
      for (const reply of replies) this.#answered(from.peerId, reply);
    });
    this.timer.on(Tick, ({ at }) => {
      if (at !== this.state.tickAt) return;
      this.state.tickAt = Infinity;
      this.#again();
    });
    this.replicated.on(Know, ({ gid, members }) => this.#know(gid, members));
    this.replicated.on(PeerAt, ({ peer }) => met(this.state.book, peer));
    this.replicated.on(Execute, ({ gid, command, within }, token) =>
      this.#ask(gid, "propose", command, token, within),
    );
    this.replicated.on(Inquire, ({ gid, query, within }, token) =>
      this.#ask(gid, "query", query, token, within),
    );
  }

  #know(gid: string, members: readonly PeerAddress[]): void {
    const { groups, book } = this.state;
    for (const member of members) heardOf(book, member);
    const group = groups.get(gid);
    if (group !== undefined) group.members = members;
    else groups.set(gid, newGroup(members));
  }

  #ask(
    gid: string,
    kind: Call["kind"],
    body: Uint8Array,
    token: ReplyToken<ConsensusAnswer>,
    within: Millis = withinMs,
  ): void {
    const { state } = this;
    const { pendingMax = pendingLimit, sessions = true } = this.#init;
    const group = state.groups.get(gid);
    if (group === undefined) {
      const detail = `nobody has told of a group ${gid}`;
      this.replicated.reply(token, new Refused({ reason: "no-group", detail }));
    } else if (state.pending >= Math.min(pendingMax, pendingLimit))
      this.replicated.reply(token, new Busy());
    else {
      state.pending++;
      const number = this.#call(gid, kind, body, token, within, null);
      if (kind === "query" || !sessions) return this.#send(number);
      group.waiting.push(number);
      this.#proceed(gid, group);
    }
  }

  #call(
    gid: string,
    kind: Call["kind"],
    body: Uint8Array,
    token: Call["token"],
    within: Millis,
    session: Session | null,
  ): number {
    const { state } = this;
    const until = this.clock.monotonic + within;
    const number = ++state.lastCall;
    state.calls.set(number, { gid, kind, body, token, until, session, due: Infinity, asked: 0 });
    this.#arm(until);
    return number;
  }

  #send(number: number): void {
    const { calls, groups, book } = this.state;
    const call = calls.get(number);
    const group = call && groups.get(call.gid);
    if (call === undefined || group === undefined) return;
    const { gid, kind, body } = call;
    call.due = this.clock.monotonic + (this.#init.retry ?? 1000);
    this.#arm(call.due);
    call.asked = group.target;
    const to = book.get(group.target);
    if (to !== undefined) this.say(to, this.state.name, [number, gid, kind, body], body.length);
  }

  protected override post({ to, client, items: calls }: Batch<WireCall>): void {
    this.network.trigger(new GroupCalls({ to, client, calls }));
  }

  // --- sessions ----------------------------------------------------------------------------------

  /** Gives sessions to what waits for them, and opens more where there are not enough. */
  #proceed(gid: string, group: Group): void {
    const now = this.clock.monotonic;
    const { waiting, free } = group;
    while (waiting.length > 0 && free.length > 0) {
      const session = free.shift();
      if (session === undefined) break;
      if (now - session.usedAt > idleMax) {
        group.sessions--;
        continue;
      }
      const number = waiting.shift() ?? 0;
      const call = this.state.calls.get(number);
      if (call === undefined) break;
      const { name: client, seq } = session;
      session.usedAt = now;
      call.session = session;
      call.body = inSession({ client, seq, ackedBelow: seq, command: call.body });
      this.#send(number);
    }
    for (; group.opening < waiting.length && group.sessions < sessionsMax; group.sessions++) {
      group.opening++;
      // A group that another one has made begins with the sessions of that one: no two groups have one of the same name.
      const name = `${this.state.name}.${++group.named}.${gid}`;
      const session = { name, seq: 1, usedAt: now };
      const body = openSession(session.name, 1, group.seen);
      this.#send(this.#call(gid, "propose", body, null, withinMs, session));
    }
  }

  /** A call is over. @param session its session, unless that is over too */
  #end(number: number, call: Call, answer: ConsensusAnswer, session: Session | null): void {
    const { state } = this;
    const group = state.groups.get(call.gid);
    state.calls.delete(number);
    if (call.token !== null) {
      state.pending--;
      this.replicated.reply(call.token, answer);
    }
    if (group === undefined || call.kind === "query" || this.#init.sessions === false) return;
    if (call.token === null) group.opening--;
    if (session !== null) group.free.push(session);
    else if (call.session !== null) group.sessions--;
    else group.waiting = group.waiting.filter((one) => one !== number);
    this.#proceed(call.gid, group);
  }

  #done(number: number, call: Call, group: Group, index: number, result: Uint8Array): void {
    const { session } = call;
    if (session === null) return this.#end(number, call, new Executed({ result }), null);
    const inner = sessionResult(result);
    if (call.token === null && inner.kind === "stale") {
      // Another session has expired since this client last looked.
      group.seen = index;
      call.body = openSession(session.name, 1, index);
      return this.#send(number);
    }
    if (inner.kind === "opened") return this.#end(number, call, new Unknown(), session);
    if (inner.kind !== "done") return this.#end(number, call, new Unknown(), null);
    session.seq++;
    return this.#end(number, call, new Executed({ result: inner.result }), session);
  }

  // --- answers, and none ---------------------------------------------------------------------------

  #answered(from: number, reply: Reply): void {
    const { state } = this;
    const [number, outcome] = reply;
    const call = state.calls.get(number);
    const group = call && state.groups.get(call.gid);
    if (call === undefined || group === undefined) return;
    const { gid } = call;
    call.asked = 0;
    if (outcome === "done") {
      this.#turnTo(gid, group, from);
      return this.#done(number, call, group, reply[2], reply[3]);
    }
    // Not at once, or two that take each other for the leader would be asked without end.
    const leader = outcome === "elsewhere" ? reply[2] : null;
    if (leader !== null && leader.peerId !== from) {
      const { peerId, host, port, incarnation, rebirth } = leader;
      // Who names a leader has met it, perhaps at another address than the membership's.
      if (incarnation === undefined) heardOf(state.book, leader);
      else
        met(state.book, {
          peerId,
          host,
          port,
          incarnation,
          ...(rebirth === undefined ? {} : { rebirth }),
        });
      if (group.target === from) this.#turnTo(gid, group, leader.peerId);
    } else if (outcome === "elsewhere" && group.target === from) this.#leave(gid, group);
    call.due = this.clock.monotonic + (leader === null ? pauseMs : tickMs);
    this.#arm(call.due);
  }

  #again(): void {
    const { state } = this;
    const now = this.clock.monotonic;
    for (const [number, call] of state.calls) {
      const group = state.groups.get(call.gid);
      if (group === undefined) continue;
      if (now >= call.until) {
        // The number of what was given up is of the past: a copy that comes late is refused.
        const session = call.token === null ? null : call.session;
        if (session !== null) session.seq++;
        this.#end(number, call, new Unknown(), session);
      } else if (now >= call.due) {
        // Who has had all the time and said nothing is left for the next one.
        if (call.asked === group.target) this.#leave(call.gid, group);
        this.#send(number);
      }
    }
    let next = Infinity;
    for (const { due, until } of state.calls.values()) next = Math.min(next, due, until);
    // Those that are due soon after each other are looked at together.
    this.#arm(Math.max(next, now + tickMs));
  }

  /** A peer does not answer now: what was asked of it is asked of others. */
  #lost(peerId: number): void {
    for (const call of this.state.calls.values()) {
      const group = this.state.groups.get(call.gid);
      if (call.asked !== peerId || group === undefined) continue;
      if (group.target === peerId) this.#leave(call.gid, group);
      call.due = this.clock.monotonic + tickMs;
      this.#arm(call.due);
    }
  }

  /** Turns from the one that is asked to the next. */
  #leave(gid: string, group: Group): void {
    const ids = group.members.map(({ peerId }) => peerId);
    const next = ids[(ids.indexOf(group.target) + 1) % ids.length];
    if (next !== undefined) this.#turnTo(gid, group, next);
  }

  #turnTo(gid: string, group: Group, peerId: number): void {
    if (group.target === peerId) return;
    group.target = peerId;
    this.replicated.trigger(new Turned({ gid, peerId }));
  }

  /** Has the calls looked at, then at the latest. Most are answered long before. */
  #arm(at: Millis): void {
    const { state } = this;
    if (at >= state.tickAt) return;
    state.tickAt = at;
    const delay = Math.max(0, at - this.clock.monotonic);
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Tick({ at }) }));
  }
}

function newGroup(members: readonly PeerAddress[]): Group {
  return {
    members,
    target: members[0]?.peerId ?? 0,
    free: [],
    sessions: 0,
    opening: 0,
    named: 0,
    seen: 1,
    waiting: [],
  };
}

function emptyBook(): PeerBook {
  return new Map();
}

/**
 * A client of one replicated group: finds its leader, asks again where no answer comes, and numbers its commands so that
 * none is applied twice.
 *
 * - A command keeps its number through all its repetitions, and the group is told up to where answers have come.
 * - Whom it asks is a guess: a member says who leads, and who does not answer is left for the next one.
 */

import {
  Component,
  type Millis,
  type ReplyToken,
  ScheduleTimeout,
  timeout,
  Timer,
} from "@kith/core";
import { ConnectionUp, Network, parsePeer, type PeerRef, self as ownPeer } from "@kith/network";
import type { PeerAddress } from "../config.ts";
import { heardOf, met, type PeerBook } from "../decide/peer-book.ts";
import { Busy, type ConsensusAnswer, Unknown } from "../port.ts";
import { inSession, openSession, sessionResult } from "../sessions.ts";
import { type CallOutcome, GroupCall, GroupReply } from "./messages.ts";
import { Execute, Executed, Inquire, Replicated } from "./port.ts";

/** The init of a client. */
export interface GroupClientInit {
  readonly gid: string;
  /** Members to begin with. */
  readonly members: readonly PeerAddress[];
  /** Whether the group's machine has sessions (`withSessions`); default true. Else a command may be applied twice. */
  readonly sessions?: boolean;
  /** How long to wait for an answer before another member is asked; default 1 s. */
  readonly retry?: Millis;
  /** Tells this client from others of the same process that use the same group; default empty. */
  readonly name?: string;
  /** How many requests may wait before one more is answered `Busy`; default and at most 1,000. */
  readonly pendingMax?: number;
}

/** A request that is not answered. Plain data. */
interface Call {
  /** Its number in the session; 0 where it needs none. */
  readonly seq: number;
  readonly kind: "propose" | "query";
  readonly body: Uint8Array;
  readonly token: ReplyToken<ConsensusAnswer> | null;
  readonly until: Millis;
  /** When it is to be sent again; 0 where it was not sent yet. */
  due: Millis;
  /** Who has to answer; 0 once that has happened. */
  asked: number;
}

class Tick extends timeout("paxos/ClientTick") {}

const tickMs = 25;
const pauseMs = 50;
const withinMs = 30_000;
/** Fewer than the results that a session keeps. */
const pendingLimit = 1000;

/** Provides a replicated group to a process that may be none of its members. */
export class GroupClient extends Component {
  readonly replicated = this.provides(Replicated);
  protected readonly network = this.requires(Network);
  protected readonly timer = this.requires(Timer);

  readonly state = this.declareState({
    calls: new Map<number, Call>(),
    lastCall: 0,
    lastSeq: 0,
    session: fresh(),
    /** Whom to ask, by peerId. */
    target: 0,
    book: emptyBook(),
    ticking: false,
  });

  readonly #init: GroupClientInit;
  readonly #self: PeerRef;
  readonly #name: string;

  constructor(init: GroupClientInit) {
    super();
    this.#init = init;
    this.#self = parsePeer(this.setting(ownPeer));
    const { peerId, incarnation } = this.#self;
    // Another life of the process is another client.
    this.#name = `${peerId}.${incarnation}.${init.name ?? ""}`;
    const { state } = this;
    for (const member of init.members) heardOf(state.book, member);
    state.target = init.members[0]?.peerId ?? 0;
    this.network.on(ConnectionUp, ({ peer }) => met(this.state.book, peer));
    this.network.on(GroupReply, ({ from, gid, client, call, outcome }) => {
      met(this.state.book, from);
      if (gid === this.#init.gid && client === this.#name)
        this.#answered(from.peerId, call, outcome);
    });
    this.timer.on(Tick, () => {
      this.state.ticking = false;
      this.#again();
    });
    this.replicated.on(Execute, ({ command, within }, token) => {
      if (this.#isFull(token)) return;
      const { sessions = true } = this.#init;
      if (sessions && this.state.session === "none") this.#open();
      const seq = sessions ? ++this.state.lastSeq : 0;
      this.#call({
        seq,
        kind: "propose",
        body: command,
        token,
        until: this.#end(within),
        due: 0,
        asked: 0,
      });
    });
    this.replicated.on(Inquire, ({ query, within }, token) => {
      if (this.#isFull(token)) return;
      this.#call({
        seq: 0,
        kind: "query",
        body: query,
        token,
        until: this.#end(within),
        due: 0,
        asked: 0,
      });
    });
  }

  #end(within: Millis = withinMs): Millis {
    return this.clock.monotonic + within;
  }

  #isFull(token: ReplyToken<ConsensusAnswer>): boolean {
    const { pendingMax = pendingLimit } = this.#init;
    if (this.state.calls.size < Math.min(pendingMax, pendingLimit)) return false;
    this.replicated.reply(token, new Busy());
    return true;
  }

  #open(): void {
    this.state.session = "opening";
    const body = openSession(this.#name);
    this.#call({ seq: 0, kind: "propose", body, token: null, until: Infinity, due: 0, asked: 0 });
  }

  #call(call: Call): void {
    const { state } = this;
    const number = ++state.lastCall;
    state.calls.set(number, call);
    this.#send(number, call);
    this.#arm();
  }

  #send(number: number, call: Call): void {
    const { state } = this;
    const { seq, kind, body } = call;
    if (seq > 0 && state.session !== "open") return;
    const to = state.book.get(state.target);
    call.due = this.clock.monotonic + (this.#init.retry ?? 1000);
    call.asked = state.target;
    if (to === undefined) return;
    const { gid } = this.#init;
    const client = this.#name;
    const command =
      seq === 0 ? body : inSession({ client, seq, ackedBelow: this.#ackedBelow(), command: body });
    this.network.trigger(new GroupCall({ to, gid, client, call: number, kind, body: command }));
  }

  /** The lowest number whose result is still needed. */
  #ackedBelow(): number {
    for (const { seq } of this.state.calls.values()) if (seq > 0) return seq; // In their order.
    return this.state.lastSeq + 1;
  }

  #answered(from: number, number: number, outcome: CallOutcome): void {
    const { state } = this;
    const call = state.calls.get(number);
    if (call === undefined) return;
    call.asked = 0;
    if (outcome.kind === "done") {
      state.target = from;
      this.#done(number, call, outcome.result);
      return;
    }
    // Not at once, or two that take each other for the leader would be asked without end.
    const { leader } = outcome.kind === "elsewhere" ? outcome : { leader: null };
    if (leader !== null && leader.peerId !== from) {
      heardOf(state.book, leader);
      if (state.target === from) state.target = leader.peerId;
    } else if (outcome.kind === "elsewhere" && state.target === from) this.#turnTo(from);
    call.due = this.clock.monotonic + (leader === null ? pauseMs : 0);
  }

  #done(number: number, call: Call, result: Uint8Array): void {
    const { state } = this;
    if (call.token === null) {
      state.calls.delete(number);
      state.session = "open";
      for (const [waiting, one] of state.calls) if (one.due === 0) this.#send(waiting, one);
      return;
    }
    if (call.seq === 0) {
      state.calls.delete(number);
      this.replicated.reply(call.token, new Executed({ result }));
      return;
    }
    const inner = sessionResult(result);
    if (inner.kind === "busy") {
      call.due = this.clock.monotonic + pauseMs; // Others are to be answered first.
      return;
    }
    state.calls.delete(number);
    if (inner.kind === "done")
      this.replicated.reply(call.token, new Executed({ result: inner.result }));
    else this.replicated.reply(call.token, new Unknown());
  }

  #again(): void {
    const { state } = this;
    const now = this.clock.monotonic;
    for (const [number, call] of state.calls) {
      if (now >= call.until) {
        state.calls.delete(number);
        if (call.token !== null) this.replicated.reply(call.token, new Unknown());
      } else if (call.due > 0 && now >= call.due) {
        // Who has had all the time and said nothing is left for the next one.
        if (call.asked === state.target) this.#turnTo(call.asked);
        this.#send(number, call);
      }
    }
    this.#arm();
  }

  #turnTo(from: number): void {
    const ids = this.#init.members.map(({ peerId }) => peerId);
    const next = ids[(ids.indexOf(from) + 1) % ids.length];
    if (next !== undefined) this.state.target = next;
  }

  #arm(): void {
    const { state } = this;
    if (state.ticking || state.calls.size === 0) return;
    state.ticking = true;
    this.timer.trigger(new ScheduleTimeout({ delay: tickMs, timeout: new Tick() }));
  }
}

function fresh(): "none" | "opening" | "open" {
  return "none";
}

function emptyBook(): PeerBook {
  return new Map();
}

/**
 * Multicast over a replicated group: sends are commands of the group, and what it applies is what is delivered.
 *
 * A member that holds a replica is given what that one applies; one that holds none, or whose replica took a
 * snapshot, asks for what it misses. Either way places come one after the other, and what is ahead waits.
 */

import {
  AskTimeout,
  Component,
  type Millis,
  type ReplyToken,
  SchedulePeriodic,
  timeout,
  Timer,
} from "@kith/core";
import { formatLife, parsePeer, type PeerRef, self as ownPeer } from "@kith/network";
import { GroupClient } from "../client/group-client.ts";
import { Execute, Executed, Inquire, Replicated } from "../client/port.ts";
import type { PeerAddress } from "../config.ts";
import { ensure } from "../errors.ts";
import { Applied, Busy, Consensus, type ConsensusAnswer, Unknown } from "../port.ts";
import {
  Delivered,
  Expel,
  FallenBehind,
  Join,
  Joined,
  Leave,
  Multicast,
  type MulticastView,
  NotMember,
  type Participant,
  Send,
  Sequenced,
  ViewChanged,
} from "./port.ts";
import {
  type Placed,
  readSequel,
  sameParticipant,
  type Sequel,
  sequenceCommand,
  sequenceQuery,
} from "./sequence.ts";

/** The init of the component. */
export interface MulticastInit {
  /** A group that replicates `multicastSequence()`. */
  readonly gid: string;
  /** Members of the replicated group to begin with. */
  readonly members: readonly PeerAddress[];
  /**
   * How often it asks whether something was missed; default 1 s. One that holds no replica hears of everything by this;
   * raising it saves a round of heartbeats each time.
   */
  readonly poll?: Millis;
  /** How many messages may wait to be placed before one more is answered `Busy`; default 1,000. */
  readonly pendingMax?: number;
}

class Poll extends timeout("paxos/MulticastPoll") {}

interface Sending {
  readonly payload: Uint8Array;
  readonly token: ReplyToken<ConsensusAnswer>;
}

type Token = ReplyToken<ConsensusAnswer>;

const aheadMax = 1024;
const batchMax = 256;
const batchBytesMax = 256 * 1024;
const withinMs = 2000;

/** Provides a multicast group; each process has one for each group that it takes part in. */
export class GroupMulticast extends Component {
  readonly multicast = this.provides(Multicast);
  /** Where the replica of this process is, with `announce`; a peer without one connects nothing. */
  readonly consensus = this.requires(Consensus);
  protected readonly timer = this.requires(Timer);
  protected readonly replicated = this.requires(Replicated);
  readonly client;

  readonly state = this.declareState({
    /** What this peer is as a member, from when it wants to be one. */
    own: nobody(),
    /** Whether it has been given the view that it is in; then the view is the present one. */
    view: noView(),
    wants: nothingWanted(),
    joins: 0,
    /** The next place to be given, and what came too early. */
    next: 0,
    ahead: new Map<number, Placed>(),
    /** The place that the group knew no more when this peer asked for it first, and when that was. */
    lost: 0,
    lostAt: 0,
    /** By sender: the number of the last message that was given. */
    heard: new Map<string, number>(),
    /** What waits to be placed, in order; `sent` of them are under way, the first with the number `first`. */
    sending: noSends(),
    first: 1,
    underWay: false,
    asking: false,
    joining: noTokens(),
    leaving: noTokens(),
  });

  readonly #init: MulticastInit;
  readonly #pollMs: Millis;
  readonly #self: PeerRef;
  readonly #execute = this.replicated.onAnswer(
    Execute,
    (answer, _, context: { readonly what: "join" | "leave" | "expel" | "send" }) => {
      if (answer instanceof AskTimeout) return;
      if (context.what === "send") this.state.underWay = false;
      if (answer instanceof Executed) this.#heed(readSequel(answer.result), context.what);
      this.#proceed();
    },
  );
  readonly #inquire = this.replicated.onAnswer(Inquire, (answer) => {
    this.state.asking = false;
    if (answer instanceof Executed) this.#fill(readSequel(answer.result));
  });

  constructor(init: MulticastInit) {
    super();
    this.#init = init;
    this.#self = parsePeer(this.setting(ownPeer));
    const { gid, members, poll = 1000 } = init;
    this.#pollMs = poll;
    // A copy of a command changes nothing, so that no sessions are needed.
    this.client = this.create(
      GroupClient,
      { groups: { [gid]: members }, sessions: false, name: "multicast" },
      { name: "client" },
    );
    this.connect(this.client.ports.replicated, this.replicated);
    this.consensus.on(Applied, ({ gid: of, result }) => {
      if (of !== this.#init.gid) return;
      for (const one of readSequel(result).placed) this.#take(one);
      this.#give();
    });
    this.multicast.on(Join, (_, token) => this.#join(token));
    this.multicast.on(Leave, (_, token) => this.#leave(token));
    this.multicast.on(Send, ({ payload }, token) => this.#send(payload, token));
    this.multicast.on(Expel, ({ member }) => this.#ask("expel", member));
    this.timer.on(Poll, () => this.#poll());
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: poll, timeout: new Poll() })),
    );
  }

  // --- requests ----------------------------------------------------------------------------------

  #join(token: Token): void {
    const { state } = this;
    if (state.view !== null && state.wants === "in")
      return this.multicast.reply(token, new Joined({ view: state.view }));
    if (state.wants === "out") return this.multicast.reply(token, new Busy()); // It is leaving.
    state.joining.push(token);
    if (state.wants === "in") return;
    const { peerId, incarnation, rebirth } = this.#self;
    const life = rebirth === undefined ? { incarnation } : { incarnation, rebirth };
    state.wants = "in";
    state.own = { peerId, ...life, joined: ++state.joins };
    this.#ask("join", state.own);
  }

  #leave(token: Token): void {
    const { state } = this;
    if (state.own === null) return this.multicast.reply(token, new NotMember());
    state.leaving.push(token);
    state.wants = "out";
    this.#proceed();
  }

  #send(payload: Uint8Array, token: Token): void {
    const { state } = this;
    if (state.own === null || state.wants !== "in")
      return this.multicast.reply(token, new NotMember());
    if (state.sending.length >= (this.#init.pendingMax ?? 1000))
      return this.multicast.reply(token, new Busy());
    state.sending.push({ payload, token });
    this.#proceed();
  }

  #ask(what: "join" | "leave" | "expel", member: Participant): void {
    const command = sequenceCommand({ kind: what === "join" ? "join" : "leave", member });
    this.#execute(new Execute({ gid: this.#init.gid, command, within: withinMs }), {
      context: { what },
    });
  }

  /** Sends what waits; leaves when nothing does. */
  #proceed(): void {
    const { state } = this;
    const { own, sending } = state;
    if (own === null || state.view === null || state.underWay) return;
    if (sending.length === 0) {
      if (state.wants !== "out") return;
      state.underWay = true;
      const command = sequenceCommand({ kind: "leave", member: own });
      this.#execute(new Execute({ gid: this.#init.gid, command, within: withinMs }), {
        context: { what: "send" },
      });
      return;
    }
    const payloads: Uint8Array[] = [];
    let bytes = 0;
    for (const { payload } of sending) {
      if (payloads.length >= batchMax || (bytes > 0 && bytes + payload.length > batchBytesMax))
        break;
      payloads.push(payload);
      bytes += payload.length;
    }
    state.underWay = true;
    const command = sequenceCommand({ kind: "send", member: own, first: state.first, payloads });
    this.#execute(new Execute({ gid: this.#init.gid, command, within: withinMs }), {
      context: { what: "send" },
    });
  }

  // --- the sequence ------------------------------------------------------------------------------

  /** What a command of this peer has brought. */
  #heed(sequel: Sequel, what: "join" | "leave" | "expel" | "send"): void {
    if (what === "expel") return;
    for (const one of sequel.placed) this.#take(one);
    this.#give();
    // Of a copy the answer has nothing: what it stands for was placed before.
    if (sequel.next > this.state.next) this.#lookBack();
  }

  /** A place has become known. Before this peer is a member only the view matters that makes it one. */
  #take(one: Placed): void {
    const { state } = this;
    const { own, next, ahead } = state;
    if (own === null) return;
    if (next === 0) {
      const begins =
        one.kind === "view" && one.view.members.some((member) => sameParticipant(member, own));
      if (!begins) return;
      state.next = one.place;
    } else if (one.place < next) return;
    if (ahead.size < aheadMax || one.place === state.next) ahead.set(one.place, one);
  }

  /** Gives out all that is next. */
  #give(): void {
    const { state } = this;
    for (
      let one = state.ahead.get(state.next);
      one !== undefined;
      one = state.ahead.get(state.next)
    ) {
      state.ahead.delete(state.next);
      state.next++;
      if (one.kind === "view") this.#giveView(one.place, one.view);
      else this.#giveMessage(one);
      if (state.own === null) return;
    }
    if (state.ahead.size > 0) this.#lookBack();
  }

  #giveView(place: number, view: MulticastView): void {
    const { state } = this;
    const { own, view: before } = state;
    ensure(
      before === null || view.number === before.number + 1,
      "V1",
      () => `view ${view.number} follows ${before?.number}`,
    );
    const isIn = own !== null && view.members.some((member) => sameParticipant(member, own));
    ensure(
      isIn || before !== null,
      "V1",
      () => `the first view ${view.number} is without this peer`,
    );
    state.view = view;
    for (const key of state.heard.keys())
      if (!view.members.some((member) => keyOf(member) === key)) state.heard.delete(key);
    this.multicast.trigger(new ViewChanged({ place, view }));
    if (!isIn) return this.#end((token) => this.multicast.reply(token, new NotMember()));
    for (const token of state.joining.splice(0)) this.multicast.reply(token, new Joined({ view }));
    this.#proceed();
  }

  #giveMessage({ place, from, number, payload }: Placed & { readonly kind: "message" }): void {
    const { state } = this;
    const { view, own, heard } = state;
    ensure(
      view !== null && view.members.some((member) => sameParticipant(member, from)),
      "V3",
      () => `message ${place} is of a peer that is no member`,
    );
    const last = heard.get(keyOf(from));
    // The first one that a new member hears of an older one has any number.
    ensure(
      last === undefined || number === last + 1,
      "V4",
      () => `message ${number} of ${keyOf(from)} follows ${last}`,
    );
    heard.set(keyOf(from), number);
    this.multicast.trigger(new Delivered({ place, from, payload }));
    if (own === null || !sameParticipant(from, own)) return;
    ensure(number === state.first, "V4", () => `own message ${number} came, not ${state.first}`);
    state.first++;
    const sent = state.sending.shift();
    if (sent !== undefined) this.multicast.reply(sent.token, new Sequenced({ place }));
  }

  /** This peer is no member any more. */
  #end(answer: (token: Token) => void): void {
    const { state } = this;
    for (const { token } of state.sending.splice(0)) answer(token);
    for (const token of state.joining.splice(0)) this.multicast.reply(token, new Busy());
    for (const token of state.leaving.splice(0)) this.multicast.reply(token, new NotMember());
    state.own = null;
    state.view = null;
    state.wants = "nothing";
    state.next = 0;
    state.lost = 0;
    state.first = 1;
    state.ahead.clear();
    state.heard.clear();
  }

  // --- what was missed ---------------------------------------------------------------------------

  #poll(): void {
    const { own, wants, view } = this.state;
    if (own === null) return;
    if (view === null && wants === "in") this.#ask("join", own); // Maybe nothing of it was heard.
    else this.#lookBack();
    this.#proceed();
  }

  #lookBack(): void {
    const { state } = this;
    if (state.own === null || state.asking) return;
    state.asking = true;
    const query = sequenceQuery(state.next);
    this.#inquire(new Inquire({ gid: this.#init.gid, query, within: withinMs }));
  }

  #fill({ first, next, placed }: Sequel): void {
    const { state } = this;
    const { own } = state;
    if (own === null) return;
    if (state.next > 0 && first > state.next) {
      const now = this.clock.monotonic;
      if (state.lost !== state.next) {
        state.lost = state.next;
        state.lostAt = now;
      }
      // The answer may be ahead of the replica here, which gives what is missed in a moment.
      if (now - state.lostAt < this.#pollMs) return;
      this.#ask("expel", own);
      this.#end((token) => this.multicast.reply(token, new Unknown()));
      this.multicast.trigger(new FallenBehind());
      return;
    }
    for (const one of placed) this.#take(one);
    this.#give();
    if (placed.length > 0 && state.own !== null && (placed.at(-1)?.place ?? 0) + 1 < next)
      this.#lookBack();
  }
}

function keyOf({ joined, ...peer }: Participant): string {
  return `${peer.peerId}.${formatLife(peer)}.${joined}`;
}

function nobody(): Participant | null {
  return null;
}

function noView(): MulticastView | null {
  return null;
}

function nothingWanted(): "nothing" | "in" | "out" {
  return "nothing";
}

function noSends(): Sending[] {
  return [];
}

function noTokens(): Token[] {
  return [];
}

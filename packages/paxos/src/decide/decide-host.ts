/**
 * The component around a decider: the same for all protocols of the family, which a subclass names by its rule.
 *
 * What an acceptor says leaves when every write that was under way is flushed; nothing else waits for the disk. Each life of
 * the peer takes a number on its storage before it says anything, so that it uses no ballot of an earlier one.
 */

import {
  AskTimeout,
  Component,
  type Millis,
  mix,
  type ReplyToken,
  ScheduleTimeout,
  streamKey,
  timeout,
  Timer,
} from "@kith/core";
import {
  ConnectionUp,
  Dropped,
  message,
  Network,
  parsePeer,
  type PeerRef,
  self as ownPeer,
} from "@kith/network";
import {
  after,
  Entries,
  type Entry,
  Flushed,
  Scan,
  Storage,
  StorageLost,
  Write,
} from "@kith/storage";
import type { PeerAddress } from "../config.ts";
import { paxosError } from "../errors.ts";
import { Busy, type ConsensusAnswer, Unknown } from "../port.ts";
import {
  abandon,
  type Decider,
  decider,
  type DecideSettings,
  decisionOf,
  hasRoom,
  learn,
  type Letter,
  propose,
  receive,
  tick,
  turn,
  type Word,
} from "./decider.ts";
import { heardOf, met, type PeerBook } from "./peer-book.ts";
import { Decide, Decided, DecisionKnown, Decisions, Learn } from "./port.ts";
import { putInstance, putLife, readRows } from "./records.ts";
import type { Rule } from "./rule.ts";

/** The init of a provider of Decisions. */
export interface DecideInit {
  /** The acceptors, at all peers the same for ever; a peer that is none of them proposes and learns. */
  readonly acceptors: readonly PeerAddress[];
  /** Keeps several providers of one peer apart, on the network and on the disk; default the protocol's name. */
  readonly scope?: string;
  readonly settings?: Partial<DecideSettings>;
}

/** What a decider says to another one in a turn. */
class Words extends message("paxos/Words")<{
  readonly scope: string;
  readonly words: readonly Word[];
}> {}

class Tick extends timeout("paxos/DecideTick") {}

interface Waiting {
  readonly token: ReplyToken<ConsensusAnswer>;
  readonly until: Millis;
}

interface Asked {
  readonly name: string;
  readonly value: Uint8Array | null;
  readonly waiting: Waiting;
}

const tickMs = 20;
const withinMs = 30_000;
const earlyMax = 1000;

/** A provider of Decisions whose subclass names the protocol. */
export abstract class DecideHost extends Component {
  readonly decisions = this.provides(Decisions);
  protected readonly network = this.requires(Network);
  protected readonly disk = this.requires(Storage);
  protected readonly timer = this.requires(Timer);
  /** Which protocol it is. */
  protected abstract readonly rule: Rule;
  /** The name of the protocol. */
  protected abstract readonly protocol: string;

  readonly state = this.declareState({
    /** Null until it is known what earlier lives have promised, and this life has its number. */
    decider: emptyDecider(),
    rows: emptyRows(),
    early: noneAsked(),
    waiting: new Map<string, Waiting[]>(),
    book: emptyBook(),
    /** Writes that were asked for with a flush, and how many of them are flushed. */
    written: 0,
    flushed: 0,
    held: nothingHeld(),
    ticking: false,
  });

  readonly #init: DecideInit;
  readonly #self: PeerRef;
  readonly #write = this.disk.onAnswer(Write, (answer, _, context: { readonly write: number }) => {
    if (answer instanceof AskTimeout) return;
    if (answer instanceof Flushed) this.#onFlushed(context.write);
    else if ("code" in answer)
      throw paxosError("KITH_PAXOS_STORAGE", `A write failed: ${answer.detail} (${answer.code}).`);
  });
  readonly #scan = this.disk.onAnswer(Scan, (answer, scan) => {
    if (answer instanceof Entries) {
      this.state.rows.push(...answer.entries);
      const last = answer.entries.at(-1);
      if (answer.more && last !== undefined) this.#load(after(last.key));
      else this.#recover();
    } else this.#load(scan.from); // A read may fail; it is asked again.
  });

  constructor(init: DecideInit) {
    super();
    this.#init = init;
    this.#self = parsePeer(this.setting(ownPeer));
    const { book } = this.state;
    for (const peer of init.acceptors) heardOf(book, peer);
    this.network.on(Words, ({ from, scope, words }) => {
      if (scope !== this.#scope) return;
      met(this.state.book, from);
      const { decider: one } = this.state;
      if (one === null) return; // As if they were lost: they come again.
      one.now = this.clock.monotonic;
      for (const word of words) receive(one, this.rule, from.peerId, word);
      this.#turn(one);
    });
    this.network.on(ConnectionUp, ({ peer }) => met(this.state.book, peer));
    this.network.on(Dropped, ({ reason, from, tag }) => {
      // It was for an earlier life of this process: tell the sender which one this is.
      if (reason !== "wrong-incarnation" || tag !== Words.tag) return;
      met(this.state.book, from);
      this.network.trigger(new Words({ to: from, scope: this.#scope, words: [] }));
    });
    this.disk.on(StorageLost, ({ code, detail }) => {
      throw paxosError("KITH_PAXOS_STORAGE", `The storage is lost: ${detail} (${code}).`);
    });
    this.timer.on(Tick, () => this.#tick());
    this.decisions.on(Decide, ({ instance, value, within = withinMs }, token) =>
      this.#ask({ name: instance, value, waiting: this.#waiting(token, within) }),
    );
    this.decisions.on(Learn, ({ instance, within = withinMs }, token) =>
      this.#ask({ name: instance, value: null, waiting: this.#waiting(token, within) }),
    );
    this.onStart(() => this.#load());
  }

  get #scope(): string {
    return this.#init.scope ?? this.protocol;
  }

  get #namespace(): string {
    return `decide/${this.#scope}`;
  }

  // --- requests ----------------------------------------------------------------------------------

  #waiting(token: ReplyToken<ConsensusAnswer>, within: Millis): Waiting {
    return { token, until: this.clock.monotonic + within };
  }

  #ask(asked: Asked): void {
    const { decider: one, early, waiting } = this.state;
    if (one === null) {
      if (early.length < earlyMax) early.push(asked);
      else this.decisions.reply(asked.waiting.token, new Busy());
      return;
    }
    const { name, value } = asked;
    const { token } = asked.waiting;
    const known = decisionOf(one, name);
    const others = waiting.get(name) ?? [];
    if (known !== null)
      return this.decisions.reply(token, new Decided({ instance: name, value: known }));
    if (!hasRoom(one, name) || others.length >= earlyMax)
      return this.decisions.reply(token, new Busy());
    waiting.set(name, [...others, asked.waiting]);
    one.now = this.clock.monotonic;
    if (value === null) learn(one, name);
    else propose(one, this.rule, name, value);
    this.#turn(one);
  }

  #tick(): void {
    const { state } = this;
    state.ticking = false;
    const { decider: one, waiting } = state;
    if (one === null) return;
    const now = this.clock.monotonic;
    for (const [name, all] of waiting) {
      const left = all.filter(({ until }) => now < until);
      if (left.length === all.length) continue;
      for (const { token, until } of all)
        if (now >= until) this.decisions.reply(token, new Unknown());
      if (left.length > 0) waiting.set(name, left);
      else {
        waiting.delete(name);
        abandon(one, name);
      }
    }
    tick(one, now);
    this.#turn(one);
  }

  // --- the end of a turn -------------------------------------------------------------------------

  #turn(one: Decider): void {
    const { state } = this;
    const { records, flush, replies, requests, decided } = turn(one);
    if (records.size > 0) {
      const operations = [...records].map(([name, instance]) => putInstance(name, instance));
      const write = flush ? ++state.written : 0;
      this.#write(new Write({ namespace: this.#namespace, operations, flush }), {
        context: { write },
      });
    }
    const { written, flushed, held } = state;
    if (written > flushed) {
      if (replies.length > 0) held.push({ write: written, letters: [...replies] });
      this.#post(one, requests);
    } else this.#post(one, [...replies, ...requests]);
    for (const name of decided) this.#tell(one, name);
    if (state.ticking || one.attempts.size === 0) return;
    state.ticking = true;
    this.timer.trigger(new ScheduleTimeout({ delay: tickMs, timeout: new Tick() }));
  }

  #tell(one: Decider, name: string): void {
    const value = decisionOf(one, name);
    if (value === null) return;
    const { waiting } = this.state;
    for (const { token } of waiting.get(name) ?? [])
      this.decisions.reply(token, new Decided({ instance: name, value }));
    waiting.delete(name);
    this.decisions.trigger(new DecisionKnown({ instance: name, value }));
  }

  #post(one: Decider, letters: readonly Letter[]): void {
    const bundles = new Map<number, Word[]>();
    for (const { to, word } of letters) {
      const bundle = bundles.get(to);
      if (bundle === undefined) bundles.set(to, [word]);
      else bundle.push(word);
    }
    for (const [to, words] of bundles) {
      const peer = to === one.self ? this.#self : this.state.book.get(to);
      if (peer !== undefined)
        this.network.trigger(new Words({ to: peer, scope: this.#scope, words }));
    }
  }

  // --- the storage -------------------------------------------------------------------------------

  #load(from?: Uint8Array): void {
    const range = from === undefined ? {} : { from };
    this.#scan(new Scan({ namespace: this.#namespace, ...range }));
  }

  /** Everything was read: this life takes its number. */
  #recover(): void {
    const { lives } = readRows(this.state.rows);
    const operations = [putLife(lives + 1)];
    this.#write(new Write({ namespace: this.#namespace, operations }), { context: { write: 0 } });
  }

  #onFlushed(write: number): void {
    const { state } = this;
    if (state.decider === null) return this.#begin();
    state.flushed = Math.max(state.flushed, write);
    const ready = state.held.filter((one) => one.write <= state.flushed);
    state.held = state.held.filter((one) => one.write > state.flushed);
    for (const { letters } of ready) this.#post(state.decider, letters);
  }

  #begin(): void {
    const { state } = this;
    const { lives, instances } = readRows(state.rows.splice(0));
    const { peerId, incarnation } = this.#self;
    const life = lives + 1;
    state.decider = decider(
      {
        self: peerId,
        life,
        acceptors: this.#init.acceptors.map((one) => one.peerId),
        seed: mix(streamKey(this.#scope, peerId, incarnation).low, life),
        now: this.clock.monotonic,
        ...(this.#init.settings === undefined ? {} : { settings: this.#init.settings }),
      },
      instances,
    );
    for (const asked of state.early.splice(0)) this.#ask(asked);
  }
}

function emptyDecider(): Decider | null {
  return null;
}

function emptyBook(): PeerBook {
  return new Map();
}

function emptyRows(): Entry[] {
  return [];
}

function noneAsked(): Asked[] {
  return [];
}

function nothingHeld(): { readonly write: number; readonly letters: readonly Letter[] }[] {
  return [];
}

/**
 * Paxos Commit as a component: acceptor where the peer is one of those, resource manager for whoever is connected, and
 * leader of what is begun here.
 *
 * Votes and what an acceptor says leave when every write that was under way is flushed. Each life of the peer takes a number
 * on its storage before it says anything, so that no transaction and no ballot of an earlier life is named again.
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
import { heardOf, met, type PeerBook } from "../decide/peer-book.ts";
import { putLife } from "../decide/records.ts";
import { paxosError } from "../errors.ts";
import { Busy, type ConsensusAnswer, Unknown } from "../port.ts";
import { operationsFor, readCommits } from "./commit-records.ts";
import { begin, cast, committer, end, isBusy, receive, take, tick, turn } from "./committer.ts";
import type { CommitLetter, CommitSettings, CommitWord, Committer } from "./transactions.ts";
import {
  AskOutcome,
  AtomicCommit,
  Begin,
  CastVote,
  Ended,
  OutcomeKnown,
  OutcomeTaken,
  VoteAsked,
} from "./port.ts";

/** The init of the component. */
export interface CommitInit {
  /** The acceptors, at all peers the same for ever; 2F + 1 of them bear F that are gone. One is two-phase commit. */
  readonly acceptors: readonly PeerAddress[];
  /** Keeps several of these of one peer apart, on the network and on the disk; default `commit`. */
  readonly scope?: string;
  readonly settings?: Partial<CommitSettings>;
}

/** What a committer says to another one in a turn. */
class CommitWords extends message("paxos/CommitWords")<{
  readonly scope: string;
  readonly words: readonly CommitWord[];
}> {}

class Tick extends timeout("paxos/CommitTick") {}

interface Waiting {
  readonly token: ReplyToken<ConsensusAnswer>;
  readonly until: Millis;
}

const tickMs = 20;
const withinMs = 30_000;
const earlyMax = 1000;

/** Commits transactions over resource managers that are single peers. */
export class PaxosCommit extends Component {
  readonly commit = this.provides(AtomicCommit);
  protected readonly network = this.requires(Network);
  protected readonly disk = this.requires(Storage);
  protected readonly timer = this.requires(Timer);

  readonly state = this.declareState({
    /** Null until it is known what earlier lives have done, and this life has its number. */
    committer: emptyCommitter(),
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

  readonly #init: CommitInit;
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

  constructor(init: CommitInit) {
    super();
    this.#init = init;
    this.#self = parsePeer(this.setting(ownPeer));
    const { book } = this.state;
    for (const peer of init.acceptors) heardOf(book, peer);
    this.network.on(CommitWords, ({ from, scope, words }) => {
      if (scope !== this.#scope) return;
      met(this.state.book, from);
      // Before that it is as if they were lost: they come again.
      this.#do((one) => {
        for (const word of words) receive(one, from, word);
      });
    });
    this.network.on(ConnectionUp, ({ peer }) => met(this.state.book, peer));
    this.network.on(Dropped, ({ reason, from, tag }) => {
      // It was for an earlier life of this process: tell the sender which one this is.
      if (reason !== "wrong-incarnation" || tag !== CommitWords.tag) return;
      met(this.state.book, from);
      this.network.trigger(new CommitWords({ to: from, scope: this.#scope, words: [] }));
    });
    this.disk.on(StorageLost, ({ code, detail }) => {
      throw paxosError("KITH_PAXOS_STORAGE", `The storage is lost: ${detail} (${code}).`);
    });
    this.timer.on(Tick, () => this.#tick());
    this.commit.on(Begin, (asked, token) => this.#begin(asked, token));
    this.commit.on(AskOutcome, (asked, token) => this.#ask(asked, token));
    this.commit.on(CastVote, ({ transaction, prepared }) =>
      this.#do((one) => cast(one, transaction, prepared)),
    );
    this.commit.on(OutcomeTaken, ({ transaction }) => this.#do((one) => take(one, transaction)));
    this.onStart(() => this.#load());
  }

  get #scope(): string {
    return this.#init.scope ?? "commit";
  }

  get #namespace(): string {
    return `commit/${this.#scope}`;
  }

  /** Does something with the committer, at the present time, and what follows from it. */
  #do(action: (one: Committer) => void): void {
    const { committer: one } = this.state;
    if (one === null) return;
    one.now = this.clock.monotonic;
    action(one);
    this.#turn(one);
  }

  // --- requests ----------------------------------------------------------------------------------

  #begin(asked: Begin, token: ReplyToken<ConsensusAnswer>): void {
    if (this.#isEarly({ asked, token })) return;
    this.#do((one) => {
      const { managers, body } = asked;
      for (const peer of managers) heardOf(this.state.book, peer);
      const name = begin(one, managers, body);
      if (name === null) this.commit.reply(token, new Busy());
      else this.#wait(name, { token, until: Infinity });
    });
  }

  #ask(asked: AskOutcome, token: ReplyToken<ConsensusAnswer>): void {
    if (this.#isEarly({ asked, token })) return;
    this.#do((one) => {
      const { transaction, managers, within = withinMs } = asked;
      for (const peer of managers) heardOf(this.state.book, peer);
      const lead = one.leading.get(transaction);
      if (lead?.phase === "over" && lead.committed === null)
        return this.commit.reply(token, new Unknown());
      if (lead !== undefined && lead.committed !== null) {
        const { committed } = lead;
        return this.commit.reply(token, new Ended({ transaction, committed }));
      }
      this.#wait(transaction, { token, until: this.clock.monotonic + within });
      if (end(one, transaction, managers)) return;
      this.state.waiting.delete(transaction);
      this.commit.reply(token, new Busy());
    });
  }

  #isEarly(one: Early): boolean {
    if (this.state.committer !== null) return false;
    if (this.state.early.length < earlyMax) this.state.early.push(one);
    else this.commit.reply(one.token, new Busy());
    return true;
  }

  #wait(name: string, one: Waiting): void {
    const { waiting } = this.state;
    waiting.set(name, [...(waiting.get(name) ?? []), one]);
  }

  #tick(): void {
    const { state } = this;
    state.ticking = false;
    const now = this.clock.monotonic;
    for (const [name, all] of state.waiting) {
      const left = all.filter(({ until }) => now < until);
      if (left.length === all.length) continue;
      for (const { token, until } of all) if (now >= until) this.commit.reply(token, new Unknown());
      if (left.length > 0) state.waiting.set(name, left);
      else state.waiting.delete(name);
    }
    this.#do((one) => tick(one, now));
  }

  // --- the end of a turn -------------------------------------------------------------------------

  #turn(one: Committer): void {
    const { state } = this;
    const { dirty, dirtyLives, flush, replies, requests, news } = turn(one);
    if (dirty.size > 0 || dirtyLives.size > 0) {
      const operations = operationsFor(one, dirty, dirtyLives);
      const write = flush ? ++state.written : 0;
      this.#write(new Write({ namespace: this.#namespace, operations, flush }), {
        context: { write },
      });
    }
    if (state.written > state.flushed) {
      if (replies.length > 0) state.held.push({ write: state.written, letters: [...replies] });
      this.#post(requests);
    } else this.#post([...replies, ...requests]);
    for (const what of news) {
      const { transaction } = what;
      if (what.kind === "vote-asked") {
        const { managers, body } = what;
        this.commit.trigger(new VoteAsked({ transaction, managers, body }));
      } else if (what.kind === "outcome")
        this.commit.trigger(new OutcomeKnown({ transaction, committed: what.committed }));
      else this.#ended(transaction, what.committed);
    }
    if (state.ticking || !(isBusy(one) || state.waiting.size > 0)) return;
    state.ticking = true;
    this.timer.trigger(new ScheduleTimeout({ delay: tickMs, timeout: new Tick() }));
  }

  #ended(transaction: string, committed: boolean | null): void {
    const { waiting } = this.state;
    for (const { token } of waiting.get(transaction) ?? []) {
      if (committed === null) this.commit.reply(token, new Unknown());
      else this.commit.reply(token, new Ended({ transaction, committed }));
    }
    waiting.delete(transaction);
  }

  #post(letters: readonly CommitLetter[]): void {
    const bundles = new Map<number, CommitWord[]>();
    const { book } = this.state;
    for (const { to, word } of letters) {
      if (to.host !== "") heardOf(book, to);
      const bundle = bundles.get(to.peerId);
      if (bundle === undefined) bundles.set(to.peerId, [word]);
      else bundle.push(word);
    }
    for (const [to, words] of bundles) {
      const peer = to === this.#self.peerId ? this.#self : book.get(to);
      if (peer !== undefined)
        this.network.trigger(new CommitWords({ to: peer, scope: this.#scope, words }));
    }
  }

  // --- the storage -------------------------------------------------------------------------------

  #load(from?: Uint8Array): void {
    const range = from === undefined ? {} : { from };
    this.#scan(new Scan({ namespace: this.#namespace, ...range }));
  }

  /** Everything was read: this life takes its number. */
  #recover(): void {
    const operations = [putLife(readCommits(this.state.rows).lives + 1)];
    this.#write(new Write({ namespace: this.#namespace, operations }), { context: { write: 0 } });
  }

  #onFlushed(write: number): void {
    const { state } = this;
    if (state.committer === null) return this.#ready();
    state.flushed = Math.max(state.flushed, write);
    const ready = state.held.filter((one) => one.write <= state.flushed);
    state.held = state.held.filter((one) => one.write > state.flushed);
    for (const { letters } of ready) this.#post(letters);
  }

  #ready(): void {
    const { state } = this;
    const { lives, ...durable } = readCommits(state.rows.splice(0));
    const { peerId, host, port, incarnation } = this.#self;
    const life = lives + 1;
    state.committer = committer(
      {
        self: { peerId, host, port },
        life,
        acceptors: this.#init.acceptors,
        seed: mix(streamKey(this.#scope, peerId, incarnation).low, life),
        now: this.clock.monotonic,
        ...(this.#init.settings === undefined ? {} : { settings: this.#init.settings }),
      },
      durable,
    );
    this.#turn(state.committer);
    for (const { asked, token } of state.early.splice(0))
      if (asked instanceof Begin) this.#begin(asked, token);
      else this.#ask(asked, token);
  }
}

interface Early {
  readonly asked: Begin | AskOutcome;
  readonly token: ReplyToken<ConsensusAnswer>;
}

function emptyCommitter(): Committer | null {
  return null;
}

function emptyBook(): PeerBook {
  return new Map();
}

function emptyRows(): Entry[] {
  return [];
}

function noneAsked(): Early[] {
  return [];
}

function nothingHeld(): { readonly write: number; readonly letters: readonly CommitLetter[] }[] {
  return [];
}

/**
 * Paxos Commit as a component: acceptor where the peer is one of those, resource manager for whoever is connected, and
 * leader of what is begun here. Votes and what an acceptor says wait for the disk.
 */

import { type Millis, mix, type ReplyToken, streamKey } from "@kith/core";
import { message, type PeerRef } from "@kith/network";
import type { Entry } from "@kith/storage";
import {
  type Doings,
  earlyMax,
  FamilyHost,
  type FamilyInit,
  type Waiting,
} from "../decide/family-host.ts";
import { heardOf } from "../decide/peer-book.ts";
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

/** The init of the component. 2F + 1 acceptors bear F that are gone, one is two-phase commit; the default scope is `commit`. */
export interface CommitInit extends FamilyInit {
  readonly settings?: Partial<CommitSettings>;
}

/** What a committer says to another one in a turn. */
class CommitWords extends message("paxos/CommitWords")<{
  readonly scope: string;
  readonly words: readonly CommitWord[];
}> {}

interface Early {
  readonly asked: Begin | AskOutcome;
  readonly token: ReplyToken<ConsensusAnswer>;
}

const withinMs = 30_000;

/** Commits transactions over resource managers that are single peers. */
export class PaxosCommit extends FamilyHost<Committer, CommitWord, CommitLetter, Early> {
  readonly commit = this.provides(AtomicCommit);

  protected readonly protocol = "commit";
  protected readonly folder = "commit";
  protected readonly tag = CommitWords.tag;
  readonly #settings: Partial<CommitSettings> | undefined;

  constructor(init: CommitInit) {
    super(init);
    this.#settings = init.settings;
    this.network.on(CommitWords, ({ from, scope, words }) =>
      this.hear(from, scope, (one) => {
        for (const word of words) receive(one, from, word);
      }),
    );
    this.commit.on(Begin, (asked, token) => this.ask({ asked, token }));
    this.commit.on(AskOutcome, (asked, token) => this.ask({ asked, token }));
    this.commit.on(CastVote, ({ transaction, prepared }) =>
      this.act((one) => cast(one, transaction, prepared)),
    );
    this.commit.on(OutcomeTaken, ({ transaction }) => this.act((one) => take(one, transaction)));
  }

  // --- requests ----------------------------------------------------------------------------------

  protected override ask(early: Early): void {
    const { asked, token } = early;
    if (this.state.machine === null) {
      if (this.state.early.length < earlyMax) this.state.early.push(early);
      else this.reply(token, new Busy());
      return;
    }
    for (const peer of asked.managers) heardOf(this.state.book, peer);
    this.act((one) => {
      if (asked instanceof Begin) this.#begin(one, asked, token);
      else this.#outcome(one, asked, token);
    });
  }

  #begin(one: Committer, { managers, body }: Begin, token: ReplyToken<ConsensusAnswer>): void {
    const name = begin(one, managers, body);
    if (name === null) this.reply(token, new Busy());
    else this.#wait(name, { token, until: Infinity });
  }

  #outcome(
    one: Committer,
    { transaction, managers, within = withinMs }: AskOutcome,
    token: ReplyToken<ConsensusAnswer>,
  ): void {
    const lead = one.leading.get(transaction);
    if (lead?.phase === "over" && lead.committed === null) return this.reply(token, new Unknown());
    if (lead !== undefined && lead.committed !== null)
      return this.reply(token, new Ended({ transaction, committed: lead.committed }));
    this.#wait(transaction, { token, until: this.clock.monotonic + within });
    if (end(one, transaction, managers)) return;
    this.state.waiting.delete(transaction);
    this.reply(token, new Busy());
  }

  #wait(name: string, one: Waiting): void {
    const { waiting } = this.state;
    waiting.set(name, [...(waiting.get(name) ?? []), one]);
  }

  // --- what a family's host asks of it -----------------------------------------------------------

  protected override turnOf(one: Committer): Doings<CommitLetter> {
    const { dirty, dirtyLives, flush, replies, requests, news } = turn(one);
    const operations =
      dirty.size > 0 || dirtyLives.size > 0 ? operationsFor(one, dirty, dirtyLives) : [];
    const tell = (): void => {
      for (const what of news) {
        const { transaction } = what;
        if (what.kind === "vote-asked") {
          const { managers, body } = what;
          this.commit.trigger(new VoteAsked({ transaction, managers, body }));
        } else if (what.kind === "outcome")
          this.commit.trigger(new OutcomeKnown({ transaction, committed: what.committed }));
        else
          this.answer(
            transaction,
            what.committed === null
              ? new Unknown()
              : new Ended({ transaction, committed: what.committed }),
          );
      }
    };
    return { operations, flush, replies, requests, tell };
  }

  protected override makeMachine(life: number, rows: readonly Entry[]): Committer {
    const { peerId, host, port, incarnation } = this.self;
    return committer(
      {
        self: { peerId, host, port },
        life,
        acceptors: this.acceptors,
        seed: mix(streamKey(this.scope, peerId, incarnation).low, life),
        now: this.clock.monotonic,
        ...(this.#settings === undefined ? {} : { settings: this.#settings }),
      },
      readCommits(rows),
    );
  }

  protected override livesIn(rows: readonly Entry[]): number {
    return readCommits(rows).lives;
  }

  protected override say(to: PeerRef, words: readonly CommitWord[]): void {
    this.network.trigger(new CommitWords({ to, scope: this.scope, words }));
  }

  protected override reply(token: ReplyToken<ConsensusAnswer>, answer: ConsensusAnswer): void {
    this.commit.reply(token, answer);
  }

  /** A transaction goes on, whoever waits for its outcome. */
  protected override abandon(): void {}

  protected override tickMachine(one: Committer, now: Millis): void {
    tick(one, now);
  }

  protected override isBusy(one: Committer): boolean {
    return isBusy(one) || this.state.waiting.size > 0;
  }

  protected override receiverOf({ to }: CommitLetter): number {
    if (to.host !== "") heardOf(this.state.book, to);
    return to.peerId;
  }
}

/** The component around a decider: the same for all protocols of the family, which a subclass names by its rule. */

import { type Millis, mix, type ReplyToken, streamKey } from "@kith/core";
import { message, type PeerRef } from "@kith/network";
import type { Entry } from "@kith/storage";
import { Busy, type ConsensusAnswer } from "../port.ts";
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
import { type Doings, earlyMax, FamilyHost, type FamilyInit, type Waiting } from "./family-host.ts";
import { Decide, Decided, DecisionKnown, Decisions, Learn } from "./port.ts";
import { putInstance, readRows } from "./records.ts";
import type { Rule } from "./rule.ts";

/** The init of a provider of Decisions. A peer that is no acceptor proposes and learns; the default scope is the protocol's name. */
export interface DecideInit extends FamilyInit {
  readonly settings?: Partial<DecideSettings>;
}

/** What a decider says to another one in a turn. */
class Words extends message("paxos/Words")<{
  readonly scope: string;
  readonly words: readonly Word[];
}> {}

interface Asked {
  readonly name: string;
  readonly value: Uint8Array | null;
  readonly waiting: Waiting;
}

const withinMs = 30_000;

/** A provider of Decisions whose subclass names the protocol. */
export abstract class DecideHost extends FamilyHost<Decider, Word, Letter, Asked> {
  readonly decisions = this.provides(Decisions);
  /** Which protocol it is. */
  protected abstract readonly rule: Rule;

  protected readonly folder = "decide";
  protected readonly tag = Words.tag;
  readonly #settings: Partial<DecideSettings> | undefined;

  constructor(init: DecideInit) {
    super(init);
    this.#settings = init.settings;
    this.network.on(Words, ({ from, scope, words }) =>
      this.hear(from, scope, (one) => {
        for (const word of words) receive(one, this.rule, from.peerId, word);
      }),
    );
    this.decisions.on(Decide, ({ instance, value, within = withinMs }, token) =>
      this.ask({ name: instance, value, waiting: this.#waiting(token, within) }),
    );
    this.decisions.on(Learn, ({ instance, within = withinMs }, token) =>
      this.ask({ name: instance, value: null, waiting: this.#waiting(token, within) }),
    );
  }

  #waiting(token: ReplyToken<ConsensusAnswer>, within: Millis): Waiting {
    return { token, until: this.clock.monotonic + within };
  }

  protected override ask(asked: Asked): void {
    const { machine: one, early, waiting } = this.state;
    const { name, value } = asked;
    const { token } = asked.waiting;
    if (one === null) {
      if (early.length < earlyMax) early.push(asked);
      else this.reply(token, new Busy());
      return;
    }
    const known = decisionOf(one, name);
    const others = waiting.get(name) ?? [];
    if (known !== null) return this.reply(token, new Decided({ instance: name, value: known }));
    if (!hasRoom(one, name) || others.length >= earlyMax) return this.reply(token, new Busy());
    waiting.set(name, [...others, asked.waiting]);
    this.act(() => {
      if (value === null) learn(one, name);
      else propose(one, this.rule, name, value);
    });
  }

  protected override turnOf(one: Decider): Doings<Letter> {
    const { records, flush, replies, requests, decided } = turn(one);
    const operations = [...records].map(([name, instance]) => putInstance(name, instance));
    const tell = (): void => {
      for (const name of decided) this.#tell(one, name);
    };
    return { operations, flush, replies, requests, tell };
  }

  #tell(one: Decider, name: string): void {
    const value = decisionOf(one, name);
    if (value === null) return;
    this.answer(name, new Decided({ instance: name, value }));
    this.decisions.trigger(new DecisionKnown({ instance: name, value }));
  }

  protected override makeMachine(life: number, rows: readonly Entry[]): Decider {
    const { peerId, incarnation } = this.self;
    return decider(
      {
        self: peerId,
        life,
        acceptors: this.acceptors.map((one) => one.peerId),
        seed: mix(streamKey(this.scope, peerId, incarnation).low, life),
        now: this.clock.monotonic,
        ...(this.#settings === undefined ? {} : { settings: this.#settings }),
      },
      readRows(rows).instances,
    );
  }

  protected override livesIn(rows: readonly Entry[]): number {
    return readRows(rows).lives;
  }

  protected override say(to: PeerRef, words: readonly Word[]): void {
    this.network.trigger(new Words({ to, scope: this.scope, words }));
  }

  protected override reply(token: ReplyToken<ConsensusAnswer>, answer: ConsensusAnswer): void {
    this.decisions.reply(token, answer);
  }

  protected override abandon(one: Decider, name: string): void {
    abandon(one, name);
  }

  protected override tickMachine(one: Decider, now: Millis): void {
    tick(one, now);
  }

  protected override isBusy(one: Decider): boolean {
    return one.attempts.size > 0;
  }

  protected override receiverOf({ to }: Letter): number {
    return to;
  }
}

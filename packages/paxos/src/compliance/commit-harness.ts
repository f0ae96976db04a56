/** What the suite of AtomicCommit needs of a world, and the resource manager that takes part in it. */

import { AskTimeout, Component, type ComponentClass } from "@kith/core";
import type { Harness } from "@kith/testing/compliance";
import { bytesText, textBytes } from "../bytes.ts";
import type { CommitInit, PaxosCommit } from "../commit/paxos-commit.ts";
import {
  AskOutcome,
  AtomicCommit,
  Begin,
  CastVote,
  Ended,
  OutcomeKnown,
  OutcomeTaken,
  VoteAsked,
} from "../commit/port.ts";
import type { PeerAddress } from "../config.ts";

/** A class of providers. */
export type CommitClass = ComponentClass & (new (init: CommitInit) => PaxosCommit);

/**
 * How a provider of AtomicCommit is put to the test: five processes, numbered from 0, whose main components are
 * `CommitPeer`s, with the settings `commitSuiteSettings`; the first three are the acceptors.
 */
export interface CommitHarness extends Harness {
  /** Where a process is. */
  addressOf(index: number): PeerAddress;
  /** Lets something happen in the turn of a process's main component, now or soon. */
  enter(index: number, action: (peer: CommitPeer) => void): void;
  /** Ends a process without a word. */
  readonly crash?: (index: number) => void;
  /** Starts one that has ended, on its data. */
  readonly restart?: (index: number) => void;
  /** Replaces the provider of a process, `/Peer-1/commit`. */
  readonly swap?: (index: number) => void;
}

/** Settings that the cases rely on; `patience` is longer than votes can take in the world of the harness. */
export const commitSuiteSettings = { openMax: 20, retry: 100 };

/** How a transaction of the suite is voted about: what its body says. */
export interface Votes {
  /** Names it. */
  readonly name: string;
  /** The process that votes against it; none by default. */
  readonly against?: number;
  /** The process that does not vote at all; none by default. */
  readonly silent?: number;
}

/** Votes as bodies say, and keeps what it hears. */
export abstract class CommitPeer extends Component {
  readonly commit = this.requires(AtomicCommit);
  /** By name of the transaction: what its `Begin` or `AskOutcome` was answered. */
  readonly answers = new Map<string, string>();
  /** By name of the transaction: what the provider calls it. */
  readonly called = new Map<string, string>();
  /** By what the provider calls it: what this manager was told, each time. */
  readonly told = new Map<string, string[]>();
  /** Whether it says that it has taken an outcome. */
  takes = true;
  readonly #begin = this.commit.onAnswer(Begin, (answer, _, { key }: Key) =>
    this.#took(key, answer),
  );
  readonly #ask = this.commit.onAnswer(AskOutcome, (answer, _, { key }: Key) =>
    this.#took(key, answer),
  );

  constructor() {
    super();
    this.commit.on(VoteAsked, ({ transaction, body }) => {
      const [name = "", against, silent] = bytesText(body).split("/");
      this.called.set(name, transaction);
      if (silent === `${this.index}`) return;
      const prepared = against !== `${this.index}`;
      this.commit.trigger(new CastVote({ transaction, prepared }));
    });
    this.commit.on(OutcomeKnown, ({ transaction, committed }) => {
      this.told.set(transaction, [...this.toldOf(transaction), outcomeName(committed)]);
      if (this.takes) this.commit.trigger(new OutcomeTaken({ transaction }));
    });
  }

  /** Which process it is. */
  protected abstract readonly index: number;

  toldOf(transaction: string): readonly string[] {
    return this.told.get(transaction) ?? [];
  }
  begin({ name, against, silent }: Votes, managers: readonly PeerAddress[]): void {
    const body = textBytes(`${name}/${against ?? ""}/${silent ?? ""}`);
    this.#begin(new Begin({ managers, body }), { context: { key: name }, timeout });
  }
  ask(key: string, transaction: string, managers: readonly PeerAddress[]): void {
    this.#ask(new AskOutcome({ transaction, managers }), { context: { key }, timeout });
  }

  #took(key: string, answer: object): void {
    if (answer instanceof AskTimeout) return;
    if (this.answers.has(key)) throw new Error(`${key} is answered twice`);
    const what = answer instanceof Ended ? outcomeName(answer.committed) : answer.constructor.name;
    this.answers.set(key, what);
  }
}

interface Key {
  readonly key: string;
}

const timeout = 60_000;

function outcomeName(committed: boolean): string {
  return committed ? "committed" : "aborted";
}

/** The init of the main component of a process under test. */
export interface CommitPeerInit extends CommitInit {
  readonly index: number;
}

/** The main component of a process under test. */
export function commitPeerOf(provider: CommitClass): new (init: CommitPeerInit) => CommitPeer {
  return {
    Peer: class extends CommitPeer {
      readonly child;
      protected override readonly index;

      constructor({ index, ...init }: CommitPeerInit) {
        super();
        this.index = index;
        this.child = this.create(provider, init, { name: "commit" });
        this.connect(this.child.ports.commit, this.commit);
      }
    },
  }.Peer;
}

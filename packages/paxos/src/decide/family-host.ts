/**
 * The component around a pure state machine of the Paxos family: its storage, its peers, and who waits for it. A subclass
 * says which machine that is, and what its port asks of it.
 *
 * Each life takes a number on its storage before it says anything, so that it uses no ballot and no name of an earlier one.
 * What has to wait for the disk leaves when every write that was under way is flushed; nothing else waits.
 */

import { AskTimeout, Component, type Millis, ScheduleTimeout, timeout, Timer } from "@kith/core";
import type { ReplyToken } from "@kith/core";
import {
  ConnectionUp,
  Dropped,
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
  type Operation,
  Scan,
  Storage,
  StorageLost,
  Write,
} from "@kith/storage";
import type { PeerAddress } from "../config.ts";
import { paxosError } from "../errors.ts";
import { type ConsensusAnswer, Unknown } from "../port.ts";
import { heardOf, met, type PeerBook } from "./peer-book.ts";
import { putLife } from "./records.ts";

/** The init of all of them. */
export interface FamilyInit {
  /** The acceptors, at all peers the same for ever. */
  readonly acceptors: readonly PeerAddress[];
  /** Keeps several providers of one peer apart, on the network and on the disk. */
  readonly scope?: string;
}

/** What a machine does in a turn. */
export interface Doings<L> {
  /** What has to be written, and whether anybody waits for its flush. */
  readonly operations: readonly Operation[];
  readonly flush: boolean;
  /** What may be said only when all that was written is durable, and what may be said at once. */
  readonly replies: readonly L[];
  readonly requests: readonly L[];
  /** Tells the port what has come out, after what was said. */
  readonly tell: () => void;
}

/** Who waits for an answer, and how long. */
export interface Waiting {
  readonly token: ReplyToken<ConsensusAnswer>;
  readonly until: Millis;
}

class Tick extends timeout("paxos/FamilyTick") {}

const tickMs = 20;
/** How many requests may come before the storage is read. */
export const earlyMax = 1000;

/**
 * The component. `M` is its machine, `W` a word that goes to another peer, `L` a word with its receiver, `A` a request of its
 * port.
 */
export abstract class FamilyHost<
  M extends { now: Millis },
  W,
  L extends { readonly word: W },
  A,
> extends Component {
  protected readonly network = this.requires(Network);
  protected readonly disk = this.requires(Storage);
  protected readonly timer = this.requires(Timer);

  readonly state = this.declareState({
    /** Null until it is known what earlier lives have done, and this life has its number. */
    machine: nothing<M>(),
    rows: none<Entry>(),
    /** What was asked before that. */
    early: none<A>(),
    waiting: new Map<string, Waiting[]>(),
    book: emptyBook(),
    /** Writes that were asked for with a flush, and how many of them are flushed. */
    written: 0,
    flushed: 0,
    held: none<{ readonly write: number; readonly letters: readonly L[] }>(),
    ticking: false,
  });

  protected readonly self: PeerRef;
  protected readonly acceptors: readonly PeerAddress[];
  readonly #ownScope: string | undefined;
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

  constructor({ acceptors, scope }: FamilyInit) {
    super();
    this.acceptors = acceptors;
    this.#ownScope = scope;
    this.self = parsePeer(this.setting(ownPeer));
    for (const peer of acceptors) heardOf(this.state.book, peer);
    this.network.on(ConnectionUp, ({ peer }) => met(this.state.book, peer));
    this.network.on(Dropped, ({ reason, from, tag }) => {
      // It was for an earlier life of this process: tell the sender which one this is.
      if (reason !== "wrong-incarnation" || tag !== this.tag) return;
      met(this.state.book, from);
      this.say(from, []);
    });
    this.disk.on(StorageLost, ({ code, detail }) => {
      throw paxosError("KITH_PAXOS_STORAGE", `The storage is lost: ${detail} (${code}).`);
    });
    this.timer.on(Tick, () => this.#tick());
    this.onStart(() => this.#load());
  }

  /** Where its rows lie, less the scope; also the scope where none is given. */
  protected abstract readonly protocol: string;
  protected abstract readonly folder: string;
  /** The tag of its messages, which `say` sends. */
  protected abstract readonly tag: string;
  protected abstract say(to: PeerRef, words: readonly W[]): void;
  /** How many lives the rows tell of, and the machine of the next one. */
  protected abstract livesIn(rows: readonly Entry[]): number;
  protected abstract makeMachine(life: number, rows: readonly Entry[]): M;
  /** Takes what has to be done after the inputs so far. */
  protected abstract turnOf(machine: M): Doings<L>;
  /** Does what was asked, now that the machine is there. */
  protected abstract ask(asked: A): void;
  protected abstract reply(token: ReplyToken<ConsensusAnswer>, answer: ConsensusAnswer): void;
  /** Nobody waits for that any more. */
  protected abstract abandon(machine: M, name: string): void;
  protected abstract tickMachine(machine: M, now: Millis): void;
  protected abstract isBusy(machine: M): boolean;
  /** The peerId of who a letter is for. */
  protected abstract receiverOf(letter: L): number;

  protected get scope(): string {
    return this.#ownScope ?? this.protocol;
  }

  /** Takes what another peer has said; before the machine is there it is as if it were lost: it comes again. */
  protected hear(from: PeerRef, scope: string, action: (machine: M) => void): void {
    if (scope !== this.scope) return;
    met(this.state.book, from);
    this.act(action);
  }

  /** Does something with the machine, at the present time, and what follows from it. */
  protected act(action: (machine: M) => void): void {
    const { machine } = this.state;
    if (machine === null) return;
    machine.now = this.clock.monotonic;
    action(machine);
    this.#turn(machine);
  }

  /** Answers those who wait for something, and forgets them. */
  protected answer(name: string, answer: ConsensusAnswer): void {
    const { waiting } = this.state;
    for (const { token } of waiting.get(name) ?? []) this.reply(token, answer);
    waiting.delete(name);
  }

  #tick(): void {
    const { state } = this;
    state.ticking = false;
    const now = this.clock.monotonic;
    this.act((machine) => {
      for (const [name, all] of state.waiting) {
        const left = all.filter(({ until }) => now < until);
        if (left.length === all.length) continue;
        for (const { token, until } of all) if (now >= until) this.reply(token, new Unknown());
        if (left.length > 0) state.waiting.set(name, left);
        else {
          state.waiting.delete(name);
          this.abandon(machine, name);
        }
      }
      this.tickMachine(machine, now);
    });
  }

  // --- the end of a turn -------------------------------------------------------------------------

  #turn(machine: M): void {
    const { state } = this;
    const { operations, flush, replies, requests, tell } = this.turnOf(machine);
    if (operations.length > 0) {
      const write = flush ? ++state.written : 0;
      this.#write(new Write({ namespace: this.#namespace, operations, flush }), {
        context: { write },
      });
    }
    const { written, flushed, held } = state;
    if (written > flushed) {
      if (replies.length > 0) held.push({ write: written, letters: [...replies] });
      this.#post(requests);
    } else this.#post([...replies, ...requests]);
    tell();
    if (state.ticking || !this.isBusy(machine)) return;
    state.ticking = true;
    this.timer.trigger(new ScheduleTimeout({ delay: tickMs, timeout: new Tick() }));
  }

  #post(letters: readonly L[]): void {
    const bundles = new Map<number, W[]>();
    for (const letter of letters) {
      const to = this.receiverOf(letter);
      const bundle = bundles.get(to);
      if (bundle === undefined) bundles.set(to, [letter.word]);
      else bundle.push(letter.word);
    }
    for (const [to, words] of bundles) {
      const peer = to === this.self.peerId ? this.self : this.state.book.get(to);
      if (peer !== undefined) this.say(peer, words);
    }
  }

  // --- the storage -------------------------------------------------------------------------------

  get #namespace(): string {
    return `${this.folder}/${this.scope}`;
  }

  #load(from?: Uint8Array): void {
    const range = from === undefined ? {} : { from };
    this.#scan(new Scan({ namespace: this.#namespace, ...range }));
  }

  /** Everything was read: this life takes its number. */
  #recover(): void {
    const operations = [putLife(this.livesIn(this.state.rows) + 1)];
    this.#write(new Write({ namespace: this.#namespace, operations }), { context: { write: 0 } });
  }

  #onFlushed(write: number): void {
    const { state } = this;
    if (state.machine === null) return this.#begin();
    state.flushed = Math.max(state.flushed, write);
    const ready = state.held.filter((one) => one.write <= state.flushed);
    state.held = state.held.filter((one) => one.write > state.flushed);
    for (const { letters } of ready) this.#post(letters);
  }

  #begin(): void {
    const { state } = this;
    const rows = state.rows.splice(0);
    state.machine = this.makeMachine(this.livesIn(rows) + 1, rows);
    this.#turn(state.machine);
    for (const asked of state.early.splice(0)) this.ask(asked);
  }
}

function nothing<T>(): T | null {
  return null;
}

function none<T>(): T[] {
  return [];
}

function emptyBook(): PeerBook {
  return new Map();
}

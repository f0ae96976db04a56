/** A user of the store: reads, writes, and transactions that are tried again while others get ahead of them. */

import { AskTimeout, Component, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { bytesText, textBytes } from "@kith/paxos";
import {
  Aborted,
  Ambiguous,
  Apply,
  Commit,
  Committed,
  Delete,
  Entries,
  type Entry,
  Get,
  Put,
  Read,
  Scan,
  Store,
  type StoreAnswer,
  type Writing,
} from "../src/index.ts";

/** How something has ended. */
export interface Ended {
  readonly type: "ok" | "fail" | "info";
  readonly error?: string;
  readonly entries?: ReadonlyMap<string, Entry>;
}

/** A transaction: what it reads, and what it writes then; null where it does not want to any more. */
export interface Body {
  readonly keys: readonly string[];
  readonly writes: (entries: ReadonlyMap<string, Entry>) => readonly Writing[] | null;
}

type Answer = StoreAnswer | AskTimeout;
type Question = Get | Put | Delete | Apply | Read | Commit | Scan;

class Pause extends timeout("store-chaos/Pause")<{ readonly id: number }> {}

/** How long something is tried, in milliseconds. */
export const within = 2500;
const attemptsMax = 30;

/** Something that uses the store; never replaced while it runs. */
export abstract class StoreUser extends Component {
  readonly store = this.requires(Store);
  readonly timer = this.requires(Timer);
  readonly #thens = new Map<number, (answer: Answer) => void>();
  readonly #pauses = new Map<number, () => void>();
  #last = 0;
  readonly #get = this.store.onAnswer(Get, (answer, _, id: number) => this.#take(id, answer));
  readonly #put = this.store.onAnswer(Put, (answer, _, id: number) => this.#take(id, answer));
  readonly #delete = this.store.onAnswer(Delete, (answer, _, id: number) => this.#take(id, answer));
  readonly #apply = this.store.onAnswer(Apply, (answer, _, id: number) => this.#take(id, answer));
  readonly #read = this.store.onAnswer(Read, (answer, _, id: number) => this.#take(id, answer));
  readonly #commit = this.store.onAnswer(Commit, (answer, _, id: number) => this.#take(id, answer));
  readonly #scan = this.store.onAnswer(Scan, (answer, _, id: number) => this.#take(id, answer));

  constructor() {
    super();
    this.timer.on(Pause, ({ id }) => {
      const then = this.#pauses.get(id);
      this.#pauses.delete(id);
      then?.();
    });
  }

  /** Asks the store. */
  protected ask(question: Question, then: (answer: Answer) => void): void {
    const context = ++this.#last;
    this.#thens.set(context, then);
    if (question instanceof Get) this.#get(question, { context });
    else if (question instanceof Put) this.#put(question, { context });
    else if (question instanceof Delete) this.#delete(question, { context });
    else if (question instanceof Apply) this.#apply(question, { context });
    else if (question instanceof Read) this.#read(question, { context });
    else if (question instanceof Commit) this.#commit(question, { context });
    else this.#scan(question, { context });
  }

  /** Does something a while later. */
  protected later(delay: number, then: () => void): void {
    const id = ++this.#last;
    this.#pauses.set(id, then);
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Pause({ id }) }));
  }

  /** Reads keys as they are at one instant. */
  protected look(keys: readonly string[], then: (ended: Ended) => void): void {
    this.ask(new Read({ keys, within }), (answer) =>
      then(answer instanceof Entries ? { type: "ok", entries: byKey(answer) } : notDone(answer)),
    );
  }

  /** Runs a transaction, again and again while it is aborted and there is time. */
  protected transact(body: Body, then: (ended: Ended) => void): void {
    const until = this.clock.monotonic + within;
    const commit = (entries: ReadonlyMap<string, Entry>, attempt: number): void => {
      const writes = body.writes(entries);
      if (writes === null) return then({ type: "fail", error: "unwilling" });
      const reads = [...entries.values()].map(({ key, version }) => ({ key, version }));
      const left = until - this.clock.monotonic;
      if (left <= 0) return then({ type: "fail", error: "no time" });
      const queues = this.random("queues").chance(0.5);
      return this.ask(new Commit({ reads, writes, queues, within: left }), (answer) => {
        if (answer instanceof Committed) return then({ type: "ok", entries });
        if (!(answer instanceof Aborted) || attempt >= attemptsMax) return then(notDone(answer));
        const most = Math.min(200, 5 * 2 ** Math.min(attempt, 6));
        const wait = 1 + this.random("pause").float() * most;
        return this.later(wait, () => read(attempt + 1));
      });
    };
    const read = (attempt: number): void => {
      if (body.keys.length === 0) return commit(new Map(), attempt);
      const left = until - this.clock.monotonic;
      if (left <= 0) return then({ type: "fail", error: "no time" });
      return this.ask(new Read({ keys: body.keys, apart: true, within: left }), (answer) =>
        answer instanceof Entries ? commit(byKey(answer), attempt) : then(notDone(answer)),
      );
    };
    read(0);
  }

  #take(id: number, answer: Answer): void {
    const then = this.#thens.get(id);
    this.#thens.delete(id);
    then?.(answer);
  }
}

/** Certainly not done; or nobody knows. */
export function notDone(answer: Answer): Ended {
  const open = answer instanceof Ambiguous || answer instanceof AskTimeout;
  return { type: open ? "info" : "fail", error: answer.constructor.name };
}

/** Entries by their keys. */
export function byKey({ entries }: Entries): Map<string, Entry> {
  return new Map(entries.map((entry) => [entry.key, entry]));
}

/** A number as it is stored, and back. */
export function numberBytes(value: number): Uint8Array {
  return textBytes(String(value));
}

export function numberOf(entry: Entry | undefined): number | null {
  const value = entry?.value ?? null;
  return value === null ? null : Number(bytesText(value));
}

/** A list as it is stored: each element with a comma behind it. */
export function listOf(entry: Entry | undefined): number[] {
  const value = entry?.value ?? null;
  return value === null ? [] : bytesText(value).split(",").slice(0, -1).map(Number);
}

export function listBytes(list: readonly number[]): Uint8Array {
  return textBytes(list.map((one) => `${one},`).join(""));
}

/**
 * The edge between the component world and ordinary code: takes what that asks to the Store port, and hands answers and
 * changes back to it.
 *
 * It lives in the system of the guest, real or simulated. What ordinary code waits for is no plain data, so this one
 * component cannot be swapped; what it stands on can.
 */

import { AskTimeout, Component, ScheduleTimeout, timeout, Timer } from "@kith/core";
import {
  Apply,
  Changes,
  Commit,
  Delete,
  Get,
  Put,
  Read,
  Resync,
  Scan,
  Store,
  type StoreAnswer,
  Unwatch,
  Watch,
  type Watched,
  WatchRefused,
} from "@kith/store";

/** Whatever can be asked of a store. */
export type StoreRequest = Get | Put | Delete | Apply | Read | Commit | Scan;

/** Takes an answer; null where the user has stopped before there was one. */
export type Settle = (answer: StoreAnswer | null) => void;

/** Takes what becomes of a watch; null where the user has stopped. */
export type Listener = (told: Changes | Resync | WatchRefused | null) => void;

class Paused extends timeout("client/Paused")<{ readonly pause: number }> {}

/** Uses a store on behalf of ordinary code. */
export class StoreUser extends Component {
  readonly store = this.requires(Store);
  readonly timer = this.requires(Timer);
  readonly #settles = new Map<number, Settle>();
  readonly #pauses = new Map<number, () => void>();
  readonly #listeners = new Map<string, Listener>();
  readonly #jitter = this.random("jitter");
  /** Begins the names of its watches: others may watch through the same provider. */
  readonly #life = this.random("life").below(0x1_0000_0000).toString(36);
  readonly #get = this.store.onAnswer(Get, (answer, _, call: number) => this.#took(call, answer));
  readonly #put = this.store.onAnswer(Put, (answer, _, call: number) => this.#took(call, answer));
  readonly #delete = this.store.onAnswer(Delete, (answer, _, call: number) =>
    this.#took(call, answer),
  );
  readonly #apply = this.store.onAnswer(Apply, (answer, _, call: number) =>
    this.#took(call, answer),
  );
  readonly #read = this.store.onAnswer(Read, (answer, _, call: number) => this.#took(call, answer));
  readonly #commit = this.store.onAnswer(Commit, (answer, _, call: number) =>
    this.#took(call, answer),
  );
  readonly #scan = this.store.onAnswer(Scan, (answer, _, call: number) => this.#took(call, answer));
  #last = 0;
  #over = false;

  constructor() {
    super();
    this.store.on(Changes, (changes) => this.#listeners.get(changes.watch)?.(changes));
    this.store.on(Resync, (resync) => this.#listeners.get(resync.watch)?.(resync));
    this.store.on(WatchRefused, (refused) => this.#listeners.get(refused.watch)?.(refused));
    this.timer.on(Paused, ({ pause }) => {
      const action = this.#pauses.get(pause);
      this.#pauses.delete(pause);
      action?.();
    });
    this.onStop(() => this.abandon());
  }

  /** Nothing can be asked any more, and nothing comes: all that waits is told so. Also called where its system has failed. */
  abandon(): void {
    this.#over = true;
    const waiting = [...this.#settles.values()];
    const paused = [...this.#pauses.values()];
    const listeners = [...this.#listeners.values()];
    this.#settles.clear();
    this.#pauses.clear();
    this.#listeners.clear();
    for (const listener of listeners) listener(null);
    for (const settle of waiting) settle(null);
    for (const action of paused) action();
  }

  /** Whether it has stopped: nothing can be asked any more. */
  get stopped(): boolean {
    return this.#over;
  }

  /** A name for a watch that no other one has. */
  nameWatch(): string {
    return `${this.#life}.${++this.#last}`;
  }

  /** The time of its world, in milliseconds. */
  get now(): number {
    return this.clock.monotonic;
  }

  /** A draw from 0 to 1. */
  draw(): number {
    return this.#jitter.float();
  }

  /** Asks the store something; `settle` is called once, later. */
  ask(request: StoreRequest, settle: Settle): void {
    if (this.#over) return settle(null);
    const call = ++this.#last;
    this.#settles.set(call, settle);
    return this.enter(() => {
      if (this.#settles.has(call)) this.#pass(request, call);
    });
  }

  /** Does something after so many milliseconds of its world, or when it stops. */
  after(delay: number, action: () => void): void {
    if (this.#over) return action();
    const pause = ++this.#last;
    this.#pauses.set(pause, action);
    return this.enter(() => {
      if (this.#pauses.has(pause))
        this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Paused({ pause }) }));
    });
  }

  /** Watches keys; a watch of that name begins anew. */
  watch(watch: string, what: Watched, listener: Listener): void {
    this.#listeners.set(watch, listener);
    this.enter(() => this.store.trigger(new Watch({ watch, what })));
  }

  /** Ends a watch. */
  unwatch(watch: string): void {
    if (this.#listeners.delete(watch) && !this.#over)
      this.enter(() => this.store.trigger(new Unwatch({ watch })));
  }

  #pass(request: StoreRequest, context: number): void {
    if (request instanceof Get) this.#get(request, { context });
    else if (request instanceof Put) this.#put(request, { context });
    else if (request instanceof Delete) this.#delete(request, { context });
    else if (request instanceof Apply) this.#apply(request, { context });
    else if (request instanceof Read) this.#read(request, { context });
    else if (request instanceof Commit) this.#commit(request, { context });
    else this.#scan(request, { context });
  }

  #took(call: number, answer: StoreAnswer | AskTimeout): void {
    const settle = this.#settles.get(call);
    this.#settles.delete(call);
    settle?.(answer instanceof AskTimeout ? null : answer);
  }
}

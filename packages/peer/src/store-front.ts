/**
 * The door of a peer to the store: there from the peer's first moment, before the store is founded, and through restarts of what is
 * behind it. It keeps what is asked until the store is there, and sees to it that every request ends.
 *
 * - **Definite.** What was not handed on in its time is `NotDone`. What was handed on to something that was restarted since is
 *   `NotDone` where it only read, else `Ambiguous`.
 * - **Bounded.** So many requests may be open; one more is `Busy`. So many watches; one more is refused.
 */

import {
  AskTimeout,
  Component,
  event,
  type Event,
  type Millis,
  port,
  type ReplyToken,
  request,
  SchedulePeriodic,
  CancelTimeout,
  timeout,
  Timer,
} from "@kith/core";
import {
  Aborted,
  Ambiguous,
  Apply,
  Browse,
  Busy,
  Changes,
  Commit,
  Delete,
  Get,
  NotDone,
  Put,
  Read,
  Refused,
  Resync,
  Scan,
  Store,
  type StoreAnswer,
  Unwatch,
  Watch,
  WatchRefused,
} from "@kith/store";

/** The store is there, or there again: what waits is handed on. */
export class OpenFront extends event("peer/OpenFront") {}

/** How many requests have ended how. */
export class FrontCounters extends event("peer/FrontCounters")<{
  readonly done: number;
  readonly notDone: number;
  readonly unknown: number;
  readonly open: number;
}> {}

/** Asks for the counters. */
export class AskCounters extends request("peer/AskCounters", FrontCounters) {}

/** What a front is told and asked. Provider: `StoreFront`. */
export const Front = port("Front", { requests: [OpenFront, AskCounters] });

/** A request that has not ended. */
interface Open {
  readonly token: ReplyToken<StoreAnswer>;
  readonly ask: Request;
  readonly until: Millis;
  handed: boolean;
}

type Request = Get | Put | Delete | Apply | Read | Commit | Scan | Browse;

class Sweep extends timeout("peer/FrontSweep") {}

const openMax = 4096;
const watchesMax = 4096;
const withinMs: Millis = 10_000;
/** To call it off takes the store as long as that. */
const graceMs: Millis = 12_000;
const sweepMs: Millis = 500;

/** Provides Store for a peer. */
export class StoreFront extends Component {
  readonly store = this.provides(Store);
  readonly front = this.provides(Front);
  readonly inner = this.requires(Store);
  readonly timer = this.requires(Timer);
  /** Not state: it begins anew where it is swapped, as those who ask have deadlines. */
  readonly #open = new Map<number, Open>();
  readonly #watches = new Map<string, Watch>();
  readonly #counts = { done: 0, notDone: 0, unknown: 0 };
  #isOpen = false;
  #last = 0;
  #sweeping = false;
  readonly #get = this.inner.onAnswer(Get, (answer, _, n: number) => this.#end(n, answer));
  readonly #put = this.inner.onAnswer(Put, (answer, _, n: number) => this.#end(n, answer));
  readonly #delete = this.inner.onAnswer(Delete, (answer, _, n: number) => this.#end(n, answer));
  readonly #apply = this.inner.onAnswer(Apply, (answer, _, n: number) => this.#end(n, answer));
  readonly #read = this.inner.onAnswer(Read, (answer, _, n: number) => this.#end(n, answer));
  readonly #commit = this.inner.onAnswer(Commit, (answer, _, n: number) => this.#end(n, answer));
  readonly #scan = this.inner.onAnswer(Scan, (answer, _, n: number) => this.#end(n, answer));
  readonly #browse = this.inner.onAnswer(Browse, (answer, _, n: number) => this.#end(n, answer));

  constructor() {
    super();
    for (const cls of [Get, Put, Delete, Apply, Read, Commit, Scan, Browse] as const)
      this.store.on(cls, (ask, token) => this.#begin(ask, token));
    this.store.on(Watch, (watch) => this.#watch(watch));
    this.store.on(Unwatch, (unwatch) => {
      this.#watches.delete(unwatch.watch);
      if (this.#isOpen) this.inner.trigger(unwatch);
    });
    this.inner.on(Changes, (changes) => this.store.trigger(changes));
    this.inner.on(Resync, (resync) => this.store.trigger(resync));
    this.inner.on(WatchRefused, (refused) => this.store.trigger(refused));
    this.front.on(OpenFront, () => this.#opened());
    this.front.on(AskCounters, (_, token) =>
      this.front.reply(token, new FrontCounters({ ...this.#counts, open: this.#open.size })),
    );
    this.timer.on(Sweep, () => this.#sweep());
  }

  #begin(ask: Request, token: ReplyToken<StoreAnswer>): void {
    if (this.#open.size >= openMax) {
      this.#counts.notDone++;
      return this.store.reply(token, new Busy());
    }
    const number = ++this.#last;
    const until = this.clock.monotonic + (ask.within ?? withinMs);
    this.#open.set(number, { token, ask, until, handed: this.#isOpen });
    if (!this.#sweeping) {
      this.#sweeping = true;
      this.timer.trigger(
        new SchedulePeriodic({ period: sweepMs, timeout: new Sweep(), id: "sweep" }),
      );
    }
    if (this.#isOpen) this.#hand(number, ask);
  }

  #hand(context: number, ask: Request): void {
    if (ask instanceof Get) this.#get(ask, { context });
    else if (ask instanceof Put) this.#put(ask, { context });
    else if (ask instanceof Delete) this.#delete(ask, { context });
    else if (ask instanceof Apply) this.#apply(ask, { context });
    else if (ask instanceof Read) this.#read(ask, { context });
    else if (ask instanceof Commit) this.#commit(ask, { context });
    else if (ask instanceof Scan) this.#scan(ask, { context });
    else this.#browse(ask, { context });
  }

  #end(number: number, answer: StoreAnswer | AskTimeout): void {
    const one = this.#open.get(number);
    if (one === undefined || answer instanceof AskTimeout) return;
    this.#open.delete(number);
    if (answer instanceof Ambiguous) this.#counts.unknown++;
    else if (isNotDone(answer)) this.#counts.notDone++;
    else this.#counts.done++;
    this.store.reply(one.token, answer);
  }

  #watch(watch: Watch): void {
    if (this.#watches.size >= watchesMax && !this.#watches.has(watch.watch)) {
      this.store.trigger(new WatchRefused({ watch: watch.watch }));
      return;
    }
    this.#watches.set(watch.watch, watch);
    if (this.#isOpen) this.inner.trigger(watch);
  }

  /** Whoever was asked before is gone, or was never there. */
  #opened(): void {
    this.#isOpen = true;
    const now = this.clock.monotonic;
    for (const [number, one] of this.#open) {
      const { ask, handed, until } = one;
      if (handed)
        this.#end(number, writes(ask) ? new Ambiguous() : new NotDone({ reason: "stopped" }));
      else if (now < until) {
        one.handed = true;
        // The time that it has waited is gone.
        this.#hand(number, sooner(ask, until - now));
      }
    }
    for (const watch of this.#watches.values()) this.inner.trigger(watch);
  }

  #sweep(): void {
    const now = this.clock.monotonic;
    for (const [number, { ask, until, handed }] of this.#open) {
      if (!handed && now >= until) this.#end(number, new NotDone({ reason: "timeout" }));
      else if (now >= until + graceMs)
        this.#end(number, writes(ask) ? new Ambiguous() : new NotDone({ reason: "timeout" }));
    }
    if (this.#open.size > 0) return;
    this.#sweeping = false;
    this.timer.trigger(new CancelTimeout({ id: "sweep" }));
  }
}

function isNotDone(answer: Event): boolean {
  return (
    answer instanceof Busy ||
    answer instanceof NotDone ||
    answer instanceof Refused ||
    answer instanceof Aborted
  );
}

function writes(ask: Request): boolean {
  return (
    ask instanceof Put || ask instanceof Delete || ask instanceof Apply || ask instanceof Commit
  );
}

/** The same, with less time. */
function sooner(ask: Request, within: Millis): Request {
  if (ask instanceof Get) return new Get({ key: ask.key, within });
  if (ask instanceof Put) return new Put({ key: ask.key, value: ask.value, within });
  if (ask instanceof Delete) return new Delete({ key: ask.key, within });
  if (ask instanceof Apply) return new Apply({ updates: ask.updates, within });
  if (ask instanceof Read) {
    const { keys, apart = false, attempt } = ask;
    return new Read({ keys, apart, within, ...(attempt === undefined ? {} : { attempt }) });
  }
  if (ask instanceof Commit) {
    const { reads, writes, queues = false } = ask;
    return new Commit({ reads, writes, queues, within });
  }
  if (ask instanceof Scan) {
    const { from, to, limit } = ask;
    return new Scan({ from, to, within, ...(limit === undefined ? {} : { limit }) });
  }
  const { from, limit } = ask;
  return new Browse({ from, within, ...(limit === undefined ? {} : { limit }) });
}

/**
 * The pending table of a component: its unanswered asks and its armed timers, as rows of plain facts
 * and events instead of closures, so that a swap and a checkpoint can carry them.
 *
 * A row's number is its identity towards the answerer (in the reply token) and never returns, so a
 * late or second answer finds no row, or one that is answered already, and becomes a dead letter.
 * Answers come back on the channel on which the request left, so holds and order apply to them.
 */

import { AskTimeout } from "./ask.ts";
import type { ChannelCore } from "./channel.ts";
import type { ComponentCore } from "./component-core.ts";
import { coreError } from "./errors.ts";
import type { Event, Timeout } from "./event.ts";
import { Few } from "./few.ts";
import type { PortHalf } from "./half.ts";
import type { Traced } from "./inspect.ts";
import type { Target } from "./mailbox.ts";
import { copyPlain } from "./plain.ts";
import {
  CancelTimeout,
  Expired,
  SchedulePeriodic,
  ScheduleTimeout,
  type TimerId,
} from "./timer.ts";
import type { Millis } from "./types.ts";

/** What a row waits for. */
type Waiting =
  | {
      readonly kind: "answer";
      readonly request: Event;
      readonly context: unknown;
      timer: number | undefined;
    }
  | {
      readonly kind: "timeout";
      readonly timeout: Timeout;
      readonly id: TimerId | undefined;
      readonly periodic: boolean;
    }
  /** The timeout of an ask, by the ask's row. */
  | { readonly kind: "ask-timeout"; readonly ask: number; readonly duration: Millis }
  /** The back-off before a child is started again, by its name. */
  | { readonly kind: "restart"; readonly child: string };

/** One row. */
export interface PendingRow {
  readonly number: number;
  readonly waiting: Waiting;
  /** The asker's half; after a swap, the replacement's half of the same name. */
  half: PortHalf;
  channel: ChannelCore;
  /** An answer is on its way: in the mailbox, or kept by a held channel. */
  queued: boolean;
  /** The timeout that passed while the answer was on its way: it counts if the answer is lost. */
  passed: Millis | undefined;
  /** The number of the request, where someone listened: the cause of an answer that comes from outside. */
  cause: number;
}

/** The reply token as the kernel builds it. */
export interface Token {
  readonly asker: number;
  readonly ask: number;
}

interface Options {
  readonly timeout?: Millis;
  readonly context?: unknown;
}

/** Bounded by the component's mailbox bound. */
export class PendingTable implements Target {
  readonly rows = new Few<number, PendingRow>();
  /** Rows of timers by the id that the component gave them. */
  readonly ids = new Few<TimerId, number>();
  lastNumber = 0;
  readonly #core: ComponentCore;

  constructor(core: ComponentCore) {
    this.#core = core;
  }

  /** How many asks wait for an answer. */
  get asksWaiting(): number {
    let count = 0;
    for (const row of this.rows.values()) if (row.waiting.kind === "answer") count++;
    return count;
  }

  /** Sends a request that wants an answer. */
  ask(half: PortHalf, request: Event, options: Options): void {
    const core = this.#core;
    if (core.system.current !== core) throw core.outsideTurn(`${half.describe()} was asked`);
    if (core.shadow) {
      core.defer(() => this.ask(half, request, options));
      return;
    }
    const channel = this.#onlyTaker(half, request);
    const context = copyPlain(
      options.context,
      `The context of ${request.constructor.name}, asked by ${core.path},`,
    );
    const row = this.#add(half, channel, { kind: "answer", request, context, timer: undefined });
    if (options.timeout !== undefined && row.waiting.kind === "answer") {
      try {
        row.waiting.timer = this.#arm(core.timerHalf(), options.timeout, {
          kind: "ask-timeout",
          ask: row.number,
          duration: options.timeout,
        });
      } catch (error) {
        this.rows.delete(row.number);
        throw error;
      }
    }
    this.#pass(half, channel, request, row.number);
  }

  /** Handles what a component triggers on its Timer port. */
  schedule(half: PortHalf, event: Event): void {
    if (event instanceof CancelTimeout) {
      const number = this.ids.get(event.id);
      if (number !== undefined) this.#disarm(number);
    } else if (event instanceof ScheduleTimeout || event instanceof SchedulePeriodic) {
      const { id } = event;
      const before = id === undefined ? undefined : this.ids.get(id);
      if (before !== undefined) this.#disarm(before);
      const periodic = event instanceof SchedulePeriodic;
      const delay = event instanceof SchedulePeriodic ? (event.delay ?? event.period) : event.delay;
      if (!(delay >= 0) || (event instanceof SchedulePeriodic && !(event.period > 0))) {
        throw coreError(
          "KITH_BAD_ARGUMENT",
          `${this.#core.path} scheduled ${event.timeout.constructor.name} after ${delay} ms.`,
        );
      }
      const channel = this.#onlyTaker(half, event);
      const row = this.#add(half, channel, {
        kind: "timeout",
        timeout: event.timeout,
        id,
        periodic,
      });
      if (id !== undefined) this.ids.set(id, row.number);
      this.#pass(half, channel, event, row.number);
    }
  }

  /** Starts the back-off before the child of that name is started again. */
  restartAfter(delay: Millis, child: string): void {
    this.#arm(this.#core.timerHalf(), delay, { kind: "restart", child });
  }

  /**
   * Takes the answer to one of the rows from the replier and sends it on its way.
   *
   * @returns false where nobody waits for it (any more)
   */
  answer(row: PendingRow, answer: Event, from: PortHalf): boolean {
    const timer = row.waiting.kind !== "answer";
    // A periodic timer that is behind keeps one timeout pending; more of them are not dead letters.
    if (row.queued) return timer;
    const { channel } = row;
    if (channel.cut) return false;
    row.queued = true;
    const { system } = this.#core;
    channel.answer(
      answer,
      system.tap === null ? row : system.traceTrigger(from, answer, row, row.cause),
    );
    return true;
  }

  /** Runs one answer at the asker. */
  execute(answer: object, meta: unknown): void {
    if ((meta as Traced).traced === true) {
      const { meta: inner } = meta as Traced;
      const { half, waiting } = inner as PendingRow;
      const shown = waiting.kind === "timeout" ? waiting.timeout : (answer as Event);
      this.#core.system.traced(half, shown, meta as Traced, () => this.execute(answer, inner));
      return;
    }
    const row = meta as PendingRow;
    const { waiting, number } = row;
    // Cancelled while it was queued, or answered in time after all: not for anybody any more.
    if (this.rows.get(number) !== row) {
      answerLost(row);
      if (waiting.kind === "answer")
        this.#core.system.deadLetter("no-asker", this.#core, row.half.name, answer as Event);
      return;
    }
    row.queued = false;
    if (waiting.kind === "timeout") {
      if (!waiting.periodic) this.#remove(row);
      // A fault names what the component was given, not the provider's word that the time has come.
      this.#core.controlEvent = waiting.timeout;
      row.half.execute(waiting.timeout, null);
      this.#core.controlEvent = undefined;
      return;
    }
    this.#remove(row);
    if (waiting.kind === "answer") {
      if (waiting.timer !== undefined) this.#disarm(waiting.timer);
      row.half.answered(answer as Event, waiting.request, waiting.context);
    } else if (waiting.kind === "ask-timeout") {
      const ask = this.rows.get(waiting.ask);
      if (ask?.waiting.kind !== "answer") return;
      // An answer that came in time and only waits in the mailbox counts.
      if (ask.queued) {
        ask.passed = waiting.duration;
        return;
      }
      this.rows.delete(waiting.ask);
      const { half, waiting: asked } = ask;
      const answerless = new AskTimeout({ timeout: waiting.duration });
      this.#core.controlEvent = answerless;
      half.answered(answerless, asked.request, asked.context);
      this.#core.controlEvent = undefined;
    } else {
      this.#core.system.restartChild(this.#core, waiting.child);
    }
  }

  /** Forgets the asks, and cancels the timers at their providers: on stop, kill and restart. */
  cancelAll(): void {
    for (const row of this.rows.values()) {
      if (row.waiting.kind === "answer") this.rows.delete(row.number);
      else this.#disarm(row.number);
    }
  }

  /** Cancels the timers of the component itself, not those behind its asks and restarts: on stop. */
  cancelTimers(): void {
    for (const row of this.rows.values())
      if (row.waiting.kind === "timeout") this.#disarm(row.number);
  }

  #arm(half: PortHalf, delay: Millis, waiting: Waiting): number {
    if (!(delay >= 0))
      throw coreError(
        "KITH_BAD_ARGUMENT",
        `${this.#core.path} asked for a timeout of ${delay} ms.`,
      );
    const event = new ScheduleTimeout({ delay, timeout: nothing });
    const channel = this.#onlyTaker(half, event);
    const row = this.#add(half, channel, waiting);
    this.#pass(half, channel, event, row.number);
    return row.number;
  }

  #disarm(number: number): void {
    const row = this.rows.get(number);
    if (row === undefined) return;
    this.#remove(row);
    const { channel } = row;
    if (!channel.cut) this.#pass(row.half, channel, new CancelTimeout({ id: number }), number);
  }

  #add(half: PortHalf, channel: ChannelCore, waiting: Waiting): PendingRow {
    const core = this.#core;
    if (this.rows.size >= core.bound) {
      throw coreError(
        "KITH_PENDING_OVERFLOW",
        `${core.path} waits for ${this.rows.size} answers and timeouts, its bound.`,
      );
    }
    const row: PendingRow = {
      number: ++this.lastNumber,
      waiting,
      half,
      channel,
      queued: false,
      passed: undefined,
      cause: 0,
    };
    this.rows.set(row.number, row);
    return row;
  }

  #remove(row: PendingRow): void {
    this.rows.delete(row.number);
    const { waiting } = row;
    if (
      waiting.kind === "timeout" &&
      waiting.id !== undefined &&
      this.ids.get(waiting.id) === row.number
    )
      this.ids.delete(waiting.id);
  }

  #pass(half: PortHalf, channel: ChannelCore, event: Event, number: number): void {
    const { system, id } = this.#core;
    const token: Token = { asker: id, ask: number };
    const meta = system.tap === null ? token : system.traceTrigger(half, event, token);
    if (system.tap !== null) {
      const row = this.rows.get(number);
      if (row !== undefined) row.cause = (meta as Traced).id;
    }
    if (channel.holds > 0 && (channel.provider !== null || channel.held)) {
      channel.keep(false, event, meta, false);
    } else if (channel.provider !== null)
      channel.provider.core.receive(channel.provider, event, meta);
    else system.deadLetter("unplugged", this.#core, half.name, event);
  }

  #onlyTaker(half: PortHalf, request: Event): ChannelCore {
    const only = half.onlyPlain;
    // The usual case, for which no list has to be made.
    if (
      only !== null &&
      only.passRequest === null &&
      only.provider?.wants(request.constructor) === true
    )
      return only;
    const takers = half.takers(request);
    const what = `${request.constructor.name}, asked at ${half.describe()},`;
    if (takers.length === 0) throw coreError("KITH_ASK_NO_RECEIVER", `${what} has no receiver.`);
    if (takers.length > 1)
      throw coreError("KITH_ASK_MANY_RECEIVERS", `${what} has ${takers.length} receivers.`);
    return takers[0] as ChannelCore;
  }
}

/**
 * Says that an answer which was on its way has become a dead letter: whoever asked waits again, and
 * is told of the timeout if that has passed meanwhile.
 */
export function answerLost(meta: unknown): void {
  const row = ((meta as Traced).traced === true ? (meta as Traced).meta : meta) as PendingRow;
  const { core } = row.half;
  if (!core.hasPending || core.pending.rows.get(row.number) !== row) return;
  row.queued = row.passed !== undefined;
  if (row.passed === undefined) return;
  // Beyond the bound of the mailbox too: there is one for each row at most, and else nobody would be told.
  core.add(core.pending, new AskTimeout({ timeout: row.passed }), row);
  core.schedule();
}

/** Stands where a schedule needs a timeout and the row itself says what is meant. */
const nothing: Timeout = new Expired() as unknown as Timeout;

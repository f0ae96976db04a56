/**
 * The Timer of the real world. However many of them there are in a process, and however much is armed,
 * they share one timer of the host (`alarm.ts`).
 *
 * What is armed is a row of plain data and stays one until its answer is given, also while the answer
 * waits for its turn: a swap takes rows along, and its successor arms them again.
 */

import {
  CancelTimeout,
  Component,
  Expired,
  type ReplyToken,
  SchedulePeriodic,
  ScheduleTimeout,
  Timer,
} from "@kith/core";
import { Alarm, alarm, type Armed } from "./alarm.ts";

/** What one armed timer is, for the successor of this component. Times are in microseconds. */
interface TimerRow {
  readonly token: ReplyToken<Expired>;
  readonly due: number;
  readonly period: number;
}

interface Row extends TimerRow, Armed {
  due: number;
}

/** How many answers a turn gives at most, so that the others have theirs. */
const answersMax = 256;

/** Provides Timer by the host's monotonic clock. */
export class HostTimer extends Component {
  readonly timer = this.provides(Timer);
  /** A world may bring an alarm of its own as its host; tests do. */
  readonly #alarm = this.host instanceof Alarm ? this.host : alarm;
  readonly #rows = new Map<number, Row>();
  /** What has rung, in the order of the times, and has no answer yet. */
  #due: Row[] = [];
  #entered = false;

  constructor() {
    super();
    this.timer.on(ScheduleTimeout, ({ delay }, token) => this.#arm(token, delay, 0));
    this.timer.on(SchedulePeriodic, ({ delay, period }, token) =>
      this.#arm(token, delay ?? period, period),
    );
    this.timer.on(CancelTimeout, (_, token) => this.#forget(keyOf(token)));
    this.onAcquire(() => {
      for (const row of this.#rows.values()) this.#alarm.arm(row);
    });
    this.onRelease(() => {
      for (const row of this.#rows.values()) this.#alarm.disarm(row);
      this.#due = [];
    });
  }

  exportState(): { readonly rows: readonly TimerRow[] } {
    const rows = [...this.#rows.values()];
    return { rows: rows.map(({ token, due, period }) => ({ token, due, period })) };
  }

  importState(state: { readonly rows: readonly TimerRow[] }): void {
    for (const { token, due, period } of state.rows)
      this.#rows.set(keyOf(token), this.#row(token, due, period));
  }

  #arm(token: ReplyToken<Expired>, delayMs: number, periodMs: number): void {
    this.#forget(keyOf(token));
    // Never early: a fraction of a microsecond counts as a whole one.
    const due = this.#alarm.now() + Math.ceil(delayMs * 1000);
    const row = this.#row(token, due, Math.ceil(periodMs * 1000));
    this.#rows.set(keyOf(token), row);
    this.#alarm.arm(row);
  }

  #forget(key: number): void {
    const row = this.#rows.get(key);
    if (row === undefined) return;
    this.#rows.delete(key);
    this.#alarm.disarm(row);
  }

  #row(token: ReplyToken<Expired>, due: number, period: number): Row {
    const row: Row = { token, due, period, place: -1, order: 0, ring: () => this.#rang(row) };
    return row;
  }

  #rang(row: Row): void {
    this.#due.push(row);
    this.#enterOnce();
  }

  #enterOnce(): void {
    if (this.#entered) return;
    this.#entered = true;
    this.enter(() => this.#answer());
  }

  #answer(): void {
    this.#entered = false;
    const now = this.#due.splice(0, answersMax);
    if (this.#due.length > 0) this.#enterOnce();
    for (const row of now) {
      const { token, period } = row;
      // It may have been cancelled, or armed anew, since it rang.
      if (this.#rows.get(keyOf(token)) !== row) continue;
      if (period > 0) {
        // What was missed in a pause is not made up for.
        const late = Math.max(0, this.#alarm.now() - row.due);
        row.due += period * (Math.floor(late / period) + 1);
        this.#alarm.arm(row);
      } else {
        this.#rows.delete(keyOf(token));
      }
      this.timer.reply(token, new Expired());
    }
  }
}

/** One number for a token: an asker asks less than 2^32 times, and there are less than 2^21 of them. */
function keyOf(token: ReplyToken): number {
  return token.asker * 0x1_0000_0000 + token.ask;
}

/**
 * Random histories of simulated clients: each operation is called, takes effect, and returns, at random instants of
 * one sequence. The store is right unless its effects are told to be wrong.
 */

import type { HistoryEvent, HistoryEventType } from "./event.ts";

/** Random numbers, the same for the same seed. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b1);
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % bound;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)] as T;
  }
}

export interface Call {
  readonly op: string;
  readonly key?: string;
  readonly value?: unknown;
}

/** What the store answers; `false` where the operation fails. */
export type Answer = { readonly value?: unknown } | false;

export interface Clients {
  readonly operations: number;
  readonly processes: number;
  /** The share of operations whose outcome is not known, in percent. */
  readonly infos?: number;
  readonly next: (dice: Dice) => Call;
  /** Takes effect, in one or more parts; the last part gives the answer. */
  readonly effects: (call: Call, dice: Dice) => readonly (() => Answer | undefined)[];
}

interface Open {
  readonly process: number;
  readonly call: Call;
  readonly parts: (() => Answer | undefined)[];
  answer: Answer;
  /** Its outcome will not be known; whether its effects go on all the same, now or later. */
  readonly lost: boolean;
}

/** One random history. */
export function history(dice: Dice, clients: Clients): HistoryEvent[] {
  const { operations, processes, infos = 10, next, effects } = clients;
  const events: HistoryEvent[] = [];
  const emit = (process: number, type: HistoryEventType, call: Call, value?: unknown): void => {
    events.push({
      process,
      type,
      ...call,
      ...(value === undefined ? {} : { value }),
      time: events.length,
    });
  };
  let begun = 0;
  let fresh = processes;
  const idle = Array.from({ length: processes }, (_, i) => i);
  const open: Open[] = [];
  const behind: Open[] = [];
  while (begun < operations || open.length > 0) {
    const late = dice.below(4) === 0 ? behind[dice.below(behind.length || 1)] : undefined;
    late?.parts.shift()?.();
    if (begun < operations && idle.length > 0 && (open.length === 0 || dice.chance(40))) {
      const process = idle.splice(dice.below(idle.length), 1)[0] as number;
      const call = next(dice);
      const parts = [...effects(call, dice)];
      open.push({ process, call, parts, answer: {}, lost: dice.chance(infos) });
      emit(process, "invoke", call);
      begun++;
      continue;
    }
    const at = dice.below(open.length);
    const one = open[at];
    if (one === undefined) continue;
    if (one.lost && dice.chance(50)) {
      open.splice(at, 1);
      behind.push(one);
      emit(one.process, "info", one.call);
      idle.push(fresh++);
      continue;
    }
    const part = one.parts.shift();
    if (part !== undefined) {
      one.answer = part() ?? one.answer;
      continue;
    }
    if (one.lost) continue;
    open.splice(at, 1);
    idle.push(one.process);
    if (one.answer === false) emit(one.process, "fail", one.call);
    else emit(one.process, "ok", one.call, one.answer.value);
  }
  return events;
}

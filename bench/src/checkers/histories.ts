/**
 * Long histories of a correct store, as a real run would record them: each operation is called, takes effect and
 * returns at random instants, many of them side by side. Some have an outcome that their client never learns.
 */

import type { HistoryEvent } from "@kith/testing/history";

/** What a history is like. */
export interface Shape {
  readonly operations: number;
  /** How many operations run side by side. */
  readonly processes: number;
  readonly keys: number;
  /** The share of operations that end in `info`, in percent; half of them have taken effect. */
  readonly infos: number;
  /** Whether each value is written once, or values are 0 to 9. */
  readonly unique: boolean;
}

interface Open {
  readonly process: number;
  readonly event: HistoryEvent;
  done: boolean;
  answer: unknown;
}

type Apply = (op: string, key: string, value: unknown) => unknown;

/** Registers: half reads, a third writes, the rest compare-and-set. */
export function registerHistory(shape: Shape): HistoryEvent[] {
  const below = dice(shape.operations);
  const state = new Map<string, number | null>();
  let fresh = 0;
  const value = (): number => (shape.unique ? ++fresh : below(10));
  return clients(
    shape,
    below,
    () => {
      const key = `k${below(shape.keys)}`;
      const kind = below(12);
      if (kind < 6) return { op: "read", key };
      if (kind < 10) return { op: "write", key, value: value() };
      return { op: "cas", key, value: [state.get(key) ?? null, value()] };
    },
    (op, key, given) => {
      const has = state.get(key) ?? null;
      if (op === "read") return has;
      if (op === "write" && typeof given === "number") state.set(key, given);
      if (op === "cas" && Array.isArray(given)) {
        if (given[0] !== has) return undefined;
        state.set(key, given[1]);
      }
      return given;
    },
  );
}

/** Transactions of one to four steps, reads and appends, over lists of at most 64 elements. */
export function appendHistory(shape: Shape): HistoryEvent[] {
  const below = dice(shape.operations);
  const lists = new Map<string, number[]>();
  let fresh = 0;
  // A new set of keys every so often keeps the lists short, as the workload of Elle does.
  const key = (): string => `k${Math.floor(fresh / (32 * shape.keys))}-${below(shape.keys)}`;
  return clients(
    shape,
    below,
    () => ({
      op: "txn",
      value: Array.from({ length: 1 + below(4) }, () =>
        below(2) === 0 ? ["r", key(), null] : ["append", key(), ++fresh],
      ),
    }),
    (_op, _key, steps) => {
      if (!Array.isArray(steps)) return undefined;
      return steps.map(([kind, of, element]) => {
        const list = lists.get(of) ?? [];
        if (kind === "r") return [kind, of, list];
        lists.set(of, [...list, element]);
        return [kind, of, element];
      });
    },
  );
}

function clients(
  { operations, processes, infos }: Shape,
  below: (bound: number) => number,
  next: () => Pick<HistoryEvent, "op" | "key" | "value">,
  apply: Apply,
): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  const idle = Array.from({ length: processes }, (_, i) => i);
  const open: Open[] = [];
  let fresh = processes;
  let begun = 0;
  while (begun < operations || open.length > 0) {
    const process = begun < operations ? idle.pop() : undefined;
    if (process !== undefined) {
      const event: HistoryEvent = { process, type: "invoke", ...next(), time: events.length * 1e6 };
      events.push(event);
      open.push({ process, event, done: false, answer: undefined });
      begun++;
      continue;
    }
    const at = below(open.length);
    const one = open[at];
    if (one === undefined) break;
    const { op, key = "", value } = one.event;
    const lost = below(200) < infos;
    if (!one.done && !lost) {
      one.answer = apply(op, key, value);
      one.done = true;
      continue;
    }
    open[at] = open.at(-1) ?? one;
    open.pop();
    const type = lost ? "info" : one.answer === undefined ? "fail" : "ok";
    idle.push(type === "info" ? fresh++ : one.process);
    const told = type === "ok" ? { value: one.answer } : {};
    events.push({ ...one.event, ...told, type, time: events.length * 1e6 });
  }
  return events;
}

function dice(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % bound;
  };
}

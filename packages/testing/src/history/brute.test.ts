/**
 * Brute force: what a history means, tried out literally, by putting its operations in every order. Shares no
 * code with the checkers, and is good for a handful of operations.
 */

import type { HistoryEvent } from "./event.ts";

interface Op {
  readonly from: number;
  readonly to: number;
  readonly must: boolean;
  readonly call: HistoryEvent;
  readonly answer: unknown;
}

type State = Readonly<Record<string, unknown>>;
type Model = (state: State, call: HistoryEvent, answer: unknown, must: boolean) => State | null;

/** Whether some order of the operations, in agreement with real time, gives each of them its answer. */
function hasOrder(history: readonly HistoryEvent[], model: Model): boolean {
  const ops: Op[] = [];
  history.forEach((call, from) => {
    if (call.type !== "invoke") return;
    const rest = history.slice(from + 1);
    const at = rest.findIndex((one) => one.process === call.process);
    const end = rest[at];
    if (end?.type === "fail") return;
    const must = end?.type === "ok";
    ops.push({ from, to: must ? from + 1 + at : Infinity, must, call, answer: end?.value ?? null });
  });
  const go = (state: State, left: readonly Op[]): boolean => {
    if (left.every(({ must }) => !must)) return true;
    const limit = Math.min(...left.map(({ to }) => to));
    return left.some((op) => {
      if (op.from > limit) return false;
      const next = model(state, op.call, op.answer, op.must);
      if (next === null) return false;
      return go(
        next,
        left.filter((other) => other !== op),
      );
    });
  };
  return go({}, ops);
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

export function registersBrute(history: readonly HistoryEvent[]): boolean {
  return hasOrder(history, (state, { op, key = "", value }, answer, must) => {
    const has = state[key] ?? null;
    if (op === "read") return !must || same(has, answer) ? state : null;
    if (op === "write") return { ...state, [key]: value };
    const [from, to] = value as [unknown, unknown];
    return same(has, from) ? { ...state, [key]: to } : null;
  });
}

export function appendsBrute(history: readonly HistoryEvent[]): boolean {
  return hasOrder(history, (state, { value }, answer, must) => {
    const now: Record<string, unknown[]> = { ...(state as Record<string, unknown[]>) };
    for (const [kind, key, of] of (must ? answer : value) as [string, string, unknown][]) {
      if (kind === "append") now[key] = [...(now[key] ?? []), of];
      else if (must && !same(now[key] ?? [], of ?? [])) return null;
    }
    return now;
  });
}

export function setBrute(history: readonly HistoryEvent[]): boolean {
  return hasOrder(history, (state, { op, key = "", value }, answer, must) => {
    const has = (state[key] ?? []) as readonly number[];
    if (op === "add") return { ...state, [key]: [...has, value as number].sort((a, b) => a - b) };
    return !must ||
      same(
        has,
        [...((answer ?? []) as number[])].sort((a, b) => a - b),
      )
      ? state
      : null;
  });
}

export function counterBrute(history: readonly HistoryEvent[]): boolean {
  return hasOrder(history, (state, { op, key = "", value }, answer, must) => {
    const has = (state[key] ?? 0) as number;
    if (op === "add") return { ...state, [key]: has + (value as number) };
    return !must || has === (answer ?? 0) ? state : null;
  });
}

/** Whether no two reads of the same keys see different single writes; every pair is compared. */
export function longForkBrute(history: readonly HistoryEvent[]): boolean {
  const reads = history
    .filter(
      ({ type, value }) => type === "ok" && (value as string[][]).every(([kind]) => kind === "r"),
    )
    .map(
      ({ value }) =>
        new Map((value as [string, string, unknown][]).map(([, key, of]) => [key, of])),
    );
  return reads.every((a) =>
    reads.every((b) => {
      if (a.size !== b.size || ![...a.keys()].every((key) => b.has(key))) return true;
      const aMore = [...a].some(([key, of]) => of !== null && b.get(key) === null);
      const bMore = [...b].some(([key, of]) => of !== null && a.get(key) === null);
      return !(aMore && bMore);
    }),
  );
}

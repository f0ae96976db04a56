/**
 * Operations: the calls of a history, each with its return. This is where a history is found to be malformed, so
 * that no checker judges what cannot have happened.
 */

import { testError, type TestErrorCode } from "../errors.ts";
import type { HistoryEvent } from "./event.ts";
import { isValue, type Value } from "./value.ts";

/** How an operation ended: it happened, it did not, or nobody knows. */
export type Outcome = "ok" | "fail" | "info";

/** What all operations have. */
export interface Called {
  readonly process: number;
  readonly outcome: Outcome;
  /** The position of its call among the events. */
  readonly invoked: number;
  /** The position of its return; `Infinity` where it may still happen after the history's end. */
  readonly returned: number;
  /** The times of the two, in nanoseconds; `Infinity` like `returned`. */
  readonly invokedAt: number;
  readonly returnedAt: number;
}

/** Reads a key; `result` is null unless `ok`. */
export interface ReadOperation extends Called {
  readonly op: "read";
  readonly key: string;
  readonly result: Value;
}

/** Writes a key; null deletes it. */
export interface WriteOperation extends Called {
  readonly op: "write";
  readonly key: string;
  readonly value: Value;
}

/** Writes `to` where the key has `from`. */
export interface CasOperation extends Called {
  readonly op: "cas";
  readonly key: string;
  readonly from: Value;
  readonly to: Value;
}

/** Adds an element to a set, or an amount to a counter. */
export interface AddOperation extends Called {
  readonly op: "add";
  readonly key: string;
  readonly value: Value;
}

/** A step of a transaction; what an `r` has read is null unless the transaction is `ok`. */
export interface Step {
  readonly kind: "r" | "append" | "w";
  readonly key: string;
  readonly value: Value;
}

/** A transaction. */
export interface TransactionOperation extends Called {
  readonly op: "txn";
  readonly steps: readonly Step[];
}

/** An operation of a history. */
export type Operation =
  | ReadOperation
  | WriteOperation
  | CasOperation
  | AddOperation
  | TransactionOperation;

/**
 * The operations of a history, in the order of their calls.
 *
 * @throws KithError `KITH_HISTORY_OPEN` a process that calls while an operation of its is open,
 *   `KITH_HISTORY_RETIRED` one that goes on after `info`, `KITH_HISTORY_RETURN` a return without its call,
 *   `KITH_HISTORY_VALUE` an operation or a value of no known shape
 */
export function operationsOf(history: readonly HistoryEvent[]): Operation[] {
  const operations: Operation[] = [];
  const open = new Map<number, { readonly at: number; readonly slot: number }>();
  const retired = new Set<number>();
  history.forEach((event, at) => {
    const { process } = event;
    const call = open.get(process);
    if (retired.has(process)) {
      throw malformed("KITH_HISTORY_RETIRED", at, event, "comes after the process ended with info");
    }
    if (event.type === "invoke") {
      if (call !== undefined) {
        const what = `comes while event ${call.at} of its process is open`;
        throw malformed("KITH_HISTORY_OPEN", at, event, what);
      }
      open.set(process, { at, slot: operations.length });
      operations.push(paired(history, at, Infinity));
      return;
    }
    const invoke = call === undefined ? undefined : history[call.at];
    if (call === undefined || invoke === undefined) {
      throw malformed("KITH_HISTORY_RETURN", at, event, "has no call");
    }
    if (invoke.op !== event.op || (event.key ?? invoke.key) !== invoke.key) {
      throw malformed("KITH_HISTORY_RETURN", at, event, `does not fit the call, event ${call.at}`);
    }
    open.delete(process);
    if (event.type === "info") retired.add(process);
    operations[call.slot] = paired(history, call.at, at);
  });
  return operations;
}

/** The operations of one of the kinds, or a coded error that names the first other one. */
export function only<O extends Operation["op"]>(
  operations: readonly Operation[],
  kinds: readonly O[],
): Extract<Operation, { op: O }>[] {
  return operations.map((operation) => {
    if (isOf(operation, kinds)) return operation;
    const what = `Event ${operation.invoked} is a ${operation.op}; this check takes ${kinds.join(", ")} only.`;
    throw testError("KITH_HISTORY_VALUE", what);
  });
}

/** The operations by their key, in their order. */
export function byKey<O extends { readonly key: string }>(
  operations: readonly O[],
): Map<string, O[]> {
  const keys = new Map<string, O[]>();
  for (const operation of operations) {
    const list = keys.get(operation.key);
    if (list === undefined) keys.set(operation.key, [operation]);
    else list.push(operation);
  }
  return keys;
}

function isOf<O extends Operation["op"]>(
  operation: Operation,
  kinds: readonly O[],
): operation is Extract<Operation, { op: O }> {
  return kinds.some((kind) => kind === operation.op);
}

/** The operation of a call and its return, if it has one. */
function paired(history: readonly HistoryEvent[], at: number, end: number): Operation {
  const invoke = history[at];
  const ending = history[end];
  if (invoke === undefined) throw new RangeError(`the history has no event ${at}`);
  const outcome = ending === undefined || ending.type === "invoke" ? "info" : ending.type;
  const known = outcome !== "info" && ending !== undefined;
  const called: Called = {
    process: invoke.process,
    outcome,
    invoked: at,
    returned: known ? end : Infinity,
    invokedAt: invoke.time,
    returnedAt: known ? ending.time : Infinity,
  };
  const told = outcome === "ok" && ending !== undefined ? ending.value : null;
  if (invoke.op === "txn") {
    const asked = stepsOf(invoke.value, at, invoke);
    const steps = outcome === "ok" ? stepsOf(told, end, ending ?? invoke) : asked;
    if (outcome === "ok" && !sameSteps(asked, steps)) {
      throw malformed(
        "KITH_HISTORY_RETURN",
        end,
        ending ?? invoke,
        `has other steps than event ${at}`,
      );
    }
    return { ...called, op: "txn", steps };
  }
  const { key } = invoke;
  if (key === undefined) throw malformed("KITH_HISTORY_VALUE", at, invoke, "names no key");
  if (invoke.op === "read") {
    return { ...called, op: "read", key, result: valueOf(told, end, ending ?? invoke) };
  }
  const value = valueOf(invoke.value, at, invoke);
  if (invoke.op === "write" || invoke.op === "add") return { ...called, op: invoke.op, key, value };
  if (invoke.op !== "cas") {
    throw malformed("KITH_HISTORY_VALUE", at, invoke, "is of no kind that a checker knows");
  }
  const [from, to, ...more] = Array.isArray(value) ? value : [];
  if (!isValue(from) || !isValue(to) || more.length > 0) {
    throw malformed("KITH_HISTORY_VALUE", at, invoke, "needs [from, to] as its value");
  }
  return { ...called, op: "cas", key, from, to };
}

function stepsOf(value: unknown, at: number, event: HistoryEvent): Step[] {
  if (!Array.isArray(value)) throw malformed("KITH_HISTORY_VALUE", at, event, "has no steps");
  return value.map((step: unknown) => {
    const [kind, key, of = null] = Array.isArray(step) ? step : [];
    const known = kind === "r" || kind === "append" || kind === "w";
    if (!known || typeof key !== "string" || !isValue(of)) {
      throw malformed("KITH_HISTORY_VALUE", at, event, `has the step ${JSON.stringify(step)}`);
    }
    return { kind, key, value: of };
  });
}

function sameSteps(asked: readonly Step[], done: readonly Step[]): boolean {
  return (
    asked.length === done.length &&
    asked.every(({ kind, key, value }, i) => {
      const other = done[i];
      if (other === undefined || other.kind !== kind || other.key !== key) return false;
      return kind === "r" || JSON.stringify(value) === JSON.stringify(other.value);
    })
  );
}

function valueOf(value: unknown, at: number, event: HistoryEvent): Value {
  const given = value ?? null;
  if (!isValue(given)) {
    throw malformed("KITH_HISTORY_VALUE", at, event, "has a value that is no JSON, or has objects");
  }
  return given;
}

function malformed(code: TestErrorCode, at: number, event: HistoryEvent, what: string): Error {
  return testError(code, `Event ${at} of the history (${JSON.stringify(event)}) ${what}.`);
}

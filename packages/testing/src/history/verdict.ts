/**
 * Verdicts: what a checker says about a history. Not to know is a failure too: a check that gave up, or that
 * found nothing to look at, must not look like one that passed.
 */

import type { Operation, Step } from "./operation.ts";
import { identityOf, type Value } from "./value.ts";

/** The history is what the service may do. */
export interface Valid {
  readonly verdict: "valid";
  /** How many operations the checker looked at. */
  readonly operations: number;
}

/** The history is not what the service may do. */
export interface Invalid {
  readonly verdict: "invalid";
  /** The name of the mistake, as the literature has it: `G-single`, `lost update`. */
  readonly anomaly: string;
  /** What happened, in words, over several lines. */
  readonly explanation: string;
  /** Few operations which by themselves, without all others, cannot have happened. */
  readonly operations: readonly Operation[];
}

/** The checker does not know. */
export interface Undecided {
  readonly verdict: "undecided";
  readonly reason: string;
  /** What was spent before it gave up, in configurations; 0 where there was nothing to look at. */
  readonly spent: number;
}

/** What a checker says about a history. */
export type Verdict = Valid | Invalid | Undecided;

/** What is wrong, as a text for people; undefined where the history is valid. */
export function complaint(verdict: Verdict): string | undefined {
  if (verdict.verdict === "valid") return undefined;
  if (verdict.verdict === "undecided") return `undecided: ${verdict.reason}`;
  return `${verdict.anomaly}: ${verdict.explanation}`;
}

/** An invalid verdict; the explanation is the sentence and, below it, the operations line by line. */
export function invalid(
  anomaly: string,
  sentence: string,
  operations: readonly Operation[],
): Invalid {
  const ordered = [...operations].sort((a, b) => a.invoked - b.invoked);
  const lines = ordered.map((operation) => `  ${showOperation(operation)}`);
  return {
    verdict: "invalid",
    anomaly,
    explanation: [sentence, ...lines].join("\n"),
    operations: ordered,
  };
}

/** The operation in a line: when, who, what, and how it ended. */
export function showOperation(operation: Operation): string {
  const { process, invoked, returned, outcome } = operation;
  const span = returned === Infinity ? `${invoked}–` : `${invoked}–${returned}`;
  return `[${span}] process ${process}: ${showCall(operation)} (${outcome})`;
}

/** What the operation asked and got, without when and who. */
export function showCall(operation: Operation): string {
  switch (operation.op) {
    case "read":
      return operation.outcome === "ok"
        ? `read ${operation.key} = ${showValue(operation.result)}`
        : `read ${operation.key}`;
    case "write":
      return `write ${operation.key} = ${showValue(operation.value)}`;
    case "cas":
      return `cas ${operation.key} from ${showValue(operation.from)} to ${showValue(operation.to)}`;
    case "add":
      return `add ${showValue(operation.value)} to ${operation.key}`;
    case "txn":
      return operation.steps.map(showStep).join(", ");
  }
}

/** The value, cut short where it is long. */
export function showValue(value: Value): string {
  const text = identityOf(value);
  if (!Array.isArray(value) || text.length <= 60) return text;
  const last = value.slice(-3).map((one: Value) => identityOf(one));
  return `[… ${last.join(",")}] (${value.length} elements)`;
}

function showStep({ kind, key, value }: Step): string {
  if (kind === "r") return `read ${key} = ${showValue(value)}`;
  return kind === "append"
    ? `append ${showValue(value)} to ${key}`
    : `write ${key} = ${showValue(value)}`;
}

/**
 * Sets that only grow: linearizability of `add` and of `read`, which returns all elements.
 *
 * The reads must be ordered by inclusion, and then all else is too: what is in a read took effect before it, what
 * is not, after it. So it remains to look whether this order agrees with real time: whether a read lacks an element
 * that was there before the read was called, or before one of the read's own elements was added; and
 * whether it has one that nobody had begun to add. Each of these is necessary, and together they are
 * sufficient. It costs the length of all reads together.
 */

import { testError } from "../errors.ts";
import type { HistoryEvent } from "./event.ts";
import {
  type AddOperation,
  byKey,
  only,
  type Operation,
  operationsOf,
  type ReadOperation,
} from "./operation.ts";
import { identityOf } from "./value.ts";
import { type Invalid, invalid, showValue, type Verdict } from "./verdict.ts";

interface Element {
  readonly add: AddOperation;
  /** The position from which on it is known to be there, and the operation that proves it. */
  known: number;
  proof: Operation;
}

interface Reading {
  readonly read: ReadOperation;
  readonly elements: ReadonlySet<Element>;
}

/**
 * Judges a history of `add` and `read`, key by key. Undecided for a key that was never read.
 *
 * @throws KithError where the history is malformed, has other operations, or adds an element twice
 */
export function checkSet(history: readonly HistoryEvent[]): Verdict {
  const operations = only(operationsOf(history), ["add", "read"]);
  let unread: string | undefined;
  for (const [key, own] of byKey(operations)) {
    const elements = elementsOf(key, own);
    const readings: Reading[] = [];
    for (const one of own) {
      if (one.op !== "read" || one.outcome !== "ok") continue;
      const reading = readingOf(one, elements);
      if (!("elements" in reading)) return reading;
      readings.push(reading);
    }
    if (readings.length === 0) unread ??= key;
    const wrong = checkInclusion(readings) ?? checkTime(readings, [...elements.values()]);
    if (wrong !== undefined) return wrong;
  }
  if (unread === undefined) return { verdict: "valid", operations: operations.length };
  return { verdict: "undecided", reason: `nobody read the set ${unread}`, spent: 0 };
}

function elementsOf(
  key: string,
  own: readonly (AddOperation | ReadOperation)[],
): Map<string, Element> {
  const elements = new Map<string, Element>();
  for (const add of own) {
    if (add.op !== "add") continue;
    const identity = identityOf(add.value);
    if (elements.has(identity)) {
      const what = `${showValue(add.value)} is added to ${key} by event ${add.invoked} and by an earlier one.`;
      throw testError("KITH_HISTORY_UNIQUE", what);
    }
    const known = add.outcome === "ok" ? add.returned : Infinity;
    elements.set(identity, { add, known, proof: add });
  }
  return elements;
}

/** The elements of a read, which are known from its return on; or what cannot be in it. */
function readingOf(read: ReadOperation, all: ReadonlyMap<string, Element>): Reading | Invalid {
  if (!Array.isArray(read.result) && read.result !== null) {
    const what = `Event ${read.returned} read the set ${read.key} as ${showValue(read.result)}, which is no list.`;
    throw testError("KITH_HISTORY_VALUE", what);
  }
  const elements = new Set<Element>();
  for (const value of read.result ?? []) {
    const what = `A read of ${read.key} has ${showValue(value)}`;
    const element = all.get(identityOf(value));
    if (element === undefined)
      return invalid("unexpected element", `${what}, which nobody added.`, [read]);
    const both = [element.add, read];
    if (elements.has(element)) {
      return invalid("duplicate element", `${what} twice.`, both);
    }
    if (element.add.outcome === "fail") {
      return invalid("aborted element", `${what}, and adding it failed.`, both);
    }
    if (element.add.invoked > read.returned) {
      return invalid("element from the future", `${what}, which was added later.`, both);
    }
    elements.add(element);
    if (read.returned < element.known) {
      element.known = read.returned;
      element.proof = read;
    }
  }
  return { read, elements };
}

function checkInclusion(readings: readonly Reading[]): Invalid | undefined {
  const bySize = [...readings].sort((a, b) => a.elements.size - b.elements.size);
  let before: Reading | undefined;
  for (const reading of bySize) {
    for (const element of before?.elements ?? []) {
      if (reading.elements.has(element) || before === undefined) continue;
      const only = [...reading.elements].find((other) => !before?.elements.has(other));
      const adds = only === undefined ? [element.add] : [element.add, only.add];
      const what = `Two reads of ${reading.read.key} each lack an element of the other.`;
      return invalid("long fork", what, [...adds, before.read, reading.read]);
    }
    before = reading;
  }
  return undefined;
}

function checkTime(
  readings: readonly Reading[],
  elements: readonly Element[],
): Invalid | undefined {
  const byKnown = elements
    .filter(({ known }) => known !== Infinity)
    .sort((a, b) => a.known - b.known);
  for (const reading of readings) {
    const { read } = reading;
    let until = read.invoked;
    let reason: Operation = read;
    for (const { add } of reading.elements) {
      if (add.invoked <= until) continue;
      until = add.invoked;
      reason = add;
    }
    for (const element of byKnown) {
      if (element.known >= until) break;
      if (reading.elements.has(element)) continue;
      const { add, proof } = element;
      const later = readings.some(
        (other) => other.read.invoked > read.invoked && other.elements.has(element),
      );
      const anomaly = later ? "stale read" : "lost element";
      const what =
        reason === read
          ? `A read of ${read.key} lacks ${showValue(add.value)}, which was there before it was called.`
          : `A read of ${read.key} lacks ${showValue(add.value)}, but has an element that was added after it was there.`;
      return invalid(anomaly, what, [...new Set<Operation>([add, proof, reason, read])]);
    }
  }
  return undefined;
}

/**
 * Matchers: by class, by class and some of the fields, by class and a predicate.
 *
 * A matcher says why it refuses, because the reason is what the reader of a failed test wants to
 * know: the right event with one wrong field is the usual case.
 */

import type { Event, EventClass } from "@kith/core";
import { deepEqual } from "./equality.ts";
import { isOf } from "./kernel.ts";
import { show, showCause } from "./show.ts";

/** Some fields of an event, compared deeply; those left out may have any value. */
export type Fields<E> = { readonly [F in keyof E as F extends string ? F : never]?: E[F] };

/** What an event has to be beside its class: some of its fields, or what a predicate says. */
export type Match<E> = Fields<E> | ((event: E) => boolean);

/** Why an event does not match; undefined where it does. */
export type Refusal = string | undefined;

/** A matcher of events, and its text. */
export interface Matcher {
  /** `Ping { n: 1 }`, or `Ping` and a remark. */
  readonly text: string;
  /** As it stands in a script, after the port: `, Ping, { n: 1 }`. */
  readonly source: string;
  /** An empty reason where it is another class, which the reader sees for himself. */
  readonly refuses: (event: Event) => Refusal;
}

/** Makes the matcher for a class and what else is wanted. */
export function matcher<K extends EventClass>(
  cls: K,
  match: Match<K["prototype"]> | undefined,
): Matcher {
  const { name } = cls;
  if (match === undefined) {
    return { text: name, source: name, refuses: (event) => (isOf(event, cls) ? undefined : "") };
  }
  if (typeof match === "function") {
    return {
      text: `${name} that satisfies the predicate`,
      source: `${name}, (predicate)`,
      refuses: (event) => (isOf(event, cls) ? tested(() => match(event)) : ""),
    };
  }
  const fields: readonly (readonly [string, unknown])[] = Object.entries(match);
  return {
    text: `${name} ${show(match)}`,
    source: `${name}, ${show(match)}`,
    refuses: (event) => (isOf(event, cls) ? differing(event, fields) : ""),
  };
}

/** Asks a predicate; one that throws, such as an assertion, says no and why. */
export function tested(predicate: () => boolean): Refusal {
  try {
    return predicate() ? undefined : "the predicate says no";
  } catch (cause) {
    return `the predicate threw ${showCause(cause)}`;
  }
}

function differing(event: Event, fields: readonly (readonly [string, unknown])[]): Refusal {
  const actual = new Map<string, unknown>(Object.entries(event));
  const wrong = fields.filter(([name, value]) => !deepEqual(valueOf(event, actual, name), value));
  if (wrong.length === 0) return undefined;
  return wrong
    .map(([name, value]) => `${name} is ${show(valueOf(event, actual, name))}, not ${show(value)}`)
    .join("; ");
}

/** A field, or what a getter of the class makes of the fields. */
function valueOf(event: Event, own: ReadonlyMap<string, unknown>, name: string): unknown {
  if (own.has(name)) return own.get(name);
  const value: unknown = Reflect.get(event, name);
  return value;
}

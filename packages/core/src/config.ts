/**
 * Configuration: typed settings with defaults, handed down the tree, updatable while it runs.
 *
 * A setting is declared once, where it is used, with its default and its range. A value given to a
 * component holds for its whole subtree, unless a descendant is given another one. Text (from a
 * command line, a file, the environment) is converted by the setting itself, so that a conversion
 * cannot depend on who reads it.
 */

import { coreError } from "./errors.ts";
import type { Millis } from "./types.ts";

/** A setting of type `T`. */
export interface Setting<T> {
  /** Dotted name, unique in the program, such as `fd.heartbeat`. */
  readonly name: string;
  /** The value where nobody gave another one. */
  readonly fallback: T;
  /** A given value, checked. @throws KithError `KITH_BAD_SETTING` */
  of(value: T): Given;
  /** A given value, converted from text and checked. @throws KithError `KITH_BAD_SETTING` */
  parse(text: string): Given;
  /** The value in a given one of this setting's name. */
  read(given: Given): T;
}

/** A value given to a setting. Plain data. */
export interface Given {
  readonly name: string;
  readonly value: unknown;
  /** Set by the kernel on values given while the component runs, which its replacement inherits. */
  readonly updated?: true;
}

interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** Makers of settings, one for each type. */
export const setting = {
  /** A whole number. */
  integer(name: string, fallback: number, range: Range = {}): Setting<number> {
    return make(
      name,
      fallback,
      (v) => (Number.isSafeInteger(v) ? inRange(v, range) : "a whole number"),
      number,
    );
  },
  /** Any finite number. */
  number(name: string, fallback: number, range: Range = {}): Setting<number> {
    return make(
      name,
      fallback,
      (v) => (Number.isFinite(v) ? inRange(v, range) : "a finite number"),
      number,
    );
  },
  /** A duration in milliseconds; as text with a unit: `250us`, `20ms`, `1.5s`, `2m`, `1h`. */
  duration(name: string, fallback: Millis, range: Range = { min: 0 }): Setting<Millis> {
    return make(
      name,
      fallback,
      (v) => (Number.isFinite(v) ? inRange(v, range) : "a duration"),
      duration,
    );
  },
  /** True or false. */
  boolean(name: string, fallback: boolean): Setting<boolean> {
    return make(
      name,
      fallback,
      (v) => (typeof v === "boolean" ? undefined : "true or false"),
      (text) => (text.trim() === "true" ? true : text.trim() === "false" ? false : undefined),
    );
  },
  /** Any text, spaces at its ends included. */
  text(name: string, fallback: string): Setting<string> {
    return make(
      name,
      fallback,
      (v) => (typeof v === "string" ? undefined : "text"),
      (text) => text,
    );
  },
  /** One of the listed words. */
  oneOf<const W extends string>(
    name: string,
    words: readonly W[],
    fallback: NoInfer<W>,
  ): Setting<W> {
    return make<W>(
      name,
      fallback,
      (v) => (words.includes(v) ? undefined : `one of ${words.join(", ")}`),
      (text) => words.find((word) => word === text.trim()),
    );
  },
};

function make<T>(
  name: string,
  fallback: T,
  wanted: (value: T) => string | undefined,
  convert: (text: string) => T | undefined,
): Setting<T> {
  const of = (value: T): Given => {
    const problem = wanted(value);
    if (problem === undefined) return { name, value };
    throw coreError("KITH_BAD_SETTING", `Setting ${name} wants ${problem}, not ${shown(value)}.`);
  };
  of(fallback);
  return {
    name,
    fallback,
    of,
    parse: (text) => {
      const value = convert(text);
      if (value !== undefined) return of(value);
      throw coreError(
        "KITH_BAD_SETTING",
        `Setting ${name} cannot read the text ${JSON.stringify(text)}.`,
      );
    },
    read: (given) => given.value as T,
  };
}

function inRange(value: number, { min, max }: Range): string | undefined {
  if (min !== undefined && value < min) return `a number from ${min} up`;
  if (max !== undefined && value > max) return `a number up to ${max}`;
  return undefined;
}

function number(text: string): number | undefined {
  return /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) ? Number(text) : undefined;
}

const unitMillis: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

function duration(text: string): Millis | undefined {
  const parts = /^(\d+\.?\d*|\.\d+)(us|ms|s|m|h)$/.exec(text.trim());
  const unit = parts?.[2] === undefined ? undefined : unitMillis[parts[2]];
  // Whole microseconds: 1.005 s is 1005 ms, not 1004.9999999999999.
  return parts?.[1] === undefined || unit === undefined
    ? undefined
    : Math.round(Number(parts[1]) * unit * 1000) / 1000;
}

/** The value for people; JSON knows neither NaN nor bigints. */
function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

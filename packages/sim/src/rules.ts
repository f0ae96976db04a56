/**
 * Network faults as rules: a rule sees what is about to travel and gives a verdict, or none; the first
 * verdict wins. Rules are installed and removed at any time; without one a message just travels.
 *
 * A verdict of a rule depends on the seed, the rule's name, the link and the number of the message on
 * that link, and on nothing else: removing a rule leaves all draws of the others as they were. All
 * arithmetic is on integers, so that every engine computes the same.
 */

import { type Millis, mix, streamKey } from "@kith/core";
import { simError } from "./errors.ts";

/** What a rule knows of a message, or of a connection's first packet. */
export interface Travelling {
  /** The names of the nodes. */
  readonly from: string;
  readonly to: string;
  /** The tag of the message; empty for what opens a connection. */
  readonly tag: string;
  /** Its size in bytes; 0 where the codec is off. */
  readonly bytes: number;
  /** The simulated time in milliseconds. */
  readonly time: Millis;
  /** 32 random bits for this rule and this message. */
  readonly draw: number;
}

/** What becomes of a message. */
export type Verdict =
  /** It travels as if no rule had looked at it. */
  | { readonly kind: "pass" }
  /** It is lost. Within a connection it is sent again, as TCP does, until the connection gives up. */
  | { readonly kind: "drop" }
  /** It takes so much longer. */
  | { readonly kind: "delay"; readonly delay: Millis }
  /** It comes so often, each copy after a delay of its own; a connection takes the copies out again. */
  | { readonly kind: "duplicate"; readonly copies: number; readonly delay: Millis }
  /** It may overtake and be overtaken; a connection puts it into order again. */
  | { readonly kind: "reorder"; readonly delay: Millis }
  /** The connection breaks. */
  | { readonly kind: "reset" };

/** A rule. `name` keys its draws. */
export interface Rule {
  readonly name: string;
  readonly judge: (message: Travelling) => Verdict | undefined;
}

/** Which messages a rule is for; nothing given means all. */
export interface Scope {
  readonly from?: string | readonly string[];
  readonly to?: string | readonly string[];
  readonly tag?: string;
}

const drop: Verdict = { kind: "drop" };

/** Loses messages with a probability. */
export function loss(probability: number, scope: Scope = {}): Rule {
  const bound = threshold("loss", probability);
  return {
    name: `loss ${describe(scope)}`,
    judge: (m) => (within(m, scope) && m.draw < bound ? drop : undefined),
  };
}

/** Sends messages again, once, after up to `delay` milliseconds. */
export function duplication(probability: number, delay: Millis = 100, scope: Scope = {}): Rule {
  const bound = threshold("duplication", probability);
  return {
    name: `duplication ${describe(scope)}`,
    judge: (m) =>
      within(m, scope) && m.draw < bound
        ? { kind: "duplicate", copies: 2, delay: share(m.draw, delay) }
        : undefined,
  };
}

/** Lets messages overtake each other, by up to `delay` milliseconds. */
export function reordering(probability: number, delay: Millis = 20, scope: Scope = {}): Rule {
  const bound = threshold("reordering", probability);
  return {
    name: `reordering ${describe(scope)}`,
    judge: (m) =>
      within(m, scope) && m.draw < bound
        ? { kind: "reorder", delay: share(m.draw, delay) }
        : undefined,
  };
}

/** Makes messages late, by `min` to `max` milliseconds beyond the latency of their link. */
export function delay(min: Millis, max: Millis, scope: Scope = {}): Rule {
  return {
    name: `delay ${describe(scope)}`,
    judge: (m) =>
      within(m, scope) ? { kind: "delay", delay: min + share(m.draw, max - min) } : undefined,
  };
}

/** Breaks connections: each message does it with this probability. */
export function resets(probability: number, scope: Scope = {}): Rule {
  const bound = threshold("resets", probability);
  return {
    name: `resets ${describe(scope)}`,
    judge: (m) => (within(m, scope) && m.draw < bound ? { kind: "reset" } : undefined),
  };
}

/** Cuts the groups off from each other; nodes of no group reach everyone (a bridge). */
export function partition(...groups: readonly (readonly string[])[]): Rule {
  const groupOf = new Map(groups.flatMap((group, i) => group.map((name) => [name, i] as const)));
  return {
    name: `partition ${groups.map((group) => group.join(",")).join("|")}`,
    judge({ from, to }) {
      const a = groupOf.get(from);
      const b = groupOf.get(to);
      return a !== undefined && b !== undefined && a !== b ? drop : undefined;
    },
  };
}

/** Loses everything that goes one way. */
export function oneWay(from: string | readonly string[], to: string | readonly string[]): Rule {
  const scope = { from, to };
  return {
    name: `one way ${describe(scope)}`,
    judge: (m) => (within(m, scope) ? drop : undefined),
  };
}

/** The latency of a link in whole microseconds, from 32 random bits: integer or table arithmetic only. */
export type Latency = (
  link: { readonly from: string; readonly to: string },
  draw: number,
) => number;

/** Latencies uniform between two bounds in milliseconds. */
export function uniform(min: Millis, max: Millis): Latency {
  if (!(min >= 0 && max >= min))
    throw simError("KITH_SIM_ARGUMENT", `A latency from ${min} to ${max} ms was asked for.`);
  const low = Math.round(min * 1000);
  const span = Math.round(max * 1000) - low + 1;
  return (_, draw) => low + (draw % span);
}

/** Latencies drawn from a table of measured ones, in milliseconds, each as likely as it is often in it. */
export function table(millis: readonly Millis[]): Latency {
  const micros = millis.map((one) => Math.round(one * 1000));
  if (micros.length === 0) throw simError("KITH_SIM_ARGUMENT", "A table of latencies was empty.");
  return (_, draw) => micros[draw % micros.length] ?? 0;
}

/** How much later something arrives that was not lost, in microseconds. */
export function lateness(verdict: Verdict | undefined): number {
  return verdict !== undefined && "delay" in verdict ? Math.round(verdict.delay * 1000) : 0;
}

/** A rule in force, with the key of its draws. */
export interface Installed {
  readonly rule: Rule;
  readonly key: number;
}

/** The rules in force. */
export class Rules {
  readonly #seed: number | string;
  #installed: readonly Installed[] = [];

  constructor(seed: number | string) {
    this.#seed = seed;
  }

  /** Whether there is none. */
  get none(): boolean {
    return this.#installed.length === 0;
  }

  /** Puts a rule behind those in force. @returns removes it again */
  add(rule: Rule): () => void {
    const installed: Installed = { rule, key: streamKey(this.#seed, "rule", rule.name).low };
    this.#installed = [...this.#installed, installed];
    return () => {
      this.#installed = this.#installed.filter((one) => one !== installed);
    };
  }

  /** Those in force, for checkpoints: they do not change. */
  save(): readonly Installed[] {
    return this.#installed;
  }

  /** Puts those of a checkpoint into force. */
  load(installed: readonly Installed[]): void {
    this.#installed = installed;
  }

  /** Takes a rule out of force, wherever it was put into it. */
  remove(rule: Rule): void {
    this.#installed = this.#installed.filter((one) => one.rule !== rule);
  }

  /** The first verdict. `link` and `number` name the message: they key the draws. */
  judge(message: Omit<Travelling, "draw">, link: number, number: number): Verdict | undefined {
    for (const { rule, key } of this.#installed) {
      const verdict = rule.judge({ ...message, draw: mix(key ^ link, number) });
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  }
}

function within({ from, to, tag }: Travelling, scope: Scope): boolean {
  return (
    matches(from, scope.from) &&
    matches(to, scope.to) &&
    (scope.tag === undefined || scope.tag === tag)
  );
}

function matches(name: string, wanted: string | readonly string[] | undefined): boolean {
  return (
    wanted === undefined || (typeof wanted === "string" ? wanted === name : wanted.includes(name))
  );
}

function describe({ from = "*", to = "*", tag = "*" }: Scope): string {
  return `${String(from)}>${String(to)} ${tag}`;
}

function threshold(what: string, probability: number): number {
  if (!(probability >= 0 && probability <= 1))
    throw simError("KITH_SIM_ARGUMENT", `A probability of ${probability} was given for ${what}.`);
  return Math.round(probability * 0x1_0000_0000);
}

/** A part of a duration that depends on the draw alone, independent of what the draw was compared with. */
function share(draw: number, duration: Millis): Millis {
  return (mix(draw, 1) % (Math.round(duration * 1000) + 1)) / 1000;
}

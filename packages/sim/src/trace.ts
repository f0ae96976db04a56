/**
 * The rolling hash over every decision of a run, and the means to compare two runs of one seed.
 *
 * A decision is three numbers: what was chosen, at what time, and a fingerprint of what it was about
 * (who runs, which message, how it was judged). Two runs are equal when their hashes are; when they
 * are not, the first decision that differs is found by recording one run and following it in the other.
 */

import { mix } from "@kith/core";

/** What was decided. */
export const decisions = { turn: 0, event: 1, message: 2, verdict: 3, disk: 4, node: 5 } as const;

/** The number of a kind of decision. */
export type Decision = (typeof decisions)[keyof typeof decisions];

/** A decision that two runs of one seed took differently. */
export interface Difference {
  /** The number of the decision, counted from 0. */
  readonly index: number;
  /** What the first run decided; undefined where it had ended. */
  readonly first: string | undefined;
  /** What the second run decided; undefined where it had ended. */
  readonly second: string | undefined;
}

/** Hashes decisions; records or follows them when asked to. */
export class Trace {
  #high = 0x9e3779b9;
  #low = 0x7f4a7c15;
  #count = 0;
  #record: number[] | null = null;
  #follow: readonly number[] | null = null;
  #names: Map<number, string> | null = null;
  #difference: Difference | null = null;

  /** How many decisions were taken. */
  get count(): number {
    return this.#count;
  }

  /** The hash so far: 16 hexadecimal digits. */
  get hash(): string {
    return hex(this.#high) + hex(this.#low);
  }

  /** Takes a decision into the hash. */
  add(code: Decision, micros: number, about: number): void {
    this.#low = Math.imul(this.#low ^ about, 0x85ebca6b) ^ (micros | 0);
    this.#high = Math.imul(this.#high ^ this.#low ^ code, 0xc2b2ae35) + ((this.#low >>> 15) | 0);
    this.#count++;
    if (this.#record !== null) this.#record.push(code, micros, about);
    if (this.#follow !== null) this.#compare(code, micros, about);
  }

  /** Keeps every decision, so that another run can follow them. */
  record(names: Map<number, string>): readonly number[] {
    this.#names = names;
    return (this.#record = []);
  }

  /** Compares every decision with a recorded run. */
  follow(record: readonly number[], names: Map<number, string>): void {
    this.#follow = record;
    this.#names = names;
  }

  /** Whether names are wanted: asked first where building one costs something. */
  get naming(): boolean {
    return this.#names !== null;
  }

  /** Remembers what a fingerprint stands for, while decisions are recorded or followed. */
  name(about: number, text: () => string): void {
    if (this.#names !== null && !this.#names.has(about)) this.#names.set(about, text());
  }

  /** The first decision that differs from the recorded run. */
  difference(): Difference | null {
    if (
      this.#difference !== null ||
      this.#follow === null ||
      this.#follow.length / 3 === this.#count
    )
      return this.#difference;
    const index = this.#count;
    return { index, first: this.#describe(this.#follow, index), second: undefined };
  }

  /** The state of the hash, for checkpoints. */
  save(): readonly number[] {
    return [this.#high, this.#low, this.#count];
  }

  /** Goes on from a saved state. */
  load([high = 0, low = 0, count = 0]: readonly number[]): void {
    this.#high = high;
    this.#low = low;
    this.#count = count;
  }

  #compare(code: number, micros: number, about: number): void {
    const index = this.#count - 1;
    const follow = this.#follow ?? [];
    if (
      follow[index * 3] === code &&
      follow[index * 3 + 1] === micros &&
      follow[index * 3 + 2] === about
    )
      return;
    this.#difference ??= {
      index,
      first: this.#describe(follow, index),
      second: this.#describe([code, micros, about], 0),
    };
  }

  #describe(record: readonly number[], index: number): string | undefined {
    const [code, micros, about] = record.slice(index * 3, index * 3 + 3);
    if (code === undefined || micros === undefined || about === undefined) return undefined;
    return `${Object.keys(decisions)[code] ?? "?"} at ${micros} µs: ${this.#names?.get(about) ?? hex(about)}`;
  }
}

/** Folds bytes into 32 bits. */
export function fingerprint(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return mix(hash, bytes.length);
}

function hex(x: number): string {
  return (x >>> 0).toString(16).padStart(8, "0");
}

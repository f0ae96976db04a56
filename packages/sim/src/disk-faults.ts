/**
 * Disk faults as rules: a rule sees what a disk is about to do and gives a verdict, or none. Delays of
 * several rules add up; of the other verdicts the first wins. Without a rule the disk just does it.
 *
 * A rule's draw depends on the seed, the rule's name, the disk, what the disk does and how often it did
 * that before, and on nothing else: removing a rule leaves the draws of all others as they were.
 */

import { type Millis, mix, streamKey } from "@kith/core";
import { simError } from "./errors.ts";

/** What a disk does, as far as faults can touch it. */
export type DiskDeed =
  /** A batch is taken, in memory. */
  | "write"
  /** What was taken is made durable. */
  | "flush"
  /** Something is read. */
  | "read"
  /** Batches have become durable, and lie on the device from now on. */
  | "store"
  /** The power is cut; judged for each batch that was not durable. */
  | "crash";

const deeds: readonly DiskDeed[] = ["write", "flush", "read", "store", "crash"];

/** What a rule knows of a deed. */
export interface DiskOperation {
  readonly deed: DiskDeed;
  /** The name of the node. */
  readonly node: string;
  /** How often this disk did it before; for `crash`, the number of the batch. */
  readonly number: number;
  /** How much is written, flushed, read or at stake. */
  readonly bytes: number;
  /** For `write`: how much the device holds before and after it. */
  readonly usedBefore: number;
  readonly used: number;
  /** The simulated time in milliseconds. */
  readonly time: Millis;
  /** 32 random bits for this rule and this deed. */
  readonly draw: number;
}

/** What becomes of a deed. */
export type DiskVerdict =
  /** It takes so much longer. */
  | { readonly kind: "slow"; readonly delay: Millis }
  /** A write finds the disk full, a read gives an error, a flush fails and the storage is dead. */
  | { readonly kind: "fail" }
  /** What lies on the device is changed (of `store`). */
  | { readonly kind: "rot" }
  /** The batch survives the crash, is lost, or survives in part (of `crash`). */
  | { readonly kind: "keep" | "lose" | "tear" };

/** A rule. `name` keys its draws, and names its counter. */
export interface DiskRule {
  readonly name: string;
  readonly judge: (operation: DiskOperation) => DiskVerdict | undefined;
}

const fail: DiskVerdict = { kind: "fail" };

/** Lets flushes fail with this probability: the storage is dead until the node starts anew. */
export function failingFlush(probability: number): DiskRule {
  return rule("failing flush", "flush", probability, () => fail);
}

/** Makes flushes take `min` to `max` milliseconds longer, with this probability. */
export function slowFlush(probability: number, min: Millis, max: Millis): DiskRule {
  if (!(min >= 0 && max >= min)) {
    throw simError("KITH_SIM_ARGUMENT", `A flush was to take ${min} to ${max} ms longer.`);
  }
  const span = Math.round((max - min) * 1000) + 1;
  // What decides over the length is independent of what the probability was compared with.
  const delay = (draw: number): Millis => min + (mix(draw, 1) % span) / 1000;
  return rule("slow flush", "flush", probability, ({ draw }) => ({
    kind: "slow",
    delay: delay(draw),
  }));
}

/** Lets reads fail with this probability; the next one may succeed. */
export function readErrors(probability: number): DiskRule {
  return rule("read error", "read", probability, () => fail);
}

/** Bounds what the disk holds, in bytes. Whatever makes it hold less is still possible. */
export function fullDisk(quota: number): DiskRule {
  return rule("full disk", "write", 1, ({ used, usedBefore }) =>
    used > quota && used > usedBefore ? fail : undefined,
  );
}

/** Changes a bit of what lies on the disk, with this probability after each flush. */
export function bitRot(probability: number): DiskRule {
  return rule("bit rot", "store", probability, () => ({ kind: "rot" }));
}

/** Loses, at a crash, each batch that was not flushed, with this probability. */
export function lostWrites(probability: number): DiskRule {
  return rule("lost write", "crash", probability, () => ({ kind: "lose" }));
}

/** Tears, at a crash, each batch that was not flushed, with this probability. */
export function tornWrites(probability: number): DiskRule {
  return rule("torn write", "crash", probability, () => ({ kind: "tear" }));
}

/** Keeps, at a crash, each batch that was not flushed: with probability 1 a process dies, not the machine. */
export function keptWrites(probability = 1): DiskRule {
  return rule("kept write", "crash", probability, () => ({ kind: "keep" }));
}

/** What the rules say to a deed. */
export interface Judgement {
  /** The sum of all delays, in whole microseconds. */
  readonly delay: number;
  readonly verdict: Exclude<DiskVerdict, { readonly kind: "slow" }>["kind"] | undefined;
}

const untouched: Judgement = { delay: 0, verdict: undefined };

interface Installed {
  readonly rule: DiskRule;
  readonly key: number;
}

/** What a checkpoint keeps of the rules. */
export interface SavedFaults {
  readonly installed: readonly Installed[];
  readonly bites: ReadonlyMap<string, number>;
}

/** The rules in force on one disk, and how often each of them bit. */
export class DiskFaults {
  readonly #seed: number | string;
  readonly #node: string;
  readonly #bit: (name: string, key: number, number: number) => void;
  #installed: readonly Installed[] = [];
  #bites = new Map<string, number>();

  /** @param bit told of each verdict that took effect: the rule, the key of its draws, and the deed's number */
  constructor(
    seed: number | string,
    node: string,
    bit: (name: string, key: number, number: number) => void,
  ) {
    this.#seed = seed;
    this.#node = node;
    this.#bit = bit;
  }

  /** How often each rule bit, by its name; rules that were removed count on. */
  get bites(): ReadonlyMap<string, number> {
    return this.#bites;
  }

  /** Puts a rule behind those in force. @returns removes it again */
  add(one: DiskRule): () => void {
    const key = streamKey(this.#seed, "disk rule", this.#node, one.name).low;
    const installed: Installed = { rule: one, key };
    this.#installed = [...this.#installed, installed];
    return () => {
      this.#installed = this.#installed.filter((other) => other !== installed);
    };
  }

  /** What the rules say to a deed. */
  judge(operation: Omit<DiskOperation, "draw" | "node">): Judgement {
    if (this.#installed.length === 0) return untouched;
    const { number, deed } = operation;
    let delay = 0;
    let verdict: Judgement["verdict"];
    for (const { rule: one, key } of this.#installed) {
      const draw = mix(mix(key, deeds.indexOf(deed)), number);
      const given = one.judge({ ...operation, node: this.#node, draw });
      if (given === undefined || (given.kind !== "slow" && verdict !== undefined)) continue;
      if (given.kind === "slow") delay += Math.round(given.delay * 1000);
      else verdict = given.kind;
      this.#bites.set(one.name, (this.#bites.get(one.name) ?? 0) + 1);
      this.#bit(one.name, key, number);
    }
    return { delay, verdict };
  }

  /** The rules and counters, for checkpoints. */
  save(): SavedFaults {
    return { installed: this.#installed, bites: new Map(this.#bites) };
  }

  /** Goes on from a saved state. */
  load({ installed, bites }: SavedFaults): void {
    this.#installed = installed;
    this.#bites = new Map(bites);
  }
}

function rule(
  name: string,
  deed: DiskDeed,
  probability: number,
  verdict: (operation: DiskOperation) => DiskVerdict | undefined,
): DiskRule {
  if (!(probability >= 0 && probability <= 1)) {
    throw simError("KITH_SIM_ARGUMENT", `A probability of ${probability} was given for ${name}.`);
  }
  const bound = Math.round(probability * 0x1_0000_0000);
  return { name, judge: (op) => (op.deed === deed && op.draw < bound ? verdict(op) : undefined) };
}

/**
 * Decides any register by a search over what may have happened, in the manner of Wing and Gong (1993) with Lowe's
 * just-in-time linearization (2017): it goes through the history event by event and keeps all *configurations*,
 * each the register's value and which of the open operations have taken effect. An operation takes effect
 * only when it must: at its return, or before another one that needs it.
 *
 * What keeps the configurations few, without changing the answer:
 *
 * - A read takes effect as soon as its value is there: it changes nothing, so doing it is never worse.
 * - A write whose value no operation expects any more takes effect right before another plain write, where
 *   nobody can see it.
 * - An operation that need not happen is forgotten once nobody expects its value any more.
 * - Of two configurations that differ only in operations that need not happen, the one that has used
 *   fewer of them is kept: it can do all that the other one can. Of two such operations that do the same, the
 *   earlier one is used first; and its value is used, by a read or a compare-and-set, before it is replaced.
 */

import { ABSENT, NOTHING, type Prepared } from "./register.ts";

/** How a search ended: with an order, with none for what came up to a position, or without an answer. */
export type Found =
  | { readonly kind: "order"; readonly spent: number }
  | { readonly kind: "none"; readonly until: number; readonly spent: number }
  | { readonly kind: "spent"; readonly spent: number };

/** Which open operations have taken effect: a bit for each slot. */
type Effects = bigint;
/** The configurations: for each value of the register the sets of effects. */
type Configurations = Map<number, Set<Effects>>;

/** Searches for an order of the operations, with at most `budget` configurations. */
export function search(all: readonly Prepared[], budget: number): Found {
  return new Search(all, budget).run();
}

class Search {
  readonly #events: readonly { readonly at: number; readonly one: Prepared }[];
  readonly #budget: number;
  #spent = 0;
  #now: Configurations = new Map([[ABSENT, new Set([0n])]]);
  /** The open operations, by slot; a slot's bit is its place. */
  readonly #slots: (Prepared | undefined)[] = [];
  readonly #bits = new Map<Prepared, bigint>();
  /** The bits of the operations that need not happen. */
  #optional: Effects = 0n;
  /** How many operations that have not returned expect a value. */
  readonly #observers = new Map<number, number>();
  /** The operations that need not happen, by the value that they write. */
  readonly #maybe = new Map<number, Prepared[]>();
  readonly #forgotten = new Set<Prepared>();

  constructor(all: readonly Prepared[], budget: number) {
    this.#budget = budget;
    const events: { at: number; one: Prepared }[] = [];
    for (const one of all) {
      events.push({ at: one.invoked, one });
      if (one.returned === Infinity) {
        const others = this.#maybe.get(one.writes);
        if (others === undefined) this.#maybe.set(one.writes, [one]);
        else others.push(one);
      } else {
        events.push({ at: one.returned, one });
      }
      this.#observers.set(one.expects, (this.#observers.get(one.expects) ?? 0) + 1);
    }
    this.#events = events.sort((a, b) => a.at - b.at);
  }

  run(): Found {
    for (const { at, one } of this.#events) {
      if (at === one.invoked) {
        this.#invoke(one);
        continue;
      }
      if (!this.#return(one)) return { kind: "spent", spent: this.#spent };
      if (this.#now.size === 0) return { kind: "none", until: at, spent: this.#spent };
      this.#unobserve(one.expects);
    }
    return { kind: "order", spent: this.#spent };
  }

  #invoke(one: Prepared): void {
    if (this.#forgotten.has(one)) return;
    const free = this.#slots.indexOf(undefined);
    const slot = free < 0 ? this.#slots.length : free;
    const bit = 1n << BigInt(slot);
    this.#slots[slot] = one;
    this.#bits.set(one, bit);
    if (one.returned === Infinity) this.#optional |= bit;
    if (one.writes !== NOTHING) return;
    const there = this.#now.get(one.expects);
    if (there !== undefined) this.#now.set(one.expects, new Set([...there].map((of) => of | bit)));
  }

  /** Keeps the configurations in which this has taken effect, or can now; false where the budget is spent. */
  #return(one: Prepared): boolean {
    const bit = this.#bits.get(one) ?? 0n;
    const next: Configurations = new Map();
    const seen: Configurations = new Map();
    const seenUnused: Configurations = new Map();
    const todo: { readonly value: number; readonly effects: Effects; readonly unused: boolean }[] =
      [];
    const visit = (value: number, effects: Effects, unused: boolean): void => {
      if ((effects & bit) !== 0n) {
        put(next, value, effects ^ bit);
        return;
      }
      if (unused && seen.get(value)?.has(effects) === true) return;
      if (put(unused ? seenUnused : seen, value, effects)) {
        todo.push({ value, effects, unused });
      }
    };
    for (const [value, sets] of this.#now) {
      this.#spent += sets.size;
      for (const effects of sets) visit(value, effects, false);
    }
    for (let from = todo.pop(); from !== undefined; from = todo.pop()) {
      if (++this.#spent > this.#budget) return false;
      for (const candidate of this.#slots) {
        if (candidate === undefined || candidate.writes === NOTHING) continue;
        const own = this.#bits.get(candidate) ?? 0n;
        if ((from.effects & own) !== 0n) continue;
        if (candidate.expects !== from.value && (candidate.expects !== NOTHING || from.unused)) {
          continue;
        }
        const isOptional = (own & this.#optional) !== 0n;
        if (isOptional && this.#hasEarlierTwin(candidate, from.effects)) continue;
        let effects = from.effects | own;
        if (candidate.expects === NOTHING) effects |= this.#hidden();
        const reads = this.#readsOf(candidate.writes) & ~effects;
        visit(candidate.writes, effects | reads, isOptional && reads === 0n);
      }
    }
    this.#free(one, bit);
    this.#now = this.#fewest(next);
    return true;
  }

  /** The open plain writes that must happen, and that nobody will see any more. */
  #hidden(): Effects {
    let hidden = 0n;
    for (const one of this.#slots) {
      if (one === undefined || one.writes === NOTHING || one.expects !== NOTHING) continue;
      if (one.returned === Infinity || (this.#observers.get(one.writes) ?? 0) > 0) continue;
      hidden |= this.#bits.get(one) ?? 0n;
    }
    return hidden;
  }

  /** The open reads of this value. */
  #readsOf(value: number): Effects {
    let reads = 0n;
    for (const one of this.#slots) {
      if (one === undefined || one.writes !== NOTHING || one.expects !== value) continue;
      reads |= this.#bits.get(one) ?? 0n;
    }
    return reads;
  }

  #hasEarlierTwin(of: Prepared, effects: Effects): boolean {
    return this.#slots.some(
      (one) =>
        one !== undefined &&
        one !== of &&
        one.returned === Infinity &&
        one.writes === of.writes &&
        one.expects === of.expects &&
        one.invoked < of.invoked &&
        (effects & (this.#bits.get(one) ?? 0n)) === 0n,
    );
  }

  /** One that expected this value is done; what only it could have used is forgotten. */
  #unobserve(value: number): void {
    if (value === NOTHING) return;
    const left = (this.#observers.get(value) ?? 0) - 1;
    this.#observers.set(value, left);
    if (left > 0) return;
    const unused = this.#maybe.get(value) ?? [];
    if (unused.length === 0) return;
    this.#maybe.delete(value);
    let bits = 0n;
    for (const one of unused) {
      this.#forgotten.add(one);
      const bit = this.#bits.get(one);
      if (bit !== undefined) {
        bits |= bit;
        this.#free(one, bit);
      }
    }
    if (bits !== 0n) {
      const cleared: Configurations = new Map();
      for (const [state, sets] of this.#now) {
        for (const effects of sets) put(cleared, state, effects & ~bits);
      }
      this.#now = this.#fewest(cleared);
    }
    for (const one of unused) this.#unobserve(one.expects);
  }

  #free(one: Prepared, bit: bigint): void {
    this.#slots[this.#slots.indexOf(one)] = undefined;
    this.#bits.delete(one);
    this.#optional &= ~bit;
  }

  /** Without the configurations that have used more of what need not happen than another one. */
  #fewest(all: Configurations): Configurations {
    if (this.#optional === 0n) return all;
    const kept: Configurations = new Map();
    for (const [value, sets] of all) {
      const groups = new Map<Effects, Effects[]>();
      for (const effects of sets) {
        const due = effects & ~this.#optional;
        const used = effects & this.#optional;
        const others = groups.get(due) ?? [];
        if (others.some((other) => (other & used) === other)) continue;
        groups.set(due, [...others.filter((other) => (other & used) !== used), used]);
      }
      for (const [due, usages] of groups) for (const used of usages) put(kept, value, due | used);
    }
    return kept;
  }
}

/** Adds a configuration; whether it is new. */
function put(to: Configurations, value: number, effects: Effects): boolean {
  const sets = to.get(value);
  if (sets === undefined) {
    to.set(value, new Set([effects]));
    return true;
  }
  if (sets.has(effects)) return false;
  sets.add(effects);
  return true;
}

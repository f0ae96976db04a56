/**
 * The turns that are due now, ordered by their draws and then by the order in which they came. Most of
 * the time it holds one or two, so it keeps them in arrays that are never given back: a turn costs no
 * object.
 */

import type { Runnable } from "@kith/core";
import type { Owner } from "./engine.ts";

/** A turn that is due. */
export interface ReadyTurn {
  readonly owner: Owner;
  readonly runnable: Runnable;
  /** Orders it among the others: 32 random bits. */
  readonly tie: number;
}

/** A binary heap of turns. */
export class ReadyTurns {
  size = 0;
  /** The turn that was taken last: whose it is. */
  owner: Owner | null = null;
  readonly #owners: (Owner | null)[] = [];
  readonly #runnables: (Runnable | null)[] = [];
  #ties = new Float64Array(64);
  #orders = new Float64Array(64);
  #order = 0;

  /** The draw of the first turn; only where there is one. */
  get firstTie(): number {
    return this.#ties[0] ?? 0;
  }

  /** Adds a turn. */
  add(owner: Owner, runnable: Runnable, tie: number): void {
    if (this.size === this.#ties.length) this.#grow();
    const order = ++this.#order;
    let at = this.size++;
    while (at > 0) {
      const above = (at - 1) >> 1;
      // Of two equal draws the earlier comes first, and what rises came later.
      if ((this.#ties[above] ?? 0) <= tie) break;
      this.#move(above, at);
      at = above;
    }
    this.#put(at, owner, runnable, tie, order);
  }

  /** Removes the first turn, and keeps its owner in `owner`. @returns whose turn it is; null where there is none */
  take(): Runnable | null {
    if (this.size === 0) return null;
    const first = this.#runnables[0] ?? null;
    this.owner = this.#owners[0] ?? null;
    const last = --this.size;
    const owner = this.#owners[last] ?? null;
    const runnable = this.#runnables[last] ?? null;
    const [tie = 0, order = 0] = [this.#ties[last], this.#orders[last]];
    this.#owners[last] = this.#runnables[last] = null;
    if (last === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      if (child + 1 < last && this.#before(child + 1, this.#ties[child], this.#orders[child]))
        child++;
      if (!this.#before(child, tie, order)) break;
      this.#move(child, at);
      at = child;
    }
    this.#put(at, owner, runnable, tie, order);
    return first;
  }

  /** All of them, in the order in which they came, for checkpoints. */
  entries(): ReadyTurn[] {
    const kept: (ReadyTurn & { readonly order: number })[] = [];
    for (let at = 0; at < this.size; at++) {
      const [owner, runnable] = [this.#owners[at], this.#runnables[at]];
      const [tie = 0, order = 0] = [this.#ties[at], this.#orders[at]];
      if (owner && runnable) kept.push({ owner, runnable, tie, order });
    }
    return kept.toSorted((a, b) => a.order - b.order);
  }

  #before(at: number, tie = 0, order = 0): boolean {
    const other = this.#ties[at] ?? 0;
    return other !== tie ? other < tie : (this.#orders[at] ?? 0) < order;
  }

  #put(
    at: number,
    owner: Owner | null,
    runnable: Runnable | null,
    tie: number,
    order: number,
  ): void {
    this.#owners[at] = owner;
    this.#runnables[at] = runnable;
    this.#ties[at] = tie;
    this.#orders[at] = order;
  }

  #move(from: number, to: number): void {
    this.#owners[to] = this.#owners[from] ?? null;
    this.#runnables[to] = this.#runnables[from] ?? null;
    this.#ties[to] = this.#ties[from] ?? 0;
    this.#orders[to] = this.#orders[from] ?? 0;
  }

  #grow(): void {
    const [ties, orders] = [this.#ties, this.#orders];
    this.#ties = new Float64Array(ties.length * 2);
    this.#ties.set(ties);
    this.#orders = new Float64Array(orders.length * 2);
    this.#orders.set(orders);
  }
}
